// The list of hits, or the gallery: an element for each, kept where the same hit comes again.

import { remember } from "./box.js";
import { within } from "./client.js";
import { el, icon } from "./elements.js";
import { excerpt, marked } from "./marks.js";
import { anew } from "./state.js";
import { placeOf, pathOf, titleOf } from "./places.js";

export class Hits {
  #app;
  #state = null;
  #response = null;
  #seeing = null; // AbortController of what draws where pictures show it

  constructor(app) {
    this.#app = app;
    this.element = el("div", { class: "hits", on: { keydown: (event) => this.#press(event) } });
  }

  clear() {
    this.#seeing?.abort();
    this.#seeing = null;
    this.#response = null;
    this.element.replaceChildren();
  }

  /** Show what was found. */
  show(state, response) {
    const focused = document.activeElement?.closest?.(".hit")?.dataset.id;
    this.#state = state;
    this.#response = response;
    this.element.dataset.layout = state.layout;
    this.element.replaceChildren(...response.hits.map((hit) => this.#hit(hit)));
    if (focused) this.element.querySelector(`.hit[data-id="${CSS.escape(focused)}"]`)?.focus();
    this.#explain();
    this.#seeing?.abort();
    this.#seeing = null;
    this.#see();
  }

  /** Follow a state whose hits are the same. */
  update() {
    if (!this.#response) return;
    if (this.#state.layout !== this.#app.state.layout) this.show(this.#app.state, this.#response);
    else {
      this.#explain();
      this.#see();
    }
  }

  // It takes longer to say where pictures show something than to find them, and so is asked for when they are there.
  async #see() {
    const wanted = this.#app.state.boxes;
    if (wanted === Boolean(this.#seeing)) return;
    this.#seeing?.abort();
    const seeing = (this.#seeing = wanted ? new AbortController() : null);
    const { see, forget } = await import("./seen.js");
    if (seeing !== this.#seeing) return;
    if (seeing) see(this.element, this.#app, seeing.signal);
    else forget(this.element);
  }

  #hit(hit) {
    const { words } = this.#app;
    const title = titleOf(hit.document);
    const place = placeOf(hit, words);
    const percent = Math.round(hit.relevance * 100);
    return el(
      "article",
      { class: `hit ${hit.kind}`, tabindex: "-1", "aria-labelledby": `title-${hit.id}`, data: { id: hit.id } },
      hit.kind === "image" && this.#thumbnail(hit),
      el(
        "div",
        { class: "body" },
        el("h2", { id: `title-${hit.id}` }, this.#link(hit, title), ...heading(hit, title)),
        el(
          "p",
          { class: "where" },
          hit.document.library && el("span", {}, el("b", { class: "library" }, hit.document.library)),
          el("span", { class: "path" }, pathOf(hit.document)),
          place && el("span", {}, place),
          dateOf(hit.document) && el("time", { datetime: dateOf(hit.document) }, words.date(dateOf(hit.document))),
          hit.said_by && el("span", {}, sayer(hit, words)),
        ),
        hit.text && el("p", { class: "snippet", lang: hit.original ? null : languageOf(hit.document) }, snippet(hit)),
        hit.original && el("p", { class: "snippet original", lang: languageOf(hit.document) }, hit.original),
        hit.fields.length > 0 && el("p", { class: "fields" }, hit.fields.map((field) => el("span", {}, `${field.name}: `, ...marked(field.value, field.highlights)))),
        this.#actions(hit, title, percent),
        this.#others(hit),
        el("div", { class: "explanation" }),
      ),
    );
  }

  #link(hit, title, text = title) {
    return el("a", { href: this.#app.href(opened(hit)), on: { click: () => remember(this.#app.state.query) } }, text);
  }

  #thumbnail(hit) {
    const image = el("img", { alt: "", loading: "lazy", decoding: "async" });
    this.#app.client.show(image, within(hit.document.library, `/v1/images/${encodeURIComponent(hit.document.id)}/thumbnail`));
    return el("a", { class: "thumbnail", href: this.#app.href(opened(hit)), tabindex: "-1", "aria-hidden": "true" }, image);
  }

  #actions(hit, title, percent) {
    const { words, state, go } = this.#app;
    const example = (name) => () =>
      go(anew({ picture: "", [name]: [...this.#app.state[name].filter((one) => one.id !== hit.id), { id: hit.id, strength: 1, title }] }));
    const button = (name, symbol, click, attributes = {}) =>
      el("button", { class: "quiet", type: "button", ...attributes, on: { click } }, icon(symbol), el("span", {}, words.say(name)));
    return el(
      "div",
      { class: "actions" },
      el("span", { class: "meter", role: "img", "aria-label": words.say("relevance", { percent }), title: words.say("relevance", { percent }) },
        el("span", { style: { width: `${percent}%` } })),
      button("more_like", "plus", example("like")),
      button("less_like", "minus", example("unlike")),
      button("why", "why", () => go({ explain: this.#app.state.explain === hit.id ? "" : hit.id }, { replace: true }), {
        class: "quiet why",
        "aria-expanded": String(state.explain === hit.id),
      }),
    );
  }

  #others(hit) {
    const { words } = this.#app;
    const found = [];
    if (hit.more.length)
      found.push(el("details", { class: "others" }, el("summary", {}, words.say("more_passages", { n: hit.more.length })),
        el("ul", {}, hit.more.map((one) => el("li", {}, this.#link(one, titleOf(one.document), one.heading?.split(" > ").at(-1) || placeOf(one, words) || titleOf(one.document)), el("p", { class: "snippet" }, snippet(one)))))));
    for (const [name, n, listed] of [["also_in", hit.equal, hit.also.filter((one) => !one.near)], [hit.kind === "image" ? "looks_in" : "near_in", hit.near, hit.also.filter((one) => one.near)]])
      if (n)
        found.push(el("details", { class: "others" }, el("summary", {}, words.say(name, { n })),
          el("ul", {}, listed.map((one) => el("li", {}, this.#link({ ...one, kind: hit.kind }, titleOf(one.document)), el("span", { class: "path" }, [one.document.library, pathOf(one.document)].filter(Boolean).join(": ")))),
            n > listed.length && el("li", { class: "note" }, words.say("unlisted", { n: n - listed.length })))));
    return found;
  }

  async #explain() {
    const wanted = this.#app.state.explain;
    for (const one of this.element.querySelectorAll(".hit")) {
      const on = one.dataset.id === wanted;
      one.querySelector(".why").setAttribute("aria-expanded", String(on));
      if (!on) one.querySelector(".explanation").replaceChildren();
    }
    const place = wanted && this.element.querySelector(`.hit[data-id="${CSS.escape(wanted)}"] .explanation`);
    if (!place || place.children.length) return;
    const { explain } = await import("./explain.js");
    if (place.isConnected && !place.children.length && this.#app.state.explain === wanted) explain(place, this.#app, wanted);
  }

  #press(event) {
    const hits = [...this.element.querySelectorAll(".hit")];
    const at = hits.indexOf(document.activeElement);
    if (at < 0) return;
    const step = { ArrowDown: 1, ArrowRight: 1, j: 1, ArrowUp: -1, ArrowLeft: -1, k: -1 }[event.key];
    if (step && !event.ctrlKey && !event.metaKey && !event.altKey) {
      if (at + step < 0) document.querySelector(".box input").focus();
      else hits[Math.min(at + step, hits.length - 1)].focus();
    } else if (event.key === "Enter") hits[at].querySelector("h2 a").click();
    else if (event.key === "w") hits[at].querySelector(".why").click();
    else if (event.key === "Escape") document.querySelector(".box input").focus();
    else return;
    event.preventDefault();
  }
}

// A picture is opened at words that stand in it, and at nothing else.
function opened(hit) {
  return { document: hit.document.id, from: hit.document.library ?? "", at: hit.kind === "image" && !hit.place?.box ? null : [hit.start, hit.end], second: hit.kind === "text" ? hit.place?.seconds?.[0] ?? null : null };
}

// Who says what is found, where the text itself does not, and how sure a model is of it.
function sayer({ said_by: name, confidence }, words) {
  if (["caption", "ocr", "automatic-speech-recognition"].includes(name)) return words.say(`said_by_${name}`);
  return confidence === null || confidence === undefined
    ? words.say("said_by", { name })
    : words.say("said_by_model", { name: words.say("said_by", { name }), percent: Math.round(100 * confidence) });
}

function languageOf(document) {
  const code = document.enriched?.language;
  return code?.length === 2 ? code : null;
}

function snippet(hit) {
  const [start, end, before, after] = excerpt(hit.text, hit.highlights, [hit.heading?.split(" > ").at(-1), hit.document.title]);
  return [before ? "… " : "", ...marked(hit.text, hit.highlights, start, end), after ? " …" : ""].map((piece) => (typeof piece === "string" ? piece.replace(/\n+/g, "\n") : piece));
}

function heading(hit, title) {
  const steps = (hit.heading ?? "").split(" > ").filter((step) => step && step !== title);
  return steps.length ? [el("span", { class: "heading" }, ` › ${steps.join(" › ")}`)] : [];
}

/** The date that a document gives of itself, or when it was modified. */
export function dateOf(document) {
  const { date, taken } = document.metadata;
  return typeof date === "string" ? date : typeof taken === "string" ? taken : document.modified;
}
