// What a text names that was found in it, as links that filter by it. Where it stands is not stored: it is looked for as
// it is written.

import { within } from "./client.js";
import { el } from "./elements.js";
import { fieldName } from "./fields.js";
import { anew } from "./state.js";

const RULES = new Set(["email", "url", "phone", "day", "isbn", "doi", "iban", "ip", "ticket"]);
const MOST = 500; // values that are looked for
const LEAST = 2; // characters of one

/** The values of a document that its text names: a Map of value -> field. */
export async function entitiesOf({ client }, { enriched, metadata }, library, options) {
  const { confidence = {}, ...fields } = enriched;
  const texts = ([, value]) => Array.isArray(value) && value.every((one) => typeof one === "string");
  const own = Object.entries(fields).filter(texts).filter(([field]) => !(field in metadata));
  const others = own.filter(([field]) => !RULES.has(field) && field in confidence).map(([field]) => field);
  const labels = others.length ? await labelled(client, library, options) : new Set();
  const named = own.filter(([field]) => RULES.has(field) || (others.includes(field) && !labels.has(field)));
  const found = named.flatMap(([field, values]) => values.filter((value) => value.length >= LEAST).map((value) => [value, field]));
  return new Map(found.slice(0, MOST));
}

// Fields that tell what a document is about or like, and nothing that stands in it.
async function labelled(client, library, options) {
  const [models, sets] = await Promise.all([
    client.get(within(library, "/v1/enrichments"), {}, options).then(({ enrichments }) => enrichments, () => []),
    client.get(within(library, "/v1/labels"), {}, options).then(({ labels }) => labels, () => []),
  ]);
  return new Set([...models.filter(({ task }) => task !== "token-classification").map(({ name }) => name), ...sets.map(({ field }) => field)]);
}

/** Make links of what the blocks of an element name, but within links; what is marked in them stays so. */
export function link(app, element, entities) {
  if (!entities.size) return;
  const values = [...entities.keys()].sort((a, b) => b.length - a.length).map(escaped);
  const any = new RegExp(`(?<![\\p{L}\\p{N}])(?:${values.join("|")})(?![\\p{L}\\p{N}])`, "gu");
  for (const block of element.querySelectorAll("p, h3")) {
    const found = [...block.textContent.matchAll(any)].reverse(); // from the end, so that places before stay what they are
    for (const one of found) {
      const range = rangeOf(block, one.index, one.index + one[0].length);
      if (!range) continue;
      const named = entity(app, one[0], entities.get(one[0]));
      named.append(range.extractContents());
      range.insertNode(named);
    }
  }
}

// Where characters of a block stand; null within a link, and where a mark holds a part of them and of what is beside them.
function rangeOf(block, from, to) {
  const texts = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  const range = new Range();
  for (let at = 0; texts.nextNode(); ) {
    const { currentNode: text } = texts;
    const mark = text.parentElement.closest("mark");
    const stop = at + text.length;
    if (stop > from && at < to && text.parentElement.closest("a")) return null;
    if (at <= from && from < stop) {
      if (mark && from > at) return null;
      if (mark) range.setStartBefore(mark);
      else range.setStart(text, from - at);
    }
    if (at < to && to <= stop) {
      if (mark && to < stop) return null;
      if (mark) range.setEndAfter(mark);
      else range.setEnd(text, to - at);
      return range;
    }
    at = stop;
  }
  return null;
}

function entity(app, value, field) {
  const { state, href, words } = app;
  const filter = [...state.filter.filter(([name, one]) => name !== field || one !== value), [field, value]];
  const title = words.say("filter_by", { name: `${fieldName(app, field)}: ${value}` });
  return el("a", { class: "entity", href: href(anew({ query: state.query.trim() || value, filter })), title });
}

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
