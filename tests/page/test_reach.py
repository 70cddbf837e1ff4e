"""The page for everybody: by keys, by ear, on a phone, with pictures that are pasted or dropped."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browsers import PHONE, Visit, box, hits, visiting
from tests.measuring_data import FILES, needs_data
from tests.processes import Served

STARS = "/?q=how+do+stars+form"


@pytest.fixture
def visit(browser: Browser, picture_server: Served) -> Iterator[Visit]:
    with visiting(browser, str(picture_server.client.base_url)) as visit:
        yield visit


@pytest.fixture
def phone(browser: Browser, picture_server: Served) -> Iterator[Visit]:
    with visiting(browser, str(picture_server.client.base_url), **PHONE) as visit:
        yield visit


def test_everything_can_be_done_with_keys(visit: Visit) -> None:
    page = visit.page
    visit.go("/")
    page.keyboard.press("/")
    expect(box(page)).to_be_focused()
    page.keyboard.type("coffee")
    expect(hits(page).first).to_contain_text("offee")
    page.keyboard.press("Enter")
    expect(hits(page).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(hits(page).nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(hits(page).nth(1)).to_be_focused()
    page.keyboard.press("Control+k")
    expect(box(page)).to_be_focused()
    page.keyboard.press("Escape")
    expect(box(page)).to_have_value("")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(box(page)).to_have_value("coffee")  # the search of before
    page.keyboard.press("Escape")
    page.locator(".home h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()


def test_searches_of_before_are_walked_through(visit: Visit) -> None:
    page = visit.page
    visit.go("/")
    for query in ("coffee", "galaxies"):
        box(page).fill(query)
        expect(hits(page).first).to_contain_text(query[1:5])
        page.keyboard.press("Enter")
        expect(hits(page).first).to_be_focused()
        page.keyboard.press("/")
    expect(box(page)).to_match_aria_snapshot('- combobox "Ask or search your library": galaxies')
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowUp")
    expect(box(page)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    chosen = page.get_by_role("option", name="coffee")
    expect(chosen).to_have_attribute("aria-selected", "true")
    expect(box(page)).to_have_attribute("aria-activedescendant", chosen.get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(box(page)).to_have_value("coffee")
    expect(box(page)).to_have_attribute("aria-expanded", "false")
    expect(hits(page).first).to_contain_text("offee")
    page.go_back()
    expect(box(page)).to_have_value("galaxies")
    page.go_forward()
    expect(box(page)).to_have_value("coffee")


def test_the_focus_stays_where_something_is_removed_or_comes(visit: Visit) -> None:
    page = visit.page
    visit.go("/?q=star&all=1&without=war&f.type=text%2Fplain&f.type=text%2Fmarkdown&f.type=text%2Fhtml")
    page.get_by_role("button", name="Show more").press("Enter")
    expect(hits(page).nth(20)).to_be_focused()
    page.get_by_role("button", name="Remove: File type Markdown").press("Enter")
    expect(page.get_by_role("button", name="Remove: File type HTML")).to_be_focused()
    for _ in range(3):
        page.locator(".chip button").last.press("Enter")
    expect(box(page)).to_be_focused()


def test_what_a_screen_reader_is_given(visit: Visit) -> None:
    visit.go("/?q=coffee&f.type=text%2Fplain")
    expect(visit.page.locator("#live")).to_have_text(re.compile(r"^\d+ hits?$"))
    expect(visit.page.locator("body")).to_match_aria_snapshot(SPOKEN)


SPOKEN = r"""
- banner:
  - link "Skip to the results"
  - link "Quarry"
  - search:
    - combobox "Ask or search your library": coffee
    - button "Clear"
    - button "Search by a picture"
  - navigation "Views":
    - link "Search"
    - link "Map"
    - link "Add"
    - link "Folders"
- main:
  - complementary "Filters":
    - group "File type":
      - checkbox /Text \d+/ [checked]
    - textbox "Leave out what is about…"
    - group "Find by":
      - radio "Meaning and words" [checked]
  - heading "Results" [level=1]
  - group "Kind":
    - button /All \d+/ [pressed]
    - button /Passages \d+/
    - button /Pictures \d+/
  - combobox "Order"
  - button "Gallery"
  - list "What narrows this search":
    - listitem:
      - 'button "Remove: File type Text"'
  - article "coffee":
    - heading "coffee" [level=2]
    - paragraph:
      - text: /^sample/
    - img /Relevance \d+%/
    - button "More like this"
    - button "Less like this"
    - button "Why this?"
