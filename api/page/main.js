// The page: its header, the view that the URL names, the document that is open over it, and what they share (`app`).
//
// A view is a module with `open(container, app)` and `close()`, and may have `update(app)`, which is called when the
// state has changed while it is open; one without it is closed and opened anew.
//
// app = { state, client, words, go(changes, {replace}), href(changes), beginning(changes), announce(text), reopen() }

import { Box } from "./box.js";
import { Client } from "./client.js";
import { el, icon } from "./elements.js";
import { choice } from "./libraries.js";
import { DEFAULTS, VIEWS, read, write } from "./state.js";
import { Words } from "./words.js";

const LOADED = {
  search: () => import("./search.js"),
  map: () => import("./map.js"),
  duplicates: () => import("./duplicates.js"),
  upload: () => import("./upload.js"),
  roots: () => import("./roots.js"),
};
const ICONS = { search: "search", map: "map", duplicates: "twins", upload: "plus", roots: "folder" };

const app = {
  state: read(location.search),
  client: new Client(),
  words: new Words(),

  /** Change the state, and with it the URL. `replace`: without an entry of its own in the history. */
  go(changes, { replace = false } = {}) {
    const url = app.href(changes);
    if (url !== location.pathname + location.search) history[replace ? "replaceState" : "pushState"](null, "", url);
    app.state = { ...app.state, ...changes };
    show();
  },

  /** The URL of a state that differs from this one by `changes`, for links. */
  href(changes) {
    return location.pathname + write({ ...app.state, ...changes });
  },

  /** The changes that leave nothing of this state but the library. */
  beginning(changes = {}) {
    return { ...DEFAULTS, library: app.state.library, ...changes };
  },

  /** Tell a screen reader; `beside` what was told just before, lest an answer that comes at once silence the hits. */
  announce(text, { beside = false } = {}) {
    const live = document.getElementById("live");
    live.replaceChildren(...(beside ? live.children : []), el("div", {}, text));
  },

  /** Open the view anew, as when there is a key now, another language or another library. */
  reopen() {
    app.client.library = app.state.library;
    opened.view?.close();
    opened = { name: "", view: null };
    reader?.close();
    header();
    show();
  },
};

const container = document.getElementById("view");
const box = new Box(app);
let opened = { name: "", view: null };
let reader = null; // document.js, once one was opened

async function show() {
  if (app.client.library !== app.state.library) return app.reopen();
  const name = app.state.view;
  for (const link of document.querySelectorAll(".views a"))
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  document.body.dataset.view = name;
  document.title = app.state.query ? `${app.state.query} · Quarry` : "Quarry";
  box.update();
  showDocument();
  if (opened.name === name) {
    if (opened.view?.update) opened.view.update(app);
    else if (opened.view) openView(opened.view);
    return;
  }
  opened.view?.close();
  opened = { name, view: null };
  const mine = opened;
  const view = await LOADED[name]();
  if (opened === mine) {
    opened.view = view;
    openView(view);
  }
}

function openView(view) {
  view.close();
  container.replaceChildren();
  view.open(container, app);
}

async function showDocument() {
  if (app.state.document) reader ??= await import("./document.js");
  reader?.update(app);
}

function header() {
  const { words, href, beginning } = app;
  const library = el("span", { class: "library" });
  document.documentElement.lang = words.language;
  const link = (view) =>
    el("a", { href: href(beginning({ view })), data: { view } }, icon(ICONS[view]), el("span", {}, words.say(view)));
  document.querySelector(".top").replaceChildren(
    el("a", { class: "skip", href: "#view" }, words.say("skip")),
    el("div", { class: "named" }, el("a", { class: "brand", href: href(beginning()) }, icon("brand"), el("span", {}, "Quarry")), library),
    box.element(),
    el("nav", { class: "views", "aria-label": words.say("views") }, VIEWS.map(link)),
    el(
      "div",
      { class: "settings" },
      el("button", { class: "quiet", type: "button", lang: words.language === "en" ? "ko" : "en", on: { click: speak } }, words.say("other_language")),
      el("button", { class: "quiet keys", type: "button", "aria-label": words.say("keys"), title: words.say("keys"), on: { click: help } }, "?"),
    ),
  );
  choice(library, app);
}

function speak() {
  app.words.switch();
  app.reopen();
}

const KEYS = [
  ["/ · Ctrl K", "key_focus"],
  ["↑ ↓", "key_walk"],
  ["Enter", "key_enter"],
  ["Esc", "key_escape"],
  ["n · p", "key_match"],
  ["w", "key_why"],
  ["?", "key_help"],
];

function help() {
  const { words } = app;
  const dialog = el(
    "dialog",
    { class: "help", "aria-label": words.say("keys"), on: { close: () => dialog.remove(), click: (event) => event.target === dialog && dialog.close() } },
    el("h2", {}, words.say("keys")),
    el("dl", {}, KEYS.map(([keys, name]) => el("div", {}, el("dt", {}, keys), el("dd", {}, words.say(name))))),
    el("button", { class: "main", type: "button", on: { click: () => dialog.close() } }, words.say("close")),
  );
  document.body.append(dialog);
  dialog.showModal();
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const elsewhere = event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey;
  if (!link || elsewhere || link.target || link.origin !== location.origin || link.pathname !== location.pathname) return;
  if (link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  app.go(read(link.search));
});

document.addEventListener("keydown", (event) => {
  const writing = event.target.closest("input, textarea, select, [contenteditable]");
  if ((event.key === "/" && !writing) || (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey))) {
    if (document.querySelector("dialog[open]")) return;
    event.preventDefault();
    box.focus();
  } else if (event.key === "?" && !writing && !document.querySelector("dialog[open]")) {
    event.preventDefault();
    help();
  }
});

addEventListener("popstate", () => {
  app.state = read(location.search);
  show();
});

app.reopen();
