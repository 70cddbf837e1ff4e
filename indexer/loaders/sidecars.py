"""What is said about a picture in a file beside it, of the same name.

`photo.txt`, `photo.jpg.txt`, `photo.json`, `photo.jpg.json` and Google Takeout's `photo.jpg.supplemental-metadata.json`
are said of `photo.jpg`, and are no documents of their own. A long one is, and so is JSON without a field that captions
have.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.loaders.base import FORMATS, is_picture, open_regular
from indexer.loaders.decoding import decode
from search.errors import LoadError

MAX_SIDECAR = 65_536  # bytes; what is longer is a document of its own
_SIDECARS = (".txt", ".json")
_TAKEOUT = ".supplemental-metadata"
_PICTURES = frozenset(suffix for suffix, form in FORMATS.items() if form.parser == "picture")
_CAPTIONS = ("title", "caption", "captions", "description", "alt")
_KEYWORDS = ("keywords", "tags")
_MAX_ITEMS = 1_000  # of a list


@dataclass(slots=True)
class Words:
    """What is said about a picture, as it stands there, in the order in which it was found."""

    titles: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)

    def add(self, other: Words) -> None:
        """Add what is said elsewhere."""
        self.titles += other.titles
        self.captions += other.captions
        self.keywords += other.keywords


def beside(path: Path) -> Words:
    """Read what the files beside a picture say about it; one that can't be read says nothing."""
    words = Words()
    for file in sidecars(path):
        words.add(_said_in(file))
    return words


def sidecars(path: Path) -> list[Path]:
    """List the files beside a picture that may say something about it, in the order in which they are read.

    A picture must be read anew when one of them changes, comes or goes. Beside what is no picture there are none.
    """
    if not is_picture(path):
        return []
    names = (path.stem, path.name, path.name + _TAKEOUT)
    beside = [path.with_name(name + suffix) for suffix in _SIDECARS for name in names]
    return [file for file in beside if _is_short(file)]


def sidecar_of(path: Path, names: Collection[str] | None = None) -> Path | None:
    """Name the picture that a file only says something about; None where it is a document of its own.

    Args:
        names: of all that lies in its folder, where they are at hand; else they are looked up.
    """
    if path.suffix not in _SIDECARS:
        return None
    if names is None:
        try:
            names = os.listdir(path.parent)  # noqa: PTH208  # names, not paths
        except OSError:
            return None
    stem = path.stem.removesuffix(_TAKEOUT)
    endings = (form for end in sorted(_PICTURES) for form in (end, end.upper(), f".{end[1:].title()}"))
    candidates = [stem] if is_picture(Path(stem)) else [stem + ending for ending in endings]
    name = next((name for name in candidates if name in names), None)
    if name is None or not _is_short(path) or (path.suffix == ".json" and _said_in(path) == Words()):
        return None
    return path.with_name(name)


def related(names: Iterable[str]) -> set[str]:
    """Of all names in a folder, keep those of pictures and files that may be said of them, and perhaps some more.

    So that a walk looks closely at few: whatever the case of a name, since some file systems see no difference.
    """
    pictures: dict[str, list[str]] = {}
    words: list[tuple[str, str]] = []
    for name in names:
        stem, dot, suffix = name.casefold().rpartition(".")
        if dot + suffix in _SIDECARS:
            words.append((stem.removesuffix(_TAKEOUT), name))
        elif dot + suffix in _PICTURES:
            pictures.setdefault(stem, []).append(name)
            pictures.setdefault(name.casefold(), []).append(name)
    kept = [[name, *pictures[stem]] for stem, name in words if stem in pictures]
    return {name for group in kept for name in group}


def _said_in(path: Path) -> Words:
    try:
        with open_regular(path) as stream:
            text = decode(stream.read(MAX_SIDECAR))
        value = json.loads(text) if path.suffix == ".json" else None
    except (LoadError, OSError, ValueError, RecursionError):
        return Words()
    if path.suffix != ".json":
        return Words(captions=[text])
    fields = {str(key).lower(): value for key, value in value.items()} if isinstance(value, dict) else {}
    captions = [text for name in _CAPTIONS for text in _strings(fields.get(name))]
    keywords = [keyword for name in _KEYWORDS for text in _strings(fields.get(name)) for keyword in listed(text)]
    return Words(captions=captions, keywords=keywords)


def listed(text: str) -> list[str]:
    """Take keywords apart."""
    return re.split("[;,]", text)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value[:_MAX_ITEMS] if isinstance(item, str))


def _is_short(path: Path) -> bool:
    try:
        info = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(info.st_mode) and info.st_size <= MAX_SIDECAR
