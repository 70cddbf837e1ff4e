"""A file that is played, opened by FFmpeg (PyAV): from the open file alone, as one of the containers named here.

FFmpeg would follow what a file names elsewhere, by path or over the net: it gets no protocol to do so by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from quarry.indexer.loaders.decoding import clean, one_line
from quarry.indexer.loaders.moments import moment
from quarry.search.errors import FileMalformed, UnsupportedType

INSTALL = "pip install 'quarry-search[sound]'"
PIECE = 256 * 1024  # bytes that are read at once

_MISSING = f"audio and video need PyAV: {INSTALL}"
_TYPES = {  # of what FFmpeg names so: without pictures, and with
    "aac": ("audio/aac", "audio/aac"),
    "avi": ("video/x-msvideo", "video/x-msvideo"),
    "flac": ("audio/flac", "audio/flac"),
    "matroska": ("audio/webm", "video/x-matroska"),
    "mov": ("audio/mp4", "video/mp4"),
    "mp3": ("audio/mpeg", "audio/mpeg"),
    "ogg": ("audio/ogg", "video/ogg"),
    "wav": ("audio/wav", "audio/wav"),
}
_NAMED = {"matroska": ("video/webm", "video/x-matroska"), "mov": ("video/mp4", "video/quicktime")}  # by their suffix
_FIELDS = (
    *("artist", "album", "album_artist", "composer", "performer", "genre", "track", "disc", "publisher", "show"),
    *("season_number", "episode_id", "network"),
)
_TOLD = ("description", "synopsis", "comment", "lyrics")  # texts about it
_KEYWORDS = re.compile(r"\s*[,;]\s*")
_UNKNOWN = ("", "und", "mis", "mul", "zxx")


@contextmanager
def opened(stream: IO[bytes]) -> Iterator[Any]:
    """Open a file for as long as the block runs.

    Raises:
        UnsupportedType: PyAV is not installed.
        FileMalformed: it is damaged, or no such container.
    """
    try:
        import av
    except ImportError as error:
        raise UnsupportedType(_MISSING) from error
    stream.seek(0)
    own = {"format_whitelist": ",".join(_TYPES), "protocol_whitelist": "none"}
    try:
        with av.open(stream, container_options=own, buffer_size=PIECE, metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, EOFError) as error:
        raise FileMalformed(
            f"it is damaged, FFmpeg can't read it ({getattr(error, 'strerror', '') or error})"
        ) from error


def media_type(container: Any, named: str, *, shows: bool) -> str:
    """Return the media type of what is open, which a suffix may call `named`; `shows` where it has moving pictures."""
    name = container.format.name.partition(",")[0]
    if shows and named in _NAMED.get(name, ()):
        return named
    return _TYPES.get(name, (named, named))[shows]


def tags(container: Any) -> dict[str, str]:
    """Return what a file says of itself, by lower-case names; Ogg says it of its first stream."""
    found: dict[str, str] = {}
    for owner in (container, *(one for one in container.streams.audio[:1] if not _says(container.metadata))):
        for name, value in owner.metadata.items():
            found.setdefault(one_line(str(name), 60).lower(), clean(str(value)))
    return found


def fields(told: Mapping[str, str]) -> dict[str, Any]:
    """Return what filters can use of a file's tags, under the names that documents of all formats have."""
    found: dict[str, Any] = {name: one_line(told[name]) for name in _FIELDS if told.get(name)}
    if author := told.get("artist") or told.get("author"):
        found["author"] = one_line(author)
    date = next((told[name] for name in ("date", "creation_time", "year") if told.get(name)), "")
    if date:
        found["date"] = moment(date) or one_line(date, 100)
    if words := told.get("keywords"):
        found["keywords"] = [one_line(word, 100) for word in _KEYWORDS.split(words) if word][:100]
    return found


def texts(told: Mapping[str, str]) -> list[str]:
    """Return what a file's tags say about it in sentences, each once."""
    lyrics = [value for name, value in told.items() if name.startswith("lyrics-")]
    return list(dict.fromkeys(filter(None, [*(told.get(name, "") for name in _TOLD), *lyrics])))


def language(container: Any) -> str:
    """Return what the first stream of sound calls its language, an ISO 639-2 code such as `kor`; "" for nothing."""
    for stream in container.streams.audio[:1]:
        code = one_line(str(stream.language or ""), 20)
        return "" if code in _UNKNOWN else code
    return ""


def _says(metadata: Mapping[str, str]) -> bool:
    return any(name.lower() in ("title", "artist", "album", "date") for name in metadata)
