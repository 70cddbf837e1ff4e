// What a text names that was found in it, as links that filter by it. Where it stands is not stored: it is looked for as
// it is written.

import { el } from "./elements.js";
import { fieldName } from "./fields.js";
import { anew } from "./state.js";

const RULES = new Set(["email", "url", "phone", "day", "isbn", "doi", "iban", "ip", "ticket"]);
const MOST = 500; // values that are looked for
const LEAST = 2; // characters of one

/** The values of a document that its text names: a Map of value -> field. */
export async function entitiesOf({ client }, { enriched, metadata }, options) {
  const { confidence = {}, ...fields } = enriched;
  const texts = ([, value]) => Array.isArray(value) && value.every((one) => typeof one === "string");
  const own = Object.entries(fields).filter(texts).filter(([field]) => !(field in metadata));
  const others = own.filter(([field]) => !RULES.has(field) && field in confidence).map(([field]) => field);
  const labels = others.length ? await labelled(client, options) : new Set();
  const named = own.filter(([field]) => RULES.has(field) || (others.includes(field) && !labels.has(field)));
  const found = named.flatMap(([field, values]) => values.filter((value) => value.length >= LEAST).map((value) => [value, field]));
  return new Map(found.slice(0, MOST));
}

// Fields that tell what a document is about or like, and nothing that stands in it.
async function labelled(client, options) {
  const [models, sets] = await Promise.all([
    client.get("/v1/enrichments", {}, options).then(({ enrichments }) => enrichments, () => []),
    client.get("/v1/labels", {}, options).then(({ labels }) => labels, () => []),
  ]);
  return new Set([...models.filter(({ task }) => task !== "token-classification").map(({ name }) => name), ...sets.map(({ field }) => field)]);
}

/** Make links of what an element's text names, but within links. */
export function link(app, element, entities) {
  if (!entities.size) return;
  const values = [...entities.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const any = new RegExp(`(?<![\\p{L}\\p{N}])(?:${values.join("|")})(?![\\p{L}\\p{N}])`, "gu");
  const texts = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const all = [];
  while (texts.nextNode()) if (!texts.currentNode.parentElement.closest("a")) all.push(texts.currentNode);
  for (const text of all) {
    const pieces = [];
    let at = 0;
    for (const found of text.data.matchAll(any)) {
      pieces.push(text.data.slice(at, found.index), entity(app, found[0], entities.get(found[0])));
      at = found.index + found[0].length;
    }
    if (at) text.replaceWith(...pieces, text.data.slice(at));
  }
}

function entity(app, value, field) {
  const { state, href, words } = app;
  const filter = [...state.filter.filter(([name, one]) => name !== field || one !== value), [field, value]];
  const title = words.say("filter_by", { name: `${fieldName(app, field)}: ${value}` });
  return el("a", { class: "entity", href: href(anew({ query: state.query.trim() || value, filter })), title }, value);
}

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
