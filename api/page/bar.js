// What stands above the hits: how many there are of each kind, how long they took, their order and how they are laid out.
// Its elements stay when their state changes, and with them the focus.

import { el, icon } from "./elements.js";
import { DEFAULTS } from "./state.js";

const KINDS = { "": "all", text: "texts", image: "pictures" };
const SORTS = ["relevance", "-date", "date", "title"];

export class Bar {
  #app;
  #kinds = new Map(); // kind -> {button, count}
  #took = el("span", { class: "took" });
  #filters = el("span", { class: "count" });
  #sort;
  #layout;
  #boxes;

  constructor(app) {
    this.#app = app;
    const { words, go } = app;
    for (const [kind, name] of Object.entries(KINDS)) {
      const count = el("span", { class: "count" });
      const button = el("button", { type: "button", on: { click: () => go({ kind, shown: DEFAULTS.shown }) } }, words.say(name), count);
      this.#kinds.set(kind, { button, count });
    }
    this.#sort = el("select", { "aria-label": words.say("sort"), on: { change: () => go({ sort: this.#sort.value }) } },
      SORTS.map((value) => el("option", { value }, words.say(`sort_${value}`))));
    this.#layout = el("button", { class: "quiet", type: "button", on: { click: () => go({ layout: this.#other }) } });
    this.#boxes = el("button", { class: "quiet", type: "button", hidden: true, on: { click: () => go({ boxes: !this.#app.state.boxes }, { replace: true }) } },
      icon("seen"), el("span", {}, words.say("boxes")));
    this.element = el(
      "div",
      { class: "bar", hidden: true },
      el("h1", { class: "unseen" }, words.say("results")),
      el("div", { class: "kinds", role: "group", "aria-label": words.say("kind") }, [...this.#kinds.values()].map(({ button }) => button)),
      this.#took,
      el("div", { class: "tools" },
        el("button", { class: "filters", type: "button", popovertarget: "facets" }, icon("filter"), words.say("filters"), this.#filters),
        el("span", { class: "menu" }, this.#sort, icon("more")),
        this.#boxes,
        this.#layout),
    );
  }

  get #other() {
    return this.#app.state.layout === "list" ? "gallery" : "list";
  }

  hide() {
    this.element.hidden = true;
    this.count(null);
  }

  /** Follow the state. */
  update() {
    const { state, words } = this.#app;
    const name = words.say(this.#other);
    for (const [kind, { button }] of this.#kinds) button.setAttribute("aria-pressed", String(state.kind === kind));
    this.#filters.textContent = state.filter.length ? words.number(state.filter.length) : "";
    this.#sort.value = SORTS.includes(state.sort) ? state.sort : DEFAULTS.sort;
    this.#layout.title = name;
    this.#layout.setAttribute("aria-label", name);
    this.#layout.replaceChildren(icon(this.#other));
    this.#boxes.setAttribute("aria-pressed", String(state.boxes));
  }

  /** Show how long it took to find the hits, and whether words found pictures, which can then be marked. */
  took(ms, { marks }) {
    this.element.hidden = false;
    this.#boxes.hidden = !marks;
    this.#took.textContent = this.#app.words.say("took", { ms: Math.max(1, Math.round(ms)) });
    this.update();
  }

  /** Show how many hits there are of each kind: a Map, or null where that is not known. */
  count(kinds) {
    const sum = [...(kinds?.values() ?? [])].reduce((all, one) => all + one, 0);
    for (const [kind, { count }] of this.#kinds)
      count.textContent = kinds ? this.#app.words.number(kind ? (kinds.get(kind) ?? 0) : sum) : "";
  }
}
