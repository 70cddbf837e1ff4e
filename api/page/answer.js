// The answer on top, or an honest "none", and the summary of what was found.

import { el, icon } from "./elements.js";
import { dateOf } from "./hits.js";
import { lettersOf } from "./marks.js";
import { hasModel } from "./models.js";
import { pageOf, pathOf, titleOf } from "./places.js";
import { answer, keyOf, search } from "./request.js";

const PAUSE_MS = 500; // a reader is slower than a list: it begins when one has stopped typing
const QUESTION =
  /\?\s*$|^(who|whom|whose|what|when|where|why|which|how|is|are|was|were|do|does|did|can|could|will|would|should)\b|(누구|무엇|언제|어디|왜|어떻게|얼마|어느|몇|무슨)|(인가|는가|은가|나요|까)\s*\??$/iu;

export class Answer {
  #app;
  #key = ""; // of the search that they belong to
  #texts = false; // whether there is something to summarize
  #summarized = ""; // the key of the summary that is shown, or asked for
  #asked = null;
  #wait = 0;
  #answer = el("div", {});
  #summary = el("div", {});
  #check = el("div", {});
  #checking = null; // AbortController of the check that is shown, or awaited

  constructor(app) {
    this.#app = app;
    this.element = el("div", { class: "answers" }, this.#answer, this.#check, this.#summary);
  }

  stop() {
    clearTimeout(this.#wait);
    this.#asked?.abort();
    this.#checking?.abort();
    this.#checking = null;
  }

  clear() {
    this.stop();
    this.#key = this.#summarized = "";
    this.#texts = false;
    this.#answer.replaceChildren();
    this.#summary.replaceChildren();
    this.#check.replaceChildren();
  }

  /** Follow the state, whose hits are the same. */
  update() {
    if (!this.#texts) return;
    this.#summarize(this.#app.state);
    this.#claim(this.#app.state);
  }

  /** The hits are there: now look for an answer in them. */
  found(state, response) {
    const key = keyOf(state);
    if (key === this.#key) return this.update();
    this.clear();
    this.#key = key;
    this.#texts = response.hits.some((hit) => hit.kind === "text");
    const reads = this.#texts && !state.picture && state.query.trim().split(/\s+/).length > 1;
    if (!reads) return this.update();
    if (QUESTION.test(state.query.trim())) this.#answer.replaceChildren(el("p", { class: "note reading" }, this.#app.words.say("reading")));
    this.#wait = setTimeout(() => this.#read(state), PAUSE_MS);
    this.update();
  }

  async #read(state) {
    const asked = (this.#asked = new AbortController());
    const question = QUESTION.test(state.query.trim());
    try {
      const response = await answer(this.#app, state, { signal: asked.signal });
      if (asked.signal.aborted) return;
      const { words, announce } = this.#app;
      if (response.answers.length) {
        this.#answer.replaceChildren(this.#card(response));
        announce(`${words.say("answer")}: ${response.answers[0].text}`, { beside: true });
      } else if (question) {
        this.#answer.replaceChildren(
          el("section", { class: "card none" }, el("p", {}, el("strong", {}, words.say("no_answer")), " ", words.say("nearest"))),
        );
        announce(words.say("no_answer"), { beside: true });
      } else this.#answer.replaceChildren();
    } catch (problem) {
      if (problem.name !== "AbortError") this.#answer.replaceChildren(); // the hits are there all the same
    }
  }

  #card({ answers, hits }) {
    const { words } = this.#app;
    const [first, ...others] = answers;
    return el(
      "section",
      { class: "card", "aria-label": words.say("answer") },
      el("p", { class: "label" }, words.say("answer"), el("span", { class: "confidence" }, words.say("confidence", { percent: Math.round(first.confidence * 100) }))),
      el("p", { class: first.text.length > 60 ? "exact long" : "exact" }, first.text),
      el("blockquote", {}, ...context(first, hits.find((hit) => hit.id === first.hit))),
      this.#source(first),
      others.length > 0 && el("details", {}, el("summary", {}, words.say("other_answers")),
        el("ul", {}, others.map((one) => el("li", {}, el("strong", {}, one.text), " ", this.#source(one))))),
    );
  }

  #source(one) {
    const { words, href } = this.#app;
    const date = dateOf(one.document);
    return el(
      "p",
      { class: "where" },
      el("a", { href: href({ document: one.document.id, from: one.document.library ?? "", at: [one.start, one.end] }) }, titleOf(one.document)),
      one.document.library && el("span", {}, el("b", { class: "library" }, one.document.library)),
      el("span", { class: "path" }, pathOf(one.document)),
      one.page && el("span", {}, pageOf(one.page, one.document, words)),
      date && el("time", { datetime: date }, words.date(date)),
    );
  }

  // A statement can be held against the passages, where a model is there to read them so.
  async #claim(state) {
    const { words, go } = this.#app;
    const query = state.query.trim();
    const key = this.#key;
    if (!state.check) {
      this.#checking?.abort();
      this.#checking = null;
      const offered = !state.picture && query.split(/\s+/).length > 2 && !QUESTION.test(query) && (await hasModel(this.#app, "checker"));
      if (key !== this.#key || this.#app.state.check) return;
      const button = el("button", { class: "quiet summarize", type: "button", on: { click: () => go({ check: true }) } }, icon("check"), words.say("check"));
      return this.#check.replaceChildren(...(offered ? [button] : []));
    }
    if (this.#checking) return;
    const checking = (this.#checking = new AbortController());
    this.#check.replaceChildren(el("p", { class: "note reading" }, words.say("checking")));
    try {
      const card = await import("./check.js").then(({ checked }) => checked(this.#app, state, { signal: checking.signal }));
      if (checking === this.#checking) this.#check.replaceChildren(card);
    } catch (problem) {
      if (problem.name !== "AbortError") this.#check.replaceChildren(el("p", { class: "note", role: "alert" }, problem.message));
    }
  }

  async #summarize(state) {
    const { words, go } = this.#app;
    const label = el("button", { class: "quiet summarize", type: "button", on: { click: () => go({ summary: true }) } }, icon("list"), words.say("summarize"));
    if (!state.summary) {
      this.#summarized = "";
      return this.#summary.replaceChildren(label);
    }
    const key = this.#key;
    if (this.#summarized === key) return;
    this.#summarized = key;
    this.#summary.replaceChildren(el("p", { class: "note reading" }, words.say("summarizing")));
    const response = await search(this.#app, { ...state, shown: 10 }, { summarize: true }).catch(() => null);
    if (key !== this.#summarized) return;
    this.#summary.replaceChildren(this.#written(response));
  }

  #written(response) {
    const { words } = this.#app;
    if (!response?.summary?.sentences.length) return el("p", { class: "note" }, words.say("summary_none"));
    const titles = new Map(response.hits.map((hit) => [hit.document.id, titleOf(hit.document)]));
    const numbers = new Map();
    const cited = (source) => {
      if (!numbers.has(source.document)) numbers.set(source.document, numbers.size + 1);
      const n = numbers.get(source.document);
      const title = titles.get(source.document) ?? source.uri;
      return el("a", { class: "cite", href: this.#app.href({ document: source.document, from: source.library ?? "", at: [source.start, source.end] }), "aria-label": words.say("source", { n, title }), title }, n);
    };
    const sentences = response.summary.sentences.map(({ text, sources }) => [text, sources.map(cited), " "]);
    return el(
      "section",
      { class: "card summary", "aria-label": words.say("summary") },
      el("p", { class: "label" }, words.say("summary")),
      el("p", { class: "prose" }, sentences),
      el("ol", { class: "sources" }, [...numbers.keys()].map((id) => el("li", {}, titles.get(id) ?? id))),
    );
  }
}

// The sentence of an answer, with what stands around it in its passage, and the answer marked.
function context(one, hit) {
  const { text, start } = one.sentence;
  const letters = lettersOf(text);
  const sentence = [letters.slice(0, one.start - start), el("mark", {}, letters.slice(one.start - start, one.end - start)), letters.slice(one.end - start, letters.length)];
  if (!hit) return sentence;
  const whole = lettersOf(hit.text);
  const [from, to] = [start - hit.start, one.sentence.end - hit.start];
  const before = whole.slice(Math.max(0, from - 160), from).replace(/^\S*\s/, from > 160 ? "… " : "$&").replace(/^#+ .*\n+|^.*\n\n/s, "");
  const after = whole.slice(to, Math.min(to + 160, whole.length)).replace(/\s\S*$/, to + 160 < whole.length ? " …" : "$&").replace(/\n\n.*$/s, "");
  return [el("span", { class: "around" }, before), ...sentence, el("span", { class: "around" }, after)];
}
