// The menu of the libraries that the server has, where it has several. Which one is open stands in the URL.

import { el, icon } from "./elements.js";

/** Fill `place` with the menu; it stays empty where there is nothing to choose. */
export async function choice(place, app) {
  const { client, words, state } = app;
  const { libraries, together } = await client.get("/v1/libraries").catch(() => ({ libraries: [] })); // a view says what is wrong
  document.body.dataset.together = Boolean(together && !state.library); // the other views are of one library
  if (libraries.length < 2) return;
  const menu = el("select", { "aria-label": words.say("library"), on: { change: () => app.go(app.beginning({ library: menu.value, view: app.state.view, query: app.state.query })) } },
    together && el("option", { value: "", selected: !state.library }, words.say("libraries_all")),
    libraries.map(({ name, is_default }) => el("option", { value: is_default ? "" : name, selected: state.library === (is_default ? "" : name) }, name)));
  place.replaceChildren(el("span", { class: "menu" }, menu, icon("more")));
}
