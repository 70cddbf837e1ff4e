"""The page in a real browser, before a real server."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from quarry.indexer.formats import ROWS
from tests.browsers import Visit, box, hits, visiting
from tests.folders import ROOT
from tests.processes import Served, served

PAGE = ROOT / "api/page"
STARS = "/?q=how+do+stars+form"


@pytest.fixture
def visit(browser: Browser, picture_server: Served) -> Iterator[Visit]:
    with visiting(browser, str(picture_server.client.base_url)) as visit:
        yield visit


def test_the_page_comes_with_its_type_its_etag_and_a_strict_policy(picture_server: Served) -> None:
    for path, type in (("/", "text/html"), ("/page/main.js", "text/javascript"), ("/page/style.css", "text/css")):
        answer = picture_server.client.get(path)
        assert answer.headers["content-type"] == f"{type}; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        again = picture_server.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert picture_server.client.get("/page/nothing.js").status_code == 404


def test_the_first_view_is_small(visit: Visit) -> None:
    visit.go("/")
    expect(visit.page.get_by_text("15 pictures")).to_be_visible()
    visit.page.wait_for_load_state("networkidle")
    assert visit.page.evaluate("[...document.images].every((one) => one.naturalWidth > 100)")
    assert 50_000 < visit.received < 110_000  # with a shelf of eight pictures


def test_hits_come_while_one_types(visit: Visit) -> None:
    visit.go("/")
    box(visit.page).press_sequentially("how do stars fo", delay=15)
    expect(hits(visit.page).first).to_contain_text("How stars are born")
    box(visit.page).press_sequentially("rm", delay=15)
    expect(visit.page).to_have_url(f"{visit.address}{STARS}")
    first = hits(visit.page).first
    expect(first.locator("mark").first).to_have_text("Stars")
    expect(first.locator("time")).to_be_visible()
    expect(first.locator(".path")).to_contain_text("star-formation.md")
    expect(visit.page.locator("#live")).to_contain_text("hit")


def test_facets_follow_the_hits_and_stay_until_there_are_new_ones(visit: Visit) -> None:
    held: list[Route] = []
    visit.go(STARS)
    types = visit.page.locator("#facets fieldset[data-field=type]")
    expect(types).to_be_visible()
    before = types.inner_text()
    visit.page.route("**/v1/search", lambda route: held.append(route) if _counts(route) else route.continue_())
    with visit.page.expect_request(lambda request: '"facets"' in (request.post_data or "")):
        box(visit.page).fill("coffee")
    expect(hits(visit.page).first).to_contain_text("offee")
    assert types.inner_text() == before
    for route in held:
        route.continue_()
    expect(types).not_to_have_text(before, use_inner_text=True)
    expect(visit.page.locator("#live")).to_have_text(re.compile(r"^\d+ hits"))


def _counts(route: Route) -> bool:
    return bool(json.loads(route.request.post_data or "{}").get("facets"))


def test_an_older_answer_never_takes_the_place_of_a_newer_one(visit: Visit) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if json.loads(route.request.post_data or "{}").get("query") == "coffee":
            held.append(route)
        else:
            route.continue_()

    visit.go("/?q=galaxies")
    expect(hits(visit.page).first).to_contain_text("alax")
    visit.page.route("**/v1/search", hold)
    box(visit.page).fill("coffee")
    visit.page.wait_for_timeout(150)
    expect(hits(visit.page).first).to_contain_text("alax")  # old hits stay until there are new ones
    box(visit.page).fill("black holes")
    expect(hits(visit.page).first).to_contain_text("lack hole")
    for route in held:
        route.continue_()
    visit.page.wait_for_timeout(150)
    expect(hits(visit.page).first).to_contain_text("lack hole")


def test_an_answer_stands_on_top_with_its_source_or_an_honest_none(visit: Visit) -> None:
    visit.go("/?q=what+is+the+hot+ball+at+the+centre+called")
    card = visit.page.get_by_role("region", name="Answer")
    expect(card.locator(".exact")).to_contain_text("protostar")
    expect(card.locator("blockquote mark")).to_contain_text("protostar")
    card.get_by_role("link", name="How stars are born").click()
    expect(visit.page.get_by_role("dialog").locator("mark", has_text="protostar").first).to_be_in_viewport()
    visit.go("/?q=who+won+the+marathon+in+2012%3F&all=1")
    expect(visit.page.locator(".card.none")).to_be_visible()
    expect(hits(visit.page).first).to_be_visible()


def test_citations_of_a_summary_lead_to_their_passage(visit: Visit) -> None:
    visit.go(STARS)
    visit.page.get_by_role("button", name="Summarize").click()
    visit.page.get_by_role("region", name="Summary").locator(".cite").first.click()
    expect(visit.page.get_by_role("dialog").locator(".here")).to_be_in_viewport()


def test_a_document_opens_at_the_place_and_matches_are_stepped_through(visit: Visit) -> None:
    visit.go(STARS)
    hits(visit.page).nth(1).get_by_role("link").first.click()
    reader = visit.page.get_by_role("dialog")
    expect(reader.locator(".here")).to_be_in_viewport()
    count = reader.locator(".stepper .count")
    expect(count).to_contain_text(" of ")
    before = count.inner_text()
    visit.page.keyboard.press("n")
    expect(count).not_to_have_text(before)
    expect(reader.locator("mark.now")).to_be_in_viewport()
    visit.page.keyboard.press("Escape")
    expect(reader).to_have_count(0)
    expect(visit.page).to_have_url(f"{visit.address}{STARS}")
    visit.page.go_back()
    expect(visit.page.get_by_role("dialog")).to_be_visible()


def test_all_state_lives_in_the_url(visit: Visit) -> None:
    visit.go("/?q=coffee")
    expect(hits(visit.page).first).to_be_visible()
    visit.page.get_by_role("button", name="Pictures").click()
    expect(hits(visit.page)).to_have_count(1)
    visit.page.get_by_role("button", name="Gallery").click()
    visit.page.get_by_label("Order").select_option("-date")
    visit.page.get_by_label("Leave out what is about").fill("war")
    visit.page.keyboard.press("Enter")
    expect(visit.page.get_by_text("Not about war")).to_be_visible()
    visit.page.reload()
    expect(visit.page.get_by_label("Order")).to_have_value("-date")
    expect(visit.page.locator("#hits")).to_have_attribute("data-layout", "gallery")
    expect(visit.page.get_by_role("button", name="Pictures")).to_have_attribute("aria-pressed", "true")
    visit.page.get_by_role("button", name="Remove: Not about war").click()
    expect(visit.page.get_by_text("Not about war")).to_have_count(0)
    for _ in range(4):
        visit.page.go_back()
    expect(visit.page.get_by_role("button", name="All", exact=False).first).to_be_visible()
    expect(visit.page).to_have_url(f"{visit.address}/?q=coffee&kind=image")


def test_facets_narrow_with_counts_and_a_chip(visit: Visit) -> None:
    visit.go("/?q=coffee")
    plain = visit.page.locator("#facets label", has=visit.page.locator("[name='type=text/plain']"))
    count = plain.locator(".count").inner_text()
    plain.click()
    expect(visit.page.get_by_role("list", name="What narrows this search")).to_contain_text("Text")
    expect(visit.page.locator(".kinds .count").first).to_have_text(count)
    expect(visit.page.locator("#facets fieldset[data-field=type] label")).not_to_have_count(1)
    visit.page.get_by_role("button", name="Remove: File type Text").click()
    expect(visit.page).to_have_url(f"{visit.address}/?q=coffee")


def test_pictures_and_hits_are_examples(visit: Visit, photos: Path) -> None:
    visit.go("/")
    visit.page.locator("input[type=file]").set_input_files(photos / "chelsea.png")
    expect(hits(visit.page).first).to_contain_text("chelsea")
    expect(visit.page.get_by_text("Like your picture")).to_be_visible()
    visit.page.reload()
    expect(hits(visit.page).first).to_contain_text("chelsea")
    visit.go("/?q=coffee")
    hits(visit.page).first.get_by_role("button", name="More like this").click()
    chip = visit.page.locator(".chip.like")
    expect(chip).to_contain_text("Like coffee")
    chip.get_by_role("button", name="Strength").click()
    expect(visit.page).to_have_url(f"{visit.address}/?q=coffee&like={_like(visit)}")
    hits(visit.page).last.get_by_role("button", name="Less like this").click()
    expect(visit.page.locator(".chip.unlike")).to_be_visible()
    expect(hits(visit.page).first).to_be_visible()


def _like(visit: Visit) -> Any:
    return visit.page.evaluate("encodeURIComponent(new URLSearchParams(location.search).get('like'))")


def test_words_are_outlined_on_the_picture_that_they_stand_in(visit: Visit, picture_server: Served) -> None:
    asked = {"filter": json.dumps({"kind": "image"}), "limit": "1"}
    (picture,) = picture_server.client.get("/v1/documents", params=asked).json()["documents"]
    said = {"id": "1", "text": "a sign", "start": 0, "end": 6, "page": None, "heading": None, "said_by": "ocr"}
    sky = {**said, "id": "2", "text": "sky", "start": 7, "end": 10, "said_by": "image-segmentation"}
    outline = {"box": [0, 0, 1, 0.5], "outline": [0, 0, 1, 0, 0.5, 0.5]}
    passages = [{**said, "place": {"box": [0.25, 0.5, 0.75, 0.625]}}, {**sky, "place": outline}]
    body = {"passages": passages, "total": 2, "first": 0}
    visit.page.route("**/passages?*", lambda route: route.fulfill(json=body))
    visit.go(f"/?doc={picture['id']}&at=0-6")
    shown, outlined = visit.page.locator(".shown"), visit.page.locator(".outlined")
    expect(outlined).to_have_count(1)
    visit.page.wait_for_load_state("networkidle")
    outer, inner = shown.bounding_box(), outlined.bounding_box()
    assert outer and inner
    assert inner["x"] + 4 - outer["x"] == pytest.approx(outer["width"] / 4, abs=1)
    assert inner["y"] + 4 - outer["y"] == pytest.approx(outer["height"] / 2, abs=1)
    assert inner["width"] - 8 == pytest.approx(outer["width"] / 2, abs=1)
    visit.page.get_by_role("link", name="sky").click()
    expect(visit.page.locator(".outlines polygon")).to_have_count(2)
    expect(outlined).to_have_count(0)
    visit.go(f"/?doc={picture['id']}")
    expect(visit.page.locator(".passage")).to_have_count(2)
    expect(outlined).to_have_count(0)


def test_a_hit_is_explained(visit: Visit) -> None:
    visit.go(STARS)
    hits(visit.page).first.get_by_role("button", name="Why this?").click()
    panel = visit.page.get_by_role("region", name="How it was found")
    expect(panel.get_by_role("row", name="by meaning")).to_contain_text("#1")
    expect(panel.get_by_text("relevance", exact=False).first).to_be_visible()


def test_korean(browser: Browser, picture_server: Served) -> None:
    with visiting(browser, str(picture_server.client.base_url), locale="ko-KR") as visit:
        visit.go("/")
        expect(visit.page.get_by_role("heading", name="무엇을 찾고 계신가요?")).to_be_visible()
        box(visit.page).fill("김치 발효")
        expect(visit.page.locator(".notes")).to_contain_text("낱말로만 찾았습니다")
        box(visit.page).fill("")
        visit.page.get_by_role("button", name="English").click()
        expect(visit.page.get_by_role("heading", name="What are you looking for?")).to_be_visible()
        visit.page.reload()
        expect(visit.page.locator("html")).to_have_attribute("lang", "en")


def test_each_language_says_everything() -> None:
    modules = {path.name: path.read_text("utf-8") for path in PAGE.glob("*.js")}
    tables = (text for name, text in modules.items() if name.endswith("words.js"))
    rows = {name for text in tables for name in re.findall(r'^  "?([\w-]+)"?: \[', text, re.MULTILINE)}
    said = {name for text in modules.values() for name in re.findall(r'\bsay\("([\w-]+)"', text)}
    assert said - rows == set()


def test_what_is_wrong_or_missing_is_told_apart(browser: Browser, tmp_path: Path) -> None:
    with (
        served(tmp_path / "library", tmp_path / "log") as running,
        visiting(browser, str(running.client.base_url)) as visit,
    ):
        page = visit.page
        visit.allowed = ("Failed to load resource",)
        visit.go("/")
        expect(page.get_by_role("heading", name="The library is empty")).to_be_visible()
        box(page).fill("anything")
        expect(page.get_by_role("heading", name="Nothing was found")).to_be_visible()

        def locked(route: Route) -> None:
            if route.request.headers.get("authorization") == "Bearer right":
                route.continue_()
            else:
                route.fulfill(status=401, json={"title": "Key needed", "status": 401, "detail": "A key is needed."})

        page.route("**/v1/**", locked)
        page.reload()
        page.get_by_label("API key").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This key is not known")).to_be_visible()
        page.get_by_label("API key").fill("right")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Nothing was found")).to_be_visible()
        page.unroute("**/v1/**")
        page.route("**/v1/**", lambda route: route.abort())
        box(page).fill("something else")
        expect(page.get_by_role("heading", name="The server does not answer")).to_be_visible()
        page.unroute("**/v1/**")  # it comes back, and the page finds that by itself
        expect(page.get_by_role("heading", name="Nothing was found")).to_be_visible()


def test_every_format_is_called_by_a_name() -> None:
    """A type whose last word tells nobody anything has a name of its own, and no name is left of a format of before."""
    named = set(re.findall(r'^  "([\w.+-]+/[\w.+-]+)": ', (PAGE / "fields.js").read_text("utf-8"), re.M))
    types = {row.type for row in ROWS}
    assert {one for one in types if "vnd." in one or "+zip" in one or one.startswith("message/")} <= named <= types
