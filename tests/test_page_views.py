"""The page's map, upload and folders in a real Chromium, over a real server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from quarry.api import Library
from tests.conftest import SAMPLE
from tests.processes import Served, served

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
LAYOUT = Path(__file__).parent / "layout_check.js"
DONE = "canvas[data-done=true]"
expect.set_options(timeout=30_000)  # one that all processors are busy with others for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("views")


@pytest.fixture(scope="module")
def site(picture_library: Path, folder: Path) -> Iterator[Served]:
    """A server over photos, texts and a root of notes, which tests add files to."""
    shutil.copytree(picture_library, folder / "library")
    root = folder / "notes"
    shutil.copytree(SAMPLE / "earth", root)
    with Library(folder / "library") as library:
        assert library.index(root).complete
    with served(folder / "library", folder / "log", "--roots", str(folder)) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no Chromium here")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS.split())
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, site: Served) -> Iterator[Page]:
    """A tab whose scripts must raise nothing."""
    context = browser.new_context(base_url=str(site.client.base_url), viewport={"width": 1280, "height": 800})
    tab, errors = context.new_page(), list[str]()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.set_default_timeout(30_000)
    yield tab
    context.close()
    assert errors == []


def faults(page: Page) -> list[str]:
    """What is serious of what axe finds."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")]


# --- the map --------------------------------------------------------------------------------------------------------


def test_the_map_lays_out_what_is_there(page: Page) -> None:
    page.goto("/?view=map")
    page.wait_for_selector(DONE)
    points = int(re.search(r"(\d+) points", page.locator(".map-bar [role=status]").inner_text())[1])  # type: ignore[index]
    legend = dict(text.split("\n") for text in page.locator(".map-legend li").all_inner_texts())
    assert {"photos0", "astronomy", "food", "notes"} <= legend.keys()
    assert sum(map(int, legend.values())) == points
    page.get_by_role("button", name="Kind").click()
    legend = dict(text.split("\n") for text in page.locator(".map-legend li").all_inner_texts())
    assert legend.keys() == {"Passages", "Pictures"} and int(legend["Pictures"]) == 15
    assert faults(page) == []


def test_hits_are_lit_and_open(page: Page) -> None:
    page.goto("/?view=map&q=how+do+stars+form")
    page.wait_for_selector(DONE)
    first = page.locator(".map-list a").first
    expect(first).to_have_class("lit")
    expect(first).to_contain_text("How stars are born")
    expect(page.locator(".map-bar [role=status]")).to_contain_text("lit")
    page.get_by_role("button", name="Relevance").click()
    expect(page.locator(".map-legend")).to_contain_text("60% and more")
    page.locator("input[role=combobox]").fill("")
    expect(page.locator(".map-list a.lit")).to_have_count(0)
    assert "view=map" in page.url
    page.go_back()
    expect(page.locator(".map-list a.lit").first).to_be_visible()


