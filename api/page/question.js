// A question about the picture that is open, to the server's picture reader.

import { within } from "./client.js";
import { el } from "./elements.js";
import { hasModel } from "./models.js";

const SHOWN = 3; // answers

/** A form to ask in, null where no model would answer. */
export async function question(app, id, library, options) {
  const { words, client } = app;
  if (!(await hasModel(app, "picture-reader", library))) return null;
  const input = el("input", { type: "text", required: true, maxlength: 1000, autocomplete: "off", placeholder: words.say("ask_picture"), "aria-label": words.say("ask_picture") });
  const told = el("div", { class: "told", role: "status" });
  const ask = async (event) => {
    event.preventDefault();
    told.replaceChildren(el("p", { class: "note" }, words.say("looking")));
    try {
      const { answers } = await client.post(within(library, `/v1/images/${encodeURIComponent(id)}/answer`), { question: input.value.trim() }, options);
      told.replaceChildren(answered(words, answers));
    } catch (error) {
      if (error.name !== "AbortError") told.replaceChildren(el("p", { class: "note", role: "alert" }, error.message));
    }
  };
  return el("form", { class: "asking", on: { submit: ask } }, input, el("button", { class: "main" }, words.say("ask_it")), told);
}

function answered(words, answers) {
  const entry = ({ text, confidence }) => el("li", {}, el("strong", {}, text), " ", el("span", { class: "confidence" }, words.say("confidence", { percent: Math.round(100 * confidence) })));
  return answers.length ? el("ol", {}, answers.slice(0, SHOWN).map(entry)) : el("p", { class: "note" }, words.say("no_picture_answer"));
}
