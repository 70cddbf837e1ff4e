"""Typing in the page's box: how long it takes from a letter to its hits, and what a first view receives.

Questions are typed letter by letter, one every 120 ms, over the sample library and photos, in Chromium on the machine
of the server. A letter's time is from its keydown event to the frame in which hits of that very text are drawn. Letters
whose hits the next letter made needless are told apart.

Both depend on what else the machine does; the processor time of a letter hardly does: it is what page and server spent
while questions were typed, over the letters.

Run: python -m benchmarks.page   (Chromium is needed)
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from quarry.api import Library
from quarry.data.photos import copy_photos
from tests.browsers import launched, visiting
from tests.folders import SAMPLE
from tests.processes import Served, served

QUESTIONS = (
    "how do stars form",
    "why does coffee keep people awake",
    "when was the Panama Canal opened",
    "a cup of coffee",
    "a cat looking at the camera",
    "who painted the night watch",
    "한라산의 높이는 얼마인가",
    "black holes",
)
EACH_MS = 120  # a quick typist: 100 words a minute
# Notes when each letter was pressed, and when hits of its text were drawn: the first frame after the list has changed.
WATCH = """() => {
  const box = document.querySelector(".box input[type=text]");
  const answered = new Set();
  const letters = (window.letters = []);
  let pressed = 0;
  addEventListener("keydown", () => (pressed = performance.now()), true);
  box.addEventListener("input", () => {
    const text = box.value.trim();
    if (text !== letters.at(-1)?.text) letters.push({ text, pressed, drawn: null }); // a space asks for nothing
  });
  const plain = window.fetch;
  window.fetch = async (path, options) => {
    const response = await plain(path, options);
    const { query, facets } = path === "/v1/search" ? JSON.parse(options.body) : { facets: true };
    if (!facets) answered.add(query.trim());
    return response;
  };
  new MutationObserver(() => requestAnimationFrame(() => {
    const now = performance.now();
    for (const one of letters) if (one.drawn === null && answered.has(one.text)) one.drawn = now - one.pressed;
    answered.clear();
  })).observe(document.querySelector("#hits"), { childList: true });
}"""


@dataclass(frozen=True)
class Typed:
    """What typing came to.

    Args:
        letters: how many were typed that ask for something.
        drawn: milliseconds until hits of their own stood there, of those that the next letter did not make needless.
        page, server: milliseconds of processor time that a letter takes of the page's thread and of the server.
        received: bytes of the first view.
    """

    letters: int
    drawn: list[float]
    page: float
    server: float
    received: int


def typed(server: Served) -> Typed:
    """Type the questions, and note how long letters take."""
    noted: list[dict[str, Any]] = []
    with launched() as browser, visiting(browser, str(server.client.base_url)) as visit:
        page = visit.page
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> np.ndarray:
            metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
            return np.array([metrics["TaskDuration"] * 1e3, _processor_ms(server.process.pid)])

        visit.go("/")
        page.wait_for_load_state("networkidle")
        received = visit.received
        page.evaluate(WATCH)
        box = page.locator(".box input[type=text]")
        spent = np.zeros(2)
        for question in QUESTIONS:
            began = busy()
            for letter in question:
                box.press_sequentially(letter)
                page.wait_for_timeout(EACH_MS)
            spent += busy() - began
            page.wait_for_timeout(1_000)
            noted += page.evaluate("letters.splice(0)")
            page.keyboard.press("Escape")
            page.wait_for_timeout(500)
            page.evaluate("letters.length = 0")
    drawn = [one["drawn"] for one in noted if one["drawn"] is not None]
    return Typed(len(noted), drawn, spent[0] / len(noted), spent[1] / len(noted), received)


def _processor_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e3


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as scratch:
        copy_photos(Path(scratch, "photos"))
        with Library(Path(scratch, "library")) as library:
            library.index(SAMPLE, Path(scratch, "photos"))
        with served(Path(scratch, "library"), Path(scratch, "log")) as server:
            found = typed(server)
    p50, p95 = np.percentile(found.drawn, [50, 95])
    print(f"{machine.description()}\n")
    print(f"The first view receives {found.received / 1e3:.0f} kB.")
    print(
        f"Of {found.letters} letters {len(found.drawn)} showed hits of their own: p50 {p50:.0f} ms, p95 {p95:.0f} ms;"
    )
    print(f"within 100 ms: {np.mean(np.asarray(found.drawn) <= 100):.0%}.")
    print(f"A letter takes {found.page:.0f} ms of the page's thread and {found.server:.0f} ms of the server.")


if __name__ == "__main__":
    main()
