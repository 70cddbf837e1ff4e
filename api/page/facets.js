// Facets with counts: a panel beside the hits, a drawer where there is no room.

import { el, icon } from "./elements.js";
import { fieldName, isTree, valueName, without } from "./fields.js";
import { search } from "./request.js";
import { anew } from "./state.js";

const FIRST = ["type", "date", "language", "path"];
const AT_MOST = 8; // fields
const VALUES = 7; // of a field, before one asks for more
const NEVER = new Set(["id", "uri", "root", "title", "kind", "modified", "indexed", "width", "height", "lang", "description"]);
const MODES = ["hybrid", "semantic", "lexical"];

export class Facets {
  #app;
  #fields = null;
  #opened = new Set(); // fields of which all values are shown
  #unfolded = new Set(); // values of which those below are shown, as `field=value`
  #counted = el("div", {}); // the one part that is drawn anew; what is written or chosen in the others stays
  #modes = new Map();
  #group;

  constructor(app) {
    this.#app = app;
    const { words, go } = app;
    for (const mode of MODES) this.#modes.set(mode, el("input", { type: "radio", name: "mode", on: { change: () => go({ mode }) } }));
    this.#group = el("input", { type: "checkbox", on: { change: () => go({ group: this.#group.checked }) } });
    const way = (input, name) => el("label", {}, input, el("span", { class: "value" }, words.say(name)));
    this.element = el(
      "aside",
      { class: "facets", id: "facets", popover: "auto", "aria-label": words.say("filters") },
      el("h2", {}, words.say("filters"), el("button", { class: "quiet close", type: "button", popovertarget: "facets", popovertargetaction: "hide", "aria-label": words.say("close") }, icon("close"))),
      this.#counted,
      this.#excluding(),
      el("fieldset", {}, el("legend", {}, words.say("mode")), MODES.map((mode) => way(this.#modes.get(mode), `mode_${mode}`)), way(this.#group, "group")),
    );
    this.clear();
  }

  clear() {
    this.total = this.kinds = null;
    this.#counted.replaceChildren();
    delete this.element.dataset.known;
  }

  /** Follow the state. */
  update() {
    const { mode, group } = this.#app.state;
    for (const [name, input] of this.#modes) input.checked = name === mode;
    this.#group.checked = group;
  }

  /** Ask for the facets of a search; {} where they can't be had. What a field that is filtered by could be else is what is
   *  found without its own part of the filter. */
  async ask(state, signal) {
    const counted = (fields, filter = state.filter) =>
      search(this.#app, { ...state, filter, shown: 1 }, { facets: fields }, { signal }).then((response) => response?.facets ?? {}, () => ({}));
    const filtered = [...new Set(state.filter.map(([field]) => field))];
    const fields = (await this.#worth()).filter((field) => !filtered.includes(field));
    const all = await Promise.all([counted(fields), ...filtered.map((field) => counted([field], state.filter.filter(([one]) => one !== field)))]);
    return Object.assign({}, ...all);
  }

  // The fields that are worth a facet in this library.
  async #worth() {
    this.#fields ??= this.#app.client.get("/v1/fields").then(({ fields }) => chosen(fields), () => ((this.#fields = null), ["kind"]));
    return this.#fields;
  }

  /** Show facets. */
  show(state, facets) {
    const { kind, ...others } = facets;
    this.kinds = kind ? new Map(kind.values.map(({ value, count }) => [value, count])) : null;
    this.total = kind ? kind.values.reduce((sum, { count }) => sum + count, 0) : null;
    const focused = this.#counted.contains(document.activeElement) ? document.activeElement : null;
    const named = [...new Set([...state.filter.map(([field]) => field), ...Object.keys(others)])];
    this.#counted.replaceChildren(...named.map((field) => this.#values(state, field, others[field])).filter(Boolean));
    this.element.dataset.known = "";
    this.#refocus(focused);
  }

  #values(state, field, facet) {
    const { words } = this.#app;
    const selected = state.filter.filter(([one]) => one === field).map(([, value]) => value);
    const counted = facet?.values ?? [];
    const values = [...selected.filter((value) => !has(counted, value)).map((value) => ({ value, count: null })), ...counted];
    if (!selected.length && values.length < 2) return null;
    const shown = this.#opened.has(field) ? values : values.slice(0, VALUES);
    return el(
      "fieldset",
      { data: { field } },
      el("legend", {}, fieldName(this.#app, field)),
      shown.map((one) => this.#branch(state, field, one, selected, values)),
      shown.length < values.length && el("button", { class: "link", type: "button", on: { click: () => (this.#opened.add(field), this.#again(state, field, facet)) } }, words.say("more_values")),
      facet?.other > 0 && shown.length === values.length && el("p", { class: "note" }, words.say("other_values", { n: facet.other })),
    );
  }

  // A value, and those below it, which are shown where one of them is chosen.
  #branch(state, field, { value, count, below }, selected, beside) {
    const { words } = this.#app;
    const called = valueName(this.#app, field, value, beside.map((one) => one.value));
    const label = this.#value(state, field, value, count, selected.includes(value), called);
    if (!below) return label;
    const name = `${field}=${value}`;
    const held = selected.some((one) => has(below.values, one));
    const list = el(
      "div",
      { class: "below", hidden: !(held || this.#unfolded.has(name)) },
      below.values.map((one) => this.#branch(state, field, one, selected, below.values)),
      below.other > 0 && el("p", { class: "note" }, words.say("other_values", { n: below.other })),
    );
    const unfold = () => {
      list.hidden = !list.hidden;
      this.#unfolded[list.hidden ? "delete" : "add"](name);
      button.setAttribute("aria-expanded", !list.hidden);
    };
    const button = el("button", { class: "quiet unfold", type: "button", name: `below ${name}`, "aria-expanded": String(!list.hidden), "aria-label": words.say("below", { name: called }), on: { click: unfold } }, icon("more"));
    return el("div", { class: "branch" }, button, label, list);
  }

  #value(state, field, value, count, on, called) {
    const { words, go } = this.#app;
    const toggle = () => go(anew({ filter: on ? without(this.#app.state.filter, field, value) : [...this.#app.state.filter, [field, value]] }));
    return el(
      "label",
      {},
      el("input", { type: "checkbox", name: `${field}=${value}`, checked: on, on: { change: toggle } }),
      el("span", { class: "value" }, called),
      count !== null && el("span", { class: "count" }, words.number(count)),
    );
  }

  #again(state, field, facet) {
    const group = this.#values(state, field, facet);
    const old = this.#counted.querySelector(`fieldset[data-field="${CSS.escape(field)}"]`);
    const focused = old?.contains(document.activeElement) ? document.activeElement : null;
    if (group) old?.replaceWith(group);
    this.#refocus(focused);
  }

  // What was drawn anew takes the focus of what it stands for.
  #refocus(focused) {
    if (!focused || focused === document.activeElement) return;
    if (focused.isConnected) focused.focus();
    else if (focused.name) this.#counted.querySelector(`[name="${CSS.escape(focused.name)}"]`)?.focus();
  }

  #excluding() {
    const { words, go } = this.#app;
    const input = el("input", { type: "text", placeholder: words.say("exclude"), "aria-label": words.say("exclude") });
    const send = (event) => {
      event.preventDefault();
      if (input.value.trim()) go(anew({ exclude: [...new Set([...this.#app.state.exclude, input.value.trim()])] }));
      input.value = "";
    };
    return el("form", { class: "exclude", on: { submit: send } }, input);
  }
}

const OF_LABELS = /^(confidence|share)\./; // numbers of what models said

// Whether a value is among some, or lies below one of them.
const has = (values, value) => values.some((one) => one.value === value || (one.below && has(one.below.values, value)));

function chosen(fields) {
  const names = new Set(fields.map(({ name }) => name));
  const is = ({ name, documents, distinct }) => FIRST.includes(name) || isTree(name) || (documents >= 3 && distinct <= 1000 && distinct <= documents * 0.8);
  const worth = fields.filter((field) => !NEVER.has(field.name) && !OF_LABELS.test(field.name) && !names.has(`${field.name}/`) && field.distinct > 1 && is(field));
  const rank = ({ name }) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return ["kind", ...worth.sort((a, b) => rank(a) - rank(b) || b.documents - a.documents).slice(0, AT_MOST).map(({ name }) => name)];
}
