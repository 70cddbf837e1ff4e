// The view of what there is more than once, in groups, each document with why it is there; and of what fits nowhere.

import { DUPLICATES_WORDS } from "./duplicates-words.js";
import { el } from "./elements.js";
import { dateOf } from "./hits.js";
import { pathOf, titleOf } from "./places.js";
import { filterOf } from "./request.js";
import { loading, problem } from "./states.js";

const KINDS = ["copies", "meaning", "outliers"];
const SHOWN = 20; // groups or documents at once
const LISTED = 10; // copies of a group
const PIXELS = 144;

let asking = null;
let shown = null; // {container, key}

export function open(container, app) {
  const { words, state } = app;
  shown = { container, key: keyOf(state) };
  app.words.add(DUPLICATES_WORDS);
  const among = KINDS.includes(state.among) ? state.among : KINDS[0];
  const list = el("div", { class: "twins", "aria-live": "polite" }, loading(app));
  const tab = (kind) => el("button", { type: "button", "aria-pressed": String(kind === among), on: { click: () => app.go({ among: kind }) } }, words.say(`among_${kind}`));
  container.append(
    el("section", { class: "duplicates" }, el("h1", {}, words.say(among === "outliers" ? "among_outliers" : "duplicates")),
      el("div", { class: "kinds", role: "group", "aria-label": words.say("among") }, KINDS.map(tab)), list),
  );
  asking = new AbortController();
  const { signal } = asking;
  const show = among === "outliers" ? outliers : groups;
  show(app, list, among, signal).catch((error) => error.name !== "AbortError" && list.replaceChildren(problem(app, error)));
}

/** Follow a state: a document that is opened over it leaves the list as it is. */
export function update(app) {
  if (keyOf(app.state) === shown.key) return;
  const { container } = shown;
  close();
  container.replaceChildren();
  open(container, app);
}

const keyOf = ({ among, filter }) => JSON.stringify([among, filter]);

export function close() {
  asking?.abort();
  asking = null;
}

async function groups(app, list, among, signal, offset = 0) {
  const { words, client } = app;
  const found = await client.get("/v1/duplicates", { by: among, limit: SHOWN, offset, ...filtered(app) }, { signal });
  if (!offset) {
    const { total, copies, unseen } = found;
    const said = total ? words.say("groups", { n: total, copies }) : words.say(among === "meaning" ? "meaning_none" : "groups_none");
    list.replaceChildren(el("p", { class: "note" }, said), ...(unseen ? [el("p", { class: "note" }, words.say("unseen", { n: unseen }))] : []));
  }
  list.append(...found.groups.map((group) => grouped(app, group, among)));
  further(app, list, offset + found.groups.length, found.total, (next) => groups(app, list, among, signal, next));
}

function grouped(app, { keep, copies, total }, among) {
  const { words } = app;
  const why = (copy) => (copy.same ? words.say("why_equal") : words.say(among === "meaning" ? "why_meaning" : copy.document.kind === "image" ? "why_image" : "why_text", { percent: Math.min(99, Math.round(100 * copy.alike)) }));
  const shown = copies.slice(0, LISTED);
  return el(
    "article",
    { class: "twin", "aria-label": titleOf(keep.document) },
    entry(app, keep.document, el("span", { class: "why keep" }, words.say("keep")), keep.bytes),
    shown.map((copy) => entry(app, copy.document, el("span", { class: copy.same ? "why equal" : "why" }, why(copy)), copy.bytes)),
    total > shown.length && el("p", { class: "note" }, words.say("more_copies", { n: total - shown.length })),
  );
}

async function outliers(app, list, among, signal, offset = 0) {
  const { words, client } = app;
  const found = await client.get("/v1/outliers", { limit: SHOWN, offset, ...filtered(app) }, { signal });
  const { total: n, compared } = found;
  if (!offset) list.replaceChildren(el("p", { class: "note" }, words.say(n ? "outliers_found" : "outliers_none", { n, compared })));
  list.append(...found.outliers.map(({ document, nearest, spreads }) => {
    const times = words.number(spreads, { maximumFractionDigits: 1 });
    return el("article", { class: "twin", "aria-label": titleOf(document) },
      entry(app, document, el("span", { class: "why" }, words.say("spreads", { times }))),
      el("p", { class: "note" }, words.say("nearest_one"), " ", el("a", { href: opened(app, nearest) }, titleOf(nearest))));
  }));
  further(app, list, offset + found.outliers.length, n, (next) => outliers(app, list, among, signal, next));
}

function further(app, list, next, total, more) {
  if (next >= total) return;
  const button = el("button", { class: "wide", type: "button", on: { click: () => (button.remove(), more(next)) } }, app.words.say("more_groups"));
  list.append(button);
}

function entry(app, document, why, bytes = null) {
  const { words, client } = app;
  const image = document.kind === "image" && el("img", { alt: "", loading: "lazy", decoding: "async" });
  if (image) client.show(image, `/v1/images/${encodeURIComponent(document.id)}/thumbnail?size=${PIXELS}`);
  const date = dateOf(document);
  return el(
    "div",
    { class: "one" },
    image,
    el("div", {},
      el("h2", {}, el("a", { href: opened(app, document) }, titleOf(document))),
      el("p", { class: "where" }, el("span", { class: "path" }, pathOf(document)), date && el("time", { datetime: date }, words.date(date)),
        bytes !== null && el("span", {}, words.number(bytes / 1000, { style: "unit", unit: "kilobyte", maximumFractionDigits: bytes < 10_000 ? 1 : 0 })))),
    why,
  );
}

const opened = (app, document) => app.href({ document: document.id, at: null });

function filtered({ state }) {
  const filter = filterOf(state.filter);
  return filter ? { filter: JSON.stringify(filter) } : {};
}
