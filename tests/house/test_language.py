"""What the command line says in Korean: all that it says in English, with the same places to fill."""

from __future__ import annotations

import gettext
import inspect
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from quarry.api import Library, Text
from quarry.api.cli import cli
from quarry.api.cli.language import KOREAN, error_text, filled, is_korean, note_text, speak, translated
from quarry.api.cli.reasons import REASONS, reason_text
from quarry.api.server.errors import TYPES
from quarry.search import errors
from quarry.search.models.fake import FakeModels
from quarry.search.values.notes import CODES, Note
from tests import messages


@pytest.fixture
def korean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    domain, formatter = gettext.textdomain(), click.Context.formatter_class
    speak()
    yield
    gettext.textdomain(domain)
    click.Context.formatter_class = formatter


def test_every_message_is_translated_with_its_places_and_compiled() -> None:
    found = messages.catalogue()
    assert messages.faults(found) == [], "run `python -m tests.messages --write`, and translate what it adds"
    assert messages.said(messages.compiled()) == messages.said(found), "run `python -m tests.messages --write`"


def test_every_note_and_error_has_its_korean() -> None:
    said = json.loads(KOREAN.read_text("utf-8"))
    assert set(said["notes"]) == set(CODES)
    kinds = {name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.QuarryError)}
    assert set(said["errors"]) == kinds - {"QuarryError"}
    assert {kind.__name__ for kind in TYPES.values()} <= kinds
    for code, template in said["notes"].items():  # what is said of a note tells its values
        values = re.findall(r"\{(\w+)\}", template)
        assert all(f"`{value}`" in CODES[code] for value in values), code


def test_every_reason_and_finding_has_its_korean(korean: None) -> None:
    told = sorted(set(messages.reasons()))
    assert len(told) > 90
    assert [one for one in told if re.search("[a-z]{3}", one) and reason_text(one) == one] == []
    for reason, said in json.loads(REASONS.read_text("utf-8")).items():
        places = re.findall(r"\{\d\}", reason)
        assert places == [f"{{{number}}}" for number in range(1, len(places) + 1)], reason
        assert set(re.findall(r"\{\d\}", said)) <= set(places), reason


def test_a_reason_is_told_by_what_it_says(korean: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason_text("it has more than 100 megapixels; scale it down") == "100메가픽셀이 넘습니다. 크기를 줄이세요."
    lost = "it lacks 3 passages of the catalog; `quarry doctor --repair` rebuilds it"
    assert reason_text(lost) == "카탈로그의 대목 3건이 없습니다. `quarry doctor --repair`로 다시 만들 수 있습니다."
    assert reason_text("{1} \\1 (.*) nobody knows") == "{1} \\1 (.*) nobody knows"
    named = "it lies behind \\g<0> {2}\n, where there is a link now, or no folder"
    assert reason_text(named).startswith("\\g<0> {2}\n 안에 있는데")
    pdf = "it is damaged, PDFium can't open it; save it anew or repair it, such as with qpdf"
    members = f"a.zip: nobody knows; b/c.pdf: {pdf}; and 3 more"
    assert reason_text(f"5 of its 7 members could not be read ({members})") == (
        "7개 가운데 5개를 읽지 못했습니다(안의 파일: a.zip: nobody knows; b/c.pdf: 손상되어 PDFium이 열지 못합니다. "
        "다시 저장하거나 qpdf 같은 도구로 고치세요; 외 3건)."
    )
    assert reason_text("1 of its 2 members could not be read (" + "x: y; " * 3_000 + "z)").endswith("z).")
    began = time.process_time()
    assert reason_text("x; " * 10_000) == "x; " * 10_000
    reason_text(" of its a could not be read (" * 600 + "\n")
    assert time.process_time() - began < 1
    monkeypatch.setenv("LANG", "C")
    assert reason_text(lost) == lost


def test_what_has_no_value_is_left_out_with_what_stands_around_it() -> None:
    assert filled("[“{field}” ]조건", {"field": "연도"}) == "“연도” 조건"
    assert filled("[“{field}” ]조건", {"field": None}) == "조건"
    assert filled("{words}[ {n}건]", {"words": ["가", "나"], "n": 0}) == "가, 나 0건"
    assert filled("{text}", {"text": "[{n}]"}) == "[{n}]"  # a value is no template


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "ko"}, True),
        ({"LANG": "kok_IN"}, False),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C.UTF-8", "LC_MESSAGES": "ko_KR"}, True),
        ({"LANG": "C", "LANGUAGE": "ko:en"}, True),
        ({"LANG": "ko_KR.UTF-8", "LANGUAGE": "en:ko"}, False),
    ],
)
def test_the_environment_says_which(environment: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_korean() is wanted


def test_a_korean_person_is_told_in_korean_and_a_program_as_ever(
    korean: None, tmp_path: Path, models: FakeModels
) -> None:
    with Library(tmp_path / "library", models=models) as library:
        library.add([Text("How stars are born", id="stars")])

    def run(*arguments: str) -> str:
        return (
            CliRunner().invoke(translated(cli), [*arguments, "--library", str(tmp_path / "library")], obj=models).output
        )

    assert "결과 1건" in run("search", "stars") and "찾은 것이 없습니다" in run("search", "--filter", "year=1", "stars")
    assert "문서 1건, 대목 1건" in run("status") and "정상" in run("doctor")
    assert json.loads(run("search", "stars", "--json"))["hits"][0]["document"]["id"] == "stars"
    assert "그런 옵션은 없습니다: '--nope'" in run("search", "--nope")
    help = CliRunner().invoke(translated(cli), ["index", "--help"], env={"COLUMNS": "80"}).output
    assert "폴더와 파일을 색인하고 계속 동기화합니다." in help and "\x00" not in help
    assert max(len(line) + sum("가" <= sign <= "힣" for sign in line) for line in help.split("\n")) <= 80
    behind = Note("words_behind", "the lexical index lacks 3 passages", {"count": 3})
    assert note_text(behind) == "낱말 색인에 아직 없는 대목 3건은 하나씩 찾았습니다."
    told = error_text(errors.CatalogLost("It is gone."))
    assert told.startswith("라이브러리의 목록 파일이 없어졌습니다.") and told.endswith("(It is gone.)")
