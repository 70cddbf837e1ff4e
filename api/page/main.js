// The page: its header, the view that the URL names, and what the views share (`app`).
//
// A view is a module with `open(container, app)` and `close()`, and may have `update(app)`, which is called when the
// state has changed while it is open; without it, it is closed and opened anew.
//
// app = { state, client, words, go(changes, {replace}), href(changes), announce(text) }

import { Client } from "./client.js";
import { el } from "./elements.js";
import { DEFAULTS, VIEWS, read, write } from "./state.js";
import { Words } from "./words.js";

const LOADED = {
  search: () => import("./search.js"),
  map: () => import("./map.js"),
  upload: () => import("./upload.js"),
  roots: () => import("./roots.js"),
};

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

  /** Tell a screen reader. */
  announce(text) {
    document.getElementById("live").textContent = text;
  },
};

const container = document.getElementById("view");
let opened = { name: "", view: null };

async function show() {
  const name = app.state.view;
  for (const link of document.querySelectorAll(".top nav a"))
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  if (opened.name === name && opened.view?.update) return opened.view.update(app);
  opened.view?.close();
  opened = { name, view: null };
  const view = await LOADED[name]();
  if (app.state.view !== name || opened.view) return; // gone elsewhere meanwhile
  opened.view = view;
  container.replaceChildren();
  view.open(container, app);
}

function header() {
  const { words } = app;
  document.documentElement.lang = words.language;
  document.querySelector(".top").replaceChildren(
    el("a", { class: "brand", href: "/" }, "Quarry"),
    el("nav", {}, VIEWS.map((view) => el("a", { href: write({ ...DEFAULTS, view }) || "/", data: { view } }, words.say(view)))),
  );
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const elsewhere = event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey;
  if (!link || elsewhere || link.target || link.origin !== location.origin || link.pathname !== location.pathname) return;
  event.preventDefault();
  app.go(read(link.search));
});
addEventListener("popstate", () => {
  app.state = read(location.search);
  show();
});

header();
show();
