"""Archives: members through their own loaders, what is said of those that can't be read, and what bombs do."""

import gzip
import io
import random
import sys
import zipfile
from pathlib import Path

import pytest

from quarry.indexer.loaders.archives import archive, system
from quarry.indexer.loaders.archives.members import member_name
from quarry.indexer.loaders.base import LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed, UnsupportedType
from quarry.search.types import Parsed
from tests import mail_files as made

FILES = {
    "notes.txt": b"Words.",
    "a/rows.csv": b"port,level\nBusan,3\n",
    ".hidden/x.txt": b"no",
    "__MACOSX/._notes.txt": b"no",
    "program.exe": b"no",
    "README": b"Read me.",
    "../../etc/passwd.txt": b"Harmless.",
    "inner.zip": made.zipped({"deep.md": b"# Deep\n\nwater"}),
}
KEYS = ["notes.txt", "a/rows.csv#row=1", "README", "etc/passwd.txt", "inner.zip#deep.md"]


def read(folder: Path, name: str, data: bytes) -> list[Parsed]:
    path = folder / name
    path.write_bytes(data)
    return list(load(path))


def refused(folder: Path, name: str, data: bytes, options: LoadOptions | None = None) -> tuple[list[str], str]:
    path = folder / name
    path.write_bytes(data)
    keys: list[str] = []
    with pytest.raises(FileMalformed) as told:
        keys.extend(parsed.key for parsed in load(path, options))
    return keys, str(told.value)


def test_members_are_documents(tmp_path: Path) -> None:
    for name, data in [
        ("a.zip", made.zipped(FILES)),
        ("a.tar", made.tarred(FILES)),
        *((f"a.tar.{kind}", made.tarred(FILES, kind)) for kind in ("gz", "bz2", "xz")),
        ("a.tgz", made.tarred(FILES, "gz")),
        ("a.7z", made.seven(FILES)),
        ("a.rar", made.rar(FILES)),
    ]:
        found = read(tmp_path, name, data)
        assert [parsed.key for parsed in found] == KEYS, name
        assert [parsed.text for parsed in found][3:] == ["Harmless.", "# Deep\n\nwater"]
    (alone,) = read(tmp_path, "notes.md.gz", gzip.compress(b"# Notes"))
    assert (alone.key, alone.title) == ("", "Notes")
    with pytest.raises(UnsupportedType):
        read(tmp_path, "data.bin.gz", gzip.compress(b"x"))
    assert read(tmp_path, "b.tar", bytes(10_240)) == read(tmp_path, "b.zip", made.zipped({})) == []


def test_seven_zip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made.seven({"a.txt": b"Words.", "big.txt": b"tide " * 400_000})
    with monkeypatch.context() as patched:
        patched.setattr(system, "_LEAST_BUDGET", 1 << 20)
        keys, told = refused(tmp_path, "a.7z", data)
        assert keys == ["a.txt"] and "(big.txt: it inflates to more than 1 MiB; split it)" in told
    for end in range(40, len(data), 97):
        assert "could not be read" in refused(tmp_path, "a.7z", data[:end])[1]
    with pytest.raises(FileMalformed, match="its header is missing"):
        read(tmp_path, "a.7z", b"Words.")
    monkeypatch.setitem(sys.modules, "libarchive.read", None)
    with pytest.raises(UnsupportedType, match="needs libarchive"):
        read(tmp_path, "a.7z", data)


def test_rar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made.rar({"a.txt": b"Words.", "big.txt": b"tide " * 400_000})
    with monkeypatch.context() as patched:
        patched.setattr(system, "_LEAST_BUDGET", 1 << 20)
        patched.setattr(system, "_RATIO", 0)
        keys, told = refused(tmp_path, "a.rar", data)
        assert keys == ["a.txt"] and "(big.txt: it inflates to more than 1 MiB; split it)" in told
    with pytest.raises(FileMalformed, match=r"RAR archive, not what \.txt says"):
        read(tmp_path, "a.txt", data)
    old = b"Rar!\x1a\x07\x00" + bytes(40)
    with pytest.raises(FileMalformed, match="can't be read to its end"):
        read(tmp_path, "a.rar", old)
    monkeypatch.setitem(sys.modules, "libarchive.read", None)
    with pytest.raises(UnsupportedType, match="RAR needs libarchive"):
        read(tmp_path, "a.rar", data)


