"""What is said about a picture in a file beside it, of the same name.

`photo.txt`, `photo.jpg.txt`, `photo.json`, `photo.jpg.json`, `photo.xmp` and `photo.jpg.xmp` are said of `photo.jpg`,
and are no documents of their own; nor is what Google Takeout calls `photo.jpg.supplemental-metadata.json`, or
something shorter. A long text is a document, and so is JSON without a field that captions have.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from quarry.indexer.formats import FORMATS, is_picture
from quarry.indexer.loaders import moments
from quarry.indexer.loaders.base import open_regular
from quarry.indexer.loaders.decoding import decode
from quarry.indexer.loaders.pictures import xmp
from quarry.indexer.loaders.pictures.words import PictureWords, listed
from quarry.search.errors import LoadError

MAX_SIDECAR = 65_536  # bytes; what is longer is a document of its own
_SIDECARS = (".txt", ".json", ".xmp", ".XMP")
_TAKEOUT = ".supplemental-metadata"
_TAKEOUT_LENGTH = 46  # characters, at which Takeout cuts names, but for `.json`
_EDITED = re.compile(  # what Google Photos adds to the name of a photo that was changed, in some languages
    r"-(?:edited|effects|smile|mix|bearbeitet|modifi[eé]|editado|editada|modificato|bewerkt|edytowane|redigerad"
    r"|muokattu|編集済み|편집됨|已修改)$",
    re.I,
)
_NUMBERED = re.compile(r"(.+)(\(\d+\))")
_PICTURES = frozenset(suffix for suffix, form in FORMATS.items() if form.kind == "image")
_CAPTIONS = ("title", "caption", "captions", "description", "alt")
_KEYWORDS = ("keywords", "tags")
_MAX_ITEMS = 1_000  # of a list


def beside(path: Path) -> PictureWords:
    """Read what the files beside a picture say about it; one that can't be read says nothing."""
    words = PictureWords()
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
    beside = [name + suffix for suffix in _SIDECARS for name in names]
    return [file for name in dict.fromkeys([*beside, *_takeouts(path)]) if _is_short(file := path.with_name(name))]


def _takeouts(path: Path) -> Iterator[str]:
    """Yield what Google Takeout may call the JSON of a picture: numbered behind the suffix, and cut off."""
    stem = _EDITED.sub("", path.stem)
    match = _NUMBERED.fullmatch(stem)
    stem, number = (match[1], match[2]) if match else (stem, "")
    stem = _EDITED.sub("", stem)
    name = stem + path.suffix
    for whole in (name + _TAKEOUT, name):
        for length in (_TAKEOUT_LENGTH, _TAKEOUT_LENGTH - len(number)):
            yield f"{whole[:length]}{number}.json"


def is_sidecar(name: str) -> bool:
    """Whether a file of this name may be said of a picture, by the name alone."""
    return name.endswith(_SIDECARS)


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
    name = _plain(path.stem, names) or (_of_takeout(path, names) if path.suffix == ".json" else None)
    if name is None or not _is_short(path) or (path.suffix == ".json" and _said_in(path) == PictureWords()):
        return None
    return path.with_name(name)


def _plain(stem: str, names: Collection[str]) -> str | None:
    """Find the picture that a name without its last suffix stands for."""
    stem = stem.removesuffix(_TAKEOUT)
    endings = (form for end in sorted(_PICTURES) for form in (end, end.upper(), f".{end[1:].title()}"))
    candidates = [stem] if is_picture(Path(stem)) else [stem + ending for ending in endings]
    return next((name for name in candidates if name in names), None)


def _of_takeout(path: Path, names: Collection[str]) -> str | None:
    """Find the picture one of whose `_takeouts` a name is."""
    match = _NUMBERED.fullmatch(path.stem)
    core, number = (match[1], match[2]) if match else (path.stem, "")
    for whole in _uncut(core):
        picture = Path(whole)
        if is_picture(picture) and (name := f"{picture.stem}{number}{picture.suffix}") in names:
            return name
    if len(path.stem) < _TAKEOUT_LENGTH:
        return None
    begun = core[: _TAKEOUT_LENGTH - 8]  # of what was cut within its suffix, or within the name itself
    alike = (name for name in names if name.startswith(begun) and is_picture(Path(name)))
    return next((name for name in alike if path.name in _takeouts(Path(name))), None)


