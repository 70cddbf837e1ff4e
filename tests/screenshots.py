"""Take the pictures that the README shows, of the page, of commands and a sheet: `python -m tests.screenshots`."""

from __future__ import annotations

import html
import os
import re
import shlex
from contextlib import chdir
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, expect

from quarry.api import Library
from quarry.api.cli import cli
from quarry.data.photos import copy_photos
from tests.browsers import launched, visiting
from tests.folders import ROOT
from tests.processes import served

SHOTS = (
    ("page.png", "light", "/?q=when+was+the+Panama+Canal+opened", ".kinds button", ".card .exact"),
    ("page-dark.png", "dark", "/?q=how+do+stars+form", "#hits .hit:nth-child(2) h2 a", ".reader .here"),
)
COMMANDS = {
    "search.png": (
        'quarry search -n 2 "how do stars form"',
        'quarry search -n 2 "why does coffee keep people awake"',
        'quarry search -n 2 "김치 발효"',
    ),
    "ask.png": (
        'quarry ask "when was the Panama Canal opened"',
        'quarry ask "한라산의 높이는 얼마인가"',
        'quarry ask -n 3 "who won the marathon in 2012"',
        'quarry search "how do stars form" --summarize -n 1',
    ),
}
SHEET = ("images.png", "a cat")
COLUMNS = 96
_STYLE = re.compile(r"\x1b\[([\d;]*)m")
_STYLES = {
    "1": "font-weight: bold; color: #fff",
    "2": "color: #8a8d91",
    "32": "color: #7fd88f",
    "33": "color: #e8c35a",
    "36": "color: #6fb6c9",
}
_FONT = "font: 16px/24px 'DejaVu Sans Mono', 'NanumGothicCoding', monospace"
_TERMINAL = (
    '<body style="margin: 0; background: #202124; width: fit-content">'
    f'<pre style="margin: 0; padding: 20px 24px; color: #d6d8da; {_FONT}">'
)


def take(folder: Path) -> None:
    """Write the pictures into `folder`."""
    with TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        copy_photos(photos)
        with Library(Path(scratch) / "library") as library:
            library.index(ROOT / "data" / "sample", ROOT / "data" / "sound", photos, cross_lingual=True)
        _take_commands(folder, Path(scratch) / "library")
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


def _take_commands(folder: Path, library: Path) -> None:
    name, query = SHEET
    sheet = folder / name
    arguments = ["images", "--library", str(library), "--limit", "4", "--sheet", str(sheet), query]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    with Image.open(sheet) as picture:
        picture.load()
    picture.quantize(256).save(sheet, optimize=True)
    with launched() as browser:
        for name, commands in COMMANDS.items():
            _take_command(browser, folder / name, commands, library)


def _take_command(browser: Browser, picture: Path, commands: tuple[str, ...], library: Path) -> None:
    said = []
    for command in commands:
        arguments = [*shlex.split(command)[1:], "--library", os.fspath(library)]
        with chdir(ROOT):
            result = CliRunner(env={"COLUMNS": str(COLUMNS)}).invoke(cli, arguments, color=True)
        assert result.exit_code == 0, result.output
        said.append(f"\x1b[1m$ {command}\x1b[0m\n{result.output.strip(chr(10))}")
    page = browser.new_page(device_scale_factor=1)
    page.set_content(_TERMINAL + _marked_up("\n\n".join(said)))
    shown = Image.open(BytesIO(page.locator("pre").screenshot()))
    shown.convert("RGB").quantize(256).save(picture, optimize=True)
    page.close()


def _marked_up(output: str) -> str:
    """Return what a terminal shows as HTML: what is styled is so up to the next code."""
    first, *rest = _STYLE.split(output)
    found, on = html.escape(first), list[str]()
    for codes, text in zip(rest[::2], rest[1::2], strict=True):
        for code in codes.split(";"):
            on = [] if code in ("", "0") else [*on, code]
        style = "; ".join(_STYLES[code] for code in sorted(on, key=len) if code in _STYLES)
        found += f'<span style="{style}">{html.escape(text)}</span>'
    return found


if __name__ == "__main__":
    take(ROOT / "docs")
