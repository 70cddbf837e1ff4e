"""For whom a library's files are, and that those of a stranger's library lead nowhere."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import InvalidRequest, LibraryDamaged, QuarryError
from quarry.search.files.access import Access, access_of
from quarry.search.models.fake import FakeModels
from quarry.search.stores.catalog import Catalog
from quarry.search.stores.database import migrations, sqlite
from quarry.search.stores.thumbnails import Thumbnails

NOBODY = 65534


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def fill(at: Path, *, shared: bool = False) -> None:
    """Make a library with all kinds of files that there are: segments, some retired, thumbnails, a copy, a log."""
    with Library(at, shared=shared, models=FakeModels()) as library:
        for n in range(9):  # the lexical index merges what piles up
            library.add([Text(f"Text number {n} of stars", id=f"d{n}")])
        library.compact()
        library.add([Text("One more", id="more")])
        library.compact()
        Thumbnails(library.settings.library).put({b"key": b"jpeg"})
        migrations._back_up(sqlite.open_writer(at / "catalog.db"), at / "catalog.db", 1)
        library.add([Text("The last", id="last")])


def modes(at: Path) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {"folder": set(), "file": set()}
    for path in (at, *at.rglob("*")):
        found["folder" if path.is_dir() else "file"].add(stat.S_IMODE(path.lstat().st_mode))
    return found


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
@pytest.mark.parametrize("there_is", ["nothing", "a folder"])
def test_a_library_is_for_its_owner_whatever_the_umask(tmp_path: Path, mask: int, there_is: str) -> None:
    at = tmp_path / "parent" / "library"
    with umask(mask):
        if there_is == "a folder":
            at.mkdir(parents=True)
        fill(at)
        assert modes(at) == {"folder": {0o700}, "file": {0o600}}
        assert {"writer.lock", "writer.turn", "thumbnails.db", "catalog.db.format-1.bak"} < {
            path.name for path in at.iterdir()
        }
        assert list(at.glob("segments/*.faiss")) and list(at.glob("lexical/index-*/*.term"))
    if there_is == "nothing":
        assert stat.S_IMODE(at.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_shared_library_is_for_its_group_whoever_writes(tmp_path: Path, mask: int) -> None:
    at = tmp_path / "library"
    with umask(mask):
        fill(at, shared=True)
        fill(at)
        assert modes(at) == {"folder": {0o2770}, "file": {0o660}}
        with Library(at, shared=True, models=FakeModels()) as library:  # the same command once more
            assert library.search("stars", mode="lexical").hits
            assert [finding.text for finding in library.doctor() if finding.part == "access"] == [
                "for its owner and its group"
            ]


def test_a_library_that_is_there_is_not_shared_by_the_way(tmp_path: Path) -> None:
    fill(tmp_path / "library")
    with (
        pytest.raises(InvalidRequest, match="chmod -R g"),
        Library(tmp_path / "library", shared=True, models=FakeModels()) as library,
    ):
        library.catalog(create=True)
    assert modes(tmp_path / "library") == {"folder": {0o700}, "file": {0o600}}


def opened_up(at: Path) -> None:
    """Make of a library what a version before made by umask 022."""
    for path in (at, *at.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    for folder in (at, *at.parents):
        folder.chmod(folder.stat().st_mode | 0o011)


def test_a_library_that_is_open_stays_so_and_is_told(tmp_path: Path) -> None:
    at = tmp_path / "library"
    fill(at)
    opened_up(at)
    with umask(0o077):
        fill(at)
    assert modes(at) == {"folder": {0o755}, "file": {0o644}}
    with Library(at, models=FakeModels()) as library:
        (found,) = [finding for finding in library.doctor() if finding.part == "access"]
    assert found.level == "warning" and f"`chmod -R o-rwx {at}`" in found.text
    subprocess.run(["chmod", "-R", "o-rwx", at], check=True)
    assert access_of(at) == Access(0o750, 0o640)


def as_nobody(at: Path, group: int, code: str, tmp_path: Path) -> str:
    """Run code over a library as a user who has nothing but a group; return what it prints, or the error."""
    # What is imported on the way may lie where that user can't read it: all is done once over another library before.
    other = tmp_path / "other"
    if not other.exists():
        fill(other)
    program = f"""
import os, sys
from quarry.api.library import Library
for at in ({str(other)!r}, {str(at)!r}):
    sys.stdout = open(os.devnull, "w") if at == {str(other)!r} else sys.__stdout__
    with Library(at) as library:
        try:
            {code}
        except Exception as error:
            print(error)
    if os.getuid() == 0:
        os.setgroups([]); os.setgid({group}); os.setuid({NOBODY})
os._exit(sys.stdout.flush() or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd="/")
    return done.stdout + done.stderr


SEARCH = "found = library.search('stars', mode='lexical'); print(len(found.hits), found.degraded)"


