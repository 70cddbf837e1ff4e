from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library, Text, restore
from quarry.indexer.exchange.archive import ArchiveReader, ArchiveWriter
from quarry.search.errors import (
    FileMalformed,
    InvalidRequest,
    LibraryDamaged,
    LibraryError,
    LibraryFormat,
    NotFound,
    StorageFull,
)
from quarry.search.models.fake import FakeModels
from quarry.search.stores.database import migrations, sqlite
from tests.processes import quarry, served

QUERIES = ("how do stars form", "bread", "a cat", "coffee in a cup", "gravity telescope")


@pytest.fixture
def small(tmp_path: Path, models: FakeModels) -> Path:
    """A library of three documents, one of which was deleted."""
    with Library(tmp_path / "small", models=models) as library:
        library.add([Text("about stars", id="stars"), Text("about bread", id="bread"), Text("gone", id="gone")])
        library.delete("gone")
    return tmp_path / "small"


def found(library: Library) -> list[Any]:
    """What searches give, to the last digit."""
    return [
        [(hit.id, hit.score, hit.relevance, hit.document.id, hit.text) for hit in response.hits] + [response.degraded]
        for query in QUERIES
        for response in [library.search(query, mode=mode) for mode in ("hybrid", "semantic", "lexical")]
    ]


def everything(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_restored_library_is_the_same(picture_library: Path, photos: Path, tmp_path: Path) -> None:
    """Documents, rankings, thumbnails, roots, what was deleted; and the backup is a tar like any other."""
    own = Path(shutil.copytree(picture_library, tmp_path / "own"))
    with Library(own) as library:
        library.compact()  # a segment, as a file
        library.add(Text("a text about gravity that is in no segment", id="late"))
        library.add(Text("a text that is deleted", id="deleted"))
        library.delete("deleted")
        made = library.backup(tmp_path / "file.backup")
        before, roots, listed = found(library), library.roots(), library.documents(limit=1000)
        pictures = [one.id for one in library.documents(filter={"kind": "image"})[0]]
        thumbnails = [library.thumbnail(id) for id in pictures]
    assert (made.documents, made.left_out) == (listed[1], ())
    assert (tmp_path / "file.backup").stat().st_size == made.bytes
    assert (tmp_path / "file.backup").stat().st_mode & 0o777 == 0o600
    with tarfile.open(tmp_path / "file.backup") as tar:
        names = tar.getnames()
    assert {"catalog.db", "thumbnails.db", "lexical/state.json", "manifest.json"} <= set(names)
    assert any(name.startswith("segments/") for name in names)
    restored = restore(tmp_path / "file.backup", tmp_path / "restored")
    assert (restored.documents, restored.generation) == (made.documents, made.generation)
    for path in (tmp_path / "restored", *(tmp_path / "restored").rglob("*")):
        assert not path.stat().st_mode & 0o077
    with Library(tmp_path / "restored") as library:
        assert found(library) == before
        assert (library.roots(), library.documents(limit=1000)) == (roots, listed)
        assert [library.thumbnail(id) for id in pictures] == thumbnails
        assert [finding for finding in library.doctor() if finding.level == "damage"] == []
        assert library.undelete() == ["deleted"]
        assert library.index(photos).unchanged_files == len(pictures)


def test_a_backup_is_one_commit_while_others_write(small: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        with Library(small, models=FakeModels()) as library:
            while not stop.is_set():
                library.add([Text(f"number {written} {part} of two", id=f"{written}-{part}") for part in "ab"])
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = set()
        with Library(small, models=FakeModels()) as library:
            for number in range(6):
                before = written
                made = library.backup(tmp_path / f"{number}.backup")
                seen.add(made.documents)
                assert made.documents % 2 == 0 and made.documents >= 2 + 2 * (before - 1)
                time.sleep(0.02)
    finally:
        stop.set()
        writer.join()
    assert len(seen) > 1
    for number in range(6):
        restored = restore(tmp_path / f"{number}.backup", tmp_path / str(number))
        with Library(tmp_path / str(number), models=FakeModels()) as library:
            assert library.documents()[1] == restored.documents
            assert len(library.search("number of two", mode="lexical", limit=1000).hits) == restored.documents - 2
            assert [finding for finding in library.doctor() if finding.level == "damage"] == []


def test_every_flipped_bit_and_every_cut_is_refused(small: Path, tmp_path: Path) -> None:
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()

    def read(content: bytes) -> dict[str, Any]:
        return ArchiveReader(io.BytesIO(content), "file").read(lambda name: lambda piece: None)

    assert read(whole)["documents"] == 2
    starts = [at for at in range(0, len(whole), 512) if whole[at + 257 : at + 262] == b"ustar"]
    places = {place for at in starts for place in range(at, at + 512, 7)}
    places |= set(range(0, len(whole), 1999)) | set(range(len(whole) - 4096, len(whole), 9))
    for place in sorted(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(FileMalformed):
            read(bytes(damaged))
    for length in [*range(0, len(whole), 2999), len(whole) - 1]:
        with pytest.raises(FileMalformed):
            read(whole[:length])
    with pytest.raises(FileMalformed):
        read(whole + b"\0")


def test_what_is_damaged_is_named_and_nothing_is_restored(small: Path, tmp_path: Path) -> None:
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "file")
    content = bytearray((tmp_path / "file").read_bytes())
    content[content.index(b"about bread")] ^= 1
    (tmp_path / "file").write_bytes(content)
    before = everything(small)
    for directory, replace in ((tmp_path / "new", False), (small, True)):
        with pytest.raises(FileMalformed, match=r"damaged: catalog\.db is not what was written"):
            restore(tmp_path / "file", directory, replace=replace)
    assert not (tmp_path / "new").exists()
    assert everything(small) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "small"]
    with pytest.raises(NotFound):
        restore(tmp_path / "none", tmp_path / "new")


HOSTILE = [
    tarfile.TarInfo("../outside"),
    tarfile.TarInfo("/tmp/outside"),
    tarfile.TarInfo("segments/../../outside"),
    tarfile.TarInfo("lexical/index-1/../../outside"),
    tarfile.TarInfo("segments/.."),
    tarfile.TarInfo("writer.lock"),
    tarfile.TarInfo("catalog.db-wal"),
    tarfile.TarInfo("catalog.db"),  # a second time
]
for kind in (
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.CHRTYPE,
    tarfile.FIFOTYPE,
    tarfile.DIRTYPE,
    tarfile.GNUTYPE_SPARSE,
):
    HOSTILE.append(tarfile.TarInfo("segments/link"))
    HOSTILE[-1].type, HOSTILE[-1].linkname = kind, "../../outside"
for kind in (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME):
    HOSTILE.append(tarfile.TarInfo("segments/long"))
    HOSTILE[-1].type, HOSTILE[-1].size = kind, 1 << 40
HOSTILE.append(tarfile.TarInfo("segments/large"))
HOSTILE[-1].size = 1 << 60


@pytest.mark.parametrize("info", HOSTILE, ids=lambda info: f"{info.name}-{info.type.decode()}")
def test_hostile_archives_write_nothing_elsewhere(tmp_path: Path, info: tarfile.TarInfo) -> None:
    stream = io.BytesIO()
    writer = ArchiveWriter(stream)
    writer.add("catalog.db", io.BytesIO(b"content"), 7)
    info.mode = 0o600
    stream.write(info.tobuf(tarfile.GNU_FORMAT))
    writer.close({})
    (tmp_path / "file").write_bytes(stream.getvalue())
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    with pytest.raises(FileMalformed, match="damaged"):
        restore(tmp_path / "file", place / "library")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "b", "file"]
    assert not Path("/tmp/outside").exists()


