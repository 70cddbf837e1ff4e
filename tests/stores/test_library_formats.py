"""Libraries that released versions of Quarry made, one of each format, as they lie on people's disks.

`tests/libraries/format-N.tar.xz` was made by the code of that format from the files that are named here: a folder
`/srv/notes` with three texts and a picture, compacted; then one text was added, and another added and deleted.
"""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from quarry.api import Library, Text
from quarry.search.errors import LibraryFormat
from quarry.search.stores.database import migrations, sqlite
from tests.folders import TESTS

LIBRARIES = TESTS / "libraries"
FORMATS = range(1, len(migrations.STEPS) + 1)
URIS = {
    "/srv/notes/bread.txt",
    "/srv/notes/mountain.png",
    "/srv/notes/mountains.csv#row=1",
    "/srv/notes/mountains.csv#row=2",
    "/srv/notes/stars.md",
    "quarry:tides",
}
BEST = {
    "how are stars made": "/srv/notes/stars.md",
    "why does dough rise": "/srv/notes/bread.txt",
    "what raises the tides": "quarry:tides",
    "Aconcagua": "/srv/notes/mountains.csv#row=1",
}


def unpacked(format: int, place: Path) -> Path:
    with tarfile.open(LIBRARIES / f"format-{format}.tar.xz") as tar:
        tar.extractall(place, filter="data")
    return place / "library"


def version(path: Path) -> int:
    connection = sqlite.open_reader(path)
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()


def contents(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal")))
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_there_is_one_of_each_format() -> None:
    """A step that is added to the schema brings a library of the format before it."""
    assert sorted(path.name for path in LIBRARIES.iterdir()) == [f"format-{format}.tar.xz" for format in FORMATS]
    assert all(path.stat().st_size < 200_000 for path in LIBRARIES.iterdir())


@pytest.mark.fault("11")
@pytest.mark.parametrize("format", FORMATS)
def test_a_library_of_each_format_is_migrated_and_searched(tmp_path: Path, format: int) -> None:
    directory = unpacked(format, tmp_path)
    before = (directory / "catalog.db").read_bytes()
    assert version(directory / "catalog.db") == format
    with Library(directory) as library:
        listed, _ = library.documents()
        assert {document.uri for document in listed} == URIS
        if format == 1:  # the lexical index has changed since; the next who writes builds it anew
            response = library.search("how are stars made")
            assert (response.hits[0].document.uri, len(response.degraded)) == ("/srv/notes/stars.md", 1)
            assert "was made by another version" in response.degraded[0]
        library.add(Text("written by the present version", id="new"))
        for query, uri in BEST.items():
            response = library.search(query)
            assert (response.hits[0].document.uri, response.degraded) == (uri, ()), query
        assert library.search("a mountain", kinds=["image"]).hits[0].document.uri == "/srv/notes/mountain.png"
        assert library.search("hydrogen", mode="lexical").hits[0].document.title == "How stars form"
        assert [document.id for document in library.documents(filter={"year": 2024})[0]] == ["tides"]
        assert library.thumbnail("/srv/notes/mountain.png").startswith(b"\xff\xd8\xff")
        assert [finding.text for finding in library.doctor() if finding.level == "damage"] == []
        assert [root.path for root in library.roots()] == ["/srv/notes"]
        if format > 1:
            assert library.undelete("gone") == ["gone"]
        assert [finding.text for finding in library.doctor() if finding.level == "damage"] == []
    assert version(directory / "catalog.db") == len(migrations.STEPS)
    copies = list(directory.glob("*.bak"))
    if format == len(migrations.STEPS):
        assert not copies
    else:
        assert [copy.name for copy in copies] == [f"catalog.db.format-{format}.bak"]
        assert version(copies[0]) == format
        assert len(copies[0].read_bytes()) == len(before)


@pytest.mark.fault("11")
@pytest.mark.parametrize("format", list(FORMATS)[1:])
def test_a_newer_format_is_refused_untouched_by_an_older_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: int
) -> None:
    directory = unpacked(format, tmp_path)
    before = contents(directory)
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[: format - 1])
    with Library(directory) as library:
        for use in (library.status, lambda: library.search("stars"), lambda: library.add(Text("new"))):
            with pytest.raises(LibraryFormat, match=r"Nothing was changed\. Update Quarry"):
                use()
    assert contents(directory) == before
