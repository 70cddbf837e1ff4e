"""LaTeX: what is printed, without commands, with sections as headings; mathematics stays as it is written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, one_line
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.titles import people
from quarry.search.types import Parsed

_LEVELS = {
    "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5, "frametitle": 2,
}  # fmt: skip
_MATH = r"equation|align|alignat|flalign|gather|multline|eqnarray|displaymath|math|cases|split|array"
_AS_IT_IS = r"verbatim|Verbatim|lstlisting|minted|alltt"
_TOKEN = re.compile(
    rf"\\begin\{{((?:{_MATH}|{_AS_IT_IS})\*?)\}}|(?P<math>\$\$.{{1,5000}}?\$\$|\$(?:\\.|[^$\\]){{1,1000}}\$"
    r"|\\\[.{1,5000}?\\\]|\\\(.{1,2000}?\\\))"
    r"|\\(?P<name>[a-zA-Z@]+)\*?[ \t]*(?P<options>\[[^\[\]\n]{0,300}\])?|\\(?P<accent>['`^\"~=.](?=\{?\\?[a-zA-Z]))"
    r"|\\(?P<sign>.)|(?P<brace>[{}])|(?P<tie>~)|(?P<cell>&)|(?P<blank>\n[ \t]*\n\s*)",
    re.S,
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")
_ARGUMENT = re.compile(r"\s{0,20}\{((?:[^{}\\]|\\.|\{(?:[^{}\\]|\\.|\{[^{}]{0,500}\}){0,500}+\}){0,2000}+)\}", re.S)
_DROPPED = frozenset(
    """label ref eqref pageref autoref cref Cref nocite bibliographystyle bibliography addbibresource usepackage
    documentclass includegraphics input include vspace hspace setlength addtolength setcounter pagestyle thispagestyle
    newcommand renewcommand providecommand def let newenvironment hypersetup geometry definecolor color graphicspath
    begin end index newtheorem pagenumbering bibitem rule addcontentsline phantomsection title author date thanks
    institute tableofcontents maketitle DeclareMathOperator""".split()  # noqa: SIM905
)
_TWO = frozenset({"newcommand", "renewcommand", "providecommand", "setlength", "addtolength", "definecolor",
                  "setcounter", "newtheorem", "rule", "DeclareMathOperator"})  # fmt: skip
_BREAK = "\f"  # between lines that stay lines
_SPELLED = {
    "ldots": "…", "dots": "…", "LaTeX": "LaTeX", "TeX": "TeX", "textbackslash": "\\", "item": f"{_BREAK}- ",
    "par": _BREAK, "newline": _BREAK, "S": "§", "ss": "ß", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø",
    "O": "Ø", "aa": "å", "AA": "Å", "l": "ł", "L": "Ł", "i": "i", "j": "j", "euro": "€", "pounds": "£",
    "copyright": "©", "quad": " ", "qquad": " ", "footnote": " ", "cite": " ", "and": "; ",
}  # fmt: skip
_ACCENTS = dict(zip("'`^\"~=.", "\u0301\u0300\u0302\u0308\u0303\u0304\u0307", strict=True)) | {
    "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328", "r": "\u030a",
}  # fmt: skip
_QUOTES = {"``": "“", "''": "”", "---": "—", "--": "–"}
_QUOTED = re.compile("``|''|---?")


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    text = clean(decode(source.read()))
    text = _COMMENT.sub(r"\1", text)
    metadata: dict[str, Any] = {name: said for name in ("author", "date") if (said := _said(text, name))}
    if "author" in metadata:
        metadata["author"] = people(metadata["author"])
    title = _said(text, "title")
    begin = text.find("\\begin{document}")
    if begin >= 0:
        text = text[begin + len("\\begin{document}") :].partition("\\end{document}")[0]
    flow = Flow()
    _read(text, flow)
    yield from flow.parsed(source.format.type, title, metadata)


def _said(text: str, name: str) -> str:
    match = re.search(rf"\\{name}\s*(?:\[[^\]\n]*\])?(?=\s*\{{)", text)
    found = _ARGUMENT.match(text, match.end()) if match else None
    words = one_line(_plain(found[1])) if found else ""
    return "" if words.startswith("\\") else words


def _plain(text: str) -> str:
    """Return a short piece of text without its commands."""
    flow = Flow()
    _read(text, flow, sections=False)
    return flow.text


def _read(text: str, flow: Flow, *, sections: bool = True) -> None:
    """Add a text to a flow, paragraph by paragraph."""
    parts: list[str] = []
    at = 0

    def paragraph() -> None:
        lines = (" ".join(line.split()) for line in "".join(parts).split(_BREAK))
        flow.add("\n".join(filter(None, lines)))
        parts.clear()

    while match := _TOKEN.search(text, at):
        parts.append(_QUOTED.sub(lambda one: _QUOTES[one[0]], text[at : match.start()]))
        at = match.end()
        if environment := match[1]:
            end = text.find(f"\\end{{{environment}}}", at)
            end = len(text) if end < 0 else end
            paragraph()
            flow.add(text[at:end])
            at = min(len(text), end + len(f"\\end{{{environment}}}"))
        elif match["math"]:
            parts.append(match["math"])
        elif (name := match["name"]) is not None:
            at = _command(name, text, at, parts, flow, paragraph if sections else None)
        elif match["accent"]:
            at = _accented(match["accent"], text, at, parts)
        elif sign := match["sign"]:
            parts.append(_BREAK if sign == "\\" else " " if sign in ",;: \n" else "" if sign in "-/!@" else sign)
        elif match["tie"]:
            parts.append(" ")
        elif match["cell"]:
            parts.append(" | ")
        elif match["blank"]:
            paragraph()
    parts.append(_QUOTED.sub(lambda one: _QUOTES[one[0]], text[at:]))
    paragraph()


def _command(name: str, text: str, at: int, parts: list[str], flow: Flow, paragraph: Any) -> int:
    """Add what a command prints; return where the text goes on."""
    if paragraph is not None and name in _LEVELS and (found := _ARGUMENT.match(text, at)):
        paragraph()
        flow.add(_plain(found[1]), level=_LEVELS[name])
        return found.end()
    if name in _ACCENTS and len(name) == 1:
        return _accented(name, text, at, parts)
    if name in ("begin", "end") and paragraph is not None:
        paragraph()
    if name in _DROPPED or name == "href":
        for _ in range(2 if name in _TWO else 1):
            if found := _ARGUMENT.match(text, at):
                at = found.end()
        if name == "begin" and (found := re.compile(r"(?:\[[^\]\n]*\]|\{[^{}\n]*\})*").match(text, at)):
            at = found.end()
        return at
    parts.append(_SPELLED.get(name, "" if text[at : at + 1] == "{" else " "))
    return at


def _accented(accent: str, text: str, at: int, parts: list[str]) -> int:
    match = re.compile(r"\s?\{?\\?([a-zA-Z])\s?\}?").match(text, at)
    if match is None:
        return at
    parts.append(unicodedata.normalize("NFC", match[1] + _ACCENTS[accent]))
    return match.end()
