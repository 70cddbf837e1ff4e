"""A flipped bit in any file of a library: the right answer, a degraded one or a named error; nothing wrong, no crash.

Doctor finds every flip in what has a checksum. Where it finds none, the flip must have changed nothing that anybody can
see: every row of the catalog, every text, thumbnail and answer is what it was.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from quarry.api.library import Library, Text
from quarry.search.errors import QuarryError
from quarry.search.models.fake import FakeModels
from tests.drawn_pictures import draw
from tests.indexing_process import CONTEXT, stand_in
from tests.torture.oracle import text, write
from tests.torture.tally import Tally

QUERIES = [f"paragraph {n} of file {n}" for n in range(3)] + ["version", "note"]
MODES = ("lexical", "semantic", "hybrid")


@dataclass(slots=True)
class Seen:
    """What a library shows: its documents, their texts and thumbnails, answers; and what is said to be amiss."""

    answers: dict[str, Any] = field(default_factory=dict)
    documents: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def look(directory: Path) -> Seen:
    """Read all that there is to be seen."""
    seen = Seen()
    with Library(directory, models=FakeModels()) as library:
        try:
            documents = library.documents(limit=1000)[0]
        except QuarryError as error:
            seen.said.append(str(error))
            documents = []
        for one in documents:
            try:
                shown = library.thumbnail(one.id) if one.kind == "image" else library.text(one.id)
                seen.documents[one.id] = (one.uri, one.title, dict(one.metadata), one.type, shown)
            except QuarryError as error:
                seen.said.append(str(error))
        for query in QUERIES:
            for mode in MODES:
                try:
                    response = library.search(query, mode=mode, limit=20)  # type: ignore[arg-type]
                except QuarryError as error:
                    seen.said.append(str(error))
                    continue
                if response.degraded:
                    seen.said += response.degraded
                else:
                    seen.answers[f"{mode}: {query}"] = [(hit.id, round(hit.score, 4)) for hit in response.hits]
                for hit in response.hits:
                    as_found = (hit.document.title, dict(hit.document.metadata), hit.text)
                    seen.documents.setdefault(f"{hit.id} of {hit.document.id}", as_found)
    return seen


def rows(directory: Path) -> list[Any]:
    """Return every row of the catalog and of the thumbnails, as they are stored."""
    found: list[Any] = []
    for name in ("catalog.db", "thumbnails.db"):
        with closing(sqlite3.connect(f"file:{directory / name}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            for (table,) in connection.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1"
            ).fetchall():
                found.append((name, table, connection.execute(f'SELECT * FROM "{table.decode()}"').fetchall()))
    return found


def judge(directory: Path, whole: Seen, stored: list[Any], what: str) -> str:
    """Say what is wrong about how a library with a flipped bit behaves; "" where it is right."""
    seen = look(directory)
    wrong = different(seen, whole)
    if wrong and not what.endswith("-wal"):
        return wrong
    with Library(directory, models=FakeModels()) as library:
        try:
            found = any(finding.level in ("damage", "warning") and finding.part not in ("disk", "sqlite", "model")
                        for finding in library.doctor())  # fmt: skip
        except QuarryError:
            found = True
    if not found and (seen.said or seen.documents.keys() != whole.documents.keys()):
        return f"doctor finds nothing, though {seen.said or 'something is missing'}"
    if not found and wrong:  # commits that a damaged log has lost: what came before them is shown, and doctor tells
        return f"doctor finds nothing, though a search {wrong}"
    if not found and what.startswith("segments"):
        return "doctor finds nothing"
    if not found:
        try:
            now: Any = rows(directory)
        except sqlite3.Error as error:
            now = error
        if now != stored:
            return f"doctor finds nothing, though rows differ: {difference(stored, now)}"
    return ""


def different(seen: Seen, whole: Seen) -> str:
    """Say what is shown as if it were whole, and is not."""
    for id, shown in seen.documents.items():
        if id not in whole.documents:
            if " of " not in id or not seen.said:
                return f"shows {str(shown)[:300]}, which was never there"
        elif shown != whole.documents[id]:
            return f"shows {str(shown)[:300]} instead of {str(whole.documents[id])[:300]}"
    for query, answer in seen.answers.items():
        if answer != whole.answers[query]:
            return f"answers {query} by {answer} instead of {whole.answers[query]}, and nothing is said of it"
    return ""


def difference(stored: list[Any], now: Any) -> str:
    if not isinstance(now, list) or len(now) != len(stored):
        return str(now)[:200]
    for (name, table, before), (_, _, after) in zip(stored, now, strict=True):
        if before != after:
            pairs = [pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]]
            return f"{name} {table}: {str(pairs[:1] or (len(before), len(after)))[:300]}"
    return ""


def make(directory: Path, root: Path) -> None:
    """Make a library with a segment, a tail, deletions, trash, pictures and a write-ahead log, and die over it."""
    stand_in(batch_passages=64, segment_from=10)
    for number in range(10):
        write(root, number, 0)
    for number in range(3):
        draw(root / f"{number}.png", number, (64, 48))
    library = Library(directory, models=FakeModels())
    library.index(root)
    library.compact()
    notes = [Text(text(n, 1), f"Note {n}", uri=f"note-{n}", id=f"note-{n}", metadata={"n": n}) for n in range(6)]
    library.add(notes)
    library.delete(["note-5"])
    os._exit(0)


def flip(connection: Connection, template: Path, place: Path, flips: list[tuple[str, int]]) -> None:
    """Be the process that tries flips, and says of each what is wrong."""
    stand_in(batch_passages=64, segment_from=10)
    whole_at, broken = place / "whole", place / "broken"
    shutil.rmtree(whole_at, ignore_errors=True)
    shutil.copytree(template, whole_at)
    whole, stored = look(whole_at), rows(whole_at)
    assert not whole.said, whole.said
    for name, bit in flips:
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(template, broken)
        with (broken / name).open("r+b") as file:
            file.seek(bit // 8)
            byte = file.read(1)[0]
            file.seek(bit // 8)
            file.write(bytes([byte ^ (1 << bit % 8)]))
        try:
            connection.send(judge(broken, whole, stored, name))
        except Exception as error:
            at = traceback.extract_tb(error.__traceback__)[-1]
            connection.send(f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"[:600])
    connection.close()
    os._exit(0)


def run(tally: Tally, place: Path, models: FakeModels) -> None:
    """Flip bits of every file in turn until the time is over."""
    template, root = place / "template", place / "root"
    root.mkdir()
    maker = CONTEXT.Process(target=make, args=(template, root))
    maker.start()
    maker.join(120)
    assert maker.exitcode == 0 and (template / "catalog.db-wal").stat().st_size > 0
    chosen = choose(template, random.Random(tally.seed))
    while tally.goes_on:
        flips = [next(chosen) for _ in range(50)]
        ours, theirs = CONTEXT.Pipe()
        process = CONTEXT.Process(target=flip, args=(theirs, template, place, flips))
        process.start()
        theirs.close()
        for name, bit in flips:
            try:
                wrong = ours.recv() if ours.poll(120) else "took more than two minutes"
            except EOFError:
                process.join(10)
                wrong = f"the process died: {process.exitcode}"
            with tally.trying(f"{name} bit {bit}"):
                assert not wrong, wrong
            if wrong.startswith(("the process died", "took")) or not tally.goes_on:
                break
        process.kill()
        process.join()


def choose(template: Path, chance: random.Random) -> Iterator[tuple[str, int]]:
    """Yield a random bit of each file in turn, for ever."""
    files = {
        path.relative_to(template).as_posix(): path.stat().st_size for path in template.rglob("*") if path.is_file()
    }
    names = sorted(name for name, size in files.items() if size)
    while True:
        for name in names:
            yield name, chance.randrange(8 * files[name])
