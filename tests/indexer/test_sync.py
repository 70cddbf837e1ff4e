from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import quarry.indexer.files.changes
from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.indexer import formats
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.indexer.loaders.sandbox.wire import Request
from quarry.indexer.report import Report
from quarry.search.errors import InvalidRequest, NotFound
from quarry.search.files import openings
from quarry.search.files.uris import path_of, uri_of
from quarry.search.models.fake import FakeModels
from quarry.search.stores.rows.files import title_of

SAME_SIZE = ("alpha", "omega")


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    write(root, {"a.md": "# Alpha\n\nApples grow on trees.", "b/c.txt": "Cats sleep.", "b/d.txt": "Dogs run."})
    return root


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def uris(library: Library) -> set[str]:
    return {document.uri for document in library.documents(limit=1000)[0]}


def ids(library: Library) -> dict[str, str]:
    return {document.uri: document.id for document in library.documents(limit=1000)[0]}


def counts(report: Report) -> dict[str, int]:
    fields = ("added", "changed", "moved", "dropped", "embedded")
    return {field: getattr(report, field) for field in fields if getattr(report, field)}


def rows(library: Library, sql: str) -> list[tuple[Any, ...]]:
    with library.catalog().snapshot() as snapshot:
        return list(snapshot.connection.execute(sql).fetchall())


def is_sound(library: Library) -> bool:
    return not [finding for finding in library.doctor() if finding.level == "damage"]


# --- new, changed, moved, gone -----------------------------------------------------------------------------------


def test_what_is_new_is_added(library: Library, root: Path) -> None:
    report = library.index(root)
    assert counts(report) == {"added": 3, "embedded": 3}
    assert (report.files_read, report.passages, report.complete) == (3, 3, True)
    assert uris(library) == {str(root / name) for name in ("a.md", "b/c.txt", "b/d.txt")}
    assert library.text(str(root / "a.md")) == "# Alpha\n\nApples grow on trees."
    assert is_sound(library)


def test_a_second_run_does_nothing_and_loads_no_model(library: Library, root: Path, models: FakeModels) -> None:
    library.index(root)
    before = rows(library, "SELECT value FROM meta WHERE key = 'generation'")
    models.on_load = lambda name: pytest.fail("a model was loaded")
    with Library(library.settings.library, models=models) as again:
        report = again.index()
    assert counts(report) == {} and report.unchanged_files == 3
    assert rows(library, "SELECT value FROM meta WHERE key = 'generation'") == before


def test_what_changed_is_indexed_anew_under_its_old_id(library: Library, root: Path) -> None:
    library.index(root)
    before = ids(library)
    (root / "b/c.txt").write_text("Cats purr.")
    assert counts(library.index()) == {"changed": 1, "embedded": 1}
    assert ids(library) == before
    assert library.text(str(root / "b/c.txt")) == "Cats purr."
    assert [hit.text for hit in library.search("purr", mode="lexical").hits] == ["Cats purr."]
    assert not library.search("sleep", mode="lexical").hits
    assert is_sound(library)


@pytest.mark.parametrize("rename", [("b", "z/y"), ("b/c.txt", "b/renamed.txt"), ("b/c.txt", "moved.txt")])
def test_a_renamed_file_or_folder_is_followed(library: Library, root: Path, rename: tuple[str, str]) -> None:
    """Document ids, chunks and vectors are kept, nothing is embedded again, and the new name is found by words."""
    library.index(root)
    before = ids(library)
    stored = "SELECT c.id, c.document_id, c.key, c.text FROM chunks c ORDER BY c.id"
    chunks, vectors = rows(library, stored), rows(library, "SELECT * FROM vectors ORDER BY id")
    old, new = (root / name for name in rename)
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    moved = {uri.replace(str(old), str(new), 1): id for uri, id in before.items()}
    report = library.index()
    assert counts(report) == {"moved": sum(uri not in before for uri in moved)}
    assert ids(library) == moved
    assert (rows(library, stored), rows(library, "SELECT * FROM vectors ORDER BY id")) == (chunks, vectors)
    (hit, *_) = library.search(f"cats {new.stem}", mode="lexical").hits
    assert hit.document.uri == next(uri for uri in moved if moved[uri] == before[str(root / "b/c.txt")])
    if old.name == "c.txt":
        assert hit.document.title == new.stem
        assert not [hit for hit in library.search("c", mode="lexical").hits if hit.document.uri == str(new)]
    assert is_sound(library)


