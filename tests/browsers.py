"""A real Chromium, and what it must never do while it shows the page."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_MS = 30_000  # of a machine that is busy with other tests
expect.set_options(timeout=TIMEOUT_MS)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def launched() -> Iterator[Browser]:
    """Run Chromium until the block ends; skip the test where there is none, but not where all tests must run."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        if os.environ.get("CI"):
            raise AssertionError("no Chromium is installed: apt-get install chromium")
        pytest.skip("no Chromium is installed here: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page that is watched: it keeps what went wrong on it.

    Args:
        allowed: parts of what may be said on the console in this test.
    """

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)
    allowed: tuple[str, ...] = ()
    received: int = 0  # bytes over the wire

    def go(self, path: str) -> None:
        """Open a path of the server."""
        self.page.goto(self.address + path)

    def unkind(self, *rules: str) -> list[str]:
        """What axe finds that is serious or critical, by some of its rules or by all."""
        self.page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => null)))")
        found = Axe().run(self.page, options={"runOnly": list(rules)} if rules else None).response["violations"]
        return [
            f"{one['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for one in found
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[Visit]:
    """Open a tab of its own; at the end nothing must have gone wrong in it."""
    context = browser.new_context(**{"locale": "en-US", **DESKTOP, **options})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    visit = Visit(page, address)

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            visit.faults.append(message.text)

    def asked(request: Request) -> None:
        if not _is_ours(request.url, address):
            visit.faults.append(f"asked for {request.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: visit.faults.append(str(error)))
    page.on("request", asked)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda done: _count(visit, done["encodedDataLength"]))
    try:
        yield visit
        faults = [fault for fault in visit.faults if not any(part in fault for part in visit.allowed)]
        assert not faults, faults
    finally:
        context.close()


def _count(visit: Visit, size: float) -> None:
    visit.received += int(size)


def _is_ours(url: str, address: str) -> bool:
    return urlsplit(url).scheme in ("blob", "data") or urlsplit(url).netloc == urlsplit(address).netloc


def hits(page: Page) -> Locator:
    """What a search lists."""
    return page.locator("#hits .hit")


def box(page: Page) -> Locator:
    """Where one types what is looked for."""
    return page.get_by_role("combobox", name=re.compile("^(Ask or|라이브러리)"))
