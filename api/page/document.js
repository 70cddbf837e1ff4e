// The document that is open over the view: at the place that the URL names, with what matches the query marked and
// stepped through; passages around the place come as one scrolls. A picture is shown with what is known of it.

import { save, within } from "./client.js";
import { DOCUMENT_WORDS } from "./document-words.js";
import { el, icon, svg } from "./elements.js";
import { entitiesOf, link } from "./entities.js";
import { fieldName, valueName } from "./fields.js";
import { dateOf } from "./hits.js";
import { lettersOf, marked } from "./marks.js";
import { clock, pageOf, pathOf, placeOf, titleOf } from "./places.js";
import { isPlayed, Player } from "./player.js";

const AROUND = 20; // passages that are asked for at once
const MATCHED = 200; // passages that matches are looked for in
const PERCENT = { style: "percent" };
const NAME = 40; // characters, up to which what a part of a picture is called stands at it

let reader = null;

/** Show the document that the state names, or none. */
export function update(app) {
  const { document: id, from, at, second } = app.state;
  if (reader && (reader.id !== id || reader.from !== from)) close();
  if (!id) return;
  if (reader) return reader.at(at, second);
  app.words.add(DOCUMENT_WORDS);
  reader = new Reader(app, id, from);
  reader.open(at, second);
}

export function close() {
  const closing = reader;
  reader = null;
  closing?.close();
}

class Reader {
  #app;
  #gone = new AbortController();
  #loaded = []; // passages, in order
  #matches = []; // [start, end] in the text, in order
  #match = -1;
  #at = null;
  #code = false;
  #document = null;
  #entities = new Map(); // what the text names -> the field that it is found by
  #loading = false;
  #dialog;
  #text = el("div", { class: "text" });
  #player = null; // of a recording or a film
  #shown = null; // of a picture, what it stands in with the boxes on it
  #scroll;
  #stepper = el("div", { class: "stepper" });
  #observer;

