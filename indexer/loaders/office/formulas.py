"""Formulas of office documents on one line: fractions as a/b, powers as a^b."""

from __future__ import annotations

from quarry.indexer.loaders.office.elements import Element, child, value

_SIMPLE = 1  # characters, up to which a part of a formula needs no brackets


def linear(element: Element | None) -> str:
    """Write a formula of Office Math (ECMA-376-1, 22.1) on one line."""
    if element is None:
        return ""
    match element.tag:
        case "t":
            return element.text or ""
        case "f":
            return f"{_grouped(child(element, 'num'))}/{_grouped(child(element, 'den'))}"
        case "sSup":
            return f"{linear(child(element, 'e'))}^{_grouped(child(element, 'sup'))}"
        case "sSub":
            return f"{linear(child(element, 'e'))}_{_grouped(child(element, 'sub'))}"
        case "sSubSup":
            low, high = _grouped(child(element, "sub")), _grouped(child(element, "sup"))
            return f"{linear(child(element, 'e'))}_{low}^{high}"
        case "rad":
            degree = linear(child(element, "deg"))
            return f"{degree}√{_grouped(child(element, 'e'))}"
        case "nary":
            sign = value(element, "naryPr", "chr") or "∫"
            low, high = linear(child(element, "sub")), linear(child(element, "sup"))
            return f"{sign}{f'_({low})' if low else ''}{f'^({high})' if high else ''} {linear(child(element, 'e'))}"
        case "d":
            begin = value(element, "dPr", "begChr") or "("
            end = value(element, "dPr", "endChr") or ")"
            return begin + ", ".join(linear(each) for each in element if each.tag == "e") + end
        case "m":
            return "; ".join(", ".join(map(linear, row)) for row in element if row.tag == "mr")
    return "".join(map(linear, element))


def _grouped(element: Element | None) -> str:
    text = linear(element)
    return text if len(text) <= _SIMPLE or text.isalnum() else f"({text})"
