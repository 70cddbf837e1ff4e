"""Tesseract, the system's program: it finds which way up a page is, its columns, its paragraphs and its words.

Each page is a process of its own, in the group of the confined child that starts it, with the child's caps on memory.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image

from quarry.indexer.loaders.scans.base import TextLine
from quarry.indexer.loaders.scans.skew import on_the_page
from quarry.search.errors import FileMalformed

_WANTED = ("kor", "eng")  # what is read with where many languages are installed; the first counts where in doubt
_MANY = 4  # languages: each that is added costs time, and takes some letters of another's for its own
_NO_LANGUAGES = frozenset(["osd", "equ", "snum"])
_PAGE = 11.7  # inches, the longer side of A4
_HANGUL = "kor"
_MOSTLY = 4  # times as many letters of one script as of others: then it is read as that
_COLUMNED, _PLAIN, _BLOCK, _SCATTERED = "3", "4", "6", "11"  # how it looks: for columns, at one, at lines, for words
_SURE_WORD = 0.8  # of a picture that is no page
_LARGE, _LARGER = 1_500, 3.0  # pixels that a picture is scaled up to, where it is smaller, and how many times at most
_SURE_OF_TURN = 2.0  # as it counts; a page with hardly any letters has less
_UNSURE = 0.7
_BANDS = 5
_INK, _CLEAR, _GAP, _TALL, _BOTH = 40, 0.02, 3, 30, 0.5  # of a page of 200 x 280 pixels
_DATA = {
    "eng": "Tesseract has no data of English",
    "kor": "Tesseract has no data of Korean",
    "osd": "Tesseract turns no pages that lie on their side",
}
_WITHIN = 0.9  # of a line's box
_WORD = "5"  # the level of a word among the rows of its table
_COLUMNS = 12


class Tesseract:
    """The `Engine` that is a program of the system."""

    name = "tesseract"

    @property
    def version(self) -> str:
        """Its version, with the languages that it reads."""
        return f"{self._number} {'+'.join(self.reads)}" if self.reads else ""

    @cached_property
    def reads(self) -> Sequence[str]:
        """The installed languages, where they are few, else Korean and English."""
        found = [name for name in self._installed if name not in _NO_LANGUAGES and "/" not in name]
        wanted = [name for name in _WANTED if name in found]
        return tuple(wanted if len(found) > _MANY else [*wanted, *sorted(set(found) - set(wanted))])

    @property
    def lacks(self) -> Sequence[str]:
        """Languages, and what turns pages."""
        return [
            f"{what}: apt install tesseract-ocr-{name}" for name, what in _DATA.items() if name not in self._installed
        ]

    def read(self, picture: Image.Image, *, sparse: bool = False) -> list[TextLine]:
        """Read a picture; one without text has no lines."""
        grey = picture.convert("L")
        if sparse:
            scale = min(_LARGER, max(1.0, _LARGE / max(grey.size)))
            larger = grey.resize((round(grey.width * scale), round(grey.height * scale)), Image.Resampling.BICUBIC)
            return self._run(larger, self.reads, _SCATTERED, least=_SURE_WORD)
        angle = self._turn(grey)
        upright = grey.rotate(angle, expand=True) if angle else grey
        layout = _COLUMNED if has_columns(upright) else _PLAIN
        languages = self._languages(upright)
        lines = self._run(upright, languages, layout)
        if len(languages) < len(self.reads) and _confidence(lines) < _UNSURE:
            lines = self._run(upright, self.reads, layout)
        if not angle:
            return lines
        return [replace(one, box=on_the_page(one.box, angle, grey.size, upright.size)) for one in lines]

    def _turn(self, picture: Image.Image) -> int:
        """Return by how many degrees, anticlockwise, a page is to be turned for its letters to stand upright."""
        if "osd" not in self._installed:
            return 0
        with tempfile.TemporaryDirectory() as folder:
            page, found = Path(folder, "page.pgm"), Path(folder, "found")
            picture.save(page)
            _start(page, found, "--psm", "0", "--dpi", str(_dpi(picture)))
            said = found.with_suffix(".osd")
            told = dict(line.split(": ", 1) for line in said.read_text().splitlines()) if said.exists() else {}
        sure = float(told.get("Orientation confidence", 0)) >= _SURE_OF_TURN
        return -int(told["Rotate"]) if sure else 0

    def _languages(self, picture: Image.Image) -> Sequence[str]:
        """Return what to read a page by: beside another language it takes some words of Hangul for Latin ones."""
        others = [name for name in self.reads if name != _HANGUL]
        if _HANGUL not in self.reads or not others:
            return self.reads
        letters = "".join(line.text for line in self._run(_band(picture), self.reads, _BLOCK))
        hangul = sum("\uac00" <= letter <= "\ud7a3" for letter in letters)
        latin = sum(letter.isalpha() for letter in letters) - hangul
        if hangul > _MOSTLY * latin:
            return (_HANGUL,)
        return others if hangul * _MOSTLY < latin / 4 else self.reads

    def _run(self, picture: Image.Image, languages: Sequence[str], layout: str, least: float = 0.0) -> list[TextLine]:
        with tempfile.TemporaryDirectory() as folder:
            page, found = Path(folder, "page.pgm"), Path(folder, "found")
            picture.save(page)
            dpi = str(_dpi(picture))
            code = _start(page, found, "-l", "+".join(languages), "--psm", layout, "--dpi", dpi, "txt", "tsv")
            if code:
                raise FileMalformed(f"Tesseract can't read it (exit code {code})")
            text, table = (found.with_suffix(name).read_text("utf-8", "replace") for name in (".txt", ".tsv"))
        return _lines(text, table, picture.size, least)

    @cached_property
    def _number(self) -> str:
        return (_said("--version").split() or ["", "0"])[1]

    @cached_property
    def _installed(self) -> Sequence[str]:
        return _said("--list-langs").splitlines()[1:]


def has_columns(page: Image.Image) -> bool:
    """Say whether a white gap stands somewhere in the middle of an upright page, with text on both sides all along.

    Without one it is better told that the page has none: it takes gaps between Hangul for some.
    """
    small = np.asarray(page.convert("L").resize((200, 280), Image.Resampling.BOX), np.int16)
    ink = small < np.percentile(small, 90) - _INK
    rows = np.flatnonzero(ink.any(axis=1))
    if len(rows) < _TALL:
        return False
    busy = ink[rows].mean(axis=0)
    clear = busy[60:140] <= _CLEAR
    gap = max((len(run) for run in "".join("x" if one else " " for one in clear).split()), default=0)
    if gap < _GAP:
        return False
    middle = 60 + int(np.flatnonzero(clear).mean())
    sides = [ink[rows][:, :middle].any(axis=1), ink[rows][:, middle:].any(axis=1)]
    return bool(np.mean(sides[0] & sides[1]) > _BOTH)


def _band(page: Image.Image) -> Image.Image:
    """Return a fifth of a page, that where most ink is."""
    ink = 255 - np.asarray(page.resize((1, _BANDS), Image.Resampling.BOX), np.int16).ravel()
    best = int(ink.argmax())
    return page.crop((0, best * page.height // _BANDS, page.width, (best + 1) * page.height // _BANDS))


def _confidence(lines: Sequence[TextLine]) -> float:
    weight = sum(len(line.text) for line in lines)
    return sum(line.confidence * len(line.text) for line in lines) / weight if weight else 1.0


def _start(*arguments: str | Path) -> int:
    """Run the program with nothing to say or to be told; return its exit code."""
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    command = ["tesseract", *arguments]
    return subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment, check=False).returncode


def _dpi(picture: Image.Image) -> int:
    """Return the dots per inch as if it were a page: what it guesses by itself mistakes Hangul for columns."""
    return round(min(400.0, max(70.0, max(picture.size) / _PAGE)))


def _lines(text: str, table: str, size: tuple[int, int], least: float) -> list[TextLine]:
    """Make lines of the words of its table: level, page, block, paragraph, line, word, a box, a confidence, a text.

    Its text has the same letters, and the spaces of languages whose words its table divides, such as Korean. With
    `least`, words of less confidence are left out, and single letters.
    """
    spaced = _Spaced("" if least else text)
    width, height = size
    rows = [row.split("\t") for row in table.splitlines()]
    words = [row for row in rows if len(row) == _COLUMNS and row[0] == _WORD and row[11].strip()]
    if least:
        words = [row for row in words if float(row[10]) / 100 >= least and sum(map(str.isalnum, row[11])) > 1]
    paragraphs: dict[tuple[str, ...], int] = {}
    found = []
    for key, group in groupby(words, key=lambda row: tuple(row[1:5])):
        line = list(group)
        boxes = [[int(value) for value in row[6:10]] for row in line]
        found.append(
            TextLine(
                spaced.line([row[11] for row in line]),
                (
                    min(left for left, *_ in boxes) / width,
                    min(top for _, top, *_ in boxes) / height,
                    max(left + wide for left, _, wide, _ in boxes) / width,
                    max(top + high for _, top, _, high in boxes) / height,
                ),
                max(0.0, sum(float(row[10]) * len(row[11]) for row in line) / sum(len(row[11]) for row in line) / 100),
                paragraphs.setdefault(key[:3], len(paragraphs)),
            )
        )
    return [line for line in found if not any(_holds(other, line) for other in found)]


def _holds(line: TextLine, other: TextLine) -> bool:
    """Say whether a line is where part of a longer one is: of a short page of Hangul it reads some ink twice."""
    left, top, right, bottom = (
        both(one, two) for both, one, two in zip((max, max, min, min), line.box, other.box, strict=True)
    )
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    own = (other.box[2] - other.box[0]) * (other.box[3] - other.box[1])
    return len(line.text) > len(other.text) and shared > _WITHIN * own


class _Spaced:
    """A text that is gone through, line by line, for where the spaces are."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def line(self, words: Sequence[str]) -> str:
        """Return the next line by its words, with the spaces of the text, or of the words where it says another."""
        at, left = self._at, "".join(words)
        found = []
        while left and at < len(self._text):
            letter = self._text[at]
            if letter.isspace():
                found.append(" ")
            elif left.startswith(letter):
                found.append(letter)
                left = left[1:]
            else:
                return " ".join(words)
            at += 1
        if left:
            return " ".join(words)
        self._at = at
        return " ".join("".join(found).split())


def _said(option: str) -> str:
    """Return what the program says to an option, "" where it is not installed."""
    if shutil.which("tesseract") is None:
        return ""
    done = subprocess.run(["tesseract", option], capture_output=True, text=True, check=False)
    return done.stdout or done.stderr