def test_a_catalog_that_is_none(tmp_path: Path, small: Path) -> None:
    """It has the right checksums, and is not what it says."""
    for content, about in ((b"no database" * 100, {"generation": 1}), ((small / "catalog.db").read_bytes(), {})):
        stream = io.BytesIO()
        writer = ArchiveWriter(stream)
        writer.add("catalog.db", io.BytesIO(content), len(content))
        writer.close(about)
        (tmp_path / "file").write_bytes(stream.getvalue())
        with pytest.raises(FileMalformed, match=r"holds a|holds the"):
            restore(tmp_path / "file", tmp_path / "new")
        assert not (tmp_path / "new").exists()
    for content in (b"", b"PK\3\4" * 500, bytes(10_000), b"text " * 1000):
        (tmp_path / "file").write_bytes(content)
        with pytest.raises(FileMalformed, match=r"is no backup|is damaged"):
            restore(tmp_path / "file", tmp_path / "new")


@pytest.mark.fault("11")
def test_a_backup_of_a_newer_format_is_refused(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "file")
    monkeypatch.setattr(migrations, "STEPS", migrations.STEPS[:-1])
    with pytest.raises(LibraryFormat, match="Update Quarry"):
        restore(tmp_path / "file", tmp_path / "new")
    assert not (tmp_path / "new").exists()
    stream = io.BytesIO()
    ArchiveWriter(stream).close({"format": 99})
    (tmp_path / "file").write_bytes(stream.getvalue())
    with pytest.raises(FileMalformed):
        restore(tmp_path / "file", tmp_path / "new")


