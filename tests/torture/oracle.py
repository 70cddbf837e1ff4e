"""What must be in a library: texts that tell their version, and checks that none is missing, doubled, half or back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from quarry.api.library import Library
from quarry.search.models.fake import DIMENSION, FakeModels
from quarry.search.stores.catalog import active_space
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.passages import passages_of


def word(version: int) -> str:
    """The word that tells a version: letters alone, since "version1" also finds "version 1"."""
    return "version" + "".join(chr(ord("a") + int(digit)) for digit in str(version))


def text(number: int, version: int) -> str:
    """A document of some passages; its words tell the version."""
    paragraphs = [f"Paragraph {part} of file {number}, in {word(version)}. " * 12 for part in range(number % 4 + 1)]
    return "\n\n".join(paragraph.strip() for paragraph in paragraphs)


def write(root: Path, number: int, version: int) -> Path:
    path = root / f"{number:03}.txt"
    path.write_text(text(number, version))
    return path


def check_whole(library: Library, models: FakeModels) -> dict[str, str]:
    """Check that no document is half there; return the texts by path.

    Its chunks add up to its text, each has its vector, and that is the one of its text.
    """
    texts = {}
    with library.catalog().snapshot() as snapshot:
        connection = snapshot.connection
        space = active_space(connection, "text")
        encoder = models.text(space.model if space else "default")
        assert space is None or space.identity == encoder.identity
        rows = connection.execute("SELECT id, uri, characters, chunks FROM documents").fetchall()
        for row_id, uri, characters, count in rows:
            texts[uri] = documents.text_of(connection, row_id)
            passages = passages_of(connection, row_id)
            vectors = connection.execute(
                "SELECT v.vector FROM chunks c JOIN vectors v ON v.key = c.key"
                " WHERE c.document_id = ? AND v.space_id = ? ORDER BY c.ordinal",
                (row_id, space.id if space else None),
            ).fetchall()
            assert len(texts[uri]) == characters and len(passages) == len(vectors) == count > 0
            assert all(texts[uri][passage.start : passage.end] == passage.text for passage in passages)
            stored = np.frombuffer(b"".join(blob for (blob,) in vectors), "<f2").reshape(count, DIMENSION)
            expected = encoder.encode_documents([passage.text for passage in passages]).astype(np.float16)
            np.testing.assert_array_equal(stored, expected)
    assert len(texts) == len(rows)
    return texts


def damage(library: Library) -> list[str]:
    return [f"{finding.part}: {finding.text}" for finding in library.doctor() if finding.level == "damage"]


def check_sound(library: Library) -> None:
    assert damage(library) == []


class Oracle:
    """What was acknowledged, and what may or may not have been done when the process died.

    Attributes:
        known: the text of each document that must be there, by URI; nothing else may be.
        trash: the texts of those that `undelete` must be able to bring back.
    """

    def __init__(self) -> None:
        self.known: dict[str, str] = {}
        self.trash: dict[str, str] = {}

    def apply(self, change: Mapping[str, str | None]) -> None:
        """Take note of documents that were acknowledged: their new texts, or None where they were deleted."""
        for uri, new in change.items():
            if new is not None:
                self.known[uri] = new
            elif (old := self.known.pop(uri, None)) is not None:
                self.trash[uri] = old

    def settle(self, actual: Mapping[str, str], change: Mapping[str, str | None], *, is_atomic: bool) -> None:
        """Check what is there after a death while `change` was under way, and take it as known from now on."""
        for uri in self.known.keys() | actual.keys():
            if uri not in change:
                assert actual.get(uri) == self.known.get(uri), f"{uri}: {told(self.known, actual, uri)}"
        done = {uri: new for uri, new in change.items() if actual.get(uri) == new}
        undone = {uri: new for uri, new in change.items() if actual.get(uri) == self.known.get(uri)}
        for uri in change.keys() - done.keys() - undone.keys():
            raise AssertionError(f"{uri} is neither old nor new: {told(self.known, actual, uri)}")
        if is_atomic:
            assert len(done) == len(change) or len(undone) == len(change), f"half of {sorted(change)} was done"
        self.apply(done)


def told(known: Mapping[str, str], actual: Mapping[str, str], uri: str) -> str:
    return f"expected {known.get(uri, 'nothing')[:60]!r}, found {actual.get(uri, 'nothing')[:60]!r}"


def check_found(library: Library, texts: Iterable[str]) -> None:
    """Check that searching by words and by meaning finds what is there, and all of it."""
    said = {one for whole in texts for one in whole.replace(".", "").split() if one.startswith("version")}
    for one in sorted(said)[-3:]:
        assert library.search(one, mode="lexical", limit=1000).hits, f"nothing found by {one}"
    with library.catalog().snapshot() as snapshot:  # equal passages are one hit
        (expected,) = snapshot.connection.execute("SELECT count(DISTINCT text) FROM chunks").fetchone()
        found = len(library.search("paragraph", mode="semantic", limit=1000).hits)
    assert found == expected, f"{found} hits of {expected} passages"
