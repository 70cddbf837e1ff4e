"""What long work shows of itself on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from gettext import gettext as _
from typing import Any, Protocol

from quarry.api.cli.snippets import columns, page_width
from quarry.api.cli.terminal import printable, say
from quarry.indexer.report import Progress

_EVERY_S = 5.0  # between plain lines
_SURE_S = 2.0  # before the time that is left is told
_BAR = 10  # columns


class Display(Progress, Protocol):
    """Progress that somebody sees."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def progress_display(unit: str = "files") -> Display:
    """Return what shows progress here, to be closed; `unit` is what is counted."""
    return _Bar(unit) if sys.stderr.isatty() else _Lines(unit)


class _Tally:
    """What was done, how fast, and how long the rest takes."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.start(0, 0)

    def start(self, files: int, size: int) -> None:
        self.total, self.size = files, max(size, 1)
        self.files = self.passages = self.done = 0
        self.began = time.monotonic()

    def advance(self, files: int, size: int, passages: int) -> None:
        self.files += files
        self.done += size
        self.passages += passages

    def said(self) -> str:
        """Return what there is to say, the most wanted first."""
        took = time.monotonic() - self.began
        rate = (self.passages or self.files) / max(took, 1e-9)
        of = {
            "passages": _("{files} of {total} passages"),
            "documents": _("{files} of {total} documents"),
        }.get(self.unit, _("{files} of {total} files"))
        parts = [of.format(files=f"{self.files:,}", total=f"{self.total:,}")]
        if self.done and took >= _SURE_S:
            parts.append(_("{time} left").format(time=_clock(took * (self.size - self.done) / self.done)))
        if self.passages:
            parts.append(_("{n} passages").format(n=f"{self.passages:,}"))
        if self.files or self.passages:
            parts.append(_("{rate}/s").format(rate=f"{rate:,.{0 if rate >= 10 else 1}f}"))
        return ", ".join(parts)


class _Bar:
    """A bar with what is worked on, counts and the time that is left, on a terminal."""

    def __init__(self, unit: str) -> None:
        self._bar: Any = None
        self._tally = _Tally(unit)
        self._note = ""

    def start(self, files: int, size: int) -> None:
        from tqdm import tqdm

        self.close()
        self._tally.start(files, size)
        self._bar = tqdm(
            total=self._tally.size,
            ncols=page_width(),
            nrows=24,  # a terminal that does not know its size would hide the bar
            leave=False,
            file=sys.stderr,
            bar_format=f"{{percentage:3.0f}}% {{bar:{_BAR}}} {{desc}}",
        )

    def advance(self, files: int, size: int, passages: int) -> None:
        self._tally.advance(files, size, passages)
        self._bar.n += size
        self._show()

    def note(self, text: str) -> None:
        self._note = printable(_(text))
        self._show()

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self) -> None:
        if self._bar is not None:
            self._bar.ncols = page_width()
            said = self._tally.said()
            room = page_width() - len("100%  ") - _BAR - columns(said) - 4
            name = _cut(self._note.rsplit("/", 1)[-1], room)
            self._bar.set_description_str(f"{said}  {name}" if name else said)


class _Lines:
    """Plain lines, at most one in five seconds, where nobody watches a terminal."""

    def __init__(self, unit: str) -> None:
        self._tally = _Tally(unit)
        self._said = time.monotonic()
        self._note = ""

    def start(self, files: int, size: int) -> None:
        self._tally.start(files, size)
        self._said = time.monotonic()

    def advance(self, files: int, size: int, passages: int) -> None:
        self._tally.advance(files, size, passages)
        self._say()

    def note(self, text: str) -> None:
        self._note = printable(_(text))

    def close(self) -> None:
        pass

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._said >= _EVERY_S:
            self._said = now
            say(f"{self._tally.said()}{f': {self._note}' if self._note else ''}", err=True)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _cut(text: str, width: int) -> str:
    """Return a name as far as it fits, "" where it would be no name any more."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return f"{text}…" if len(text) >= 8 else ""