def test_what_is_there_stays_unless_it_is_to_be_replaced(small: Path, tmp_path: Path) -> None:
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "file")
        library.add(Text("written after the backup", id="after"))
    with pytest.raises(InvalidRequest, match="There is a library at"):
        restore(tmp_path / "file", small)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for replace in (False, True):
        with pytest.raises(InvalidRequest, match="holds other files"):
            restore(tmp_path / "file", tmp_path / "notes", replace=replace)
        with pytest.raises(InvalidRequest, match="is a file"):
            restore(tmp_path / "file", tmp_path / "file", replace=replace)
    (tmp_path / "empty").mkdir()
    restore(tmp_path / "file", tmp_path / "empty")
    with Library(small, models=FakeModels()) as opened:
        assert opened.documents()[1] == 3
        restore(tmp_path / "file", small, replace=True)
        assert opened.documents()[1] == 2  # it follows
    with Library(small, models=FakeModels()) as library, pytest.raises(InvalidRequest, match="within the library"):
        library.backup(small / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "notes", "small"]


def test_a_restore_that_dies_between_two_renames_can_be_done_again(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second fails, the first is undone."""
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "file")
    before = everything(small)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".restoring-" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(LibraryError, match="Input/output error"):
        restore(tmp_path / "file", small, replace=True)
    assert everything(small).keys() - {"writer.lock", "writer.turn"} == before.keys() - {"writer.lock", "writer.turn"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "small"]


def test_damage_is_not_kept(small: Path, tmp_path: Path) -> None:
    """That of the catalog is no backup; what is derived is left out and made anew."""
    with Library(small, models=FakeModels()) as library:
        library.compact()
        before = [[hit.document.id for hit in library.search(query).hits] for query in QUERIES]
        library.backup(tmp_path / "good")
    for part in ("segments/*.*", "lexical/index-*/*.term"):
        (path,) = (path for path in small.glob(part) if path.is_file())
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with Library(small, models=FakeModels()) as library:
        made = library.backup(tmp_path / "file")
    assert len(made.left_out) == 2
    restore(tmp_path / "file", tmp_path / "new")
    with Library(tmp_path / "new", models=FakeModels()) as library:
        assert [finding.part for finding in library.doctor(repair=True) if finding.level == "damage"] == []
        assert [[hit.document.id for hit in library.search(query).hits] for query in QUERIES] == before
    connection = sqlite.open_writer(small / "catalog.db")
    connection.execute("UPDATE chunks SET text = 'ABOUT STARS' WHERE text = 'about stars'")
    connection.close()
    kept = (tmp_path / "good").read_bytes()
    with (
        Library(small, models=FakeModels()) as library,
        pytest.raises(LibraryDamaged, match=r"No copy was made.*chunks"),
    ):
        library.backup(tmp_path / "good")
    assert (tmp_path / "good").read_bytes() == kept


@pytest.mark.fault("3")
def test_a_disk_that_is_too_small(small: Path, disk: Path, tmp_path: Path) -> None:
    with Library(small, models=FakeModels()) as library:
        library.backup(tmp_path / "file")
        subprocess.run(["mount", "-o", "remount,size=200k", str(disk)], check=True)
        with pytest.raises(StorageFull, match=f"{disk}.* is full"):
            library.backup(disk / "file")
    assert list(disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=100k", str(disk)], check=True)
    with pytest.raises(StorageFull, match=f"{disk}.* is full"):
        restore(tmp_path / "file", disk / "library")
    assert list(disk.iterdir()) == []


def test_from_one_command_to_another(tmp_path: Path) -> None:
    """Over a pipe, under a running server, which follows."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("how stars form")
    quarry("index", "--library", tmp_path / "library", tmp_path / "notes")
    said = json.loads(quarry("backup", tmp_path / "file", "--library", tmp_path / "library", "--json").stdout)
    assert (said["documents"], said["bytes"]) == (1, (tmp_path / "file").stat().st_size)
    (tmp_path / "notes" / "a.txt").write_text("how bread is baked")
    with served(tmp_path / "library", tmp_path / "log") as server:
        quarry("index", "--library", tmp_path / "library")
        request = {"query": "stars", "mode": "lexical"}
        assert server.client.post("/v1/search", json=request).json()["hits"] == []
        content = (tmp_path / "file").read_bytes()
        refused = quarry("restore", "-", "--library", tmp_path / "library", input=content, code=1)
        assert "--replace" in refused.stderr
        done = quarry("restore", "-", "--library", tmp_path / "library", "--replace", input=content)
        assert done.stdout.startswith("Restored 1 document as of 2")
        answers = [server.client.post("/v1/search", json=request) for _ in range(2)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert [hit["text"] for hit in answers[-1].json()["hits"]] == ["how stars form"]
