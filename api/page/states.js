// What stands in the place of hits where there are none: home, loading, nothing found, an empty library, no server, a key.

import { within } from "./client.js";
import { el, icon } from "./elements.js";
import { titleOf } from "./places.js";
import { anew } from "./state.js";

const SHELF = 8; // pictures
const SHELF_PIXELS = 144;

/** Where nothing is searched for yet: what there is, or how to begin. */
export function home(app) {
  const { client, words } = app;
  const place = el("div", { class: "home" });
  const count = async (kind, limit = 0) => {
    const asked = { limit, filter: JSON.stringify({ kind }) };
    const { libraries, together } = client.library ? {} : await client.get("/v1/libraries");
    if (!together) return client.get("/v1/documents", asked);
    const held = await Promise.all(libraries.map(({ name }) => client.get(within(name, "/v1/documents"), { ...asked, limit: 0 }).catch(() => ({ total: 0 }))));
    return { documents: [], total: held.reduce((sum, { total }) => sum + total, 0) };
  };
  Promise.all([count("text"), count("image", SHELF)]).then(
    ([texts, pictures]) => place.replaceChildren(...(texts.total + pictures.total ? greeting(app, texts.total, pictures) : [empty(app)])),
    (error) => place.replaceChildren(problem(app, error)),
  );
  place.append(el("h1", {}, words.say("home_title")), el("p", {}, words.say("home_note")));
  return place;
}

function greeting(app, texts, { documents, total }) {
  const { words, href } = app;
  return [
    el("h1", {}, words.say("home_title")),
    el("p", {}, words.say("home_note")),
    el("p", { class: "holds" }, words.say("home_holds", { texts, pictures: total })),
    documents.length > 0 &&
      el("div", { class: "shelf", style: { "--columns": Math.min(documents.length, 4) } }, documents.map((one) => {
        const image = el("img", { alt: titleOf(one), loading: "lazy" });
        app.client.show(image, `/v1/images/${encodeURIComponent(one.id)}/thumbnail?size=${SHELF_PIXELS}`);
        return el("a", { href: href({ document: one.id, at: null }) }, image);
      })),
  ].filter(Boolean);
}

function empty(app) {
  const { words, href, beginning } = app;
  return el(
    "section",
    { class: "message" },
    icon("folder"),
    el("h1", {}, words.say("empty")),
    el("p", {}, words.say("empty_try")),
    el("p", {}, el("a", { class: "main", href: href(beginning({ view: "upload" })) }, words.say("empty_upload"))),
    el("p", {}, words.say("empty_command")),
    el("pre", {}, "quarry index ~/Documents"),
  );
}

/** What a search looks like before its first hits. */
export function loading(app) {
  return el("div", { class: "ghosts", role: "status", "aria-label": app.words.say("loading") }, [1, 2, 3].map(() => el("div", { class: "ghost" })));
}

export function note(app, name) {
  return el("section", { class: "message" }, el("p", {}, app.words.say(name)));
}

/** Nothing was found: what could be tried, each a click away. */
export function none(app, response) {
  const { words, state, href } = app;
  const tries = [
    response.left_out && [words.say("try_near", { n: response.left_out }), { all: true }],
    (state.filter.length || state.exclude.length) && [words.say("try_filters"), anew({ filter: [], exclude: [] })],
    state.kind && [words.say("try_kind"), anew({ kind: "" })],
    state.mode !== "hybrid" && [words.say("try_mode"), anew({ mode: "hybrid" })],
  ].filter(Boolean);
  return el(
    "section",
    { class: "message" },
    icon("search"),
    el("h2", {}, words.say(response.left_out ? "none_near" : "none")),
    el("p", {}, words.say("none_try")),
    el("ul", {}, tries.map(([said, changes]) => el("li", {}, el("a", { href: href(changes) }, said))), el("li", {}, words.say("try_words"))),
  );
}

/** What went wrong, and what can be done about it. */
export function problem(app, error) {
  const { words } = app;
  if (error.status === 401 || error.status === 403) return key(app, error);
  const gone = error.status === 0;
  const title = gone ? "gone" : error.status === 429 || error.status === 503 ? "busy" : "failed";
  return el(
    "section",
    { class: "message", role: "alert" },
    icon(gone ? "gone" : "close"),
    el("h2", {}, words.say(title)),
    gone ? el("p", {}, words.say("gone_try")) : reason(error, words),
    el("button", { class: "main", type: "button", on: { click: () => app.reopen() } }, words.say("again")),
  );
}

/** What the server says went wrong: in the language of the page first, where that is not the server's. */
function reason(error, words) {
  const own = el("p", {}, error.message);
  if (words.language === "en") return own;
  const place = el("div", {}, own);
  import("./notes.js").then(({ wrong }) => {
    const told = wrong(error, words);
    if (told) place.replaceChildren(el("p", {}, told), el("p", { class: "note", lang: "en" }, error.message));
  });
  return place;
}

function key(app, error) {
  const { client, words } = app;
  const input = el("input", { type: "password", name: "key", required: true, autocomplete: "off", "aria-label": words.say("key"), placeholder: words.say("key") });
  const enter = (event) => {
    event.preventDefault();
    client.key = input.value.trim();
    app.reopen();
  };
  const [before, code, after] = words.say("key_note").split("`");
  return el(
    "section",
    { class: "message" },
    icon("key"),
    el("h2", {}, words.say("key_needed")),
    (client.key || error.status === 403) && el("p", { class: "wrong", role: "alert" }, words.say("key_wrong")),
    el("form", { class: "key", on: { submit: enter } }, input, el("button", { class: "main" }, words.say("key_use"))),
    el("p", { class: "note" }, before, el("code", {}, code), after),
  );
}
