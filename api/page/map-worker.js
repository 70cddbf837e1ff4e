// Lays a map out beside the page's own thread: takes `{parts, links}` of map-layout.js, posts `{positions, done}`.

import { layout } from "./map-layout.js";

const PAUSE_MS = 120; // between two states that are told

onmessage = ({ data: { parts, links } }) => {
  let told = -Infinity;
  for (const { positions, done } of layout(parts, links)) {
    if (done < 1 && performance.now() - told < PAUSE_MS) continue;
    told = performance.now();
    const copy = positions.slice();
    postMessage({ positions: copy, done }, [copy.buffer]);
  }
};
