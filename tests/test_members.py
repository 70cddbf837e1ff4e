"""Files within files in a library: found, opened, followed as what holds them changes, reported where they are bad."""

import io
from pathlib import Path

import pytest
from PIL import Image

from quarry.api.library import Library
from quarry.indexer.report import Report
from quarry.search.errors import NotFound
from quarry.search.models.fake import FakeModels
from tests import mail_files as made


def counts(report: Report) -> tuple[int, int, int, int]:
    return report.added, report.changed, report.dropped, report.embedded


def keys(library: Library) -> set[str]:
    return {document.uri.partition("#")[2] for document in library.documents(limit=1000)[0]}


def test_members_follow_what_holds_them(tmp_path: Path, models: FakeModels) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "PNG")
    folder = tmp_path / "files"
    folder.mkdir()
    box = folder / "box.zip"
    files = {
        "a/tides.txt": b"The harbour has tides of three metres.",
        "mail.eml": made.MESSAGE,
        "red.png": stream.getvalue(),
        "bad.pdf": b"no",
    }
    box.write_bytes(made.zipped(files))
    with Library(tmp_path / "library", models=models) as library:
        report = library.index(folder)
        assert report.failed[str(box)].startswith("1 of its 4 members could not be read (bad.pdf: it is no PDF")
        assert not report.complete and library.status()["failing"] == report.failed
        whole = {"a/tides.txt", "mail.eml", "mail.eml#levels.csv#row=1", "mail.eml#Forwarded.eml", "red.png"}
        assert (keys(library), counts(report)) == (whole, (5, 0, 0, 5))
        assert library.get(f"{box}#red.png").kind == "image"
        (hit,) = library.search("harbour tides", mode="lexical", limit=1, filter={"path": str(box)}).hits
        assert library.text(hit.document.id) == "The harbour has tides of three metres."
        (found,) = library.search("nine", mode="lexical", filter={"author": "아서 Ada"}).hits
        assert found.document.metadata["to"][0] == "Bo <bo@example.org>"

        del files["bad.pdf"]  # what stays the same is not embedded again
        box.write_bytes(made.zipped({**files, "a/tides.txt": b"The harbour has none.", "b.txt": b"New."}))
        assert counts(library.index()) == (1, 1, 0, 2) and not library.status()["failing"]
        del files["mail.eml"]
        box.write_bytes(made.zipped(files))
        assert counts(library.index()) == (0, 1, 4, 0)
        assert keys(library) == {"a/tides.txt", "red.png"}
        moved = box.rename(folder / "moved.zip")
        assert library.index().moved == 2
        with library.open_original(f"{moved}#red.png").file as file:  # the file that holds it
            assert file.read(2) == b"PK"
        box.write_bytes(moved.read_bytes())
        moved.unlink()
        library.index(prune=True)
        box.unlink()
        library.index(prune=True)
        assert keys(library) == set()
        with pytest.raises(NotFound):
            library.get(f"{box}#red.png")
