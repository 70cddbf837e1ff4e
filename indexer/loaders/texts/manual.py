"""Manual pages (man(7) and mdoc(7), the macros of roff): what is printed, with its sections as headings.

Definitions, conditions and registers are not run: of a condition, what a terminal would show is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import decode
from quarry.indexer.loaders.office.flow import Flow
from quarry.search.types import Parsed

_ESCAPE = re.compile(
    r"\\(?:f(?:\(..|\[[^]\n]{0,99}\]|.)|s[-+]?(?:\d|\[[^]\n]{0,99}\])|n[-+]?(?:\(..|\[[^]\n]{0,99}\]|.)"
    r"|[mMFkg](?:\(..|\[[^]\n]{0,99}\]|.)|[hvwoxLlDSHXZbRAN]'[^'\n]*'|\*(?P<string>\(..|\[[^]\n]{0,99}\]|.)"
    r"|(?P<sign>\(..|\[[^]\n]{0,99}\]|.))"
)
_SIGNS = {
    "-": "-", "e": "\\", "\\": "\\", " ": " ", "~": " ", "0": " ", "t": "\t", ".": ".", "'": "'", "`": "`", "en": "–",
    "em": "—", "aq": "'", "dq": '"', "oq": "‘", "cq": "’", "lq": "“", "rq": "”", "bu": "•", "co": "©", "rg": "®",
    "tm": "™", "ha": "^", "ti": "~", "ga": "`", "rs": "\\", "sl": "/", "at": "@", "mu": "×", "->": "→", "<-": "←",
    "<=": "≤", ">=": "≥", "!=": "≠", "+-": "±", "de": "°", "lB": "[", "rB": "]", "lC": "{", "rC": "}", "ba": "|",
    "hy": "-", "mi": "−", "pl": "+", "eq": "=", "or": "|", "sc": "§", "Do": "$", "bv": "|", "sh": "#", "ss": "ß",
    "Po": "£", "Eu": "€", "la": "⟨", "ra": "⟩", "fo": "‹", "fc": "›", "Fo": "«", "Fc": "»", "sq": "□",
}  # fmt: skip
_ACCENTS = {"'": "\u0301", "`": "\u0300", "^": "\u0302", ":": "\u0308", "~": "\u0303", ",": "\u0327"}
_STRINGS = {"C+": "C++", "L\"": "“", "R\"": "”", "lq": "“", "rq": "”", "Lq": "“", "Rq": "”", "R": "®", "Tm": "™",
            "--": "—", "Aq": "'", "<": "<", ">": ">"}  # fmt: skip
_ARGUMENT = re.compile(r'"((?:[^"\n]|"")*)"?|((?:\\.|[^\s\\])+)')
_LINE = re.compile(r"[.'][ \t]*(\\?[^\s\\]{1,20}|\\[\"}])?[ \t]*(.*)", re.S)
_CONDITION = re.compile(r"(?:!?[a-z]|\S+)[ \t]*(.*)", re.S)
_FONTS = frozenset({"B", "I", "SB", "SM", "R"})
_IN_TURN = frozenset({"BR", "BI", "IR", "IB", "RB", "RI"})
_APART = frozenset({"PP", "P", "LP", "TP", "TQ", "HP", "sp", "RS", "RE", "Pp", "Bd", "Ed", "Bl", "El", "nf", "EX",
                    "bp", "YS"})  # fmt: skip
_OF_MDOC = {"Fl": ("-", ""), "Op": ("[", "]"), "Oo": ("[", ""), "Oc": ("]", ""), "Dq": ("“", "”"), "Qq": ('"', '"'),
            "Sq": ("‘", "’"), "Ql": ("‘", "’"), "Pq": ("(", ")"), "Po": ("(", ""), "Pc": (")", ""), "Aq": ("<", ">"),
            "Bq": ("[", "]"), "Nd": ("- ", "")}  # fmt: skip
_CALLED = frozenset(
    """Ad An Ao Aq Ar Bc Bo Bq Brq Cd Cm Dc Do Dq Dv Em Er Ev Fa Fl Fn Fo Ft Ic In Li Lk Mt Nm No Ns Oc Oo Op Pa Pc Po
    Pq Ql Qq Sc So Sq Sx Sy Tn Va Vt Xo Xc Xr Ux Bx Nx Fx Ox""".split()  # noqa: SIM905
)
_PRINTED = _CALLED | {"Nd", "Rs", "%A", "%T", "%B", "%J", "UR", "MT", "UE", "ME", "Lb", "St", "SY", "OP", "Fd", "D1"}


def parse(source: Source) -> Iterator[Parsed]:
    """Read one page."""
    page = _Page()
    lines = iter(decode(source.read()).replace("\\\n", "").split("\n"))
    for line in lines:
        page.read(line, lines)
    page.paragraph()
    yield from page.flow.parsed(source.format.type, page.title, page.metadata)


class _Page:
    """A page as it is read, line by line."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.title = ""
        self.name = ""  # of what mdoc describes
        self.metadata: dict[str, str] = {}
        self._parts: list[str] = []  # of the paragraph
        self._is_filled = True  # lines go on where the last one ended
        self._is_broken = False
        self._heading = 0  # the level of one whose words are on the next line
        self._is_table = False

    def paragraph(self) -> None:
        """End the paragraph."""
        self.flow.add("".join(self._parts))
        self._parts.clear()

    def read(self, line: str, lines: Iterator[str]) -> None:
        """Read a line, and those after it that a definition takes."""
        if not line.startswith((".", "'")):
            if self._is_table:
                line = " | ".join(cell.strip() for cell in line.split("\t") if cell.strip() not in ("T{", "T}", "_"))
            if line.strip() or self._is_table:
                self._print(_plain(line))
            else:
                self.paragraph()
            return
        match = _LINE.match(line)
        name, rest = (match[1] or "", match[2]) if match else ("", "")
        if name in ("if", "ie"):
            self._if(rest, lines)
        elif name in ("el", "el\\{\\"):
            _skip(rest if name == "el" else "\\{", lines)
        elif name in ("de", "de1", "am", "ig"):
            for each in lines:
                if each.strip() in ("..", ". ."):
                    return
        elif name == "TS":
            self.paragraph()
            self._is_table, self._is_filled = True, False
            for each in lines:  # up to where the formats of its columns end
                if each.rstrip().endswith(".") or each.startswith(".TE"):
                    return
        elif name == "TE":
            self.paragraph()
            self._is_table, self._is_filled = False, True
        else:
            self._macro(name, [one[1].replace('""', '"') if one[1] is not None else one[2] for one in _words(rest)])

    def _if(self, rest: str, lines: Iterator[str]) -> None:
        match = _CONDITION.match(rest)
        body = match[1] if match else ""
        if rest.startswith(("n ", "n\t", "n.")) and not body.startswith("\\{"):
            self.read(body, lines)
        elif not rest.startswith("n"):
            _skip(body, lines)

    def _macro(self, name: str, words: list[str]) -> None:
        said = [_plain(word) for word in words]
        if name in ("SH", "SS", "Sh", "Ss"):
            self.paragraph()
            self._heading = 1 + (name[1] in "Ss" and name in ("SS", "Ss"))
            if words:
                self._print(" ".join(said))
        elif name in ("TH", "Dt") and words:
            self.title = f"{said[0].lower() if said[0].isupper() else said[0]}({said[1]})" if words[1:] else said[0]
            if name == "TH" and words[2:] and re.search(r"\d", said[2]):
                # DocBook, which many pages are made from, writes month/day/year.
                self.metadata["date"] = re.sub(r"^(\d\d)/(\d\d)/(\d{4})$", r"\3-\1-\2", said[2])
        elif name == "Dd":
            self.metadata["date"] = " ".join(said).replace("$Mdocdate:", "").strip(" $")
        elif name in _FONTS:
            self._print(" ".join(said))
        elif name in _IN_TURN:
            self._print("".join(said))
        elif name == "IP":
            self.paragraph()
            self._print(said[0] if said else "")
        elif name == "It":
            self.paragraph()
            self._print(self._mdoc("No", words))
        elif name == "br":
            self._is_broken = True
        elif name in _APART:
            self.paragraph()
            self._is_filled = name == "Ed" or (self._is_filled and name not in ("nf", "EX") and "-literal" not in words)
        elif name in ("fi", "EE"):
            self.paragraph()
            self._is_filled = True
        elif name in _PRINTED:
            self._print(self._mdoc(name, words))

    def _mdoc(self, name: str, words: list[str]) -> str:
        """Return what a macro of mdoc prints, and those that its words call."""
        parts: list[str] = []
        ends: list[str] = []
        at, is_close = 0, False
        for at, word in enumerate([name, *words]):
            if word in _CALLED or at == 0:
                start, end = _OF_MDOC.get(word, ("", ""))
                ends.insert(0, end)
                if word == "Nm":
                    follows = at < len(words) and words[at] not in _CALLED
                    if follows and not self.name:
                        self.name = _plain(words[at])
                    start = "" if follows else self.name
                if word == "Ns":
                    is_close = True
                elif start:
                    parts.append(start if is_close or not parts or parts[-1].endswith(("[", "(", "<")) else f" {start}")
                    is_close = start in ("-", "[", "(", "<", "“", "‘", '"', "- ")
            else:
                said = _plain(word)
                is_section = re.fullmatch(r"\d\w{0,4}", said) and "Xr" in (name, *words)
                said = f"({said})" if is_section else said
                is_stop = is_section or said in (".", ",", ";", ":", ")", "]")
                parts.append(said if is_close or is_stop or not parts else f" {said}")
                is_close = False
        return "".join(parts) + "".join(ends)

    def _print(self, words: str) -> None:
        if not words.strip():
            return
        if self._heading:
            self.flow.add(words, level=self._heading)
            self._heading = 0
        else:
            if self._parts:
                goes_on = self._is_filled and not self._is_broken and not words.startswith(" ")
                self._parts.append(" " if goes_on else "\n")
            self._parts.append(words)
        self._is_broken = False


