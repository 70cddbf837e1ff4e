"""Take the pictures of the page that the README shows: `python -m tests.screenshots`."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from playwright.sync_api import expect

from quarry.api import Library
from quarry.data.photos import copy_photos
from tests.browsers import launched, visiting
from tests.folders import ROOT
from tests.processes import served

SHOTS = (
    ("page.png", "light", "/?q=when+was+the+Panama+Canal+opened", ".kinds button", ".card .exact"),
    ("page-dark.png", "dark", "/?q=how+do+stars+form", "#hits .hit:nth-child(2) h2 a", ".reader .here"),
)


def take(folder: Path) -> None:
    """Write the pictures into `folder`."""
    with TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        copy_photos(photos)
        with Library(Path(scratch) / "library") as library:
            library.index(ROOT / "data" / "sample", photos)
        with served(Path(scratch) / "library", Path(scratch) / "log") as running, launched() as browser:
            for name, scheme, path, pressed, shown in SHOTS:
                address = str(running.client.base_url)
                with visiting(browser, address, color_scheme=scheme, reduced_motion="reduce") as visit:
                    visit.go(path)
                    visit.page.locator(pressed).first.click()
                    expect(visit.page.locator(shown).first).to_be_visible()
                    visit.page.wait_for_load_state("networkidle")
                    visit.page.evaluate("scrollTo(0, 0)")  # what came while it was pressed may have moved it
                    picture = Image.open(BytesIO(visit.page.screenshot()))
                    picture.convert("RGB").quantize(256).save(folder / name, optimize=True)


if __name__ == "__main__":
    take(ROOT / "docs")
