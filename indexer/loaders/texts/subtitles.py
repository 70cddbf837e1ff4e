"""Subtitles (SubRip, WebVTT, Advanced SubStation): what is said, and when; a passage stands at the seconds it takes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode, lines, one_line
from quarry.indexer.loaders.office.flow import Flow
from quarry.search.types import Parsed
from quarry.search.values.places import Place

_PAUSE = 4.0  # seconds, at which a paragraph ends
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_CUE = re.compile(rf"[ \t]*{_TIME}[ \t]*-->[ \t]*{_TIME}[^\n]*")
_SPOKEN = re.compile(rf"Dialogue:[^,\n]*,[ \t]*{_TIME}[ \t]*,[ \t]*{_TIME}[ \t]*,(?:[^,\n]*,){{6}}([^\n]*)")
_TAG = re.compile(r"</?[a-zA-Z0-9.:][^<>\n]{0,200}>|\{[^{}\n]{0,500}\}")
_TITLE = re.compile(r"^Title:[ \t]*(\S.*)$", re.M)


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from one second to another."""

    start: float
    end: float
    text: str


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document; a file without time codes is a text."""
    decoded = decode(source.read())
    text = clean(decoded)
    is_script = source.format.suffixes[0] == "ass"
    flow = Flow()
    add(flow, sorted(_script(text), key=lambda one: one.start) if is_script else _cues(text))
    title = one_line(found[1]) if is_script and (found := _TITLE.search(text)) else ""
    if len(flow):
        yield from flow.parsed(source.format.type, title, {})
    elif text:
        yield Parsed(text, source.format.type, place=lines(decoded))


def add(flow: Flow, cues: Iterable[Cue]) -> None:
    """Add what is said, each at its seconds; a pause ends a paragraph."""
    last = Cue(0.0, 0.0, "")
    for cue in cues:
        if cue.text == last.text and cue.start <= last.end + _PAUSE:  # repeated as it rolls up
            continue
        place = Place(seconds=(cue.start, max(cue.start, cue.end)))
        flow.add(cue.text, close=cue.start <= last.end + _PAUSE, place=place)
        last = cue


def _cues(text: str) -> Iterator[Cue]:
    """Yield what stands below each time code, up to a blank line or the next."""
    times: tuple[float, float] | None = None
    said: list[str] = []
    for line in [*text.split("\n"), ""]:
        match = _CUE.fullmatch(line)
        if not line.strip() or match:
            if times and (said_words := words(said[:-1] if match and said and said[-1].strip().isdecimal() else said)):
                yield Cue(*times, said_words)
            said = []
            times = (_seconds(*match.groups()[:4]), _seconds(*match.groups()[4:])) if match else None
        elif times:
            said.append(line)


def _script(text: str) -> Iterator[Cue]:
    for match in _SPOKEN.finditer(text):
        groups = match.groups()
        said = words(re.split(r"\\[Nn]", groups[8].replace("\\h", " ")))
        if said:
            yield Cue(_seconds(*groups[:4]), _seconds(*groups[4:8]), said)


def words(said: list[str]) -> str:
    """Return the lines of a cue as one, without its tags."""
    return one_line(html.unescape(_TAG.sub("", " ".join(said))), 5_000)


def _seconds(hours: str | None, minutes: str, seconds: str, rest: str) -> float:
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(rest.ljust(3, "0")) / 1000