@pytest.mark.skipif(os.geteuid() != 0, reason="takes on another user's id")
def test_another_user_reads_all_of_a_library_or_nothing(tmp_path: Path) -> None:
    group = 54321
    private, shared, open_to_all = tmp_path / "private", tmp_path / "shared", tmp_path / "open"
    fill(private)
    fill(open_to_all)
    opened_up(open_to_all)
    fill(open_to_all)
    fill(shared, shared=True)
    for path in (shared, *shared.rglob("*")):
        os.chown(path, 0, group)
        path.chmod(0o2770 if path.is_dir() else 0o660)
    assert "can't be read by this user" in as_nobody(private, NOBODY, SEARCH, tmp_path)
    assert "can't be read by this user" in as_nobody(shared, NOBODY, SEARCH, tmp_path)
    assert as_nobody(open_to_all, NOBODY, SEARCH, tmp_path) == "9 ()\n"
    assert as_nobody(shared, group, SEARCH, tmp_path) == "9 ()\n"
    # A member of the group writes, and what it made is the group's, for the owner as well.
    assert as_nobody(shared, group, f"print(library.delete('d1')); {SEARCH}", tmp_path) == "1\n8 ()\n"
    assert modes(shared) == {"folder": {0o2770}, "file": {0o660}}
    assert {path.stat().st_gid for path in shared.rglob("*")} == {group}
    with Library(shared, models=FakeModels()) as library:
        assert library.delete("d2") == 1
    assert as_nobody(shared, group, SEARCH, tmp_path) == "7 ()\n"


# --- a library from a stranger: row 15 ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("made") / "library"
    fill(at)
    return at


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "library"))


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "old").write_bytes(b"precious")
    os.utime(folder / "old", (1, 1))
    return folder


def use(at: Path) -> None:
    """Do everything that there is to be done with a library."""
    with Library(at, models=FakeModels()) as library:
        library.search("stars")
        library.search("stars", mode="lexical")
        library.add([Text("new text")])
        library.doctor(repair=True)
        library.compact()
        Thumbnails(at).put({b"other": b"jpeg"})


def paths_of(at: Path) -> list[str]:
    folders = ["lexical", "segments", "segments/retired", "segments/unfinished", "segments/quarantine"]
    files = ["catalog.db", "catalog.db-wal", "catalog.db-shm", "catalog.db-journal", "writer.lock", "writer.turn"]
    return [*folders, *files, "thumbnails.db", "thumbnails.db-journal", "lexical/state.json", "lexical/state.json.tmp"]


def link_to_file(at: Path, outside: Path) -> None:
    at.symlink_to(outside / "old")


def link_to_nothing(at: Path, outside: Path) -> None:
    at.symlink_to(outside / "new")


def link_to_folder(at: Path, outside: Path) -> None:
    at.symlink_to(outside)


def pipe(at: Path, outside: Path) -> None:
    os.mkfifo(at)


@pytest.mark.fault("15")
@pytest.mark.parametrize("put", [link_to_file, link_to_nothing, link_to_folder, pipe])
@pytest.mark.parametrize("name", [*paths_of(Path()), "lexical/index-1", "lexical/index-1/meta.json", "SEGMENT"])
def test_what_is_put_in_place_of_a_file_leads_nowhere(
    library: Path, outside: Path, name: str, put: Callable[[Path, Path], None]
) -> None:
    """Every file and folder of a library, exchanged for a link or a pipe: nothing outside is read, written or removed,
    nothing hangs, and what is refused is refused by an error of the tree."""
    segment = next(library.glob("segments/*.faiss")).relative_to(library)
    index = next(library.glob("lexical/index-*")).name
    at = library / name.replace("SEGMENT", str(segment)).replace("index-1", index)
    if at.is_dir():
        shutil.rmtree(at)
    else:
        at.unlink(missing_ok=True)
    at.parent.mkdir(exist_ok=True)
    put(at, outside)
    try:
        use(library)
    except QuarryError as error:
        assert str(library) in str(error)
    assert [path.name for path in outside.iterdir()] == ["old"]
    assert (outside / "old").read_bytes() == b"precious" and (outside / "old").stat().st_mtime == 1


@pytest.mark.fault("15")
def test_a_catalog_that_is_a_link_is_refused_by_name(library: Path, tmp_path: Path) -> None:
    (library / "catalog.db").rename(tmp_path / "elsewhere.db")
    (library / "catalog.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(LibraryDamaged, match=r"catalog\.db can't be used: it is a symbolic link"):
        Catalog(library)
    linked = tmp_path / "link"
    (library / "catalog.db").unlink()
    (tmp_path / "elsewhere.db").rename(library / "catalog.db")
    linked.symlink_to(library)
    with Library(linked, models=FakeModels()) as opened:  # but where a library is, its user says
        assert opened.search("stars", mode="lexical").hits


def test_a_journal_that_names_another_file_deletes_nothing(library: Path, outside: Path) -> None:
    """SQLite deletes the super-journal that a hot journal names, wherever that is."""
    victim = outside / "old"
    journal = bytes.fromhex("d9d505f920a163d7") + bytes(504)
    name = os.fsencode(victim)
    for file in ("thumbnails.db-journal", "catalog.db-journal"):
        ending = name + len(name).to_bytes(4, "big") + (sum(name)).to_bytes(4, "big") + journal[:8]
        (library / file).write_bytes(journal + ending)
        with pytest.raises(LibraryDamaged, match="names a file to delete"):
            sqlite.open_writer(library / file.removesuffix("-journal"))
        assert victim.exists()


def test_a_lock_that_is_some_other_file_is_not_written(library: Path) -> None:
    (library / "writer.lock").write_bytes(b"something of many words, which no process id is")
    with Library(library, models=FakeModels()) as opened:
        opened.add([Text("one more")])
    assert (library / "writer.lock").read_bytes().startswith(b"something")
