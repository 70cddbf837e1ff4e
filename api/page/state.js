// What the page shows <-> its URL. A state is a plain object; only what differs from DEFAULTS stands in the URL.

export const VIEWS = ["search", "map", "upload", "roots"];

export const DEFAULTS = Object.freeze({
  view: "search",
  query: "",
  mode: "hybrid", // or "semantic", "lexical"
  kind: "", // or "text", "image"
  sort: "relevance", // or a field, or -field
  group: false, // by document
  layout: "list", // or "gallery"
  filter: [], // of [field, value], all of a field's values or-ed
  exclude: [], // texts
  like: [], // of {id, strength, title}
  unlike: [],
  picture: "", // key of a picture in this browser (picture.js)
  summary: false,
  shown: 20, // hits
  explain: "", // the id of a hit
  document: "", // the id of a document that is open
  at: null, // [start, end] in its text
});

const NAMES = {
  view: "view",
  query: "q",
  mode: "mode",
  kind: "kind",
  sort: "sort",
  layout: "as",
  picture: "picture",
  explain: "why",
  document: "doc",
};

/** Read a state from the search part of a URL. */
export function read(search) {
  const given = new URLSearchParams(search);
  const state = { ...DEFAULTS };
  for (const [name, parameter] of Object.entries(NAMES)) state[name] = given.get(parameter) ?? DEFAULTS[name];
  if (!VIEWS.includes(state.view)) state.view = DEFAULTS.view;
  state.group = given.has("group");
  state.summary = given.has("summary");
  state.shown = Math.min(Math.max(Number(given.get("n")) || DEFAULTS.shown, DEFAULTS.shown), 1000);
  state.filter = [...given].filter(([name]) => name.startsWith("f.")).map(([name, value]) => [name.slice(2), value]);
  state.exclude = given.getAll("without");
  state.like = given.getAll("like").map(example);
  state.unlike = given.getAll("unlike").map(example);
  const at = (given.get("at") ?? "").split("-").map(Number);
  state.at = given.has("at") && at.every(Number.isInteger) ? [at[0], at[1] ?? at[0]] : null;
  return state;
}

/** Write a state as the search part of a URL, "" or beginning with "?". */
export function write(state) {
  const given = new URLSearchParams();
  for (const [name, parameter] of Object.entries(NAMES))
    if (state[name] !== DEFAULTS[name]) given.set(parameter, state[name]);
  if (state.group) given.set("group", "1");
  if (state.summary) given.set("summary", "1");
  if (state.shown !== DEFAULTS.shown) given.set("n", state.shown);
  for (const [field, value] of state.filter) given.append(`f.${field}`, value);
  for (const text of state.exclude) given.append("without", text);
  for (const one of state.like) given.append("like", written(one));
  for (const one of state.unlike) given.append("unlike", written(one));
  if (state.at) given.set("at", state.at.join("-"));
  const text = given.toString();
  return text && `?${text}`;
}

// An example is `id:strength:title`; the title is there so that a chip can name it after a reload.
function example(text) {
  const [, id, strength, title] = /^([^:]*):?([\d.]*):?(.*)$/s.exec(text);
  return { id, strength: Number(strength) || 1, title: title || id };
}

function written({ id, strength, title }) {
  return `${id}:${strength}:${title}`;
}
