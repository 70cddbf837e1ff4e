"""What is fit for a terminal: whatever a file, a library or a model says is shown, and steers nothing.

Texts of strangers go through `printable` where they are put into a line. The streams of the process (`shielded`) let
nothing else through, whoever writes: line ends, tabs and the colours of our own.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from typing import Any, TextIO

import click

# Controls, C1 among them; what turns the direction of writing; what is invisible, but for the joiners of scripts and
# emoji; separators of lines.
_STEERING = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
_ODD = re.compile(f"[{_STEERING}]")
_UNFIT = re.compile(rf"(\x1b\[[0-9;]*m)|[{_STEERING}]")
_HALF = re.compile("[\ud800-\udfff]")
_SPACES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def printable(text: str) -> str:
    """Return a text on one line, without what would steer the terminal or hide in it instead of being shown."""
    return _ODD.sub(_shown, text) if not text.isprintable() else text


def escaped(json: str) -> str:
    """Return a JSON document with that escaped, which means the same; halves of surrogate pairs are no Unicode."""
    return _ODD.sub(lambda match: match[0] if match[0] == "\n" else _as_json(match[0]), _HALF.sub("\ufffd", json))


def say(text: str, **style: Any) -> None:
    """Print lines that may quote strangers; `err=True` on standard error, the rest as `click.style` takes it."""
    err = style.pop("err", False)
    click.secho("\n".join(map(printable, text.split("\n"))), err=err, **style)


def shield() -> None:
    """Make the standard streams fit: nothing that steers goes out, and none of them is another file.

    What is opened while one of them is closed would get its number, and all that is printed.
    """
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:  # closed: what is said there goes nowhere, as was asked for
            with contextlib.suppress(OSError):
                if (opened := os.open(os.devnull, flags)) != number:
                    os.dup2(opened, number)
                    os.close(opened)
                setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    sys.stdout, sys.stderr = _shielded(sys.stdout), _shielded(sys.stderr)


def _shielded(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    # What its encoding lacks, such as a letter where the locale is not UTF-8, is shown by its number.
    encoding, line_buffering = stream.encoding, stream.line_buffering
    return _Shielded(stream.detach(), encoding, "backslashreplace", line_buffering=line_buffering, write_through=True)


class _Shielded(io.TextIOWrapper):
    def write(self, text: str) -> int:
        super().write(text if text.isprintable() else _UNFIT.sub(_kept, text))
        return len(text)


def _shown(match: re.Match[str]) -> str:
    return " " if _SPACES.match(match[0]) else ""


def _kept(match: re.Match[str]) -> str:
    return match[0] if match[1] or match[0] in "\n\r\t" else _shown(match)  # a bar of progress begins by a return


def _as_json(character: str) -> str:
    code = ord(character)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    return f"\\u{0xD800 + (code - 0x10000 >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
