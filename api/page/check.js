// What is typed, held as a claim against the nearest passages: which support it, which contradict it.

import { el } from "./elements.js";
import { dateOf } from "./hits.js";
import { pageOf, pathOf, titleOf } from "./places.js";
import { filterOf } from "./request.js";

const VERDICTS = ["supports", "contradicts", "neither"];
const SHOWN = 200; // characters of a passage

/** The card that says so. Throws as the client does. */
export async function checked(app, state, options) {
  const found = await app.client.post("/v1/check", { claim: state.query, filter: filterOf(state.filter) }, options);
  const { words } = app;
  const { supported, contradicted, judged } = found;
  return el(
    "section",
    { class: "card check", "aria-label": words.say("check_label") },
    el("p", { class: "label" }, words.say("check_label")),
    el("p", { class: "exact long" }, words.say("check_found", { supported, contradicted, n: judged.length })),
    VERDICTS.map((verdict) => told(app, verdict, judged.filter((one) => one.verdict === verdict))),
    el("p", { class: "note" }, words.say("check_note")),
  );
}

function told(app, verdict, judged) {
  if (!judged.length) return null;
  const { words } = app;
  const list = el("ul", {}, judged.map((one) => entry(app, verdict, one)));
  const name = words.say(`check_${verdict}`, { n: judged.length });
  return el("details", { class: verdict, open: verdict !== "neither" }, el("summary", {}, name), list);
}

function entry({ words, href }, verdict, { hit, ...shares }) {
  const { document } = hit;
  const text = hit.text.replace(/\s+/g, " ").trim();
  return el(
    "li",
    {},
    el("p", { class: "said" }, text.length > SHOWN ? `${text.slice(0, SHOWN).replace(/\S*$/, "")}…` : text),
    el(
      "p",
      { class: "where" },
      el("a", { href: href({ document: document.id, at: [hit.start, hit.end] }) }, titleOf(document)),
      el("span", { class: "path" }, pathOf(document)),
      hit.page && el("span", {}, pageOf(hit.page, document, words)),
      dateOf(document) && el("time", { datetime: dateOf(document) }, words.date(dateOf(document))),
      el("span", {}, words.say("confidence", { percent: Math.round(100 * shares[verdict]) })),
    ),
  );
}