- status: /\d+ hits/
"""


def test_on_a_phone(phone: Visit) -> None:
    page = phone.page
    phone.go("/")
    box(page).fill("how do stars form")
    expect(hits(page).first).to_contain_text("How stars are born")
    page.get_by_role("button", name="Filters").tap()
    drawer = page.locator("#facets")
    expect(drawer).to_be_visible()
    drawer.get_by_text("Markdown").tap()
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    expect(page.locator(".chip")).to_contain_text("Markdown")
    hits(page).first.get_by_role("link").first.tap()
    expect(page.get_by_role("dialog").locator(".here")).to_be_in_viewport()
    page.get_by_role("button", name="Close").tap()
    for path in (STARS, "/", "/?q=coffee&as=gallery"):
        phone.go(path)
        expect(page.locator("#hits .hit, .home h1").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


GIVEN = """async ([kind, name, type, bytes]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], name, { type }));
  const options = { clipboardData: data, dataTransfer: data, bubbles: true, cancelable: true };
  if (kind === "paste") return void document.activeElement.dispatchEvent(new ClipboardEvent("paste", options));
  document.body.dispatchEvent(new DragEvent("dragover", options));
  if (!document.body.classList.contains("dropping")) throw new Error("nothing says that it may be dropped");
  document.body.dispatchEvent(new DragEvent("drop", options));
}"""


@pytest.mark.parametrize("kind", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(visit: Visit, photos: Path, kind: str) -> None:
    visit.go("/?q=coffee")
    box(visit.page).focus()
    give(visit, kind, "anything.jpg", "image/jpeg", (photos / "rocket.jpg").read_bytes())
    expect(hits(visit.page).first).to_contain_text("rocket")
    expect(visit.page.locator(".chip img")).to_be_visible()
    expect(visit.page.locator("body")).not_to_have_class(re.compile("dropping"))
    expect(visit.page.locator(".kinds .count").first).to_have_text(re.compile(r"^\d+$"))
    visit.page.go_back()
    expect(hits(visit.page).first).to_contain_text("offee")


@needs_data
def test_a_picture_that_the_browser_can_not_read_is_searched_by(visit: Visit) -> None:
    heic = FILES / "images_exif" / "heic__samplefilehub.heif"
    visit.go("/")
    give(visit, "drop", heic.name, "", heic.read_bytes())
    expect(hits(visit.page).first).to_be_visible()
    give(visit, "drop", "letter.txt", "text/plain", b"Dear Anna")
    expect(visit.page.locator("#live")).to_contain_text("no picture")
    visit.page.reload()
    expect(visit.page.get_by_text("not in this tab any more")).to_be_visible()


def give(visit: Visit, kind: str, name: str, type: str, content: bytes) -> None:
    visit.page.evaluate(GIVEN, [kind, name, type, base64.b64encode(content).decode()])


def test_nothing_stands_in_the_way_of_anybody(browser: Browser, picture_server: Served) -> None:
    with visiting(browser, str(picture_server.client.base_url), reduced_motion="reduce") as visit:
        for path, there in (
            ("/", ".shelf img"),
            (f"{STARS}&summary=1&f.type=text%2Fmarkdown&without=war&unlike=1:0.5:Example", ".summary .cite"),
            ("/?q=coffee&as=gallery", ".thumbnail img"),
            (f"{STARS}&why={_first(picture_server)}", ".why-panel table"),
            ("/?q=qqqqqq+zzzzz&mode=lexical", ".message"),
        ):
            visit.go(path)
            expect(visit.page.locator(there).first).to_be_visible()
            assert unkind(visit) == [], path
        visit.go(STARS)
        hits(visit.page).first.get_by_role("link").first.click()
        expect(visit.page.locator(".reader .here")).to_be_visible()
        assert unkind(visit) == [], "document"


def unkind(visit: Visit) -> list[str]:
    """What axe finds, and what it finds of the colours in the dark."""
    found = visit.unkind()
    visit.page.emulate_media(color_scheme="dark")
    found += visit.unkind("color-contrast")
    visit.page.emulate_media(color_scheme="light")
    return found


def _first(server: Served) -> Any:
    found = server.client.post("/v1/search", json={"query": "how do stars form", "limit": 1})
    return found.json()["hits"][0]["id"]


def test_pictures_are_marked_where_they_show_it(visit: Visit) -> None:
    page = visit.page
    visit.go("/?q=a+cat&kind=image&all=1")
    toggle = page.get_by_role("button", name="Where in the picture")
    expect(toggle).to_have_attribute("aria-pressed", "false")
    toggle.click()
    first = hits(page).first
    expect(first.locator("svg.seen rect.edge")).to_have_count(1)
    expect(first.locator(".where")).to_contain_text("likely there")
    expect(page.get_by_text(re.compile("not sure where in it")).first).to_be_visible()
    assert "boxes=1" in page.url and not visit.unkind()
    toggle.click()
    expect(page.locator(".seen")).to_have_count(0)
    visit.go("/?q=how+do+stars+form&kind=text")
    expect(hits(page).first).to_be_visible()
    expect(toggle).to_be_hidden()
