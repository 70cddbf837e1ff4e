"""What the page shows of trees, copies, named things, claims and questions, in a real browser before a real server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from quarry.api import Library, Text
from tests.browsers import PHONE, Visit, hits, visiting
from tests.picture_question_models import ANSWERS, save_picture_reader
from tests.processes import Served, served

LABELS = {"entailment": ["the"], "contradiction": ["bad"], "neutral": ["awful"]}
FERRY = (
    "The ferry to the island leaves the old harbour every morning at eight, and returns before dark. "
    "Tickets are sold by ferry@example.org until the evening before, and dogs travel for nothing at all. "
)
TREES = [["Places|Korea|Seoul"], ["Places|Korea|Busan"], ["Places|Norway"], ["People|Anna", "Places|Norway"]]


@pytest.fixture(scope="module")
def site(
    picture_library: Path, task_models: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A server with a checker and a picture reader, whose library has copies, trees and named things."""
    folder = tmp_path_factory.mktemp("faces")
    shutil.copytree(picture_library, folder / "library")
    reader = save_picture_reader(folder / "reader", "Vilt")
    checker = task_models("Bert", "ForSequenceClassification", LABELS)
    with Library(folder / "library") as library:
        copies = [
            FERRY,
            FERRY,
            FERRY.replace("returns before dark", "is back before dark"),
            FERRY.replace("the old harbour", "the harbour"),
        ]
        library.add([Text(text, title=f"Ferry {n}") for n, text in enumerate(copies)])
        library.add([Text(f"A lighthouse by the sea, number {n}.", metadata={"keywords/": trees})
                     for n, trees in enumerate(TREES)])  # fmt: skip
    models = ("--checker", str(checker), "--picture-reader", str(reader))
    with served(folder / "library", folder / "log", *models) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, site: Served) -> Iterator[Visit]:
    with visiting(browser, str(site.client.base_url)) as visit:
        yield visit


def test_a_tree_opens_downwards_and_a_parent_narrows(visit: Visit) -> None:
    visit.go("/?q=lighthouse&all=1&mode=lexical")
    tree = visit.page.locator("#facets fieldset[data-field='keywords/']")
    expect(tree.locator("legend")).to_have_text("Keywords")
    expect(tree.get_by_label("Norway")).to_be_hidden()
    tree.get_by_role("button", name="Below Places").click()
    expect(tree.get_by_label("Norway 2")).to_be_visible()
    expect(tree.get_by_label("Seoul")).to_be_hidden()
    tree.get_by_label("Korea 2").check()
    expect(hits(visit.page)).to_have_count(2)
    expect(visit.page.locator(".chip")).to_contain_text("Keywords Korea")
    expect(tree.get_by_label("Korea 2")).to_be_checked()  # it is in sight, wherever it lies
    tree.get_by_role("button", name="Below Korea").press("Enter")
    expect(tree.get_by_label("Seoul 1")).to_be_visible()
    assert not visit.unkind()


def test_a_hit_says_what_it_stands_for(visit: Visit) -> None:
    visit.go("/?q=ferry+to+the+island&mode=lexical")
    first = hits(visit.page).first
    expect(first.get_by_text("Equal in 1 other place")).to_be_visible()
    first.get_by_text("Nearly the same in 2 other places").click()
    expect(first.locator("details[open] li")).to_have_count(2)


def test_what_a_text_names_filters(visit: Visit) -> None:
    visit.go("/?q=dogs+ferry&mode=lexical")
    hits(visit.page).first.locator("h2 a").click()
    reader = visit.page.get_by_role("dialog")
    expect(reader.locator("mark", has_text="dogs").first).to_be_visible()
    named = reader.get_by_role("link", name="ferry@example.org")
    expect(named.locator("mark")).to_have_text("ferry")  # what matches in it is marked as ever
    named.click()
    expect(reader).to_have_count(0)
    expect(visit.page.locator(".chip")).to_contain_text("email ferry@example.org")
    expect(hits(visit.page).filter(has_not_text="Ferry")).to_have_count(0)
    expect(hits(visit.page).first).to_contain_text("Ferry")  # of which one stands for those nearly the same as itself


def test_a_claim_is_held_against_the_hits(visit: Visit) -> None:
    visit.go("/?q=the+ferry+leaves+the+harbour&mode=lexical")
    visit.page.get_by_role("button", name="Check this claim").click()
    card = visit.page.get_by_role("region", name="Claim")
    expect(card.locator(".exact")).to_contain_text("support")
    card.locator(".supports a").first.click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("Ferry")
    visit.page.go_back()
    visit.page.go_back()
    expect(card).to_have_count(0)
    expect(visit.page.get_by_role("button", name="Check this claim")).to_be_visible()


def test_a_question_about_a_picture(visit: Visit, site: Served) -> None:
    documents = site.client.get("/v1/documents", params={"filter": '{"kind": "image"}', "limit": 1}).json()["documents"]
    visit.go(f"/?doc={documents[0]['id']}")
    asked = visit.page.get_by_role("textbox", name="Ask about this picture")
    asked.fill("what is this?")
    asked.press("Enter")
    told = visit.page.locator(".asking ol li").first
    expect(told).to_contain_text(re.compile(f"({'|'.join(ANSWERS)}) \\d+% sure"))


def test_without_such_models_nothing_offers_them(browser: Browser, picture_server: Served) -> None:
    with visiting(browser, str(picture_server.client.base_url)) as visit:
        with visit.page.expect_response("**/v1/models"):
            visit.go("/?q=stars+are+born+in+clouds")
        expect(hits(visit.page).first).to_be_visible()
        expect(visit.page.get_by_role("button", name="Check this claim")).to_have_count(0)


@pytest.mark.parametrize("options", [{}, {**PHONE, "color_scheme": "dark", "locale": "ko-KR"}])
def test_duplicates_are_listed_with_why(browser: Browser, site: Served, options: dict[str, object]) -> None:
    with visiting(browser, str(site.client.base_url), **options) as visit:
        visit.go("/")
        visit.page.get_by_role("link", name="중복" if options else "Duplicates").click()
        group = visit.page.locator(".twin", has_text="Ferry 0")
        expect(group.locator(".why")).to_have_count(4)
        why = "같음" if options else "equal"
        expect(group.locator(".why", has_text=why)).to_have_count(1)
        expect(group.locator(".why", has_text=re.compile(r"\d\d%"))).to_have_count(2)
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert not visit.unkind()
        group.locator("h2 a").last.click()
        expect(visit.page.get_by_role("dialog")).to_be_visible()
        visit.page.keyboard.press("Escape")
        visit.page.get_by_role("button", name="어디에도" if options else "Fits nowhere").click()
        expect(visit.page).to_have_url(re.compile("among=outliers"))
        expect(visit.page.locator(".twins > .note")).to_be_visible()
