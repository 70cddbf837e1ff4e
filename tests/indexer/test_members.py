"""Files within files in a library: found, opened, followed as what holds them changes, reported where they are bad."""

import gzip
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
        assert library.original(f"{moved}#red.png") == stream.getvalue()
        box.write_bytes(moved.read_bytes())
        moved.unlink()
        library.index(prune=True)
        box.unlink()
        library.index(prune=True)
        assert keys(library) == set()
        with pytest.raises(NotFound):
            library.get(f"{box}#red.png")


def test_a_member_is_given_out_as_the_file_that_it_is(tmp_path: Path, models: FakeModels) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "PNG")
    folder = tmp_path / "files"
    folder.mkdir()
    inner = {"a.png": stream.getvalue(), "mail.eml": made.MESSAGE, "box.mbox": made.mbox(made.HTML, made.MESSAGE)}
    (folder / "box.zip").write_bytes(made.zipped({"가/나.txt": "바다".encode(), "in.tgz": made.tarred(inner, "gz")}))
    (folder / "mail.eml").write_bytes(made.MESSAGE)
    (folder / "all.mbox").write_bytes(made.mbox(made.HTML, made.MESSAGE))
    (folder / "box.mbox.gz").write_bytes(gzip.compress(made.mbox(made.HTML, made.MESSAGE)))
    (folder / "old.msg").write_bytes(made.outlook())
    rows = b"port,level\nBusan,3\n"
    message = made.MESSAGE.rstrip(b"\n")
    members = {  # of each document its file
        "box.zip#가/나.txt": ("나.txt", "바다".encode()),
        "box.zip#in.tgz#a.png": ("a.png", stream.getvalue()),
        "box.zip#in.tgz#mail.eml": ("mail.eml", made.MESSAGE),
        "box.zip#in.tgz#mail.eml#levels.csv#row=1": ("levels.csv", rows),
        "box.zip#in.tgz#mail.eml#Forwarded.eml": ("Forwarded.eml", b"From: Bo <bo@example.org>\nSubject: Forwarded"),
        "box.zip#in.tgz#box.mbox#id=<one@example.org>": ("message.eml", message),
        "mail.eml": ("mail.eml", made.MESSAGE),
        "mail.eml#levels.csv#row=1": ("levels.csv", rows),
        "all.mbox#id=<one@example.org>": ("message.eml", message),
        "box.mbox.gz#id=<one@example.org>": ("message.eml", message),
        "all.mbox": ("all.mbox", made.mbox(made.HTML, made.MESSAGE)),  # which stands for all of its documents
        "all.mbox#message=1": ("message.eml", made.HTML.rstrip(b"\n")),
        "all.mbox#id=<one@example.org>#levels.csv#row=1": ("levels.csv", rows),
        "old.msg#levels.csv#row=1": ("levels.csv", rows.ljust(4096, b"\n")),
        "old.msg#Forwarded.msg": ("old.msg", made.outlook()),  # which can't be saved by itself
    }
    with Library(tmp_path / "library", models=models) as library:
        assert not library.index(folder).failed
        for name, (file, content) in members.items():
            found = library.open_original(f"{folder}/{name}")
            with found.file:
                data = found.file.read()
            assert (found.name, found.is_picture, found.size) == (file, file == "a.png", len(data)), name
            assert data.rstrip(b"\n").startswith(content.rstrip(b"\n")), name
        (folder / "box.zip").write_bytes(made.zipped({"가/나.txt": b"another"}))
        with pytest.raises(NotFound, match="has changed"):
            library.original(f"{folder}/box.zip#가/나.txt")
