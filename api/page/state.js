// What the page shows <-> its URL. A state is a plain object; only what differs from DEFAULTS stands in the URL.

export const VIEWS = ["search", "map", "duplicates", "upload", "roots"];

export const DEFAULTS = Object.freeze({
  library: "", // its name; the server's first where there is none
  view: "search",
  query: "",
  mode: "hybrid", // or "semantic", "lexical"
  kind: "", // or "text", "image"
  sort: "relevance", // or a field, or -field
  group: false, // by document
  layout: "list", // or "gallery"
  colour: "folder", // of the map; or "kind", "relevance"
  among: "copies", // what the view of duplicates lists; or "meaning", "outliers"
  filter: [], // of [field, value]; the values of one field are alternatives
  exclude: [], // texts
  like: [], // of {id, strength, title}
  unlike: [],
  picture: "", // key of a picture that this tab keeps (picture.js)
  all: false, // also hits that are not likely to be meant
  summary: false,
  check: false, // whether the query is held as a claim against the hits
  boxes: false, // whether pictures are marked where they show what is asked for
  shown: 20, // hits
  explain: "", // the id of a hit
  document: "", // the id of a document that is open
  from: "", // the library that it is from, where several are searched as one
  at: null, // [start, end] in its text
  second: null, // of what is played
});

const TEXTS = { library: "library", view: "view", query: "q", mode: "mode", kind: "kind", sort: "sort", layout: "as", colour: "by", among: "among", picture: "picture", explain: "why", document: "doc", from: "from" };
const FLAGS = ["group", "all", "summary", "check", "boxes"];

/** The changes that begin another search: its first hits, nothing of the last one open. */
export function anew(changes) {
  const { shown, explain, document, from, at, second, all, summary, check } = DEFAULTS;
  return { view: "search", shown, explain, document, from, at, second, all, summary, check, ...changes };
}

/** Whether there is something to search for. */
export function asks(state) {
  return Boolean(state.query.trim() || state.picture || state.like.length);
}

/** Read a state from the search part of a URL. */
export function read(search) {
  const given = new URLSearchParams(search);
  const state = { ...DEFAULTS };
  for (const [name, parameter] of Object.entries(TEXTS)) state[name] = given.get(parameter) ?? DEFAULTS[name];
  for (const name of FLAGS) state[name] = given.has(name);
  if (!VIEWS.includes(state.view)) state.view = DEFAULTS.view;
  state.shown = Math.min(Math.max(Number(given.get("n")) || 0, DEFAULTS.shown), 1000);
  state.filter = [...given].filter(([name]) => name.startsWith("f.")).map(([name, text]) => [name.slice(2), value(text)]);
  state.exclude = given.getAll("without");
  state.like = given.getAll("like").map(example);
  state.unlike = given.getAll("unlike").map(example);
  const at = /^(\d+)-(\d+)$/.exec(given.get("at") ?? "");
  state.at = at && [Number(at[1]), Number(at[2])];
  state.second = /^\d+(\.\d+)?$/.test(given.get("t") ?? "") ? Number(given.get("t")) : null;
  return state;
}

/** Write a state as the search part of a URL, "" or beginning with "?". */
export function write(state) {
  const given = new URLSearchParams();
  for (const [name, parameter] of Object.entries(TEXTS))
    if (state[name] !== DEFAULTS[name]) given.set(parameter, state[name]);
  for (const name of FLAGS) if (state[name]) given.set(name, "1");
  if (state.shown !== DEFAULTS.shown) given.set("n", state.shown);
  for (const [field, value] of state.filter) given.append(`f.${field}`, text(value));
  for (const one of state.exclude) given.append("without", one);
  for (const name of ["like", "unlike"])
    for (const { id, strength, title } of state[name]) given.append(name, `${id}:${strength}:${title}`);
  if (state.at) given.set("at", state.at.join("-"));
  if (state.second !== null) given.set("t", state.second);
  const written = given.toString();
  return written && `?${written}`;
}

// A value of a filter is a text, a number or a boolean; a text that could be read as one of the others is quoted.
function value(text) {
  try {
    const read = JSON.parse(text);
    return ["string", "number", "boolean"].includes(typeof read) ? read : text;
  } catch {
    return text;
  }
}

function text(given) {
  return typeof given === "string" && value(given) === given ? given : JSON.stringify(given);
}

// The title is there so that a chip can name its hit after a reload.
function example(text) {
  const [, id, strength, title] = /^([^:]*):?([\d.]*):?(.*)$/s.exec(text);
  return { id, strength: Math.min(Number(strength) || 1, 1), title: title || id };
}
