// The view of a search: what narrows it, the answer, the hits, facets beside them. It asks again when the state has
// changed, gives up what it asked before, and shows old hits until there are new ones.

import { Answer } from "./answer.js";
import { chips } from "./chips.js";
import { el, icon } from "./elements.js";
import { Facets } from "./facets.js";
import { Hits } from "./hits.js";
import { keyOf, search } from "./request.js";
import { asks } from "./state.js";
import * as states from "./states.js";

const PAUSE_MS = 40; // between two letters of a quick hand
const SLOW_MS = 250; // from when on it is said that something is being done
const AGAIN_MS = 3000; // a server that is gone is asked again

let view = null;

export function open(container, app) {
  view = new Search(container, app);
  view.update();
}

export function update() {
  view?.update();
}

export function close() {
  view?.stop();
  view = null;
}

class Search {
  #app;
  #asked = null; // AbortController of the request that runs
  #key = ""; // of the search that is shown, or asked for
  #shown = 0;
  #wait = 0;
  #slow = 0;
  #parts;
  #facets;
  #hits;
  #answer;

  constructor(container, app) {
    this.#app = app;
    this.#facets = new Facets(app);
    this.#hits = new Hits(app);
    this.#answer = new Answer(app);
    const part = (name) => el("div", { class: name });
    this.#parts = { chips: part("chips"), bar: part("bar"), notes: part("notes"), state: part("state"), more: part("more") };
    const { chips: chipRow, bar, notes, state, more } = this.#parts;
    this.#hits.element.id = "hits";
    this.#parts.page = el(
      "div",
      { class: "search" },
      this.#facets.element,
      el("div", { class: "results" }, bar, chipRow, notes, state, this.#answer.element, this.#hits.element, more),
    );
    container.append(this.#parts.page);
  }

  stop() {
    clearTimeout(this.#wait);
    clearTimeout(this.#slow);
    this.#asked?.abort();
    this.#answer.stop();
  }

  update() {
    const { state } = this.#app;
    this.#parts.chips.replaceChildren(...chips(this.#app));
    this.#parts.page.dataset.asks = asks(state);
    if (!asks(state)) {
      this.stop();
      this.#key = "";
      this.#home();
      return;
    }
    const key = keyOf(state);
    if (key !== this.#key || state.shown > this.#shown) {
      const first = !this.#key;
      this.#key = key;
      clearTimeout(this.#wait);
      this.#wait = setTimeout(() => this.#ask(), first ? 0 : PAUSE_MS);
    } else {
      this.#hits.update();
      this.#answer.update();
    }
  }

  async #ask() {
    const { state, client } = this.#app;
    this.#asked?.abort();
    const asked = (this.#asked = new AbortController());
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#working(true), SLOW_MS);
    try {
      const fields = await this.#facets.fields();
      const response = await search(this.#app, state, { facets: fields }, { signal: asked.signal });
      if (asked !== this.#asked) return;
      this.#done();
      if (response) this.#show(state, response);
      else this.#clear(states.note(this.#app, "picture_gone"));
    } catch (problem) {
      if (asked !== this.#asked || problem.name === "AbortError") return;
      this.#done();
      this.#clear(states.problem(this.#app, problem));
      this.#key = "";
      if (problem.status === 0) this.#wait = setTimeout(() => client && this.update(), AGAIN_MS);
    }
  }

  #show(state, response) {
    const { words, announce } = this.#app;
    this.#shown = state.shown;
    this.#parts.state.replaceChildren();
    this.#parts.notes.replaceChildren(...response.degraded.map((text) => el("p", { class: "note" }, text)));
    this.#facets.show(state, response.facets ?? {});
    this.#hits.show(state, response);
    this.#answer.found(state, response);
    const total = this.#facets.total ?? response.hits.length;
    this.#bar(total, response.took_ms);
    announce(words.say(state.group ? "documents" : "hits", { n: total }));
    if (!response.hits.length) this.#parts.state.replaceChildren(states.none(this.#app, response));
    this.#parts.more.replaceChildren(...this.#more(state, response));
  }

  #more(state, response) {
    const { words, go } = this.#app;
    const found = [];
    if (response.hits.length >= state.shown)
      found.push(el("button", { class: "wide", type: "button", on: { click: () => go({ shown: state.shown + 20 }, { replace: true }) } }, words.say("more_hits")));
    if (response.left_out && response.hits.length)
      found.push(
        el("p", { class: "note" }, words.say("left_out", { n: response.left_out }), " ",
          el("button", { class: "link", type: "button", on: { click: () => go({ all: true }) } }, words.say("show_left_out"))),
      );
    return found;
  }

  #bar(total, took) {
    const { state, words, go } = this.#app;
    const kinds = this.#facets.kinds;
    const counted = (kind) => (kinds && !state.kind ? (kind ? kinds.get(kind) ?? 0 : total) : undefined);
    const kindOf = (kind, name) =>
      el("button", { type: "button", "aria-pressed": String(state.kind === kind), on: { click: () => go({ kind, shown: 20 }) } },
        words.say(name), counted(kind) !== undefined && el("span", { class: "count" }, words.number(counted(kind))));
    const chosen = (name, options, label) =>
      el("select", { "aria-label": words.say(label), on: { change: (event) => go({ [name]: event.target.value }) } },
        options.map((value) => el("option", { value, selected: state[name] === value }, words.say(`${name}_${value}`))));
    const layout = state.layout === "list" ? "gallery" : "list";
    this.#parts.bar.replaceChildren(
      el("h1", { class: "unseen" }, words.say("results")),
      el("div", { class: "kinds", role: "group", "aria-label": words.say("kind") },
        kindOf("", "all"), kindOf("text", "texts"), kindOf("image", "pictures")),
      el("span", { class: "took" }, words.say("took", { ms: Math.max(1, Math.round(took)) })),
      el("div", { class: "tools" },
        this.#facets.button(),
        chosen("sort", ["relevance", "-date", "date", "title"], "sort"),
        state.picture ? null : chosen("mode", ["hybrid", "semantic", "lexical"], "mode"),
        el("button", { class: "quiet", type: "button", "aria-pressed": String(state.group), title: words.say("group"), "aria-label": words.say("group"), on: { click: () => go({ group: !state.group }) } }, icon("document")),
        el("button", { class: "quiet", type: "button", title: words.say(layout), "aria-label": words.say(layout), on: { click: () => go({ layout }) } }, icon(layout))),
    );
  }

  #home() {
    this.#clear(states.home(this.#app));
    document.body.dataset.home = "";
  }

  #clear(state) {
    for (const part of Object.values(this.#parts)) if (part !== this.#parts.page && part !== this.#parts.chips) part.replaceChildren();
    this.#hits.clear();
    this.#answer.clear();
    this.#facets.clear();
    this.#parts.state.replaceChildren(state);
  }

  #done() {
    clearTimeout(this.#slow);
    this.#working(false);
  }

  #working(on) {
    delete document.body.dataset.home;
    document.body.classList.toggle("working", on);
    this.#hits.element.setAttribute("aria-busy", String(on));
    if (on && !this.#hits.element.children.length) this.#parts.state.replaceChildren(states.loading(this.#app));
  }
}
