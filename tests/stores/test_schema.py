"""A library from a stranger: what its catalog says runs nothing, leads nowhere and fetches nothing."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Unpack

import pytest

from quarry.api.library import Library, Text
from quarry.search.errors import LibraryDamaged, ModelMissing, QuarryError
from quarry.search.lexical.files import State
from quarry.search.models import preparation
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.fake import FakeModels
from quarry.search.models.live import How, NamedModels
from quarry.search.stores.database import checksums, migrations, schema, sqlite
from quarry.search.stores.thumbnails import Thumbnails


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("made") / "library"
    with Library(at, models=FakeModels()) as library:
        library.add([Text(f"Text number {n} of stars", id=f"d{n}") for n in range(9)])
        library.compact()
    Thumbnails(at).put({b"key": b"jpeg"})
    return at


@pytest.fixture
def library(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "library"))


def change(file: Path, *statements: str) -> None:
    with closing(sqlite.open_writer(file)) as connection:
        connection.execute("PRAGMA trusted_schema=ON")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize("version", range(1, len(migrations.STEPS) + 1))
def test_the_schema_of_every_format_is_known(version: int) -> None:
    """Where this fails, put the new digest into `search.stores.database.schema.DIGESTS`."""
    assert schema.DIGESTS.get(version) == schema.digest(schema.fresh(version, migrations.STEPS))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER evil AFTER INSERT ON deletions BEGIN DELETE FROM documents; END",
        "CREATE VIEW evil AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "CREATE VIRTUAL TABLE evil USING fts5(text)",
        "CREATE TABLE evil (x)",
        "CREATE INDEX evil ON chunks(hex(zeroblob(1000000000)))",
        "CREATE INDEX evil ON chunks(ordinal) WHERE ordinal > 3",
        "ALTER TABLE chunks ADD COLUMN evil TEXT GENERATED ALWAYS AS (hex(zeroblob(1000000000)))",
        "ALTER TABLE chunks ADD COLUMN evil TEXT CHECK (length(evil) < 10)",
        "ALTER TABLE chunks RENAME COLUMN place TO evil",
    ],
)
def test_a_schema_that_is_not_quarrys_is_refused(library: Path, statement: str) -> None:
    change(library / "catalog.db", "DELETE FROM chunks", statement)
    name = "chunks" if "ALTER" in statement else "evil"
    for writable in (False, True):
        refused = pytest.raises(LibraryDamaged, match=rf"a schema that Quarry did not make \({name}")
        with refused, Library(library, models=FakeModels()) as opened:
            opened.catalog(create=writable)
    with Library(library, models=FakeModels()) as opened:
        assert opened.doctor()[0].level == "damage"


def test_what_sqlite_adds_itself_is_no_harm(library: Path) -> None:
    change(library / "catalog.db", "ANALYZE", "VACUUM")
    with Library(library, models=FakeModels()) as opened:
        assert len(opened.search("stars", mode="lexical").hits) == 9


def test_thumbnails_that_are_a_program_are_none(library: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT x'00' key, i jpeg, i digest"
    change(library / "thumbnails.db", "DROP TABLE thumbnails", f"CREATE VIEW thumbnails AS {endless} FROM n")
    store = Thumbnails(library)
    with pytest.raises(LibraryDamaged, match="thumbnails"):
        store.get(b"key")
    assert store.missing([b"key"]) == {b"key"}
    store.put({b"new": b"jpeg"})  # begun anew
    assert store.get(b"new") == b"jpeg"


@pytest.mark.fault("33")
def test_a_lexical_index_elsewhere_is_not_opened(library: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    state = State.read(library / "lexical")
    assert state is not None
    (library / "lexical" / state.folder).rename(elsewhere)
    for folder in ("../../elsewhere", str(elsewhere), "index-1/../../../elsewhere"):
        state_at = State(folder, state.generation, state.format, state.analysis)
        state_at.write(library / "lexical")
        with Library(library, models=FakeModels()) as opened:
            assert any("leads elsewhere" in note for note in opened.search("stars").degraded)


@pytest.mark.fault("33")
@pytest.mark.parametrize("form", ["../../{}", "{}"])
def test_a_segment_elsewhere_is_neither_read_nor_moved(library: Path, tmp_path: Path, form: str) -> None:
    """A repair moves what is damaged out of the way, which must not be what a catalog names outside of its library."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"of great value")
    name = form.format(precious if form == "{}" else precious.name)
    with closing(sqlite.open_writer(library / "catalog.db")) as connection:
        checksums.keep(connection)
        connection.execute("UPDATE segments SET file = ?", (name,))
    with Library(library, models=FakeModels()) as opened:
        assert any("no name of one" in note for note in opened.search("stars").degraded)
        opened.doctor(repair=True)
        opened.compact()
        assert not opened.search("stars").degraded
    assert precious.read_bytes() == b"of great value"


def test_a_model_that_only_the_library_names_is_not_fetched(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []
    monkeypatch.setattr(preparation, "_export", lambda kind, name, *_: pytest.fail(f"{name} was fetched"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))

    class Noting(NamedModels):
        def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
            asked.append((name, how["fetch"]))
            return super().text(name, **how)

    with closing(sqlite.open_writer(library / "catalog.db")) as connection:
        checksums.keep(connection)
        connection.execute("UPDATE spaces SET model = 'stranger/model'")
    with Library(library, models=Noting()) as opened:
        with pytest.raises(ModelMissing, match="quarry models --prepare stranger/model"):
            opened.add([Text("new")])
        assert opened.search("stars").degraded
    assert set(asked) == {("stranger/model", False)}
    fetched = pytest.raises(pytest.fail.Exception, match="other/model was fetched")
    with Library(library, text_model="other/model", models=Noting()) as opened, fetched:
        opened.add([Text("new")])


def test_everything_at_once_is_an_error_of_the_tree(library: Path) -> None:
    """A catalog of nothing but hostile values is refused or answered; nothing else comes out."""
    with closing(sqlite.open_writer(library / "catalog.db")) as connection:
        checksums.keep(connection)
        for statement in (
            "UPDATE documents SET metadata = '[1', structure = '{', uri = '/etc/passwd' || id",
            "UPDATE chunks SET heading = char(0, 27) || '[2J', ordinal = -9",
            "UPDATE segments SET count = -1, dimension = 2147483647, bytes = -5",
            "UPDATE spaces SET dimension = 0",
        ):
            connection.execute(statement)
    with Library(library, models=FakeModels()) as opened:
        for use in (
            lambda: opened.search("stars"),
            lambda: opened.doctor(repair=True),
            lambda: opened.text("d1"),
            lambda: opened.add([Text("new")]),
            opened.compact,
        ):
            try:
                use()
            except QuarryError:
                continue
