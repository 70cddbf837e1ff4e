// The view of a search: what narrows it, the answer, the hits, facets beside them. It asks again when the state has
// changed, gives up what it asked before, and shows old hits until there are new ones. Facets rank far deeper than a list
// of hits: they are asked for when the hits are there and no letter follows.

import { Answer } from "./answer.js";
import { Bar } from "./bar.js";
import { chips } from "./chips.js";
import { el } from "./elements.js";
import { Facets } from "./facets.js";
import { Hits } from "./hits.js";
import { keyOf, search } from "./request.js";
import { asks } from "./state.js";
import * as states from "./states.js";

const PAUSE_MS = [30, 400]; // after a letter while an answer is awaited, at least and at most: a slow server is asked less often
const COUNT_MS = 250; // after the hits, before they are counted
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
  #asked = null; // AbortController of the search that is awaited
  #counting = null; // and of the count of what it found
  #key = ""; // of the search that is shown, or asked for
  #shown = 0;
  #counted = ""; // the key of the search that facets are of
  #wait = 0;
  #slow = 0;
  #pause = PAUSE_MS[0];
  #parts;
  #bar;
  #facets;
  #hits;
  #answer;

  constructor(container, app) {
    this.#app = app;
    this.#bar = new Bar(app);
    this.#facets = new Facets(app);
    this.#hits = new Hits(app);
    this.#answer = new Answer(app);
    const part = (name) => el("div", { class: name });
    this.#parts = { chips: part("chips"), notes: part("notes"), state: part("state"), more: part("more") };
    const { chips: chipRow, notes, state, more } = this.#parts;
    this.#hits.element.id = "hits";
    this.#parts.page = el(
      "div",
      { class: "search" },
      this.#facets.element,
      el("div", { class: "results" }, this.#bar.element, chipRow, notes, state, this.#answer.element, this.#hits.element, more),
    );
    container.append(this.#parts.page);
  }

  stop() {
    clearTimeout(this.#wait);
    clearTimeout(this.#slow);
    this.#asked?.abort();
    this.#asked = null;
    this.#counting?.abort();
    this.#answer.stop();
  }

  update() {
    const { state } = this.#app;
    this.#chips();
    this.#parts.page.dataset.asks = asks(state);
    this.#bar.update();
    this.#facets.update();
    if (!asks(state)) {
      this.stop();
      this.#key = "";
      this.#home();
      return;
    }
    const key = keyOf(state);
    if (key !== this.#key || state.shown > this.#shown) {
      this.#key = key;
      this.#answer.stop();
      clearTimeout(this.#wait);
      if (this.#asked) this.#wait = setTimeout(() => this.#ask(), this.#pause);
      else this.#ask();
    } else {
      this.#hits.update();
      this.#answer.update();
    }
  }

  // The focus stays in its place: on what came after a chip that was removed, else in the box.
  #chips() {
    const row = this.#parts.chips;
    const at = [...row.querySelectorAll("button")].indexOf(document.activeElement);
    row.replaceChildren(...chips(this.#app));
    if (at < 0) return;
    const left = [...row.querySelectorAll("button")];
    (left[at] ?? left.at(-1) ?? document.querySelector(".box input")).focus();
  }

  async #ask() {
    const { state, client } = this.#app;
    this.#asked?.abort();
    this.#counting?.abort();
    const asked = (this.#asked = new AbortController());
    const began = performance.now();
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => this.#working(true), SLOW_MS);
    try {
      const response = await search(this.#app, state, {}, { signal: asked.signal });
      if (asked !== this.#asked) return;
      this.#pause = Math.min(Math.max((performance.now() - began) / 2, PAUSE_MS[0]), PAUSE_MS[1]);
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
    const further = this.#parts.more.contains(document.activeElement) && state.shown > this.#shown && this.#hits.element.children.length;
    this.#shown = state.shown;
    this.#parts.state.replaceChildren();
    this.#note(response);
    this.#hits.show(state, response);
    if (further) this.#hits.element.children[further]?.focus();
    this.#answer.found(state, response);
    this.#bar.took(response.took_ms, { marks: Boolean(state.query.trim()) && response.hits.some((hit) => hit.kind === "image") });
    if (!response.hits.length) this.#parts.state.replaceChildren(states.none(this.#app, response));
    this.#parts.more.replaceChildren(...this.#more(state, response));
    if (this.#counted !== this.#key) this.#count(state, this.#key, response.hits.length);
  }

  async #note({ notes }) {
    const key = this.#key;
    const texts = notes.length ? await import("./notes.js").then(({ said }) => notes.map((note) => said(note, this.#app.words))) : [];
    if (key === this.#key) this.#parts.notes.replaceChildren(...texts.map((text) => el("p", { class: "note" }, text)));
  }

  /** Count what was found, once no letter follows; the facets of before stay until then. */
  async #count(state, key, shown) {
    const counting = (this.#counting = new AbortController());
    const { words, announce } = this.#app;
    await new Promise((resolve) => setTimeout(resolve, COUNT_MS));
    if (counting.signal.aborted) return;
    const facets = await this.#facets.ask(state, counting.signal);
    if (counting.signal.aborted) return;
    this.#counted = key;
    this.#facets.show(state, facets);
    this.#bar.count(state.kind ? null : this.#facets.kinds);
    announce(words.say(state.group ? "documents" : "hits", { n: this.#facets.total ?? shown }));
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

  #home() {
    this.#clear(states.home(this.#app));
    document.body.dataset.home = "";
  }

  #clear(state) {
    for (const part of Object.values(this.#parts)) if (part !== this.#parts.page && part !== this.#parts.chips) part.replaceChildren();
    this.#hits.clear();
    this.#answer.clear();
    this.#facets.clear();
    this.#bar.hide();
    this.#counted = "";
    this.#parts.state.replaceChildren(state);
  }

  #done() {
    this.#asked = null;
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
