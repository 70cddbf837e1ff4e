// A chip for each thing that narrows a search: terms left out, filters, examples with their strength, the picture.

import { el, icon } from "./elements.js";
import { fieldName, valueName, without } from "./fields.js";
import { shown } from "./picture.js";
import { anew } from "./state.js";

const STRENGTHS = [0.3, 0.6, 1];

/** The chips of the state; [] where nothing narrows it. */
export function chips(app) {
  const { state, words } = app;
  const found = [
    ...(state.picture ? [chip(app, words.say("chip_picture"), { picture: "" }, { image: shown(state.picture) })] : []),
    ...["like", "unlike"].flatMap((name) => state[name].map((one) => example(app, name, one))),
    ...left_out(state.query).map(([whole, text]) => chip(app, words.say("chip_word", { text }), { query: state.query.replace(whole, " ").replace(/\s+/g, " ").trim() })),
    ...state.exclude.map((text) => chip(app, words.say("chip_exclude", { text }), { exclude: state.exclude.filter((one) => one !== text) })),
    ...state.filter.map(([field, value]) =>
      chip(app, [el("span", { class: "field" }, fieldName(app, field)), " ", valueName(app, field, value)], { filter: without(state.filter, field, value) }, { name: `${fieldName(app, field)} ${valueName(app, field, value)}` })),
  ];
  if (found.length > 1) found.push(el("button", { class: "link", type: "button", on: { click: () => app.go(anew({ picture: "", like: [], unlike: [], exclude: [], filter: [] })) } }, words.say("clear_all")));
  return found.length ? [el("ul", { "aria-label": words.say("chips") }, found.map((one) => el("li", {}, one)))] : [];
}

function chip(app, said, changes, { name = said, image = "", extra = null, kind = "" } = {}) {
  return el(
    "span",
    { class: `chip ${kind}` },
    image && el("img", { src: image, alt: "" }),
    el("span", { class: "said" }, said),
    extra,
    el("button", { class: "quiet", type: "button", "aria-label": app.words.say("remove", { name }), on: { click: () => app.go(anew(changes)) } }, icon("close")),
  );
}

function example(app, name, one) {
  const { state, words } = app;
  const at = STRENGTHS.findIndex((strength) => strength >= one.strength);
  const next = STRENGTHS[(at + 1) % STRENGTHS.length];
  const changed = (strength) => ({ [name]: state[name].map((other) => (other.id === one.id ? { ...other, strength } : other)) });
  const extra = el(
    "button",
    { class: "strength", type: "button", title: words.say("strength"), "aria-label": `${words.say("strength")}: ${words.say("strengths", { n: at })}`, on: { click: () => app.go(anew(changed(next))) } },
    STRENGTHS.map((_, index) => el("i", { class: index <= at ? "on" : "" })),
  );
  const said = words.say(`chip_${name}`, { title: one.title });
  return chip(app, said, { [name]: state[name].filter((other) => other.id !== one.id) }, { extra, kind: name });
}

// `-word` and `-"a phrase"` of the query, as the server reads them.
function left_out(query) {
  return [...query.matchAll(/(?<=^|\s)-(?:"([^"]+)"|(\p{L}[^\s"]*))/gu)].map((one) => [one[0], one[1] ?? one[2]]);
}
