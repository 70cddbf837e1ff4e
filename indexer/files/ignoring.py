"""Ignore files as git reads them (gitignore(5), its `wildmatch.c`), in time that no pattern can stretch.

A stranger's folder brings its own patterns. A star never gives back what it took but for the last of a name
(`search.files.globs.starred`), `**` is walked over without looking back further than the last one, and what all
patterns together may cost for one file is bounded. git itself hangs on some that are read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from quarry.search.files.globs import starred

MAX_PATTERNS = 10_000  # of the ignore files of a folder and those above it
BUDGET = 50_000  # comparisons for one file; a few milliseconds
_CLASSES = {  # of POSIX, in ASCII as in git
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "blank": " \t", "cntrl": "\x00-\x1f\x7f", "digit": "0-9", "graph": "!-~",
    "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": " \t-\r", "upper": "A-Z", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_NEVER = r"(?!)"


class TooCostly(Exception):
    """Whether a file is ignored can't be told within the budget."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of an ignore file.

    Args:
        ignores: or else what it matches is not ignored after all.
        folders_only: it ends in a slash.
        anywhere: it has no other slash, and matches names in all folders below.
        names: the names of a path, None for `**`.
    """

    ignores: bool
    folders_only: bool
    anywhere: bool
    names: tuple[re.Pattern[str] | str | None, ...]


def patterns(text: str) -> Iterator[Pattern]:
    """Yield the patterns of an ignore file, in order; what is none matches nothing, as in git."""
    for line in text.removeprefix("\ufeff").split("\n"):
        line = _trimmed(line.removesuffix("\r"))
        if line.startswith("#"):
            continue
        ignores = not line.startswith("!")
        line = line if ignores else line[1:]
        folders_only = line.endswith("/")
        line = line[:-1] if folders_only else line
        if not line:
            continue
        try:
            names = _names(line.removeprefix("/"))
        except LookupError:
            continue
        anywhere = "/" not in line
        if anywhere and names == [None]:  # `**`, which is a star where there is no slash
            names = [re.compile(".+", re.S)]
        elif names[-1] is None:  # `a/**` is all below `a`, but not `a`
            names.append(re.compile(".+", re.S))
        yield Pattern(ignores, folders_only, anywhere, tuple(names))


def verdict(patterns: Sequence[Pattern], path: Sequence[str], is_folder: bool) -> bool | None:
    """Say whether a path is ignored; None where no pattern matches it. Its folders are not: else it is not asked for.

    Args:
        path: its names, from the folder of the ignore file downwards.

    Raises:
        TooCostly: it takes more than the budget to tell.
    """
    check = _Check(path, BUDGET - len(patterns))
    for pattern in reversed(patterns):
        if (is_folder or not pattern.folders_only) and check.matches(pattern):
            return pattern.ignores
    return None


class _Check:
    """Compares one path with patterns, and counts what that costs."""

    def __init__(self, path: Sequence[str], budget: int) -> None:
        self._path = path
        self._left = budget

    def matches(self, pattern: Pattern) -> bool:
        if pattern.anywhere:
            return self._is(pattern.names[0], self._path[-1])
        path, names = self._path, pattern.names
        at = place = 0
        after = back = -1  # the last `**`: where the pattern goes on, and the name of the path that it takes next
        while place < len(path):
            if at < len(names) and names[at] is None:
                at += 1
                after, back = at, place
            elif at < len(names) and self._is(names[at], path[place]):
                at, place = at + 1, place + 1
            elif after >= 0:
                back += 1
                at, place = after, back
            else:
                return False
        return at == len(names)

    def _is(self, wanted: re.Pattern[str] | str | None, name: str) -> bool:
        if isinstance(wanted, re.Pattern):
            self._left -= 1 + (len(wanted.pattern) * len(name) >> 8)
            fits = wanted.fullmatch(name) is not None
        else:
            self._left -= 1
            fits = wanted == name
        if self._left < 0:
            raise TooCostly
        return fits


def _trimmed(line: str) -> str:
    """Return a line without the spaces at its end, but for one after a backslash."""
    rest = line.rstrip(" ")
    escaped = (len(rest) - len(rest.rstrip("\\"))) % 2 == 1
    return line[: len(rest) + 1] if escaped else rest


def _names(pattern: str) -> list[re.Pattern[str] | str | None]:
    """Take a pattern apart into names: plain ones, expressions, and None for `**`.

    Raises:
        LookupError: it ends within brackets or in a backslash, or names a class that there is not.
    """
    found: list[re.Pattern[str] | str | None] = []
    pieces, plain, stars, at = [""], "", 0, 0  # of a name: what its stars divide, and the name itself

    def finish() -> None:
        if stars >= 2 and pieces == [""] * len(pieces) and not plain:
            found.append(None)
        elif len(pieces) == 1 and pieces[0] == re.escape(plain):
            found.append(plain)
        else:
            found.append(re.compile(starred(pieces), re.S))

    while at < len(pattern):
        sign = pattern[at]
        if sign == "\\":
            at += 1
            sign = f"\\{pattern[at]}"
        if sign in ("/", "\\/"):
            finish()
            pieces, plain, stars = [""], "", 0
        elif sign == "*":
            stars += 1
            if stars == 1 or pattern[at - 1] != "*" or pieces[-1]:
                pieces.append("")
        elif sign == "?":
            pieces[-1] += "."
        elif sign == "[":
            expression, at = _bracket(pattern, at + 1)
            pieces[-1] += expression
        else:
            plain += sign[-1]
            pieces[-1] += re.escape(sign[-1])
        at += 1
    finish()
    return found


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """Return the expression of a set of characters, and the place of the bracket that ends it.

    Args:
        at: the place after the bracket that begins it.

    Raises:
        LookupError: as `_names` does.
    """
    negated = pattern[at : at + 1] in ("!", "^")
    at += negated
    parts, before, first = list[str](), "", True
    while first or pattern[at : at + 1] != "]":
        first = False
        sign = pattern[at]
        if sign == "-" and before and pattern[at + 1 : at + 2] not in ("", "]"):
            at += 1 + (pattern[at + 1] == "\\")
            if before <= pattern[at]:
                parts[-1] += f"{re.escape(before)}-{re.escape(pattern[at])}"
            before = ""
        elif sign == "[" and pattern[at + 1 : at + 2] == ":" and (end := pattern.find("]", at + 2)) > 0:
            if pattern[end - 1] != ":" or end - 1 < at + 2:
                before = sign
                parts.append(re.escape(sign))
            else:
                parts.append(_CLASSES[pattern[at + 2 : end - 1]])
                before, at = "", end
        else:
            at += sign == "\\"
            before = pattern[at]
            parts.append(re.escape(before))
        at += 1
    if not parts:
        return ("." if negated else _NEVER), at
    return f"[{'^' if negated else ''}{''.join(parts)}]", at
