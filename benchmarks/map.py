"""The page's map of 10,000 points: how long its layout takes, what a frame costs, and how well it keeps neighbours.

Times are of the processor, which a busy machine does not change much. The layout is held against t-SNE (scikit-learn)
and the first two principal components, by trustworthiness over 2,000 points (Venna and Kaski 2001; 1 is best).

Run: python -m benchmarks.map FOLDER   (the library is made in FOLDER where it is missing; Chromium is needed)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.manifold import TSNE, trustworthiness

from benchmarks import machine
from benchmarks.latency import build
from quarry.api import Library
from quarry.search.alike.principal import principal
from tests.browsers import launched
from tests.processes import served

SAMPLE, NEIGHBOURS = 2_000, 12
FRAMES_MS = 3_000
LAYOUT = """async (limit) => {
  const { layout } = await import("/page/map-layout.js");
  const { parts } = await (await fetch(`/v1/map?limit=${limit}`)).json();
  const input = parts.map(({ ids, dimensions, scale, vectors }) => ({
    count: ids.length,
    dimensions,
    values: Float32Array.from(Int8Array.from(atob(vectors), (one) => one.charCodeAt(0)), (value) => value * scale),
  }));
  let positions;
  for (const state of layout(input)) positions = state.positions;
  return [...positions];
}"""
# Moves the map for a while, as a hand would; gives how many frames that took.
MOVING = """([act, ms]) => new Promise((done) => {
  const canvas = document.querySelector(".map-field canvas");
  const { x, y } = canvas.getBoundingClientRect();
  canvas.setPointerCapture = () => {};
  const point = (name, left, top) => canvas.dispatchEvent(
    new PointerEvent(name, { pointerId: 1, pointerType: "mouse", clientX: x + left, clientY: y + top, bubbles: true }));
  const began = performance.now();
  let frames = 0;
  if (act === "pan") point("pointerdown", 400, 300);
  const next = (now) => {
    frames++;
    if (act === "pan") point("pointermove", 400 + 80 * Math.sin(frames / 10), 300 + 80 * Math.cos(frames / 10));
    if (act === "zoom")
      canvas.dispatchEvent(new WheelEvent("wheel",
        { deltaY: frames % 60 < 30 ? -30 : 30, clientX: x + 400, clientY: y + 300, bubbles: true, cancelable: true }));
    if (now - began < ms) requestAnimationFrame(next);
    else {
      if (act === "pan") point("pointerup", 400, 300);
      done(frames);
    }
  };
  requestAnimationFrame(next);
})"""


def in_browser(address: str) -> tuple[dict[str, float], np.ndarray]:
    """Return what the page's main thread takes, in ms by what is done, and the layout of a sample."""
    found: dict[str, float] = {}
    with launched() as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        page.set_default_timeout(300_000)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            metrics = session.send("Performance.getMetrics")["metrics"]
            return next(one["value"] for one in metrics if one["name"] == "TaskDuration") * 1e3

        def timed(name: str, script: str, argument: Any) -> Any:
            began = busy()
            result = page.evaluate(script, argument)
            found[name] = busy() - began
            return result

        page.goto(f"{address}/?view=upload")
        timed("layout", LAYOUT, 10_000)
        positions = timed("layout of the sample", LAYOUT, SAMPLE)
        page.goto(f"{address}/?view=map")
        page.wait_for_selector("canvas[data-done=true]")
        for act in ("pan", "zoom"):
            frames = timed(act, MOVING, [act, FRAMES_MS])
            found[act] /= frames
    return found, np.reshape(positions, (-1, 2))


def main(folder: str) -> None:
    """Print the figures."""
    build(Path(folder))
    with Library(Path(folder, "library")) as library:
        began = time.process_time()
        library.map()
        made = time.process_time() - began
        (part,) = library.map(limit=SAMPLE).parts
    vectors = part.vectors.astype(np.float32)
    with tempfile.TemporaryDirectory() as scratch, served(Path(folder, "library"), Path(scratch, "log")) as server:
        found, positions = in_browser(str(server.client.base_url))
        size = len(server.client.get("/v1/map").content)
    began = time.process_time()
    neighbours = TSNE(random_state=0).fit_transform(vectors)
    taken = time.process_time() - began
    print(f"{machine.description()}\n")
    print(f"The server makes the map in {made:.1f} s, {size / 1e6:.1f} MB.")
    print(f"The page lays it out in {found['layout'] / 1e3:.1f} s, beside its own thread.")
    print(f"A frame: {found['pan']:.1f} ms while it is moved, {found['zoom']:.1f} ms while it is zoomed.\n")
    print(f"| {SAMPLE:,} points | trustworthiness | processor time |\n| --- | --- | --- |")
    for name, laid_out, seconds in (
        ("the page", positions, found["layout of the sample"] / 1e3),
        ("t-SNE", neighbours, taken),
        ("two principal components", principal(vectors, 2), 0.0),
    ):
        print(f"| {name} | {trustworthiness(vectors, laid_out, n_neighbors=NEIGHBOURS):.3f} | {seconds:.1f} s |")


if __name__ == "__main__":
    main(sys.argv[1])
