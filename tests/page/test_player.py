"""What is played, over HTTP and in a real browser: given out in ranges, and opened at its second."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from quarry.api import Library
from quarry.search.types import Document
from tests.browsers import TIMEOUT_MS, Visit, visiting
from tests.folders import FILM
from tests.processes import Served, served


def plays_at(video: Locator, second: int) -> None:
    """Wait until a player is at a second."""
    until = time.monotonic() + TIMEOUT_MS / 1000
    while (at := int(video.evaluate("element => element.currentTime"))) != second:
        assert time.monotonic() < until, f"it is at {at}"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("player")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[Served]:
    shutil.copy(FILM, folder / "harbour.webm")
    with Library(folder / "library") as library:
        assert library.index(folder / "harbour.webm", transcribe="off").added == 5
    with served(folder / "library", folder / "log") as running:
        yield running


@pytest.fixture
def visit(browser: Browser, site: Served) -> Iterator[Visit]:
    with visiting(browser, str(site.client.base_url)) as visit:
        yield visit


@pytest.fixture(scope="module")
def film(folder: Path, site: Served) -> Document:
    with Library(folder / "library") as library:
        (hit,) = library.search("rocket", mode="lexical", kinds=["text"]).hits
        assert hit.place is not None and hit.place.seconds is not None and int(hit.place.seconds[0]) == 16
    return hit.document


def test_a_hit_plays_from_its_second(visit: Visit, film: Document) -> None:
    visit.go("/?q=rocket&kind=text&mode=lexical")
    visit.page.locator(".hit h2 a").first.click()
    video = visit.page.locator("video")
    expect(video).to_be_visible()
    plays_at(video, 16)
    assert "t=16." in visit.page.url
    visit.page.get_by_role("button", name="0:00").first.click()
    plays_at(video, 0)
    assert visit.unkind() == []


def test_a_frame_leads_to_its_second(visit: Visit, site: Served, film: Document) -> None:
    frames = site.client.get("/v1/documents", params={"filter": '{"kind": "image"}'}).json()["documents"]
    (cat,) = [one for one in frames if one["metadata"].get("section") == "The cat"]
    visit.go(f"/?doc={cat['id']}")
    link = visit.page.get_by_role("link", name="harbour.webm, 0:07")
    link.click()
    plays_at(visit.page.locator("video"), 7)


def test_a_film_is_given_out_in_ranges_and_by_its_own_type(site: Served, film: Document, folder: Path) -> None:
    path, content = f"/v1/documents/{film.id}/original", FILM.read_bytes()
    part = site.client.get(path, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content, part.headers["content-type"]) == (206, content[100:200], "video/webm")
    assert part.headers["content-disposition"].startswith("inline;")
    assert part.headers["x-content-type-options"] == "nosniff"
    assert site.client.get(path, headers={"Range": "bytes=-10"}).content == content[-10:]

    file = folder / "harbour.webm"
    before = file.stat()
    file.write_bytes(bytes(len(content)))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as if nothing had changed
    assert site.client.get(path).status_code == 404
    file.write_bytes(content)
    assert site.client.get(path).content == content