def test_a_point_is_told_and_opened(page: Page) -> None:
    page.goto("/?view=map&q=how+do+stars+form")
    page.wait_for_selector(DONE)
    expect(page.locator(".map-list a.lit").first).to_be_visible()
    page.locator(".map-field canvas").focus()
    for _ in range(2):
        page.keyboard.press("-")
    box = page.locator(".map-field canvas").bounding_box()
    assert box is not None
    card = page.locator(".map-card")
    for step in range(400):  # over the field, until there is a point
        page.mouse.move(
            box["x"] + box["width"] * (0.3 + 0.02 * (step % 20)), box["y"] + box["height"] * (0.3 + 0.02 * (step // 20))
        )
        if card.is_visible():
            break
    title = card.locator(".title").inner_text()
    page.mouse.down()
    page.mouse.up()
    expect(page).to_have_url(re.compile("doc="))
    expect(page.locator("body")).to_contain_text(title)


def test_the_map_is_moved_by_keys(page: Page) -> None:
    page.goto("/?view=map")
    page.wait_for_selector(DONE)
    entries = page.locator(".map-list a")
    expect(entries.first).to_be_visible()
    before = entries.all_inner_texts()
    page.locator(".map-field canvas").focus()
    for key in ("ArrowLeft", *["+"] * 8):
        page.keyboard.press(key)
    expect(entries).not_to_have_count(len(before))
    page.keyboard.press("0")
    expect(entries).to_have_count(len(before))
    assert entries.all_inner_texts() == before


def test_a_layout_is_the_same_each_time_and_keeps_neighbours(page: Page) -> None:
    page.goto("/")
    result: dict[str, Any] = page.evaluate(LAYOUT.read_text("utf-8"))
    assert result["equal"] and result["finite"]
    assert result["share"] > 0.95
    assert result["done"] == sorted(result["done"]) and result["done"][-1] == 1


def test_the_map_on_a_phone(browser: Browser, site: Served) -> None:
    context = browser.new_context(
        base_url=str(site.client.base_url), viewport={"width": 390, "height": 844}, has_touch=True, locale="ko-KR"
    )
    page = context.new_page()
    page.goto("/?view=map")
    page.wait_for_selector(DONE)
    expect(page.locator(".map-side h2")).to_have_text("보이는 문서")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults(page) == []
    context.close()


# --- adding files ---------------------------------------------------------------------------------------------------


def test_files_are_added_each_with_its_result(page: Page, tmp_path: Path) -> None:
    files = {
        "harbour.md": b"# The harbour\n\nThe lighthouse keeper counts the ships at dawn.",
        "broken.pdf": b"%PDF-1.4 nothing",
        "rows.csv": b"name,year\nAnna,1990\nBertram,1991\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    page.goto("/?view=upload")
    assert faults(page) == []
    page.set_input_files("input[type=file][multiple]", [tmp_path / name for name in files])
    row = {name: page.locator(".uploads li", has_text=name) for name in files}
    expect(row["harbour.md"]).to_contain_text("Added")
    expect(row["rows.csv"]).to_contain_text("Added as 2 documents")
    expect(row["broken.pdf"]).to_contain_text("damaged")
    expect(page.locator(".upload-bar")).to_contain_text("2 of 3 files added, 1 not")
    assert faults(page) == []
    row["harbour.md"].get_by_role("link").click()
    expect(page.locator("body")).to_contain_text("lighthouse keeper")
    page.goto("/?q=who+counts+the+ships")
    expect(page.locator(".hit").first).to_contain_text("The harbour")


def test_uploads_go_on_and_can_be_cancelled(page: Page, tmp_path: Path) -> None:
    held: list[Route] = []
    page.route("**/v1/documents/file*", lambda route: held.append(route))
    names = [f"note {number}.txt" for number in range(4)]
    for name in names:
        (tmp_path / name).write_text(f"This is {name}.")
    page.goto("/?view=upload")
    page.set_input_files("input[type=file][multiple]", [tmp_path / name for name in names])
    rows = {name: page.locator(".uploads li", has_text=name) for name in names}
    expect(rows["note 3.txt"]).to_have_attribute("data-state", "waiting")
    page.get_by_role("button", name="Cancel note 0.txt").click()
    expect(rows["note 0.txt"]).to_have_attribute("data-state", "cancelled")
    page.get_by_role("button", name="Cancel note 3.txt").click()
    page.get_by_role("link", name="Map").click()
    page.wait_for_selector(DONE)
    page.unroute("**/v1/documents/file*")
    for route in held[1:]:
        route.continue_()
    page.get_by_role("link", name="Add").click()
    for name in ("note 1.txt", "note 2.txt"):
        expect(rows[name]).to_have_attribute("data-state", "done")
    expect(rows["note 3.txt"]).to_have_attribute("data-state", "cancelled")
    page.get_by_role("button", name="Clear").last.click()
    expect(page.locator(".uploads li")).to_have_count(0)


# --- folders --------------------------------------------------------------------------------------------------------


def test_folders_are_brought_in_sync(page: Page, folder: Path) -> None:
    notes = folder / "notes"
    (notes / "lighthouse.md").write_text("# The lighthouse\n\nIts lamp turns once in nine seconds.")
    (notes / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    page.goto("/?view=roots")
    row = page.locator(".roots li", has_text=str(notes))
    expect(row).to_contain_text("last change")
    assert faults(page) == []
    row.get_by_role("button", name=f"Sync {notes}").click()
    job = page.locator(".job")
    expect(job).to_contain_text("In sync: notes")
    expect(job).to_contain_text("1 added")
    job.get_by_text("1 file could not be read").click()
    expect(job).to_contain_text("damaged")
    expect(page.locator(".job progress")).to_have_count(0)
    assert faults(page) == []


def test_folders_are_added_and_forgotten(page: Page, folder: Path) -> None:
    added = folder / "letters"
    added.mkdir(exist_ok=True)
    (added / "one.txt").write_text("Dear Anna, the harbour is frozen.")
    page.goto("/?view=roots")
    path = page.get_by_role("textbox", name="Path of a folder")
    path.fill("/etc")
    path.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("no root")
    path.fill(str(added))
    path.press("Enter")
    row = page.locator(".roots li", has_text=str(added.parent)).filter(has_text="letters")
    expect(row).to_contain_text("1 document")
    page.on("dialog", lambda dialog: dialog.accept())
    row.get_by_role("button", name="Stop syncing").click()
    expect(row).to_have_count(0)