def _uncut(core: str) -> Iterator[str]:
    """Yield a name without what there may be of `_TAKEOUT` at its end, the longest first."""
    yield core
    for length in range(1, len(_TAKEOUT) + 1):
        if core.endswith(_TAKEOUT[:length]):
            yield core[:-length]


def related(names: Iterable[str]) -> set[str]:
    """Of all names in a folder, keep those of pictures and files that may be said of them, and perhaps some more.

    So that a walk looks closely at few: whatever the case of a name, since some file systems see no difference.
    """
    pictures: dict[str, list[str]] = {}
    words: list[tuple[set[str], str]] = []
    for name in names:
        stem, dot, suffix = name.casefold().rpartition(".")
        if dot + suffix in _SIDECARS:
            core = _NUMBERED.sub(r"\1", stem)
            keys = {stem, core, stem.removesuffix(_TAKEOUT), *_uncut(core)}
            words.append((keys | ({_begun(stem)} if len(stem) >= _TAKEOUT_LENGTH else set()), name))
        elif dot + suffix in _PICTURES:
            plain = _EDITED.sub("", _NUMBERED.sub(r"\1", _EDITED.sub("", stem)))
            for key in {stem, name.casefold(), plain + dot + suffix, _begun(name.casefold())}:
                pictures.setdefault(key, []).append(name)
    kept = [[name, *pictures[key]] for keys, name in words for key in keys if key in pictures]
    return {name for group in kept for name in group}


def _begun(name: str) -> str:
    return name[: _TAKEOUT_LENGTH - 8]


def _said_in(path: Path) -> PictureWords:
    try:
        with open_regular(path) as stream:
            data = stream.read(_limit(path))
        if path.suffix.lower() == ".xmp":
            return xmp.read(data)
        text = decode(data)
        value = json.loads(text) if path.suffix == ".json" else None
    except (LoadError, OSError, ValueError, RecursionError):
        return PictureWords()
    if path.suffix != ".json":
        return PictureWords(captions=[text])
    fields = {str(key).lower(): value for key, value in value.items()} if isinstance(value, dict) else {}
    captions = [text for name in _CAPTIONS for text in _strings(fields.get(name))]
    keywords = [keyword for name in _KEYWORDS for text in _strings(fields.get(name)) for keyword in listed(text)]
    return PictureWords([], captions, [*keywords, *_people(fields)], _taken(fields), _places(fields))


def _people(fields: dict[str, Any]) -> Iterator[str]:
    people = fields.get("people")
    for person in people[:_MAX_ITEMS] if isinstance(people, list) else ():
        if isinstance(person, dict):
            yield from _strings(person.get("name"))


def _taken(fields: dict[str, Any]) -> list[str]:
    """Read Takeout's date, and of any JSON one that says what it is."""
    taken = fields.get("phototakentime")
    seconds = taken.get("timestamp") if isinstance(taken, dict) else None
    found = [moments.timestamp(seconds)] if isinstance(seconds, str | int | float) else []
    found += [
        moments.moment(value) for name in ("taken", "date_taken", "datetaken") for value in _strings(fields.get(name))
    ]
    return [one for one in found if one]


def _places(fields: dict[str, Any]) -> list[tuple[float, float]]:
    found = []
    for name in ("geodata", "geodataexif"):
        place = fields.get(name)
        if isinstance(place, dict):
            latitude, longitude = place.get("latitude"), place.get("longitude")
            if isinstance(latitude, int | float) and isinstance(longitude, int | float):
                found.append((float(latitude), float(longitude)))
    return found


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
    return stat.S_ISREG(info.st_mode) and info.st_size <= _limit(path)


def _limit(path: Path) -> int:
    return xmp.MAX_XMP if path.suffix.lower() == ".xmp" else MAX_SIDECAR
