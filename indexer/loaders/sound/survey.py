"""One pass over the packets of what is played: how long it is, what can be heard, subtitles, where scenes change.

Of moving pictures those that stand alone (key frames) are decoded: that is where most encoders put a cut. Of a small
film, or one where they are far apart, a second pass decodes all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from quarry.indexer.loaders.base import Listener
from quarry.indexer.loaders.sound.scenes import Scene, Scenes, difference, few_pixels
from quarry.indexer.loaders.texts.subtitles import Cue, words

MOST_S = 24 * 3600.0  # of what is heard and seen
PART_S = 60.0
_SPARSE_S = 10.0  # between key frames, from which on all frames are decoded
_CLOSE_S = 0.3
_WHOLE_S = 1800.0  # of such a film
_SMALL = 2e10  # pixels of all frames of a film that are decoded anyway: an hour of 640 x 360, which takes one minute
_SUBTITLES = ("subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text")  # whose words are text
_STREAMS, _MOST_CUES = 8, 100_000


@dataclass(slots=True)
class Survey:
    """What a file holds.

    Args:
        seconds: how long it is, by its packets, whatever it says.
        heard: how long its sound is, 0.0 where it has none.
        digest: of the packets of its sound.
        cues: of each stream of subtitles.
        scenes: the seconds at which its scenes begin.
        keys: seconds of key frames, one of each second.
        covers: pictures that are of all of it, each with the name of its codec.
    """

    seconds: float = 0.0
    heard: float = 0.0
    digest: str = ""
    cues: list[list[Cue]] = field(default_factory=list)
    scenes: list[float] = field(default_factory=list)
    keys: list[float] = field(default_factory=list)
    covers: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def parts(self) -> int:
        """How many parts of a minute its sound has."""
        return math.ceil(round(self.heard / PART_S, 3))


def moving(container: Any) -> Any | None:
    """Return the stream of moving pictures, None where there is none."""
    streams = [one for one in container.streams.video if not is_cover(one)]
    return streams[0] if streams and streams[0].codec_context is not None else None


def is_cover(stream: Any) -> bool:
    """Whether a stream is one picture of all that is played."""
    from av.stream import Disposition

    return bool(Disposition.attached_pic in stream.disposition)


def beginning(container: Any) -> float:
    """Return the time stamp, in seconds, of what a player shows as 0:00."""
    return float(max(0, container.start_time or 0)) / 1e6


def survey(container: Any, watch: Listener, *, scenes: bool = True) -> Survey:
    """Go over a file."""
    found = Survey()
    start = beginning(container)
    film, sound = moving(container), next(iter(container.streams.audio), None)
    subtitles = [one for one in container.streams.subtitles if one.codec_context.name in _SUBTITLES][:_STREAMS]
    covers = [one for one in container.streams.video if is_cover(one)]
    cues: dict[int, list[Cue]] = {one.index: [] for one in subtitles}
    wanted = [one for one in (film, sound, *subtitles, *covers) if one is not None]
    if not wanted:
        return found
    digest, keys, seen = hashlib.blake2b(digest_size=16), 0, Scenes()
    if film is not None:
        _quick(film)
    for packet in _packets(container, wanted):
        watch.reached(0.0)
        stream = packet.stream
        if not packet.size:
            if stream is film and scenes:
                _show(packet, start, seen)
            continue
        if stream in covers:
            found.covers.append((stream.codec_context.name, bytes(packet)))
            continue
        at, end = _span(packet, start)
        if end <= MOST_S and stream in (film, sound):
            found.seconds = max(found.seconds, end)
        if stream is sound:
            digest.update(packet)
            found.heard = max(found.heard, min(end, MOST_S))
        elif stream is film and scenes and packet.is_keyframe:
            keys += 1
            if not found.keys or at >= found.keys[-1] + 1:
                found.keys.append(at)
            _show(packet, start, seen)
        elif stream.index in cues and len(cues[stream.index]) < _MOST_CUES and 0 <= at <= MOST_S:
            cues[stream.index] += _cues(packet, at, end)
    if film is not None and scenes:
        if _is_small(film, found.seconds) or _SPARSE_S * max(1, keys) < found.seconds <= _WHOLE_S:
            seen = _all(container, film, start, watch)
        found.scenes = _exact(container, film, start, seen.kept(found.seconds), watch)
    found.cues = [one for one in cues.values() if one]
    found.digest = digest.hexdigest()
    return found


def _quick(film: Any) -> None:
    film.codec_context.thread_count = 1  # each thread would take memory of its own
    film.codec_context.skip_frame = "NONKEY"


def _packets(container: Any, streams: list[Any]) -> Iterator[Any]:
    """Yield what can be read, and at the end of each stream an empty packet, which has its last frames come out."""
    from av.error import FFmpegError

    try:
        yield from container.demux(*streams)
    except (FFmpegError, EOFError):  # it is good up to there
        return


def _span(packet: Any, start: float) -> tuple[float, float]:
    base = float(packet.time_base or 0)
    stamp = packet.pts if packet.pts is not None else packet.dts
    at = (stamp or 0) * base - start
    return round(at, 3), round(at + max(0, packet.duration or 0) * base, 3)


def _show(packet: Any, start: float, seen: Scenes) -> None:
    with suppress(Exception):  # whatever a codec raises over damaged pictures: the others are good
        for frame in packet.decode():
            _look(frame, start, seen)


def _look(frame: Any, start: float, seen: Scenes) -> None:
    if frame.time is not None:
        seen.look(round(frame.time - start, 3), frame)


def _all(container: Any, film: Any, start: float, watch: Listener) -> Scenes:
    """Look at all frames that others are made of."""
    seen = Scenes()
    container.seek(int(start * 1e6))
    film.codec_context.flush_buffers()
    film.codec_context.skip_frame = "NONREF"
    for at, frame in _frames(container, film, start, watch):
        seen.look(at, frame)
    return seen


def _is_small(film: Any, seconds: float) -> bool:
    context = film.codec_context
    return bool(context.width * context.height * float(film.average_rate or 30) * seconds <= _SMALL)


def _exact(container: Any, film: Any, start: float, scenes: list[Scene], watch: Listener) -> list[float]:
    """Return the seconds at which scenes begin: where most changes after the last key frame of the one before."""
    left, found = _WHOLE_S / 3, list[float]()
    for scene in scenes:
        left -= scene.start - scene.after
        if scene.start - scene.after < _CLOSE_S or left < 0:
            found.append(scene.start)
            continue
        film.codec_context.flush_buffers()
        film.codec_context.skip_frame = "DEFAULT"
        container.seek(int((scene.after + start) * 1e6))
        most, begins, before = 0.0, scene.start, None
        for at, frame in _frames(container, film, start, watch):
            now = few_pixels(frame)
            if before is not None and at > scene.after and (change := difference(before, now)) > most:
                most, begins = change, at
            before = now
            if at >= scene.start:
                break
        found.append(begins)
    return found


def _frames(container: Any, film: Any, start: float, watch: Listener) -> Iterator[tuple[float, Any]]:
    for packet in _packets(container, [film]):
        watch.reached(0.0)
        with suppress(Exception):  # as of `_show`
            for frame in packet.decode():
                if frame.time is not None:
                    yield max(0.0, round(frame.time - start, 3)), frame


def _cues(packet: Any, at: float, end: float) -> Iterator[Cue]:
    with suppress(Exception):
        for one in packet.decode():
            raw = getattr(one, "dialogue", b"") or getattr(one, "text", b"")
            lines = raw.decode("utf-8", "replace").replace("\\h", " ").replace("\\n", "\n").replace("\\N", "\n")
            if said := words(lines.split("\n")):
                yield Cue(at, max(at, end), said)
