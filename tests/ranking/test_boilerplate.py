"""What stands in many documents of a library is known as boilerplate, and counts for less than their own words."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as some

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.indexer import boilerplate
from quarry.search.alike.boilerplate import OFTEN, Boilerplate
from quarry.search.alike.fingerprints import Fingerprints, apart, fingerprints
from quarry.search.frames import Frames
from quarry.search.models.fake import FakeModels
from quarry.search.ranking.discounting import Discount
from quarry.search.ranking.fusion import DEPTH
from quarry.search.stores.database.sqlite import Connection
from quarry.search.stores.rows import boilerplate as rows
from quarry.search.types import Candidates, Ids

LICENCE = (
    "Permission is hereby granted to any person who obtains a copy of this software to deal in it without restriction, "
    "provided that this notice is kept. The software comes without warranty of any kind, express or implied, and in no "
    "event shall the authors be liable for any claim, damages or other liability that arises from its use."
)
SUBJECTS = (
    *("comets", "glaciers", "orchids", "harbours", "violins", "beetles", "volcanoes", "lanterns"),
    *("tapestries", "submarines", "bridges", "meadows", "castles", "telescopes", "windmills", "saffron"),
)
COUNT = OFTEN + 2


def about(subject: str, n: int = 0) -> str:
    numbers = " ".join(f"{subject}{(n + 1) * step}" for step in range(2, 50))
    return f"Notes of the year {1950 + n} on {subject}: what travellers wrote of {subject}, {numbers[:350]}."


def framed(n: int) -> str:
    """As a source file has it: as a comment, hard-wrapped by a width of its own."""
    licence = textwrap.indent(textwrap.fill(LICENCE, 60 + n), "# ")
    return f"{licence}\n\n{about(SUBJECTS[n % len(SUBJECTS)], n)}"


@pytest.fixture
def library(tmp_path: Path, models: FakeModels) -> Iterator[Library]:
    with Library(tmp_path / "library", models=models) as opened:
        yield opened


def told(library: Library) -> Boilerplate:
    with library.searcher.catalog.snapshot() as snapshot:
        return rows.read(snapshot.connection).found


def add(library: Library, texts: list[str]) -> list[str]:
    return library.add([Text(text, f"Text {n}", f"test:{n}") for n, text in enumerate(texts)])


def hits(library: Library, query: str) -> set[str]:
    return {hit.document.uri for hit in library.search(query, mode="lexical", limit=100, fold="same").hits}


def weighed(library: Library, query: str) -> float:
    """Return what the best passage scores, of what one would that has each word once."""
    view = library.searcher._lexical.view()
    return float(view.search(query, 1).scores[0]) / math.log(COUNT + 1)


def test_a_stretch_is_known_however_it_is_wrapped_and_set() -> None:
    known = set(fingerprints(LICENCE).tolist())
    assert len(known) >= len(LICENCE) / 64
    assert known <= set(fingerprints(framed(3)).tolist())
    assert known == set(fingerprints(LICENCE.upper().replace(" ", "\n * ")).tolist())
    assert not len(fingerprints("too short"))


def test_what_is_left_without_boilerplate_are_the_words_of_the_text_itself() -> None:
    left = apart(framed(2), sorted_prints(LICENCE))
    assert about(SUBJECTS[2], 2) in left
    assert "warranty" not in left
    assert apart(about("comets"), sorted_prints(LICENCE)) == about("comets")


def sorted_prints(text: str) -> Fingerprints:
    return np.unique(fingerprints(text))


@given(some.text(max_size=300))
@example("\ud800 \x00")
@example("e\u0301\ufb03" * 40)
def test_words_are_left_out_and_none_is_made_up(text: str) -> None:
    """Whatever characters there are: a lone surrogate, what has another length in another case or form, no space."""
    whole = f"{text}\n{LICENCE}\n{text}"
    left = apart(whole, sorted_prints(LICENCE))
    assert all(word in whole for word in left.split())


def test_what_is_written_without_spaces_is_left_out_in_part() -> None:
    notice = "本邮件及其附件可能包含保密信息仅供指定收件人使用如果您不是指定收件人请立即通知发件人并"
    notice += "删除本邮件不得复制或向他人披露其中任何内容"
    own = "恒星形成于寒冷的气体和尘埃云在自身引力作用下坍缩的地方核心变得更加致密温度升高直到氢开始聚变成氦"
    left = apart(own + notice * 3, sorted_prints(notice * 3))
    assert own[:24] in left
    assert "不得复制" not in left


def test_passages_are_found_by_their_own_words(library: Library) -> None:
    add(library, [framed(n) for n in range(COUNT)])
    found = told(library)
    assert len(found.ids) == COUNT
    assert set(found.documents.tolist()) == {COUNT}
    assert hits(library, "glaciers") == {"test:1"}
    assert hits(library, "warranty") == {f"test:{n}" for n in range(COUNT)}  # who asks for it finds it
    assert weighed(library, "warranty") < 0.2 * weighed(library, "glaciers")
    assert not library.search("notes -warranty", mode="lexical").hits


def test_what_holds_little_else_keeps_its_words_and_counts_for_less(library: Library) -> None:
    add(library, [*(framed(n) for n in range(COUNT)), LICENCE])
    best = library.search("liability for damages without warranty", mode="lexical", explain=True).hits
    assert best[0].document.uri == f"test:{COUNT}"
    assert best[0].explanation is not None
    assert best[0].explanation["boilerplate"] == {"share": 1.0, "documents": COUNT + 1, "apart": False, "counts": 0.7}


def test_it_does_not_fill_the_head_of_a_ranking() -> None:
    """A hundred and fifty passages that are nothing else come first, and twenty are nearly as good."""
    whole, every = np.arange(150), np.arange(400)
    known = Boilerplate(
        *(np.array([7], np.uint32), np.array([150], np.int32), whole),
        *(np.ones(150, np.float32), np.full(150, 7, np.uint32)),
    )
    scores = np.where(every < 150, 1.0, np.where(every < 170, 0.9, 0.1)).astype(np.float32)

    def search(k: int) -> Candidates:
        return Candidates(every[:k], scores[:k])

    assert not (search(DEPTH).ids >= 150).any()
    head = Discount(known).head(search, DEPTH)
    assert len(head) == DEPTH
    assert set(range(150, 170)) <= set(head.ids.tolist())
    assert (np.diff(head.scores) <= 0).all()
    best = Discount(known).ranked(search, DEPTH)
    assert best.ids[:20].tolist() == list(range(150, 170))
    assert best.scores[20] == pytest.approx(0.7)
    assert Discount(Boilerplate.none()).ranked(search, DEPTH).ids.tolist() == search(DEPTH).ids.tolist()


class Vectors:
    """Passages 1 to 40, of which the first 20 are in one frame: (41, 8) of length 1."""

    def __init__(self) -> None:
        draw = np.random.default_rng(0)
        self.own, self.frame = unit(draw.normal(size=(41, 8))), unit(draw.normal(size=(1, 8)))
        self.all = unit(self.own + np.where(np.arange(41)[:, None] <= 20, 2 * self.frame, 0))

    def vectors(self, ids: Ids) -> np.ndarray:
        return self.all[ids]

    def sample(self, about: int) -> np.ndarray:
        return self.all[1::2]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def test_what_a_frame_adds_is_taken_from_vectors() -> None:
    ids = np.arange(1, 21)
    known = Boilerplate(
        np.array([7], np.uint32), np.array([20], np.int32), ids, np.full(20, 0.5, np.float32), np.full(20, 7, np.uint32)
    )
    made, every = Vectors(), np.arange(1, 41)
    left = Frames(known).without(every, made.vectors(every), made)  # type: ignore[arg-type]
    before, after = ((vectors * made.own[every]).sum(axis=1) for vectors in (made.vectors(every), left))
    framed = every <= 20
    assert after[framed].mean() > before[framed].mean() + 0.1
    assert (left[~framed] == made.vectors(every)[~framed]).all()
    assert np.linalg.norm(left, axis=1) == pytest.approx(1, abs=1e-5)
    made.all[:] = 0  # as where all passages are in the space beside
    made.sample = lambda about: made.all[:0]  # type: ignore[method-assign]
    assert not Frames(known).without(every, made.vectors(every), made).any()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        lambda n: f"{LICENCE} {LICENCE[::-1]} {LICENCE.swapcase()[:200]} version {n}",
        lambda n: LICENCE,
        lambda n: f"{about(SUBJECTS[n], n)}\n\n" + textwrap.indent(textwrap.fill(LICENCE, 60), "> "),
    ],
    ids=["drafts", "copies", "quotes"],
)
def test_drafts_copies_and_what_a_mail_quotes_are_none(library: Library, text: Callable[[int], str]) -> None:
    add(library, [text(n) for n in range(COUNT)])
    assert not len(told(library).prints)


def test_it_comes_and_goes_with_files_and_one_more_is_looked_at_alone(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for n in range(OFTEN - 1):
        (root / f"{n}.txt").write_text(framed(n), "utf-8")
    for n in range(40):
        (root / f"own{n}.txt").write_text(about(f"subject{n}", n), "utf-8")
    library.index(root)
    assert not len(told(library).ids)
    before = weighed(library, "warranty travellers")
    for n in range(OFTEN - 1, OFTEN + 5):
        (root / f"{n}.txt").write_text(framed(n), "utf-8")
    library.index(root)
    assert len(told(library).ids) == OFTEN + 5
    assert weighed(library, "warranty") < 0.1 * before

    looked_at: list[bytes] = []
    real = rows.passages_with

    def passages_with(connection: Connection, due: list[bytes]) -> Iterator[tuple[int, str]]:
        looked_at.extend(due)
        return real(connection, due)

    monkeypatch.setattr(rows, "passages_with", passages_with)
    (root / "last.txt").write_text(framed(15), "utf-8")
    library.index(root)
    assert len(looked_at) == 1
    assert len(told(library).ids) == OFTEN + 6
    monkeypatch.undo()

    for n in range(OFTEN + 2):
        (root / f"{n}.txt").unlink()
    library.index(root)
    assert not len(told(library).ids)
    assert weighed(library, "warranty") > 0.5 * before


def test_it_is_told_by_portions_and_one_that_died_half_way_is_made_up_for(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searches hold in memory what is newer than their index: no commit has more of it than a portion."""
    monkeypatch.setattr(boilerplate, "PORTION", 4)
    renewed: list[int] = []
    real = rows.renew

    def renew(connection: Connection, ids: list[int]) -> None:
        if len(renewed) == 2:
            raise KeyboardInterrupt
        renewed.append(len(ids))
        real(connection, ids)

    monkeypatch.setattr(rows, "renew", renew)
    with pytest.raises(KeyboardInterrupt):
        add(library, [framed(n) for n in range(COUNT)])
    assert renewed == [4, 4]
    assert len(told(library).apart) == 8
    monkeypatch.undo()
    with library.searcher.catalog.snapshot() as snapshot:
        stamp = rows.stamp(snapshot.connection)
    library.add(Text(about("harps"), "Harps", "test:harps"))
    assert len(told(library).apart) == COUNT
    assert weighed(library, "warranty") < 0.2 * weighed(library, "glaciers")

    with library.searcher.catalog.snapshot() as snapshot:
        late = rows.stamp(snapshot.connection)
    assert late != stamp
    library.add(Text(about("flutes"), "Flutes", "test:flutes"))
    with library.searcher.catalog.transaction(bump=False) as connection:
        assert rows.stamp(connection) == late  # nothing is other: no search reads it anew
        step = boilerplate.Step(rows.Told(Boilerplate.none()), [], 0)
        assert boilerplate.record(connection, step, stamp) is None  # another process was quicker
    assert len(told(library).apart) == COUNT