  constructor(app, id, from) {
    this.#app = app;
    this.id = id;
    this.from = from; // its library, where several are searched as one
    this.#scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": app.words.say("document") });
    this.#dialog = el("dialog", {
      class: "reader",
      "aria-label": app.words.say("document"),
      on: {
        cancel: (event) => (event.preventDefault(), this.#leave()),
        click: (event) => event.target === this.#dialog && this.#leave(),
        keydown: (event) => this.#press(event),
      },
    });
    this.#observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.#grow(), { root: this.#scroll, rootMargin: "600px" });
  }

  async open(at, second) {
    const { words, client } = this.#app;
    this.#dialog.append(el("p", { class: "note" }, words.say("loading")));
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    try {
      const { documents } = await client.get(within(this.from, "/v1/documents"), { filter: JSON.stringify({ id: this.id }), limit: 1 }, this.#signal);
      if (!documents.length) throw new Error(words.say("none"));
      this.#document = documents[0];
      this.#code = /^text\/x-(?!rst|org|tex|ssa)/.test(this.#document.type);
      this.#frame(documents[0]);
      this.#name(documents[0]);
      if (documents[0].kind === "image") return this.#picture(documents[0], at);
      await Promise.all([this.#find(), this.at(at, second)]);
      this.#step(0, { scroll: false });
    } catch (error) {
      if (error.name !== "AbortError") this.#dialog.replaceChildren(el("p", { class: "note", role: "alert" }, error.message), this.#closer());
    }
  }

  close() {
    this.#gone.abort();
    this.#observer.disconnect();
    this.#dialog.close();
    this.#dialog.remove();
  }

  /** Go to a place of the text, and to a second of what is played. */
  async at(at, second = null) {
    const [start, end] = at ?? [0, 0];
    if (second !== null) this.#player?.to(second);
    if (this.#at && this.#at[0] === start && this.#at[1] === end) return;
    this.#at = [start, end];
    if (!this.#holds(start)) await this.#load(start);
    else this.#draw();
    if (!this.#shown) this.#show(start, at ? "center" : "start");
    else if (at) this.#scroll.scrollTop = 0; // where the picture is, with what is outlined
  }

  get #signal() {
    return { signal: this.#gone.signal };
  }

  #leave() {
    this.#app.go({ document: "", from: "", at: null, second: null });
  }

  #closer() {
    return el("button", { class: "quiet close", type: "button", "aria-label": this.#app.words.say("close"), on: { click: () => this.#leave() } }, icon("close"));
  }

  #frame(found) {
    const { words } = this.#app;
    const date = dateOf(found);
    this.#dialog.setAttribute("aria-label", titleOf(found));
    this.#dialog.replaceChildren(
      el("header", {},
        el("div", { class: "named" },
          el("h2", {}, titleOf(found)),
          el("p", { class: "where" }, el("span", { class: "path" }, pathOf(found)), date && el("time", { datetime: date }, words.date(date)))),
        this.#stepper,
        this.#closer()),
      this.#scroll,
    );
    if (isPlayed(found)) this.#player = new Player(this.#app, found);
    this.#scroll.replaceChildren(...[this.#player?.element, this.#details(found), this.#text].filter(Boolean));
    this.#scroll.focus();
  }

  #details(found) {
    const { words } = this.#app;
    const { confidence = {}, ...enriched } = found.enriched;
    const sure = (name, value) => (confidence[name]?.[value] === undefined || name in found.metadata ? value : `${value} (${words.number(confidence[name][value], PERCENT)})`);
    const shares = (value) => Object.entries(value).flatMap(([, own]) => Object.entries(own)).map(([label, share]) => `${label} ${words.number(share, PERCENT)}`).join(", ");
    const shown = (value, name) => (Array.isArray(value) ? value.map((one) => sure(name, one)).join(", ") : typeof value === "string" && confidence[name] ? sure(name, value) : name === "share" ? shares(value) : typeof value === "object" ? JSON.stringify(value) : /^\d{4}-\d\d-\d\d/.test(value) ? words.date(value) : String(value));
    const rows = [
      [words.say("path"), found.uri],
      [fieldName(this.#app, "type"), valueName(this.#app, "type", found.type)],
      [words.say("modified"), found.modified && words.date(found.modified)],
      [words.say("indexed"), found.indexed && words.date(found.indexed)],
      found.kind === "text" && [words.say("characters"), words.number(found.characters)],
      ...Object.entries({ ...enriched, ...found.metadata }).filter(([name, value]) => name !== "date" || value !== found.metadata.taken)
        .map(([name, value]) => [name === "date" ? words.say("date") : fieldName(this.#app, name), name === "language" ? valueName(this.#app, name, value) : shown(value, name)]),
    ].filter((row) => row && row[1]);
    return el("details", { class: "details", open: found.kind === "image" }, el("summary", {}, words.say("details")),
      el("dl", {}, rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      /^(\/|file:)/.test(found.uri) && this.#saver(found));
  }

  // A button that saves the file: of what lies in another one, such as an attachment, that is its own.
  #saver(found) {
    const { words, client } = this.#app;
    const button = el("button", { class: "quiet", type: "button" }, icon("open"), words.say("save"));
    button.addEventListener("click", () => save(client, within(this.from, `/v1/documents/${encodeURIComponent(found.id)}/original`))
      .catch(() => button.replaceWith(el("p", { class: "note", role: "alert" }, words.say("no_file")))));
    return button;
  }

  #picture(found, at) {
    const { words, client } = this.#app;
    const path = within(this.from, `/v1/images/${encodeURIComponent(found.id)}`);
    const { width, height, document } = found.metadata;
    const image = el("img", { alt: titleOf(found), width, height });
    this.#shown = el("div", { class: "shown" }, image);
    this.#ask(found.id);
    const toggle = el("button", { class: "quiet", type: "button", "aria-pressed": "true" }, icon("open"), words.say("original"));
    const show = (whole) => {
      toggle.setAttribute("aria-pressed", String(whole));
      client.show(image, `${path}/${whole ? "original" : "thumbnail"}`);
    };
    toggle.addEventListener("click", () => show(toggle.getAttribute("aria-pressed") !== "true"));
    image.addEventListener("error", () => {
      if (toggle.getAttribute("aria-pressed") !== "true") return;
      show(false);
      toggle.replaceWith(el("p", { class: "note" }, words.say("no_original")));
    });
    const caption = el("figcaption", {}, toggle);
    this.#scroll.prepend(el("figure", {}, this.#shown, caption));
    if (document && found.uri.includes("#")) this.#outer(found, caption);
    show(true);
    return this.at(at);
  }

  async #ask(id) {
    const form = await import("./question.js").then(({ question }) => question(this.#app, id, this.from, this.#signal));
    if (form) this.#shown.parentElement?.after(form);
  }

  // Where on the picture the words stand that it is opened at.
  #outline() {
    const [from, to] = this.#at ?? [0, 0];
    const here = this.#loaded.filter(({ start, end, place }) => place?.box && start < to && end > from);
    const percent = (share) => `${100 * share}%`;
    this.#shown.replaceChildren(this.#shown.firstElementChild, ...here.map(({ text, place }) => {
      if (place.outline) return outline(place.outline);
      const [left, top, right, bottom] = place.box;
      const name = text.length <= NAME ? text : null;
      return el("i", { class: "outlined", "aria-hidden": "true", data: name ? { name } : {}, style: { left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top) } });
    }));
  }

  // A picture that stands in a document leads to it, at its page or second.
  async #outer({ uri, metadata }, caption) {
    const { words, client, href } = this.#app;
    const page = metadata.page ?? metadata.slide;
    const { second = null } = metadata;
    const path = within(this.from, `/v1/documents/${encodeURIComponent(uri.slice(0, uri.lastIndexOf("#")))}`);
    const outer = await client.get(path, {}, this.#signal).catch(() => null);
    if (!outer) return caption.append(metadata.document);
    const { passages } = page ? await client.get(`${path}/passages`, { page, count: 1 }, this.#signal).catch(() => ({ passages: [] })) : { passages: [] };
    const at = passages.length ? [passages[0].start, passages[0].start] : null;
    const place = page ? pageOf(page, outer, words) : second === null ? "" : clock(second);
    caption.append(el("a", { href: href({ document: outer.id, at, second }) }, [metadata.document, place].filter(Boolean).join(", ")));
  }

  // What matches in this document, as the server finds it: all its passages that hold words of the query.
  async #find() {
    const { client, state } = this.#app;
    if (!state.query.trim()) return;
    const request = { query: state.query, mode: "lexical", filter: { id: this.id }, kinds: ["text"], limit: MATCHED };
    const { hits } = await client.post(within(this.from, "/v1/search"), request, this.#signal).catch(() => ({ hits: [] }));
    this.#matches = hits.flatMap((hit) => hit.highlights.map(([start, end]) => [hit.start + start, hit.start + end])).sort((a, b) => a[0] - b[0]);
    if (this.#loaded.length) this.#draw();
  }

  // What was found out to be named in the text, to filter by.
  async #name(found) {
    this.#entities = await entitiesOf(this.#app, found, this.from, this.#signal);
    if (this.#loaded.length && this.#entities.size) this.#draw();
  }

  #holds(offset) {
    return this.#loaded.some(({ start, end }) => start <= offset && offset <= end);
  }

  async #passages(around) {
    return this.#app.client.get(within(this.from, `/v1/documents/${encodeURIComponent(this.id)}/passages`), { around, count: AROUND }, this.#signal);
  }

  async #load(offset) {
    const { passages, total } = await this.#passages(offset);
    this.#loaded = passages;
    this.total = total;
    this.#draw();
    if (!total && !this.#scroll.querySelector("figure")) this.#text.replaceChildren(el("p", { class: "note" }, this.#app.words.say("no_text")));
  }

  // More of the text, at whichever end is in sight.
  async #grow() {
    if (this.#loading || !this.#loaded.length || this.#loaded.length >= this.total) return;
    this.#loading = true;
    try {
      const [first, last] = [this.#loaded[0], this.#loaded.at(-1)];
      const up = this.#scroll.scrollTop < this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight;
      const { passages } = await this.#passages(up ? first.start : last.end);
      const more = passages.filter(({ start }) => (up ? start < first.start : start > last.start));
      if (!more.length) return;
      this.#loaded = up ? [...more, ...this.#loaded] : [...this.#loaded, ...more];
      const height = this.#scroll.scrollHeight;
      this.#draw();
      if (up) this.#scroll.scrollTop += this.#scroll.scrollHeight - height;
    } catch (error) {
      if (error.name !== "AbortError") this.#observer.disconnect();
    } finally {
      this.#loading = false;
    }
  }

  #draw() {
    let page = null;
    const drawn = this.#loaded.flatMap((passage) => {
      const turned = passage.page && passage.page !== page;
      page = passage.page;
      return [turned && el("p", { class: "turned" }, pageOf(page, this.#document, this.#app.words)), this.#passage(passage)];
    });
    this.#text.classList.toggle("code", this.#code);
    this.#text.replaceChildren(...drawn.filter(Boolean));
    link(this.#app, this.#text, this.#entities);
    this.#observer.disconnect();
    for (const end of [this.#text.firstElementChild, this.#text.lastElementChild]) if (end) this.#observer.observe(end);
    this.#light();
    if (this.#shown) this.#outline();
  }

  #passage(passage) {
    const { text, start, end } = passage;
    const [from, to] = this.#at ?? [0, 0];
    const here = to > 0 && from < end && to > start;
    const exact = here && (from > start || to < end) ? [[Math.max(from, start), Math.min(to, end)]] : [];
    const within = this.#matches.filter(([a, b]) => a < end && b > start);
    const spans = [...within, ...exact];
    const opens = this.#shown && passage.place?.box && !here; // a part of the picture, which is outlined then
    return el(
      "section",
      { class: here ? "passage here" : "passage", data: { start }, title: here ? placeOf(passage, this.#app.words) : null },
      this.#player && passage.place?.seconds && this.#seeker(passage.place.seconds[0]),
      blocks(text, this.#code).map(({ at, stop, level }) => {
        const own = spans.map(([a, b]) => [a - start, b - start]).filter(([a, b]) => a < stop && b > at);
        const pieces = opens ? el("a", { href: this.#app.href({ document: this.id, at: [start, end] }) }, ...marked(text, own, at, stop)) : marked(text, own, at, stop);
        return el(level ? "h3" : "p", level ? { class: `level${level}` } : {}, pieces);
      }),
    );
  }

  // A button that plays from a second.
  #seeker(second) {
    return el("button", { class: "quiet", type: "button", on: { click: () => this.#player.to(second, { play: true }) } }, clock(second));
  }

  #step(by, { scroll = true } = {}) {
    const { words } = this.#app;
    const n = this.#matches.length;
    if (!n) return this.#stepper.replaceChildren();
    if (by) this.#match = (this.#match + by + n) % n;
    else this.#match = Math.max(0, this.#matches.findIndex(([start]) => start >= (this.#at?.[0] ?? 0)));
    const said = words.say("matches", { n, at: this.#match + 1 });
    const button = (name, symbol, step) =>
      el("button", { class: "quiet", type: "button", "aria-label": words.say(name), title: words.say(name), on: { click: () => this.#step(step) } }, icon(symbol));
    this.#stepper.replaceChildren(el("span", { class: "count" }, said), button("match_previous", "up", -1), button("match_next", "down", 1));
    if (scroll) {
      this.#toMatch();
      this.#app.announce(said);
    } else this.#light();
  }

  async #toMatch() {
    const [start] = this.#matches[this.#match];
    if (!this.#holds(start)) await this.#load(start);
    this.#light();
    this.#text.querySelector("mark.now")?.scrollIntoView({ block: "center" });
  }

  // Tell the match that is stepped to from the others.
  #light() {
    const match = this.#matches[this.#match];
    this.#text.querySelector("mark.now")?.classList.remove("now");
    if (!match) return;
    for (const section of this.#text.querySelectorAll(".passage")) {
      const passage = this.#loaded.find(({ start }) => start === Number(section.dataset.start));
      if (!passage || match[0] < passage.start || match[0] >= passage.end) continue;
      const before = this.#matches.filter(([start]) => start >= passage.start && start < match[0]).length;
      section.querySelectorAll("mark")[before]?.classList.add("now");
    }
  }

  #show(offset, block) {
    const index = this.#loaded.findLastIndex(({ start }) => start <= offset);
    const section = this.#text.querySelector(`.passage[data-start="${this.#loaded[Math.max(0, index)]?.start}"]`);
    if (block === "start" && index <= 0) this.#scroll.scrollTop = 0;
    else (section?.querySelector("mark") ?? section)?.scrollIntoView({ block });
  }

  #press(event) {
    const step = { n: 1, p: -1 }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (this.#matches.length) this.#step(step);
  }
}

// What runs around a part of a picture, x and y in turn as shares of its width and height.
function outline(shares) {
  const points = shares.join(" ");
  return svg("svg", { class: "outlines", viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("polygon", { points, class: "paper" }), svg("polygon", { points }));
}

// Paragraphs and headings of a passage, as ranges of its characters: a Markdown heading without its signs.
function blocks(text, code) {
  const letters = lettersOf(text);
  if (code) return [{ at: 0, stop: letters.length }];
  const found = [];
  let at = 0;
  for (const part of text.split(/(\n{2,}|(?<=^#{1,6} [^\n]*)\n)/)) {
    const length = lettersOf(part).length;
    const signs = /^(#{1,6})\s+/.exec(part);
    if (part.trim()) found.push({ at: at + (signs ? signs[0].length : 0), stop: at + length, level: signs?.[1].length });
    at += length;
  }
  return found;
}
