"""The page of a server that searches several libraries as one."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, expect

from quarry.api import Library, Text
from tests.browsers import hits, visiting
from tests.processes import served


def test_a_hit_says_which_library_it_is_from_and_opens_there(browser: Browser, tmp_path: Path) -> None:
    for name, text in (("stars", "Stars form where clouds of gas collapse."), ("food", "A star of pastry is baked.")):
        with Library(tmp_path / name) as library:
            library.add([Text(text, id="the same", title=name)])
    food = f"kitchen={tmp_path / 'food'}"
    options = ("--together", "--library", food)
    with (
        served(tmp_path / "stars", tmp_path / "log", *options) as running,
        visiting(browser, str(running.client.base_url)) as visit,
    ):
        visit.go("/")
        expect(visit.page.get_by_text("2 documents")).to_be_visible()
        visit.go("/?q=a+star+of+the+sky&all=1")  # of which a checker could be asked, if all had one
        expect(hits(visit.page)).to_have_count(2)
        visit.page.wait_for_load_state("networkidle")
        visit.go("/?q=star&all=1")
        expect(hits(visit.page)).to_have_count(2)
        of = {name: hits(visit.page).filter(has=visit.page.locator(".library", has_text=name)) for name in
              ("stars", "kitchen")}  # fmt: skip
        expect(of["stars"]).to_contain_text("clouds of gas")
        expect(of["kitchen"]).to_contain_text("pastry")
        of["kitchen"].locator("h2 a").click()
        expect(visit.page.locator(".reader")).to_contain_text("A star of pastry is baked.")
        expect(visit.page).to_have_url(f"{visit.address}/?q=star&doc=the+same&from=kitchen&all=1&at=0-26")
        visit.page.keyboard.press("Escape")
        expect(visit.page).to_have_url(f"{visit.address}/?q=star&all=1")
        visit.page.locator(".named select").select_option("kitchen")
        expect(hits(visit.page)).to_have_count(1)
        expect(hits(visit.page).locator(".library")).to_have_count(0)


def test_a_picture_is_looked_at_in_its_library(browser: Browser, tmp_path: Path) -> None:
    for name in ("near", "far"):
        folder = tmp_path / f"{name}-pictures" / "deep"
        folder.mkdir(parents=True)
        Image.effect_noise((96, 96), 90).save(folder / "noise.png")
        (folder / "lamp.txt").write_text(f"The lighthouse of Alexandria was built on Pharos; {name} has a picture.")
        with Library(tmp_path / name) as library:
            library.index(folder)
    with (
        served(tmp_path / "near", tmp_path / "log", "--together", "--library", str(tmp_path / "far")) as running,
        visiting(browser, str(running.client.base_url)) as visit,
    ):
        asked: list[str] = []
        visit.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        visit.go("/?q=lighthouse+of+Alexandria&all=1")
        folders = visit.page.locator("fieldset[data-field=path] .value")
        expect(folders).to_have_text(["directly in far-pictures / deep", "directly in near-pictures / deep"])
        of = (
            hits(visit.page)
            .filter(has=visit.page.locator(".library", has_text="far"))
            .filter(has=visit.page.locator("img"))
        )
        with visit.page.expect_response("**/models"):
            of.locator("a").first.click()
        expect(visit.page.locator(".reader img")).to_be_visible()
        assert "/v1/libraries/far/models" in asked and "/v1/models" not in asked
