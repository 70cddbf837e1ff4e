"""Typing in the page's box: how long it takes from a letter to its hits, and what a first view receives.

Questions are typed letter by letter, one every 120 ms, over the sample library and photos, in Chromium on the machine
of the server. A letter's time is from its keydown event to the frame in which hits of that very text are drawn. Letters
whose hits the next letter made needless are told apart.

Run: python -m benchmarks.page   (Chromium is needed)
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from quarry.api import Library
from quarry.data.photos import copy_photos
from tests.browsers import launched, visiting
from tests.processes import served

SAMPLE = Path(__file__).parent.parent / "data" / "sample"
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


def typed(address: str) -> tuple[list[dict[str, Any]], int]:
    """Return what was noted of each letter, and how many bytes the first view received."""
    letters: list[dict[str, Any]] = []
    with launched() as browser, visiting(browser, address) as visit:
        visit.go("/")
        visit.page.wait_for_load_state("networkidle")
        received = visit.received
        visit.page.evaluate(WATCH)
        for question in QUESTIONS:
            visit.page.locator(".box input[type=text]").press_sequentially(question, delay=EACH_MS)
            visit.page.wait_for_timeout(1_000)
            letters += visit.page.evaluate("letters.splice(0)")
            visit.page.keyboard.press("Escape")
            visit.page.wait_for_timeout(500)
            visit.page.evaluate("letters.length = 0")
    return letters, received


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory(prefix="quarry-bench-") as scratch:
        copy_photos(Path(scratch, "photos"))
        with Library(Path(scratch, "library")) as library:
            library.index(SAMPLE, Path(scratch, "photos"))
        with served(Path(scratch, "library"), Path(scratch, "log")) as server:
            letters, received = typed(str(server.client.base_url))
    times = [one["drawn"] for one in letters if one["drawn"] is not None]
    p50, p95 = np.percentile(times, [50, 95])
    print(f"{machine.description()}\n")
    print(f"The first view receives {received / 1e3:.0f} kB.")
    print(f"Of {len(letters)} letters {len(times)} showed hits of their own: p50 {p50:.0f} ms, p95 {p95:.0f} ms;")
    print(f"within 100 ms: {np.mean(np.asarray(times) <= 100):.0%}.")


if __name__ == "__main__":
    main()
