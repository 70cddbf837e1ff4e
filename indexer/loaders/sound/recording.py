"""Sound and film, through FFmpeg: tags as fields, chapters and subtitles as text with seconds, and how long it is.

What is said in it is told by a model that hears it (`--transcribe`). A cover is a picture of the document, and so is a
frame of each scene of a film, at its second. A file that is cut off is read up to there. It needs `pip install
'quarry-search[sound]'`.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from quarry.indexer.loaders.base import Listener, Source
from quarry.indexer.loaders.decoding import one_line
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.indexer.loaders.sound import container as containers
from quarry.indexer.loaders.sound import survey as surveys
from quarry.indexer.loaders.sound.survey import Survey
from quarry.indexer.loaders.texts import subtitles
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed
from quarry.search.values.places import Place
from quarry.search.values.unread import Recording

SIDE = 1280  # pixels, the longer side of a frame as it is kept
_FRAME = re.compile(r"frame-(\d{1,6}\.\d{3})\.jpg")
_COVERS = {"mjpeg": "jpg", "png": "png", "bmp": "bmp", "gif": "gif", "webp": "webp", "tiff": "tif"}
_NOTHING = "it holds neither sound nor moving pictures that can be read; get it anew"
_LONG = f"of what is played after {surveys.MOST_S / 3600:.0f} hours nothing is heard or seen"


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, and the pictures that are in it.

    Raises:
        UnsupportedType: PyAV is not installed.
        FileMalformed: it is damaged, or holds nothing that is played.
    """
    with containers.opened(source.stream) as container:
        film = surveys.moving(container)
        wanted = _FRAME.fullmatch(source.wanted)
        found = Survey() if wanted else surveys.survey(container, source.watch, scenes=not source.wanted)
        if not wanted and not found.seconds:
            raise FileMalformed(_NOTHING)
        told = containers.tags(container)
        parsed = _parsed(source, container, found, told, film)
        figures = Figures(source)
        for number, (codec, data) in enumerate(found.covers, 1):
            name = f"cover{f'-{number}' if number > 1 else ''}.{_COVERS.get(codec, '')}"
            figures.add(name, partial(bytes, data), caption=parsed.title)
        stills = _Stills(container, film, found.keys, source.watch)
        ends = [*found.scenes[1:], found.seconds]
        for start, end in [(float(wanted[1]),) * 2] if wanted else zip(found.scenes, ends, strict=False):
            figures.add(
                f"frame-{start:.3f}.jpg",
                partial(stills.at, start),
                place=Place(seconds=(start, max(start, end))),
                section=_chapter(
                    container, min(start + 0.5, (start + end) / 2)
                ),  # cuts and chapters are not quite at one
            )
        yield from figures.after([parsed])


def _parsed(source: Source, container: Any, found: Survey, told: Mapping[str, str], film: Any | None) -> Parsed:
    flow = _flow(container, found, containers.texts(told))
    metadata: dict[str, Any] = {**containers.fields(told), "duration": round(found.seconds, 1)}
    if film is not None:
        context = film.codec_context
        metadata |= {"width": int(context.width), "height": int(context.height)}
    if code := containers.language(container):
        metadata["lang"] = code
    claimed, warnings = (container.duration or 0) / 1e6, list[str]()
    if claimed > found.seconds + max(2.0, 0.05 * found.seconds) and found.seconds < surveys.MOST_S - surveys.PART_S:
        warnings.append(f"it says that it takes {claimed:,.0f} s, and ends after {found.seconds:,.0f}")
    elif claimed > surveys.MOST_S:
        warnings.append(_LONG)
    return Parsed(
        flow.text or _named(metadata, one_line(told.get("title", "")), source.path),
        containers.media_type(container, source.format.type, shows=film is not None),
        one_line(told.get("title", "")),
        metadata=scalars(metadata),
        headings=tuple(flow.headings),
        places=flow.places,
        recording=Recording(found.parts, found.digest) if found.parts else None,
        warning="; ".join(warnings),
    )


def _named(metadata: Mapping[str, Any], title: str, path: Path) -> str:
    """Return what something is found by that holds no words: its title, whose it is, or the words of its name."""
    tags = [str(metadata[name]) for name in ("artist", "album", "composer", "show") if name in metadata]
    return "\n".join(dict.fromkeys([title, *tags] if title else [*tags, one_line(re.sub("[-_.]+", " ", path.stem))]))


def _flow(container: Any, found: Survey, texts: list[str]) -> Flow:
    """Put what is written in it in order: what is told of it, then chapters with what is said in each."""
    flow = Flow()
    for text in texts:
        flow.add(text)
    cues = found.cues[0] if found.cues else []
    for start, end, title in _chapters(container):
        before = [cue for cue in cues if cue.start < start]
        subtitles.add(flow, before)
        cues = cues[len(before) :]
        flow.add(title, level=2, place=Place(seconds=(start, max(start, end))))
    for stream in (cues, *found.cues[1:]):
        subtitles.add(flow, stream)
    return flow


def _chapters(container: Any) -> list[tuple[float, float, str]]:
    found, first = [], surveys.beginning(container)
    for one in container.chapters():
        title = one_line(str({name.lower(): value for name, value in one["metadata"].items()}.get("title", "")))
        base = float(one["time_base"] or 0)
        start = round(one["start"] * base - first, 3)
        if title and 0 <= start + first <= surveys.MOST_S:
            found.append((max(0.0, start), min(round(one["end"] * base - first, 3), surveys.MOST_S), title))
    return sorted(found)[:1_000]


def _chapter(container: Any, at: float) -> str:
    """Return the title of the chapter that a second is in, "" for none."""
    return next((title for start, end, title in _chapters(container) if start <= at < end), "")


class _Stills:
    """Frames of a film as JPEGs.

    Those that no key frame is nearer to are decoded on from the last one: a recorded screen may have a key frame at its
    beginning alone.

    Args:
        keys: seconds of key frames, ascending.
    """

    def __init__(self, container: Any, film: Any, keys: Sequence[float], watch: Listener) -> None:
        self._container, self._film, self._keys, self._watch = container, film, keys, watch
        self._frames: Iterator[Any] | None = None
        self._last = 0.0  # second of the last frame that was decoded

    def at(self, second: float) -> bytes:
        """Return the frame of a second as a JPEG, upright, b"" where there is none."""
        if self._film is None:
            return b""
        start = surveys.beginning(self._container)
        nearest = bisect_right(self._keys, second)
        is_nearer = nearest > 0 and self._keys[nearest - 1] > self._last
        frames = self._frames if second > self._last and not is_nearer else None
        self._frames = None  # unless all goes well
        if frames is None:
            self._container.seek(int((second + start) * 1e6))
            self._film.codec_context.skip_frame = "DEFAULT"
            frames = self._container.decode(self._film)
        for frame in frames:
            self._watch.reached(0.0)  # the last key frame may be minutes away
            if frame.time is not None and frame.time - start >= second - 0.002:
                self._frames, self._last = frames, frame.time - start
                return _jpeg(frame)
        return b""


def _jpeg(frame: Any) -> bytes:
    shape = float(frame.sample_aspect_ratio or 1) if hasattr(frame, "sample_aspect_ratio") else 1.0
    width, height = frame.width * (shape if 0.1 < shape < 10 else 1.0), float(frame.height)
    scale = min(1.0, SIDE / max(width, height))
    image = frame.to_image(width=max(1, round(width * scale)), height=max(1, round(height * scale)))
    if frame.rotation:
        image = image.rotate(frame.rotation, expand=True)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue()