@pytest.mark.parametrize("lost", ["fingerprints", "told", "spoilt"])
def test_a_library_from_before_is_told_at_its_next_index(tmp_path: Path, library: Library, lost: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for n in range(COUNT):
        (root / f"{n}.txt").write_text(framed(n), "utf-8")
    library.index(root)
    with library.searcher.catalog.transaction() as connection:
        if lost == "spoilt":
            spoilt = json.dumps({"prints": "AAAA", "in": 3})
            connection.execute("UPDATE meta SET value = ? WHERE key = 'boilerplate'", (spoilt,))
        else:
            connection.execute("DELETE FROM meta WHERE key LIKE 'boilerplate%' OR key = 'enriched_by'")
        if lost == "fingerprints":
            connection.execute("DELETE FROM enrichments WHERE identity LIKE 'fingerprints%'")
    assert not len(told(library).ids)
    library.index(root)
    assert len(told(library).ids) == COUNT
    assert weighed(library, "warranty") < 0.2


def test_the_command_line_says_why_a_passage_counts_for_less(tmp_path: Path) -> None:
    """By the embedded model: what a frame adds is taken from vectors, and an explanation still adds up."""
    folder = tmp_path / "library"
    with Library(folder) as library:
        add(library, [*(framed(n) for n in range(COUNT + 2)), LICENCE])
        found = library.search("travellers on violins", explain=True).hits
        assert found[0].document.uri == "test:4"
        explanation = found[0].explanation
        assert explanation is not None
        assert explanation["boilerplate"]["documents"] == COUNT + 3
        assert explanation["boilerplate"]["apart"]
        shares = sum(one["share"] for one in explanation["meaning"]) + sum(explanation["meaning_beyond"].values())
        assert shares == pytest.approx(explanation["cosine"], abs=1e-4)
        assert explanation["semantic"]["score"] != pytest.approx(explanation["cosine"], abs=1e-3)
        asked = library.search("warranty liability", min_relevance="meant", limit=2 * COUNT, fold="same")
        assert len(asked.hits) == COUNT + 3  # each says so, and none is left out for that the others do
    said = CliRunner().invoke(cli, ["search", "--library", str(folder), "--explain", "warranty liability"])
    assert said.exit_code == 0
    assert f"stands in {COUNT + 3} documents" in said.output
