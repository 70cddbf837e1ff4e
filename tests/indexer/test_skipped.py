"""What an index run passes by is named, kept out of what succeeds, and can be asked for."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from quarry.api.cli import cli
from quarry.api.library import Library
from quarry.indexer.files.walking import HOLDS_NOTHING, UNSUPPORTED
from quarry.search.models.fake import FakeModels


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    with Library(tmp_path / "library", models=FakeModels()) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for name, content in {
        "notes.md": b"# Otters",
        "plan.pages": b"PK",
        "sheet.numbers": b"PK",
        "deep/old.pages": b"PK",
        "deep/empty.txt": b"",
        "program": bytes(range(256)),
        ".hidden/note.txt": b"x",
        ".gitignore": b"draft.txt",
        "draft.txt": b"Not yet.",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_what_is_passed_by_is_named(library: Library, root: Path) -> None:
    expected = {
        f"{root}/{name}": reason
        for name, reason in {
            ".gitignore": "hidden",
            ".hidden": "hidden",
            "deep/old.pages": UNSUPPORTED,
            "draft.txt": "ignored",
            "plan.pages": UNSUPPORTED,
            "sheet.numbers": UNSUPPORTED,
        }.items()
    }
    assert library.index(root, dry_run=True).skipped_files == expected
    report = library.index(root)
    assert report.complete
    told = {f"{root}/program": UNSUPPORTED, f"{root}/deep/empty.txt": HOLDS_NOTHING}  # by their content alone
    assert report.skipped_files == expected | told
    assert report.skipped == {"hidden": 2, UNSUPPORTED: 4, "ignored": 1, HOLDS_NOTHING: 1}
    assert library.index().skipped_files == expected
    nothing = {f"{root}/deep/empty.txt": HOLDS_NOTHING, f"{root}/program": HOLDS_NOTHING}
    assert library.skipped() == expected | nothing
    (root / "plan.pages").unlink()
    (root / ".gitignore").unlink()
    now = library.skipped()
    assert f"{root}/plan.pages" not in now and f"{root}/draft.txt" not in now


@pytest.mark.fault("20")
@pytest.mark.parametrize("name", ["bomb.docx", "bomb.xlsx", "bomb.epub", "bomb", "bomb.txt", "bomb.html"])
def test_an_archive_under_another_name_is_never_unpacked(library: Library, root: Path, name: str) -> None:
    """Whatever it is called: what lies within is not read, so that it matters not what it would become."""
    with zipfile.ZipFile(root / name, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("note.txt", "walrus", zipfile.ZIP_STORED)
        archive.writestr("word/document.xml", b"<p>walrus</p>" + b"0" * (8 << 20))
    report = library.index(root)
    assert f"{root}/{name}" in {**report.skipped_files, **report.failed}
    assert not library.search("walrus", mode="lexical").hits
    assert library.status()["documents"] == 1


def test_people_see_types_and_names(library: Library, root: Path) -> None:
    where = ["--library", str(library.settings.library)]
    shown = CliRunner().invoke(cli, ["index", str(root), *where], obj=FakeModels()).stdout
    assert "Skipped: 4 unsupported type (2 .pages, 1 .numbers, 1 no suffix): " in shown
    assert " 1 ignored: draft.txt\n" in shown
    listed = CliRunner().invoke(cli, ["status", "--skipped", *where], obj=FakeModels()).stdout.splitlines()
    assert f"skipped {root}/deep/empty.txt: {HOLDS_NOTHING}" in listed
    assert not any(
        "skipped" in line for line in CliRunner().invoke(cli, ["status", *where], obj=FakeModels()).stdout.splitlines()
    )


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize("name", ["deep/old.pages", "office"])
def test_nothing_but_unsupported_files_is_no_success(library: Library, root: Path, name: str, dry_run: bool) -> None:
    (root / "office").mkdir()
    (root / "office/plan.pages").write_bytes(b"PK")
    for _ in range(2):
        report = library.index(root / name, dry_run=dry_run)
        assert not report.complete
        assert report.failed == {f"{root}/{name}": "nothing in it can be read: files of unsupported types (.pages)"}
    if not dry_run:
        assert not library.roots()  # there is nothing to keep in sync
    else:
        library.index(root)
    arguments = ["index", str(root / name), "--library", str(library.settings.library)]
    run = CliRunner().invoke(cli, [*arguments, "--dry-run"] if dry_run else arguments, obj=FakeModels())
    assert run.exit_code == 3
    assert run.stdout.startswith("Nothing was indexed.")
    assert "nothing in it can be read" in run.stderr


def test_a_program_without_a_suffix_is_no_success_either(library: Library, root: Path) -> None:
    for _ in range(2):  # known by now, and read no more
        assert library.index(root / "program").failed == {f"{root}/program": "nothing in it can be read"}


def test_empty_files_and_folders_are_no_failure(library: Library, root: Path) -> None:
    (root / "void").mkdir()
    assert library.index(root / "void", root / "deep/empty.txt").complete
    assert library.index(root).complete  # of which most could not be read, but not all
    assert library.index(root / "notes.md").complete


def test_the_status_lists_the_first_of_many_failing_files(library: Library, root: Path) -> None:
    for number in range(23):
        (root / f"{number:02}.pdf").write_bytes(b"no PDF")
    library.index(root)
    where = ["--library", str(library.settings.library)]
    told = CliRunner().invoke(cli, ["status", *where], obj=FakeModels()).stderr.splitlines()
    assert (told[0], told[-1]) == ("Failing, 23 files:", "  ... and 3 more (all with --json)")
    assert [line.partition(":")[0].strip() for line in told[1:-1]] == [
        f"{root}/{number:02}.pdf" for number in range(20)
    ]
    assert len(library.status()["failing"]) == 23
