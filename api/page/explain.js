// Why a hit was found, drawn: each retriever's score and rank, how they were weighed together, what each word of the
// passage adds to its cosine, what each word of the query adds to its BM25, and of a picture which parts of it.

import { within } from "./client.js";
import { EXPLAIN_WORDS } from "./explain-words.js";
import { el } from "./elements.js";
import { lettersOf } from "./marks.js";
import { search } from "./request.js";

const LEAST = 0.04; // of the largest share, below which a word stays uncoloured

/** Fill `place` with the explanation of the hit with that id in the search that the state names. */
export async function explain(place, app, id) {
  const { words, state } = app;
  words.add(EXPLAIN_WORDS);
  place.replaceChildren(el("p", { class: "note reading" }, words.say("loading")));
  try {
    const offset = [...place.closest(".hits").children].indexOf(place.closest(".hit"));
    const response = await search(app, { ...state, shown: 1 }, { explain: true, offset });
    const hit = response.hits.find((one) => one.id === id);
    if (!hit?.explanation) return place.replaceChildren(el("p", { class: "note" }, words.say("why_not")));
    place.replaceChildren(drawn(app, hit, response));
    app.announce(words.say("explain_title"));
  } catch (problem) {
    place.replaceChildren(el("p", { class: "note", role: "alert" }, problem.message));
  }
}

function drawn(app, hit, response) {
  const { words } = app;
  const { fusion, relevance, calibration, meaning, words: counted, patches, ...others } = hit.explanation;
  const retrievers = Object.entries(others).filter(([, one]) => one && typeof one === "object" && "score" in one);
  return el(
    "section",
    { class: "why-panel", "aria-label": words.say("explain_title") },
    retrievers.length > 0 && table(app, retrievers),
    steps(app, fusion, calibration, hit.explanation.boilerplate, hit.relevance),
    meaning?.length > 0 && part(words.say("why_meaning"), coloured(app, hit.text, meaning)),
    counted?.length > 0 && part(words.say("why_words"), bars(app, counted.map(({ word, share }) => [word, share]))),
    patches && part(words.say("why_patches"), heat(app, hit, patches)),
    response.timings && timings(app, response.timings),
  );
}

function part(title, ...children) {
  return el("div", { class: "part" }, el("h3", {}, title), children);
}

// A row for each retriever: its rank, its score, and a bar: of BM25 the share of the query's words, of cosines themselves.
function table(app, retrievers) {
  const { words } = app;
  return el("table", {},
    el("thead", {}, el("tr", {}, ["why_retriever", "why_rank", "why_score"].map((name) => el("th", { scope: "col" }, words.say(name))))),
    el("tbody", {}, retrievers.map(([name, { rank, score, share_of_words = score }]) =>
      el("tr", {},
        el("th", { scope: "row" }, words.has(`by_${name}`) ? words.say(`by_${name}`) : name),
        el("td", {}, rank ? `#${words.number(rank)}` : "–"),
        el("td", {}, el("span", { class: "scored" }, bar(share_of_words), digits(app, score)))))));
}

function steps(app, fusion, calibration, boilerplate, relevance) {
  const { words } = app;
  const percent = Math.round(relevance * 100);
  const weight = fusion?.semantic_weight;
  const said = [
    weight !== undefined && words.say("why_weights", { meaning: Math.round(weight * 100), words: Math.round(100 - weight * 100) }),
    fusion?.own !== undefined && words.say("why_fused", { own: digits(app, fusion.own), all: digits(app, fusion.with_neighbours ?? fusion.own) }),
    boilerplate && words.say("why_boilerplate", { share: Math.round(boilerplate.share * 100), n: words.number(boilerplate.documents), apart: boilerplate.apart, percent: Math.round(boilerplate.counts * 100) }),
    fusion?.beyond && words.say("why_beyond"),
    calibration?.spreads_above_chance !== undefined && words.say("why_chance", { n: digits(app, calibration.spreads_above_chance) }),
    words.say("why_relevance", { percent }),
  ];
  return el("ol", { class: "steps" }, said.filter(Boolean).map((one) => el("li", {}, one)));
}

// The passage with each word in the colour of its share; the text itself keeps the colour of ink.
function coloured(app, text, shares) {
  const { words } = app;
  const most = Math.max(...shares.map(({ share }) => Math.abs(share))) || 1;
  const letters = lettersOf(text);
  const pieces = [];
  let at = 0;
  for (const { start, end, share } of shares) {
    if (start < at) continue;
    const strength = Math.abs(share) / most;
    pieces.push(letters.slice(at, start));
    const word = letters.slice(start, end);
    pieces.push(
      strength < LEAST ? word : el("span", { class: share > 0 ? "share for" : "share against", title: signed(app, share), style: { "--strength": `${Math.round(strength * 100)}%` } }, word),
    );
    at = end;
  }
  pieces.push(letters.slice(at, letters.length));
  const total = shares.reduce((sum, { share }) => sum + share, 0);
  const strongest = [...shares].sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, 6);
  return [
    el("p", { class: "legend" },
      el("span", { class: "share against", style: { "--strength": "100%" } }, words.say("why_against")),
      el("span", { class: "scale", "aria-hidden": "true" }),
      el("span", { class: "share for", style: { "--strength": "100%" } }, words.say("why_for")),
      el("span", {}, words.say("why_sum", { total: digits(app, total) }))),
    el("p", { class: "prose" }, pieces),
    el("p", { class: "unseen" }, strongest.map(({ start, end, share }) => `${letters.slice(start, end)} ${signed(app, share)}`).join(", ")),
  ];
}

function bars(app, rows) {
  const most = Math.max(...rows.map(([, share]) => Math.abs(share))) || 1;
  return el("dl", { class: "bars" }, rows.map(([name, share]) => el("div", {}, el("dt", {}, name), el("dd", {}, bar(share / most), signed(app, share)))));
}

// The picture under a grid of its patches, each as warm or cool as its share.
function heat(app, hit, { rows, columns, shares }) {
  const { words, client } = app;
  const most = Math.max(...shares.map(Math.abs)) || 1;
  const image = el("img", { alt: words.say("why_patches") });
  client.show(image, within(hit.document.library, `/v1/images/${encodeURIComponent(hit.document.id)}/thumbnail`));
  return el("div", { class: "heat" }, image,
    el("div", { class: "grid", "aria-hidden": "true", style: { "grid-template": `repeat(${rows}, 1fr) / repeat(${columns}, 1fr)` } },
      shares.map((share) => el("i", { class: share > 0 ? "for" : "against", style: { opacity: (0.75 * Math.abs(share)) / most } }))));
}

function timings(app, stages) {
  const rows = Object.entries(stages).filter(([, ms]) => ms >= 0.05);
  const total = rows.reduce((sum, [, ms]) => sum + ms, 0) || 1;
  return el("p", { class: "timings note" }, rows.map(([name, ms]) => el("span", {}, bar(ms / total), ` ${name} ${app.words.number(ms, { maximumFractionDigits: 1 })} ms`)));
}

function bar(share) {
  const width = `${Math.round(Math.min(Math.abs(share), 1) * 100)}%`;
  return el("span", { class: share < 0 ? "line against" : "line", "aria-hidden": "true" }, el("span", { style: { width } }));
}

const digits = (app, value) => app.words.number(value, { maximumFractionDigits: 3 });
const signed = (app, value) => app.words.number(value, { maximumFractionDigits: 3, signDisplay: "exceptZero" });
