// Where pictures show what is asked for, drawn over them: a box, and a heat map while the pointer is over one.

import { el, svg } from "./elements.js";
import { search } from "./request.js";

const LEAST = 0.2; // of the heat, below which a part stays as it is

/** Ask where the pictures among the hits show it, and draw that; gives up when `signal` says so. */
export async function see(hits, app, signal) {
  const { words, state } = app;
  let response = null;
  try {
    response = await search(app, state, { ground: true }, { signal });
  } catch (problem) {
    if (problem.name !== "AbortError") app.announce(problem.message);
  }
  if (signal.aborted) return;
  for (const { id, grounding, document } of response?.hits ?? []) {
    const hit = hits.querySelector(`.hit[data-id="${CSS.escape(id)}"]`);
    if (!grounding || !hit) continue;
    const percent = Math.round(100 * grounding.confidence);
    hit.querySelector(".thumbnail")?.append(drawn(grounding, document.metadata));
    hit.querySelector(".where")?.append(el("span", { class: "seen" }, words.say(grounding.box ? "seen" : "seen_nowhere", { percent })));
  }
}

/** Take away what `see` drew. */
export function forget(hits) {
  for (const one of hits.querySelectorAll(".seen")) one.remove();
}

// Cut as the picture is, which fills its place whatever its shape.
function drawn({ box, heat }, { width, height }) {
  const [wide, high] = width > 0 && height > 0 ? [width, height] : [4, 3];
  const rows = heat.length;
  const cells = heat.flatMap((row, down) =>
    row.map((share, across) => share > LEAST &&
      svg("rect", { x: (across * wide) / row.length, y: (down * high) / rows, width: wide / row.length, height: high / rows, "fill-opacity": (share * share).toFixed(3) })));
  const [left, top, right, bottom] = box ?? [];
  const place = box && { x: left * wide, y: top * high, width: (right - left) * wide, height: (bottom - top) * high };
  return svg("svg", { class: "seen", viewBox: `0 0 ${wide} ${high}`, preserveAspectRatio: "xMidYMid slice" },
    svg("g", { class: "warmth", "shape-rendering": "crispEdges" }, cells),
    box && [svg("rect", { class: "around", ...place }), svg("rect", { class: "edge", ...place })]);
}