def test_a_move_to_another_root_is_followed(library: Library, root: Path, tmp_path: Path) -> None:
    write(tmp_path / "other", {"e.txt": "Eels swim."})
    library.index(root, tmp_path / "other")
    before = ids(library)
    (root / "b/c.txt").rename(tmp_path / "other" / "c.txt")
    assert counts(library.index()) == {"moved": 1}
    assert ids(library)[str(tmp_path / "other" / "c.txt")] == before[str(root / "b/c.txt")]
    assert [known.files for known in library.roots()] == [2, 2]


def test_rows_of_a_moved_table_are_followed(library: Library, root: Path) -> None:
    write(root, {"t.csv": "id,text\n1,one potato\n2,two potatoes\n"})
    library.index(root)
    before = ids(library)
    (root / "t.csv").rename(root / "u.csv")
    assert counts(library.index()) == {"moved": 2}
    assert {ids(library)[str(root / f"u.csv#id={n}")] for n in (1, 2)} == {
        before[str(root / f"t.csv#id={n}")] for n in (1, 2)
    }
    assert {document.title for document in library.documents()[0] if "u.csv" in document.uri} == {"u, id 1", "u, id 2"}


@pytest.mark.parametrize(
    ("path", "key", "title"),
    [
        ("file:///a/b.c.txt", "", "b.c"),
        ("file:///a/%EC%95%88.csv", "row=3", "안, row 3"),
        ("file:///a/b.zip", "2024/may.csv#row=3", "may, row 3"),
        ("file:///a/b.mbox", "id=<1@x>", "b, id <1@x>"),
        ("file:///a/b.mbox", "message=2#plan.pdf", "plan"),
        ("file:///a/b.zip", ".env", ".env"),
    ],
)
def test_a_title_of_what_has_none(path: str, key: str, title: str) -> None:
    assert title_of(path, key) == title


def test_what_is_gone_is_dropped(library: Library, root: Path) -> None:
    library.index(root)
    (root / "b/c.txt").unlink()
    assert counts(library.index()) == {"dropped": 1}
    assert uris(library) == {str(root / "a.md"), str(root / "b/d.txt")}
    assert not library.search("cats", mode="lexical").hits
    assert len(library.search("cats", mode="semantic").hits) == 2
    assert is_sound(library)


def test_two_files_that_change_places(library: Library, root: Path) -> None:
    library.index(root)
    left, right = root / "b/c.txt", root / "b/d.txt"
    left.rename(root / "x")
    right.rename(left)
    (root / "x").rename(right)
    assert counts(library.index()) == {"changed": 2}  # the vectors are known
    assert (library.text(str(left)), library.text(str(right))) == ("Dogs run.", "Cats sleep.")
    assert is_sound(library)


def test_identical_content_is_embedded_once(library: Library, root: Path, models: FakeModels) -> None:
    write(root, {f"copies/{n}.txt": "The very same words." for n in range(20)})
    report = library.index(root)
    assert (report.added, report.passages, report.embedded) == (23, 23, 4)
    assert models.embedded.count("The very same words.") == 1
    write(root, {"later.txt": "The very same words."})
    assert counts(library.index()) == {"added": 1}
    hits = library.search("same words", mode="semantic", limit=50).hits
    assert sum(1 + len(hit.also) for hit in hits) == 24


def test_a_table_row_that_is_removed_or_changed_leaves_the_others_as_they_are(library: Library, root: Path) -> None:
    table = root / "t.csv"
    write(root, {"t.csv": "id,text\n" + "".join(f"{n},row number {n}\n" for n in range(1, 7))})
    library.index(root)
    before = ids(library)
    chunks = dict(rows(library, "SELECT d.uri, c.id FROM chunks c JOIN documents d ON d.id = c.document_id"))
    table.write_text("id,text\n1,row number 1\n3,another text\n4,row number 4\n5,row number 5\n6,row number 6\n")
    assert counts(library.index()) == {"changed": 1, "dropped": 1, "embedded": 1}
    gone = f"{table}#id=2"
    assert ids(library) == {uri: id for uri, id in before.items() if uri != gone}
    after = dict(rows(library, "SELECT d.uri, c.id FROM chunks c JOIN documents d ON d.id = c.document_id"))
    assert {uri for uri in after if after[uri] != chunks[uri]} == {f"{table}#id=3"}


