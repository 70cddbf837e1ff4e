"""Checksums of the lexical index's files: taken by who writes them, compared before tantivy opens them.

A file is read once in a process, as long as it does not change. Where a writer is at work, or was killed there, no
checksums are recorded: then the CRC-32 that tantivy puts at the end of each file has to do, and its list of segments,
`meta.json`, which has none, must be what it writes in every detail that can be told.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quarry.search.errors import IndexDamaged
from quarry.search.lexical.files import MEND, State, configure, openable, require_plain, translated

META = "meta.json"

_FOOTER_MAGIC = 1337
_PARTS = ("term", "idx", "pos", "store", "fast", "fieldnorm")
_SEGMENT_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_REMEMBERED = 4_096

Stamp = tuple[int, ...]
_read: dict[tuple[str, Stamp], tuple[int, bool]] = {}  # files that were read: CRC-32, and whether it fits their own


def take_sums(folder: Path, state: State) -> State:
    """Return the state with the checksums of its files, reading only those that it did not know.

    Raises:
        IndexDamaged: a file is not what tantivy has just written.
    """
    known = state.files or {}
    meta = (folder / META).read_bytes()
    parsed = json.loads(meta)
    files = {META: (len(meta), zlib.crc32(meta))}
    for name in _living(parsed):
        if name in known:
            files[name] = known[name]
            continue
        stamp = file_stamp(folder / name)
        crc, is_whole = _sum(folder / name, stamp)
        if not is_whole:
            raise IndexDamaged(f"{folder / name} was not written as it should be; {MEND}")
        files[name] = (stamp[1], crc)
    return State(
        state.folder, state.generation, state.format, state.analysis, state.library, state.commit, _shape(parsed), files
    )


def check_files(folder: Path, state: State) -> dict[str, Stamp]:
    """Compare every file that tantivy will open with its checksum; return what tells the files from changed ones.

    Raises:
        IndexDamaged: names the first that is missing or differs in any bit.
    """
    stamps: dict[str, Stamp] = {}
    for name, stamp, problem in _compared(folder, state):
        if problem:
            raise IndexDamaged(f"{problem}; {MEND}")
        stamps[name] = stamp
    return stamps


def verify(directory: Path) -> list[str]:
    """Compare every file of the index with its checksum, reading each anew; list what is wrong in words."""
    try:
        state = State.read(directory)
    except IndexDamaged as error:
        return [str(error)]
    if state is None:
        return [f"there is no lexical index in {directory}; {MEND}"]
    folder = directory / state.folder
    _read.clear()
    problems = [f"{problem}; {MEND}" for _, _, problem in _compared(folder, state) if problem]
    if not problems:
        import tantivy

        try:
            with translated(folder), openable(folder) as path:
                configure(tantivy.Index.open(str(path)))
        except IndexDamaged as error:
            problems.append(str(error))
    return problems


def file_stamp(path: Path) -> Stamp:
    """Tell a file from one that took its place or was changed."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _compared(folder: Path, state: State) -> Iterator[tuple[str, Stamp, str]]:
    """Yield every file with its stamp, and what is wrong with it, "" where nothing is."""
    try:
        require_plain(folder)
    except IndexDamaged as error:
        yield META, (), str(error).removesuffix(f"; {MEND}")
        return
    try:
        meta = (folder / META).read_bytes()
        stamp = file_stamp(folder / META)
        if state.files is not None and state.files.get(META) != (len(meta), zlib.crc32(meta)):
            yield META, stamp, f"{folder / META} is damaged: its checksum is wrong"
            return
        parsed = json.loads(meta)
        names = _living(parsed)
        if any(Path(name).name != name for name in names):
            raise ValueError
        if state.shape and _shape(parsed) != state.shape:
            raise ValueError
    except FileNotFoundError:
        yield META, (), f"{folder / META} is missing"
        return
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        yield META, (), f"{folder / META} is damaged"
        return
    yield META, stamp, ""
    for name in names:
        try:
            stamp = file_stamp(folder / name)
            yield name, stamp, _problem(folder / name, stamp, None if state.files is None else state.files.get(name))
        except FileNotFoundError:
            yield name, (), f"{folder / name} is missing"
        except OSError as error:
            yield name, (), f"{folder / name} can't be read ({error.strerror})"


def _problem(path: Path, stamp: Stamp, expected: tuple[int, int] | None) -> str:
    if expected is not None and stamp[1] != expected[0]:
        return f"{path} is damaged: it has {stamp[1]:,} bytes, not {expected[0]:,}"
    crc, is_whole = _sum(path, stamp)
    is_right = is_whole if expected is None else crc == expected[1]
    return "" if is_right else f"{path} is damaged: its checksum is wrong"


def _living(meta: Mapping[str, Any]) -> list[str]:
    """Return the names of the files of all segments; ValueError, KeyError or TypeError where the list is damaged."""
    if not {"index_settings", "segments", "schema", "opstamp"} <= set(meta) or not isinstance(meta["opstamp"], int):
        raise ValueError
    names = []
    for segment in meta["segments"]:
        if set(segment) != {"segment_id", "max_doc", "deletes"} or not isinstance(segment["max_doc"], int):
            raise ValueError
        if not _SEGMENT_ID.fullmatch(segment["segment_id"]):
            raise ValueError
        name = segment["segment_id"].replace("-", "")
        names += [f"{name}.{part}" for part in _PARTS]
        if (deletes := segment["deletes"]) is not None:
            if set(deletes) != {"num_deleted_docs", "opstamp"}:
                raise ValueError
            if not 0 < deletes["num_deleted_docs"] <= segment["max_doc"]:
                raise ValueError
            names.append(f"{name}.{int(deletes['opstamp'])}.del")
    return names


def _shape(meta: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps([meta["schema"], meta["index_settings"]], sort_keys=True).encode())


def _sum(path: Path, stamp: Stamp) -> tuple[int, bool]:
    """Return the CRC-32 of a file, and whether the one that tantivy put at its end fits what stands before it."""
    found = _read.get((str(path), stamp))
    if found is None:
        if len(_read) >= _REMEMBERED:
            _read.clear()
        found = _read[str(path), stamp] = _sum_whole(path, stamp[1])
    return found


def _sum_whole(path: Path, size: int) -> tuple[int, bool]:
    with path.open("rb") as stream:
        stream.seek(max(0, size - 8))
        ending = stream.read(8)
        # A JSON footer, its length and a magic; the footer has the CRC-32 of what stands before it.
        length, magic = int.from_bytes(ending[:4], "little"), int.from_bytes(ending[4:], "little")
        body = size - 8 - length if magic == _FOOTER_MAGIC and 0 < length <= size - 8 else -1
        stream.seek(0)
        done = whole = own = 0
        while done < size and (block := stream.read(min((body if done < body else size) - done, 1 << 20))):
            whole, done = zlib.crc32(block, whole), done + len(block)
            if done == body:
                own = whole
    return whole, own == _footer_crc(path, body, length)


def _footer_crc(path: Path, start: int, length: int) -> int | None:
    if start < 0:
        return None
    with path.open("rb") as stream:
        stream.seek(start)
        try:
            return int(json.loads(stream.read(length))["crc"])
        except (ValueError, KeyError, TypeError):
            return None
