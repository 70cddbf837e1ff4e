"""The page's map, upload and folders in a real browser, before a real server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Route, expect

from quarry.api import Library
from quarry.indexer.texts import Text
from tests.browsers import PHONE, Visit, visiting
from tests.folders import SAMPLE, TESTS
from tests.processes import Served, served

LAYOUT = TESTS / "page" / "layout_check.js"
REFUSED = ("status of 403", "status of 404", "status of 422")  # what a browser says of a problem that the page shows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def site(picture_library: Path, folder: Path) -> Iterator[Served]:
    """A server over photos, texts and a root of notes, which tests add files to."""
    shutil.copytree(picture_library, folder / "library")
    shutil.copytree(SAMPLE / "earth", folder / "notes")
    with Library(folder / "library") as library:
        assert library.index(folder / "notes").complete
    with Library(folder / "other") as library:
        library.add(Text("Dear Anna, the harbour is frozen, and the ships lie still.", "letters/anna"))
    letters = f"letters={folder / 'other'}"
    with served(folder / "library", folder / "log", "--roots", str(folder), "--library", letters) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, site: Served) -> Iterator[Visit]:
    with visiting(browser, str(site.client.base_url)) as visit:
        visit.allowed = REFUSED
        yield visit


def mapped(visit: Visit, path: str = "/?view=map") -> Locator:
    """Open the map, wait until it is laid out, and return what it names beside it."""
    visit.go(path)
    visit.page.wait_for_selector("canvas[data-done=true]")
    visit.page.wait_for_selector(".map-list[aria-busy=false]")  # it may be one of a layout that was not done yet
    entries = visit.page.locator(".map-list a")
    expect(entries.first).to_be_visible()
    return entries


def legend(visit: Visit) -> dict[str, int]:
    rows = [text.split("\n") for text in visit.page.locator(".map-legend li").all_inner_texts()]
    return {name: int(count.replace(",", "")) for name, count in rows}


# --- the map --------------------------------------------------------------------------------------------------------


def test_the_map_lays_out_what_is_there(visit: Visit) -> None:
    mapped(visit)
    said = re.search(r"([\d,]+) points", visit.page.locator(".map-bar [role=status]").inner_text())
    assert said is not None
    assert {"photos0", "astronomy", "food", "notes"} <= legend(visit).keys()
    assert sum(legend(visit).values()) == int(said[1].replace(",", ""))
    visit.page.get_by_role("button", name="Kind").click()
    assert legend(visit).keys() == {"Passages", "Pictures"} and legend(visit)["Pictures"] == 15
    assert visit.unkind() == []


def test_hits_are_lit(visit: Visit) -> None:
    first = mapped(visit, "/?view=map&q=how+do+stars+form").first
    expect(first).to_have_class("lit")
    expect(first).to_contain_text("How stars are born")
    expect(visit.page.locator(".map-bar [role=status]")).to_contain_text("lit")
    visit.page.get_by_role("button", name="Relevance").click()
    expect(visit.page.locator(".map-legend")).to_contain_text("60% and more")
    assert "by=relevance" in visit.page.url
    visit.page.get_by_role("button", name="Clear").click()
    expect(visit.page.locator(".map-list a.lit")).to_have_count(0)
    assert "view=map" in visit.page.url
    visit.page.go_back()
    expect(visit.page.locator(".map-list a.lit").first).to_be_visible()


def test_a_point_is_told_and_opened(visit: Visit) -> None:
    mapped(visit)
    box = visit.page.locator(".map-field canvas").bounding_box()
    assert box is not None
    card = visit.page.locator(".map-card")
    for step in range(400):  # over the field, until there is a point
        across, down = 0.3 + 0.02 * (step % 20), 0.3 + 0.02 * (step // 20)
        visit.page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        if card.is_visible():
            break
    title = card.locator(".title").inner_text()
    visit.page.mouse.down()
    visit.page.mouse.up()
    expect(visit.page).to_have_url(re.compile("doc="))
    expect(visit.page.get_by_role("dialog")).to_contain_text(title)


def test_the_map_is_moved_by_keys(visit: Visit) -> None:
    entries = mapped(visit)
    before = entries.all_inner_texts()
    visit.page.locator(".map-field canvas").focus()
    for key in ("ArrowLeft", *["+"] * 8):
        visit.page.keyboard.press(key)
    expect(entries).not_to_have_count(len(before))
    visit.page.keyboard.press("0")
    expect(entries).to_have_count(len(before))
    visit.page.wait_for_selector(".map-list[aria-busy=false]")
    assert entries.all_inner_texts() == before


def test_a_layout_is_the_same_each_time_and_keeps_neighbours(visit: Visit) -> None:
    visit.go("/")
    result: dict[str, Any] = visit.page.evaluate(LAYOUT.read_text("utf-8"))
    assert result["equal"] and result["finite"]
    assert result["share"] > 0.95
    assert result["done"] == sorted(result["done"]) and result["done"][-1] == 1


def test_the_map_on_a_phone(browser: Browser, site: Served) -> None:
    with visiting(browser, str(site.client.base_url), **{**PHONE, "locale": "ko-KR"}) as visit:
        entries = mapped(visit)
        expect(visit.page.locator(".map-side h2")).to_have_text("보이는 문서")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert visit.unkind() == []
        before = entries.count()
        fingers = visit.page.context.new_cdp_session(visit.page)
        field = visit.page.locator(".map-field canvas").bounding_box()
        assert field is not None
        left, top = field["x"] + field["width"] / 2, field["y"] + field["height"] / 2

        def touch(what: str, *points: tuple[float, float]) -> None:
            places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
            fingers.send("Input.dispatchTouchEvent", {"type": what, "touchPoints": places})

        touch("touchStart", (left - 20, top), (left + 20, top))
        for step in range(1, 11):
            touch("touchMove", (left - 20 - 10 * step, top), (left + 20 + 10 * step, top))
        touch("touchEnd")
        expect(entries).not_to_have_count(before)  # two fingers bring it nearer
        visit.page.get_by_role("button", name="전체 보기").tap()
        expect(entries).to_have_count(before)
        card = visit.page.locator(".map-card")
        for step in range(400):  # a touch names the nearest point, and its card leads to it
            across, down = 0.1 + 0.04 * (step % 20), 0.1 + 0.04 * (step // 20)
            place = field["x"] + field["width"] * across, field["y"] + field["height"] * down
            touch("touchStart", place)
            touch("touchEnd")
            if card.is_visible():
                break
        card.get_by_role("link").tap()
        expect(visit.page.get_by_role("dialog")).to_be_visible()


# --- several libraries ----------------------------------------------------------------------------------------------


def test_one_of_several_libraries_is_chosen(visit: Visit) -> None:
    visit.go("/?q=harbour")
    menu = visit.page.get_by_role("combobox", name="Library", exact=True)
    expect(menu).to_have_value("")
    menu.select_option("letters")
    expect(visit.page).to_have_url(f"{visit.address}/?library=letters&q=harbour")
    hits = visit.page.locator(".hit")
    expect(hits).to_have_count(1)
    hits.get_by_role("link").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("Dear Anna")
    visit.page.keyboard.press("Escape")
    visit.page.reload()
    expect(menu).to_have_value("letters")
    visit.page.get_by_role("link", name="Folders").click()
    expect(visit.page).to_have_url(f"{visit.address}/?library=letters&view=roots")
    visit.page.get_by_role("link", name="Quarry").click()
    expect(visit.page.get_by_text("1 document", exact=True)).to_be_visible()
    visit.page.go_back()
    visit.page.go_back()
    expect(hits).to_have_count(1)
    visit.go("/?library=nothing&q=harbour")
    expect(visit.page.get_by_role("alert")).to_contain_text("nothing")


# --- adding files ---------------------------------------------------------------------------------------------------


def rows(visit: Visit, *names: str) -> list[Locator]:
    return [visit.page.locator(".uploads li", has_text=name) for name in names]


def test_files_are_added_each_with_its_result(visit: Visit, tmp_path: Path) -> None:
    files = {
        "harbour.md": b"# The harbour\n\nThe lighthouse keeper counts the ships at dawn.",
        "broken.pdf": b"%PDF-1.4 nothing",
        "rows.csv": b"name,year\nAnna,1990\nBertram,1991\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    visit.go("/?view=upload")
    visit.page.set_input_files("input[type=file][multiple]", [tmp_path / name for name in files])
    harbour, broken, table = rows(visit, *files)
    expect(harbour).to_contain_text("Added")
    expect(table).to_contain_text("Added as 2 documents")
    expect(broken).to_contain_text("damaged")
    expect(visit.page.locator(".upload-bar")).to_contain_text("2 of 3 files added, 1 not")
    assert visit.unkind() == []
    harbour.get_by_role("link").click()
    expect(visit.page.get_by_role("dialog")).to_contain_text("lighthouse keeper")
    visit.go("/?q=who+counts+the+ships")
    expect(visit.page.locator(".hit").first).to_contain_text("The harbour")


def test_uploads_go_on_and_can_be_cancelled(visit: Visit, tmp_path: Path) -> None:
    held: list[Route] = []
    visit.page.route("**/v1/documents/file*", lambda route: held.append(route))
    names = [f"note {number}.txt" for number in range(4)]
    for name in names:
        (tmp_path / name).write_text(f"This is {name}.")
    visit.go("/?view=upload")
    visit.page.set_input_files("input[type=file][multiple]", [tmp_path / name for name in names])
    first, second, third, last = rows(visit, *names)
    expect(last).to_have_attribute("data-state", "waiting")
    visit.page.get_by_role("button", name="Cancel note 0.txt").click()
    expect(first).to_have_attribute("data-state", "cancelled")
    visit.page.get_by_role("button", name="Cancel note 3.txt").click()
    visit.page.get_by_role("link", name="Map").click()
    expect(visit.page.locator(".map-field canvas")).to_be_visible()
    for route in held[1:]:
        route.continue_()
    visit.page.get_by_role("link", name="Add").click()
    for row in (second, third):
        expect(row).to_have_attribute("data-state", "done")
    expect(last).to_have_attribute("data-state", "cancelled")
    visit.page.get_by_role("button", name="Clear what is over").click()
    expect(visit.page.locator(".uploads li")).to_have_count(0)


# --- folders --------------------------------------------------------------------------------------------------------


def test_folders_are_brought_in_sync(visit: Visit, folder: Path) -> None:
    notes = folder / "notes"
    (notes / "lighthouse.md").write_text("# The lighthouse\n\nIts lamp turns once in nine seconds.")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    visit.go("/?view=roots")
    expect(visit.page.locator(".roots li", has_text=str(notes))).to_contain_text("last change")
    visit.page.get_by_role("button", name=f"Sync {notes}").click()
    job = visit.page.locator(".job")
    expect(job).to_contain_text("In sync: notes")
    expect(job).to_contain_text("1 added")
    job.get_by_text("1 file could not be read").click()
    expect(job).to_contain_text("damaged")
    assert visit.unkind() == []


def test_folders_are_added_and_forgotten(visit: Visit, folder: Path) -> None:
    added = folder / "letters"
    added.mkdir(exist_ok=True)
    (added / "one.txt").write_text("Dear Anna, the harbour is frozen.")
    visit.go("/?view=roots")
    path = visit.page.get_by_role("textbox", name="Path of a folder")
    path.fill("/etc")
    path.press("Enter")
    expect(visit.page.get_by_role("alert")).to_contain_text("no root")
    path.fill(str(added))
    path.press("Enter")
    row = visit.page.locator(".roots li", has_text="letters")
    expect(row).to_contain_text("1 document")
    visit.page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Stop syncing").click()
    expect(row).to_have_count(0)