def test_two_rows_of_one_id_are_two_documents(library: Library, root: Path) -> None:
    write(root, {"t.jsonl": '{"id": "x", "text": "first"}\n{"id": "x", "text": "second"}\n'})
    library.index(root)
    assert {library.text(uri) for uri in uris(library) if "t.jsonl" in uri} == {"first", "second"}


def test_an_empty_file_holds_nothing_and_loses_what_it_held(library: Library, root: Path) -> None:
    write(root, {"empty.txt": ""})
    assert counts(library.index(root)) == {"added": 3, "embedded": 3}
    (root / "b/c.txt").write_text("")
    assert counts(library.index()) == {"dropped": 1}
    assert counts(library.index()) == {}


# --- roots -------------------------------------------------------------------------------------------------------


def test_roots_are_remembered(library: Library, root: Path, tmp_path: Path) -> None:
    write(tmp_path, {"single.txt": "Alone."})
    library.index(root)
    library.index(tmp_path / "single.txt")
    assert [known.path for known in library.roots()] == [str(root), str(tmp_path / "single.txt")]
    write(root, {"new.txt": "New."})
    write(tmp_path, {"single.txt": "Changed."})
    assert counts(library.index()) == {"added": 1, "changed": 1, "embedded": 2}


def test_there_must_be_a_root_or_a_path(library: Library, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no roots yet"):
        library.index()
    with pytest.raises(NotFound, match=r"nowhere does not exist"):
        library.index(tmp_path / "nowhere")


@pytest.mark.parametrize("order", ["outer first", "inner first", "together", "inner twice"])
def test_nested_roots_become_the_outer_one(library: Library, root: Path, order: str) -> None:
    inner = root / "b"
    match order:
        case "outer first":
            reports = [library.index(root), library.index(inner)]
        case "inner first":
            reports = [library.index(inner), library.index(root)]
        case "together":
            reports = [library.index(inner, root, inner)]
        case "inner twice":
            reports = [library.index(inner, inner), library.index(root)]
    assert sum(report.added for report in reports) == sum(report.embedded for report in reports) == 3
    assert [known.path for known in library.roots()] == [str(root)]
    assert counts(library.index()) == {}
    (inner / "c.txt").unlink()
    assert counts(library.index(inner, prune=True)) == {"dropped": 1}
    assert uris(library) == {str(root / "a.md"), str(inner / "d.txt")}


def test_names_that_only_begin_alike_are_not_nested(library: Library, tmp_path: Path) -> None:
    write(tmp_path, {"notes/a.txt": "One.", "notes-old/a.txt": "Two."})
    library.index(tmp_path / "notes")
    library.index(tmp_path / "notes-old")
    assert len(library.roots()) == 2
    assert library.forget(tmp_path / "notes") == 1
    assert uris(library) == {str(tmp_path / "notes-old/a.txt")}


def test_a_path_within_a_root_syncs_only_that_part(library: Library, root: Path) -> None:
    library.index(root)
    write(root, {"a.md": "# Other\n\nText.", "b/e.txt": "Eels swim."})
    assert counts(library.index(root / "b")) == {"added": 1, "embedded": 1}
    assert counts(library.index(root / "a.md")) == {"changed": 1, "embedded": 1}


def test_forget_drops_a_root_with_its_documents(library: Library, root: Path) -> None:
    library.index(root)
    with pytest.raises(NotFound, match=f"Its roots: {root}"):
        library.forget(root / "b")
    assert library.forget(root) == 3
    assert (uris(library), library.roots()) == (set(), [])
    assert (root / "a.md").exists()
    assert not library.search("apples").hits
    assert is_sound(library)


def test_forget_and_delete_need_no_model(library: Library, root: Path, models: FakeModels) -> None:
    library.index(root)
    models.on_load = lambda name: pytest.fail("a model was loaded")
    with Library(library.settings.library, models=models) as again:
        assert again.delete([str(root / "a.md")]) == 1
        assert again.forget(root) == 2
        again.compact()


def test_a_root_forgotten_while_it_is_indexed(library: Library, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(root)
    write(root, {"new.txt": "New."})

    class Forgetting:
        def start(self, files: int, size: int) -> None:
            library.forget(root)

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            pass

    with pytest.raises(NotFound, match="was forgotten while it was indexed"):
        library.index(progress=Forgetting())
    assert uris(library) == set() and is_sound(library)


# --- what is missing is not gone ---------------------------------------------------------------------------------


@pytest.mark.fault("13b")
@pytest.mark.parametrize("loss", ["root is missing", "root is empty", "most is gone", "a missing part"])
def test_a_root_that_is_missing_or_lost_most_drops_nothing_without_prune(
    library: Library, root: Path, tmp_path: Path, loss: str
) -> None:
    """As a disk that is not mounted looks."""
    library.index(root)
    scope = [root / "b"] if loss == "a missing part" else []
    match loss:
        case "root is missing":
            root.rename(tmp_path / "away")
        case "root is empty":
            root.rename(tmp_path / "away")
            root.mkdir()
        case "most is gone" | "a missing part":
            (root / "b").rename(tmp_path / "away")
    before = ids(library)
    for _ in range(2):
        report = library.index(*scope)
        assert counts(report) == {} and not report.complete
        (sentence,) = report.held_back.values()
        assert "--prune" in sentence and str(root) in sentence
    assert ids(library) == before
    report = library.index(*scope, prune=True)
    assert report.complete and report.dropped == {"most is gone": 2, "a missing part": 2}.get(loss, 3)
    assert library.index().complete


@pytest.mark.fault("13b")
def test_a_disk_that_comes_back_is_unchanged(library: Library, root: Path, tmp_path: Path) -> None:
    library.index(root)
    root.rename(tmp_path / "away")
    library.index()
    (tmp_path / "away").rename(root)
    assert counts(library.index()) == {}


def test_half_of_the_documents_may_go(library: Library, root: Path) -> None:
    write(root, {"e.txt": "Eels."})
    library.index(root)
    shutil.rmtree(root / "b")
    assert counts(library.index()) == {"dropped": 2}


def test_files_of_a_folder_that_cannot_be_read_are_not_gone(
    library: Library, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(root)
    before = ids(library)
    open_folder = openings.open_folder

    def refuse(path: Path) -> int:
        if path == root / "b":
            raise PermissionError(13, "Permission denied", str(path))
        return open_folder(path)

    with monkeypatch.context() as patch:
        patch.setattr(openings, "open_folder", refuse)
        write(root, {"copy.txt": "Cats sleep."})  # nor did they move to where a copy is
        report = library.index(prune=True)
    assert report.failed == {str(root / "b"): "The folder can't be read: Permission denied."}
    assert before.items() <= ids(library).items()
    assert counts(library.index()) == {}


# --- clocks, races, odd files ------------------------------------------------------------------------------------


@pytest.mark.fault("13")
@pytest.mark.parametrize("year", [1970, 2099])
def test_times_that_lie(library: Library, root: Path, year: int) -> None:
    """Row 13: what mtime says decides nothing."""
    seconds = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    for path in root.rglob("*.*"):
        os.utime(path, (seconds, seconds))
    assert library.index(root).added == 3
    assert counts(library.index()) == {}
    (root / "b/c.txt").write_text("Cats dream")  # of the same size
    os.utime(root / "b/c.txt", (seconds, seconds))
    assert counts(library.index()) == {"changed": 1, "embedded": 1}
    os.utime(root / "a.md", (5, 5))
    assert counts(library.index()) == {}
    assert library.get(str(root / "b/c.txt")).modified == f"{year}-01-01T00:00:00+00:00"


@pytest.mark.fault("13")
def test_edits_of_the_same_size_within_a_second(library: Library, root: Path) -> None:
    path = root / "b/c.txt"
    for round in range(4):
        path.write_text(SAME_SIZE[round % 2])
        os.utime(path, ns=(10**18, 10**18))
        library.index(root)
        assert library.text(str(path)) == SAME_SIZE[round % 2]


@pytest.mark.fault("13")
def test_verify_hashes_what_looks_unchanged(library: Library, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library.index(root)
    monkeypatch.setattr(
        quarry.indexer.files.changes, "_same_stat", lambda file, old: True
    )  # a file system without honest stats
    (root / "b/c.txt").write_text("Cats hide.")
    assert counts(library.index()) == {}
    assert counts(library.index(verify=True)) == {"changed": 1, "embedded": 1}


@pytest.mark.fault("14")
def test_a_tree_that_changes_while_it_is_indexed(library: Library, root: Path) -> None:
    """Row 14: files come, go and change under the run; afterwards one quiet run brings everything in sync."""
    write(root, {f"m/{n:03}.txt": f"File number {n}." for n in range(200)})
    stop = threading.Event()

    def mutate() -> None:
        step = 0
        while not stop.is_set():
            step += 1
            path = root / "m" / f"{step * 37 % 200:03}.txt"
            match step % 3:
                case 0:
                    path.unlink(missing_ok=True)
                case 1:
                    path.write_text(f"Step {step} " * (step % 50 + 1))
                case 2 if path.exists():
                    path.rename(path.with_suffix(".md"))
            time.sleep(0.0005)

    thread = threading.Thread(target=mutate)
    thread.start()
    try:
        reports = [library.index(root, prune=True) for _ in range(3)]
    finally:
        stop.set()
        thread.join()
    for report in reports:  # what was caught in the act is reported, and nothing else is
        assert all("changing" in reason or "changed" in reason for reason in report.failed.values()), report.failed
    final = library.index(prune=True)
    assert not final.failed
    on_disk = {str(path): path.read_text().strip() for path in root.rglob("*.*")}
    assert {uri: library.text(uri) for uri in uris(library)} == on_disk
    assert counts(library.index()) == {}
    assert is_sound(library)


def test_a_file_whose_parser_was_killed_from_outside_is_read_by_the_next_run(
    library: Library, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, killed = Sandbox._request, list[str]()

    def killing(self: Sandbox, message: Request) -> None:
        if message.path.name != "c.txt" or killed:
            request(self, message)
            return
        assert self._child is not None
        os.kill(self._child.pid, signal.SIGSTOP)  # it can't answer before it is killed
        request(self, message)
        os.kill(self._child.pid, signal.SIGKILL)
        killed.append(message.path.name)

    monkeypatch.setattr(Sandbox, "_request", killing)
    report = library.index(root)
    assert "killed from outside (SIGKILL)" in report.failed[str(root / "b/c.txt")]
    assert uris(library) == {str(root / "a.md"), str(root / "b/d.txt")}
    report = library.index()
    assert counts(report) == {"added": 1, "embedded": 1} and report.complete
    assert library.text(root / "b/c.txt") == "Cats sleep."


@pytest.mark.fault("14")
def test_a_file_that_vanishes_before_it_is_read(library: Library, root: Path) -> None:
    class Vanishing:
        def start(self, files: int, size: int) -> None:
            (root / "b/c.txt").unlink()

        def advance(self, files: int, size: int, passages: int) -> None:
            pass

        def note(self, text: str) -> None:
            pass

    report = library.index(root, progress=Vanishing())
    assert report.complete and report.skipped["vanished meanwhile"] == 1
    assert str(root / "b/c.txt") not in uris(library)


@pytest.mark.fault("15")
def test_links_loops_and_pipes(library: Library, root: Path) -> None:
    """Row 15: they are not followed, and nothing hangs."""
    (root / "loop").symlink_to(root)
    (root / "etc").symlink_to("/etc")
    (root / "link.txt").symlink_to("a.md")
    os.mkfifo(root / "pipe.txt")
    report = library.index(root)
    assert (report.added, report.skipped["link"], report.skipped["not a regular file"]) == (3, 3, 1)
    (root / "b/c.txt").unlink()
    os.mkfifo(root / "b/c.txt")
    assert counts(library.index()) == {"dropped": 1}


def test_a_root_behind_a_link_is_its_target(library: Library, root: Path, tmp_path: Path) -> None:
    (tmp_path / "shortcut").symlink_to(root)
    library.index(tmp_path / "shortcut")
    assert [known.path for known in library.roots()] == [str(root)]


@pytest.mark.fault("16")
@pytest.mark.parametrize("in_root", [False, True])
def test_names_that_are_no_utf8_round_trip(library: Library, root: Path, in_root: bool) -> None:
    """Row 16: through the catalog, JSON and back to the file; the file is followed and dropped as others are."""
    top = Path(os.fsdecode(os.fsencode(root) + b"/\xfe ") if in_root else root)
    top.mkdir(exist_ok=True)
    path = Path(os.fsdecode(os.fsencode(top) + b"/\xff.txt"))
    path.write_text("Strange name.")
    write(top, {"plain.txt": "Plain name.", "more.txt": "More."})
    library.index(top)
    (hit, *_) = library.search("strange", mode="lexical").hits
    assert os.fsencode(path_of(json.loads(json.dumps(hit.document.uri)))) == os.fsencode(path)
    assert counts(library.index(top)) == {}
    renamed = path.rename(Path(os.fsdecode(os.fsencode(top) + b"/\xfd.txt")))
    assert counts(library.index()) == {"moved": 1}
    assert library.get(uri_of(renamed)).id == hit.document.id
    renamed.unlink()
    assert counts(library.index()) == {"dropped": 1}
    assert library.forget(top) == 2 + 3 * (not in_root)


def test_the_library_itself_is_not_indexed(root: Path, models: FakeModels) -> None:
    with Library(root / "library", models=models) as library:
        library.index(root)
        assert counts(library.index()) == {}
        assert len(uris(library)) == 3


def test_binaries_without_a_suffix_are_skipped(library: Library, root: Path) -> None:
    (root / "program").write_bytes(bytes(range(256)) * 10)
    report = library.index(root)
    assert report.complete and report.skipped["unsupported type"] == 1
    assert counts(library.index()) == {} and library.index().files_read == 0


# --- failures ----------------------------------------------------------------------------------------------------


@pytest.mark.fault("26")
def test_one_bad_file_in_a_thousand(root: Path, models: FakeModels, tmp_path: Path) -> None:
    """Row 26: the others are indexed, the bad one is listed, and the exit code says so."""
    shutil.rmtree(root)
    write(root, {f"{n // 100}/{n:03}.txt": f"File number {n}." for n in range(999)})
    (root / "bad.txt").write_bytes(b"\x00\x01\x02\x03" * 5000)
    arguments = ["index", "--library", str(tmp_path / "library"), "--json"]
    result = CliRunner().invoke(cli, [*arguments, str(root)], obj=models)
    body = json.loads(result.stdout)
    assert (result.exit_code, body["added"], list(body["failed"])) == (3, 999, [str(root / "bad.txt")])
    result = CliRunner().invoke(cli, arguments, obj=models)
    assert (result.exit_code, json.loads(result.stdout)["unchanged_files"]) == (3, 999)
    (root / "bad.txt").write_text("Good now.")
    result = CliRunner().invoke(cli, arguments, obj=models)
    assert (result.exit_code, json.loads(result.stdout)["added"]) == (0, 1)


def test_a_file_that_cannot_be_opened_keeps_its_documents_and_is_tried_again(
    library: Library, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.index(root)
    path = root / "b/c.txt"
    path.write_text("Cats purr.")
    with monkeypatch.context() as patch:
        patch.setattr("quarry.indexer.reading.content_hash", refuse)
        report = library.index()
        assert list(report.failed) == [str(path)] and "Input/output error" in report.failed[str(path)]
    assert library.text(str(path)) == "Cats sleep."
    assert counts(library.index()) == {"changed": 1, "embedded": 1}


def refuse(path: Path) -> bytes:
    raise OSError(5, "Input/output error")


@pytest.mark.fault("29")
def test_vectors_that_are_none_are_never_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """Row 29: such a file is reported, the others are indexed, and it is still found by its words."""
    texts = {"nan.txt": "Not a number.", "inf.txt": "Without end.", "zero.txt": "Nothing at all."}
    values = dict(zip(texts.values(), (float("nan"), float("inf"), 0.0), strict=True))
    write(root, texts)
    models = FakeModels(values)
    with Library(tmp_path / "library", models=models) as library:
        report = library.index(root)
        assert set(report.failed) == {str(root / name) for name in texts}
        assert all("no usable vector" in reason for reason in report.failed.values())
        assert report.added == 6 and rows(library, "SELECT count(*) FROM vectors") == [(3,)]
        for name, text in texts.items():
            assert [hit.document.uri for hit in library.search(text, mode="lexical").hits][:1] == [str(root / name)]
        assert len(library.search("anything", mode="semantic").hits) == 3
        assert is_sound(library)
        again = library.index()
        assert counts(again) == {} and set(again.failed) == set(report.failed)
        models.loaded.clear()
        models.broken.clear()
        assert library.status()["failing"].keys() == report.failed.keys()
    with Library(tmp_path / "library", models=FakeModels()) as library:
        assert library.index(verify=True).complete
        assert len(library.search("anything", mode="semantic").hits) == 6


def contents(library: Library) -> dict[str, bytes]:
    """What is in the library's files, but for the memory that SQLite's readers share."""
    files = [path for path in library.settings.library.rglob("*") if path.is_file() and path.suffix != ".db-shm"]
    return {path.name: data for path in files if (data := path.read_bytes())}


# --- options -----------------------------------------------------------------------------------------------------


def test_a_dry_run_changes_nothing(library: Library, root: Path, tmp_path: Path) -> None:
    with Library(tmp_path / "none", models=FakeModels()) as unmade:
        report = unmade.index(root, dry_run=True)
    assert (report.added, report.dry_run, (tmp_path / "none").exists()) == (3, True, False)
    library.index(root)
    library.close()
    library = Library(library.settings.library, models=FakeModels())
    before = contents(library)
    write(root, {"new.txt": "New.", "a.md": "Changed."})
    (root / "b/c.txt").unlink()
    (root / "b/d.txt").rename(root / "e.txt")
    report = library.index(dry_run=True)
    assert counts(report) == {"added": 1, "changed": 1, "moved": 1, "dropped": 1}
    library.close()
    library = Library(library.settings.library, models=FakeModels())
    assert contents(library) == before
    assert counts(library.index()) == {"added": 1, "changed": 1, "moved": 1, "dropped": 1, "embedded": 2}


def test_metadata_of_a_root_goes_to_its_documents(library: Library, root: Path) -> None:
    write(root, {"front.md": "---\ntitle: Front\nauthor: Kim\nproject: own\n---\nText."})
    library.index(root, metadata={"project": "given", "year": 2024})
    assert {document.metadata["project"] for document in library.documents()[0]} == {"given"}
    front = library.get(str(root / "front.md"))
    assert (front.title, front.metadata["author"], front.metadata["year"]) == ("Front", "Kim", 2024)
    write(root, {"later.txt": "Later."})
    assert counts(library.index()) == {"added": 1, "embedded": 1}  # options are kept
    assert library.get(str(root / "later.txt")).metadata == {"project": "given", "year": 2024}
    before = ids(library)
    assert counts(library.index(root, metadata={"project": "other"})) == {"changed": 5}
    assert ids(library) == before
    with pytest.raises(InvalidRequest, match="lies within the root"):
        library.index(root / "b", metadata={"project": "third"})
    assert len(library.search("cats", filter={"project": "other"}).hits) == 5


@pytest.mark.parametrize("value", [float("nan"), "\udcff", object(), "x" * 100_000])
def test_metadata_that_cannot_be_stored_is_refused(library: Library, root: Path, value: object) -> None:
    with pytest.raises(InvalidRequest, match="metadata"):
        library.index(root, metadata={"key": value})


def test_fields_of_a_table_are_mapped(library: Library, root: Path) -> None:
    write(root, {"t.csv": "number,headline,story,page\n7,First,It rained.,3\n8,Second,It snowed.,4\n"})
    library.index(root, text_fields=["story"], title_field="headline", id_field="number")
    first = library.get(f"{root}/t.csv#id=7")
    assert (first.title, dict(first.metadata), library.text(first.id)) == (
        "First",
        {"number": 7, "headline": "First", "page": 3},
        "It rained.",
    )
    before = ids(library)
    assert library.index(root, text_fields=["headline"], id_field="number").changed == 2
    assert ids(library) == before


def test_standard_input(models: FakeModels, tmp_path: Path) -> None:
    arguments = ["index", "--library", str(tmp_path / "library"), "--json"]
    result = CliRunner().invoke(
        cli, [*arguments, "-", "--name", "notes.md", "--meta", "by=me"], input="# Notes\n\nBuy milk.\n", obj=models
    )
    (id,) = json.loads(result.stdout)["ids"]
    with Library(tmp_path / "library", models=models) as library:
        document = library.get(id)
        assert (document.title, document.type, document.metadata["by"]) == ("Notes", "text/markdown", "me")
        with pytest.raises(NotFound):
            library.index()
    assert CliRunner().invoke(cli, [*arguments, "-", "x"], obj=models).exit_code == 2


def test_exit_codes_of_indexing(models: FakeModels, root: Path, tmp_path: Path) -> None:
    arguments = ["index", "--library", str(tmp_path / "library")]
    (root / "program.exe").write_bytes(b"MZ")
    result = CliRunner().invoke(cli, [*arguments, str(root)], obj=models)
    assert result.exit_code == 0 and "Skipped: 1 unsupported type" in result.output
    shutil.rmtree(root)
    result = CliRunner().invoke(cli, arguments, obj=models)
    assert result.exit_code == 3 and "Held back:" in result.stderr
    result = CliRunner().invoke(cli, [*arguments, "--prune"], obj=models)
    assert result.exit_code == 0
    result = CliRunner().invoke(cli, [*arguments, str(tmp_path / "nowhere")], obj=models)
    assert isinstance(result.exception, NotFound)  # of which the command's entry makes exit code 1


@pytest.mark.fault("12")
def test_another_model_is_refused_even_where_nothing_is_to_be_embedded(
    models: FakeModels, root: Path, tmp_path: Path
) -> None:
    arguments = ["index", "--library", str(tmp_path / "library"), str(root)]
    assert CliRunner().invoke(cli, [*arguments, "--text-model", "one"], obj=models).exit_code == 0
    result = CliRunner().invoke(cli, [*arguments, "--text-model", "two"], obj=models)
    assert "embedded by one" in str(result.exception) and "quarry reembed --text-model two" in str(result.exception)
    assert CliRunner().invoke(cli, arguments, obj=models).exit_code == 0


def test_deleting_by_a_relative_path(
    models: FakeModels, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ["--library", str(tmp_path / "library")]
    CliRunner().invoke(cli, ["index", *library, str(root)], obj=models)
    monkeypatch.chdir(root)
    result = CliRunner().invoke(cli, ["delete", *library, "b/c.txt", "--json"], obj=models)
    assert json.loads(result.stdout) == {"deleted": 1}
    result = CliRunner().invoke(cli, ["index", *library, "--json"], obj=models)
    assert json.loads(result.stdout)["added"] == 0  # it comes back when it changes
    write(root, {"b/c.txt": "Cats are back."})
    result = CliRunner().invoke(cli, ["index", *library, "--json"], obj=models)
    assert json.loads(result.stdout)["added"] == 1


def test_what_needs_an_extra_is_told_kept_and_read_once_that_is_there(
    library: Library, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_there: list[bool] = []
    needing = replace(formats.FORMATS[".rst"], needs="own_module", extra="pip install own")
    monkeypatch.setattr(formats, "FORMATS", {**formats.FORMATS, ".rst": needing})
    monkeypatch.setattr(formats, "_is_there", lambda module: bool(is_there))
    write(root, {"only/tide.rst": "The tide turns."})
    told = {uri_of(root / "only" / "tide.rst"): "read only after pip install own"}
    report = library.index(root)
    assert (report.added, report.complete, report.skipped_files) == (3, True, told)
    assert library.skipped() == told
    assert "nothing in it can be read" in library.index(root / "only").failed[uri_of(root / "only")]

    is_there.append(True)
    assert library.index().added == 1 and uri_of(root / "only" / "tide.rst") in uris(library)
    is_there.clear()
    report = library.index()
    assert (report.dropped, report.skipped_files) == (0, told)
    assert uri_of(root / "only" / "tide.rst") in uris(library)
    (root / "only" / "tide.rst").unlink()
    assert library.index().dropped == 1