def test_names_in_the_encoding_of_windows_in_korea(tmp_path: Path) -> None:
    data = made.zipped({"XXXX.txt": b"Words."}).replace(b"XXXX", "항구".encode("cp949"))
    assert [parsed.key for parsed in read(tmp_path, "a.zip", data)] == ["항구.txt"]
    data = made.zipped({"XXXXXX.txt": b"Words."}).replace(b"XXXXXX", "항구".encode())
    assert [parsed.key for parsed in read(tmp_path, "a.zip", data)] == ["항구.txt"]
    assert member_name("C:\\a\\..\\b\n.txt") == "C:/a/b .txt"


@pytest.mark.fault("19")
def test_what_can_not_be_read_is_told_with_its_name(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("good.txt", b"Words.")
        file.writestr("secret.txt", b"Words.")
        file.writestr("bad.pdf", b"no")
        file.writestr("last.txt", b"Words.")
    secret = bytearray(stream.getvalue())
    at = secret.index(b"PK\1\2", secret.index(b"PK\1\2") + 1)
    secret[at + 8] |= 1  # its flag says that it is encrypted
    keys, told = refused(tmp_path, "a.zip", bytes(secret))
    assert keys == ["good.txt", "last.txt"]
    assert told.startswith("2 of its 4 members could not be read (secret.txt: it is encrypted; ")
    assert "bad.pdf: it is no PDF" in told
    inner = made.zipped({"x.txt": b"Words."})
    for _ in range(6):
        inner = made.zipped({"in.zip": inner})
    assert "4 files deep" in refused(tmp_path, "b.zip", inner)[1]
    assert refused(tmp_path, "c.zip", made.zipped({"a.exe": b"x", "b.dll": b"y"}))[1].startswith(
        "none of its 2 members"
    )
    tar = made.tarred({"good.txt": b"Words.", "cut.txt": random.Random(1).randbytes(50_000)}, "gz")
    keys, told = refused(tmp_path, "a.tgz", tar[:-60])
    assert keys == ["good.txt"] and "it is damaged" in told
    for name, data in [
        ("d.zip", b"PK\3\4 no"),
        ("d.tgz", b"\x1f\x8b no"),
        ("d.tar", b"no"),
        ("d.gz", gzip.compress(b"ab")[:-9]),
    ]:
        assert refused(tmp_path, name, data)[1]


@pytest.mark.fault("20")
def test_bombs_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = LoadOptions(max_bytes=1 << 20)
    zeros = made.zipped({"a.txt": bytes(2 << 20), "b.txt": b"Words."})
    keys, told = refused(tmp_path, "a.zip", zeros, small)
    assert keys == ["b.txt"] and "a.txt: it is larger than 1 MiB" in told
    assert "larger than 1 MiB" in refused(tmp_path, "a.txt.gz", gzip.compress(bytes(2 << 20)), small)[1]
    assert "larger than 1 MiB" in refused(tmp_path, "a.tar.gz", made.tarred({"a.txt": bytes(2 << 20)}, "gz"), small)[1]
    every = made.zipped({f"{n}.zip": zeros for n in range(3)})
    assert refused(tmp_path, "c.zip", every, small)[0] == [f"{n}.zip#b.txt" for n in range(3)]
    monkeypatch.setattr(archive, "_LEAST_BUDGET", 3 << 20)
    bomb = {"a.txt": b"Words.", **{f"{n}.txt": bytes(1 << 20) for n in range(5)}, "b.txt": b"Words."}
    for name, data in [("b.zip", made.zipped(bomb)), ("b.tgz", made.tarred(bomb, "gz"))]:
        keys, told = refused(tmp_path, name, data, small)
        assert keys[0] == "a.txt" and "b.txt" not in keys and "it inflates to more than 3 MiB" in told