def _words(rest: str) -> Iterator[re.Match[str]]:
    """Yield the arguments of a macro; a comment ends them."""
    return _ARGUMENT.finditer(re.split(r'(?<!\\)\\"', rest, maxsplit=1)[0])


def _skip(body: str, lines: Iterator[str]) -> None:
    """Pass by what a condition that does not hold would print."""
    depth = body.count("\\{") - body.count("\\}")
    while depth > 0 and (line := next(lines, None)) is not None:
        depth += line.count("\\{") - line.count("\\}")


def _plain(text: str) -> str:
    """Return a piece of text without its escapes."""
    return _ESCAPE.sub(_sign, re.split(r'(?<!\\)\\"', text, maxsplit=1)[0]) if "\\" in text else text


def _sign(match: re.Match[str]) -> str:
    if (name := match["string"]) is not None:
        name = name[1:3] if name.startswith("(") else name.strip("[]")
        return _STRINGS.get(name, "")
    name = match["sign"] or ""
    name = name[1:] if name.startswith("(") else name.strip("[]") if len(name) > 1 else name
    if re.fullmatch(r"u[0-9A-F]{4,6}(?:_[0-9A-F]{4})*", name):
        codes = [int(code, 16) for code in name[1:].split("_")]
        return "".join(chr(code) for code in codes if code < 0x110000 and not 0xD800 <= code < 0xE000)
    if len(name) == 2 and name[0] in _ACCENTS and name[1].isalpha():
        return normalize("NFC", name[1] + _ACCENTS[name[0]])
    return _SIGNS.get(name, "")
