// Texts with spans of them marked, and the part of a passage that a list shows.

import { el } from "./elements.js";

/** Pieces of `text` from `start` to `end`; what `spans` name is in <mark>. Offsets count characters as the server does. */
export function marked(text, spans, start = 0, end = Infinity) {
  const letters = lettersOf(text);
  const stop = Math.min(end, letters.length);
  const pieces = [];
  let at = start;
  for (const [from, to] of [...spans].sort((a, b) => a[0] - b[0])) {
    if (to <= at || from >= stop) continue;
    pieces.push(letters.slice(at, Math.max(from, at)), el("mark", {}, letters.slice(Math.max(from, at), Math.min(to, stop))));
    at = Math.min(to, stop);
  }
  pieces.push(letters.slice(at, stop));
  return pieces.filter((piece) => piece !== "");
}

/** A text by the server's characters, which are code points: `slice`, `length`. */
export function lettersOf(text) {
  if (!/[\ud800-\udbff]/.test(text)) return text;
  const points = [...text];
  return { length: points.length, slice: (start, end) => points.slice(start, end).join("") };
}

const SHOWN = 320; // characters

/** Where the part of a passage begins and ends that holds most of its spans, and whether there is more on either side.
 *  A first line that is one of `titles` is passed by: it is said already. */
export function excerpt(text, spans, titles = []) {
  const letters = lettersOf(text);
  const first = afterTitle(text, titles);
  if (letters.length - first <= SHOWN * 1.25) return [first, letters.length, false, false];
  let [best, most] = [first, -1];
  for (const at of sentences(text).filter((one) => one >= first)) {
    const count = spans.filter(([from, to]) => from >= at && to <= at + SHOWN).length;
    if (count > most) [best, most] = [at, count];
  }
  const end = Math.min(best + SHOWN, letters.length);
  const cut = end < letters.length ? /\S*$/.exec(letters.slice(best, end))[0].length : 0;
  const stop = end - (cut < 30 ? cut : 0);
  return [best, stop, best > first, stop < letters.length];
}

function afterTitle(text, titles) {
  const [line] = text.split("\n", 1);
  const said = line.replace(/^#+\s*/, "").trim().toLowerCase();
  const again = line.length < text.length && titles.some((title) => title && title.trim().toLowerCase() === said);
  return again ? /^\s*([=~*^"'-]{3,}\s*\n)?\s*/.exec(text.slice(line.length))[0].length + line.length : 0;
}

function sentences(text) {
  return [0, ...[...text.matchAll(/(?:[.!?。]["')\]]*|\n)\s+/g)].map((one) => one.index + one[0].length)];
}
