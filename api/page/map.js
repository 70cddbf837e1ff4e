// The view of the library as a map: what is alike lies together, coloured by kind, folder or relevance, hits lit.

import { el, icon } from "./elements.js";
import { Plot } from "./map-canvas.js";
import { foldersOf, groupsOf } from "./map-groups.js";
import { MAP_WORDS } from "./map-words.js";
import { titleOf } from "./places.js";
import { filterOf, keyOf, search } from "./request.js";
import { asks } from "./state.js";
import { problem } from "./states.js";

const COLOURS = ["folder", "kind", "relevance"];
const LIT = 200; // hits at most
const WEIGHED = 1000; // hits that a colour by relevance knows
const LISTED = 40; // points in sight that are named beside the map
const EXCERPT = 220; // characters of what a point says
const PAUSE_MS = 120;

let view = null;

export function open(container, app) {
  app.words.add(MAP_WORDS);
  view = new MapView(container, app);
  view.load();
}

export function update() {
  view?.update();
}

export function close() {
  view?.close();
  view = null;
}

class MapView {
  #app;
  #container;
  #data = null; // {points, documents, total}
  #plot = null;
  #worker = null;
  #asking = new AbortController();
  #searching = new AbortController();
  #filter;
  #searched;
  #coloured = "";
  #only = -1;
  #lit = null; // Map of point -> relevance
  #hovered = -1;
  #texts = new Map(); // what points say, once it was asked for
  #pause = 0;

  constructor(container, app) {
    this.#app = app;
    this.#container = container;
  }

  #dark = matchMedia("(prefers-color-scheme: dark)");
  #recolour = () => this.#colour();

  get #by() {
    const { colour } = this.#app.state;
    return COLOURS.includes(colour) ? colour : COLOURS[0];
  }

  async load() {
    const { words, client, state } = this.#app;
    this.#filter = JSON.stringify(state.filter);
    this.#build();
    this.#say(words.say("map_loading"));
    try {
      const filter = filterOf(state.filter);
      const found = await client.get("/v1/map", { filter: filter && JSON.stringify(filter) }, { signal: this.#asking.signal });
      this.#take(found);
    } catch (error) {
      if (error.name !== "AbortError") this.#container.replaceChildren(problem(this.#app, error));
    }
  }

  update() {
    if (JSON.stringify(this.#app.state.filter) !== this.#filter) {
      this.close();
      this.#asking = new AbortController();
      this.load();
    } else if (this.#data) {
      if (this.#coloured !== this.#by) this.#colour();
      this.#search();
    }
  }

  close() {
    this.#asking.abort();
    this.#searching.abort();
    this.#dark.removeEventListener("change", this.#recolour);
    this.#searched = undefined;
    this.#worker?.terminate();
    this.#plot?.close();
    clearTimeout(this.#pause);
  }

  #build() {
    const { words } = this.#app;
    this.#dark.addEventListener("change", this.#recolour);
    const canvas = el("canvas", { tabindex: "0", role: "application", "aria-roledescription": words.say("map_role"), "aria-label": words.say("map_loading"), "aria-describedby": "map-keys" });
    this.canvas = canvas;
    const by = (name) => el("button", { type: "button", "aria-pressed": String(name === this.#by), data: { by: name }, on: { click: () => this.#app.go({ colour: name }, { replace: true }) } }, words.say(`map_by_${name}`));
    const press = (name, sign, act) => el("button", { type: "button", class: "quiet", "aria-label": words.say(name), title: words.say(name), on: { click: act } }, icon(sign));
    this.bys = el("div", { class: "kinds", role: "group", "aria-label": words.say("map_by") }, COLOURS.map(by));
    this.said = el("p", { class: "count", role: "status" });
    this.work = el("progress", { class: "map-work", max: "1", value: "0", "aria-label": words.say("map_laying") });
    this.probe = el("i", { hidden: true });
    this.card = el("div", { class: "map-card", hidden: true });
    this.legend = el("ul", { class: "map-legend", "aria-label": words.say("map_legend") });
    this.list = el("ol", { class: "map-list" });
    this.#plot = new Plot(canvas, {
      hover: (point, x, y) => this.#hover(point, x, y),
      open: (point) => this.#app.go(this.#place(point)),
      moved: () => this.#seen(),
    });
    this.#container.replaceChildren(
      el(
        "section",
        { class: "map", "aria-label": words.say("map") },
        el("h1", { class: "unseen" }, words.say("map")),
        el("div", { class: "map-bar" }, this.bys, this.said),
        el(
          "div",
          { class: "map-field" },
          canvas,
          this.work,
          el("div", { class: "map-zoom" }, press("map_in", "plus", () => this.#plot.zoom(1.6)), press("map_out", "minus", () => this.#plot.zoom(1 / 1.6)), press("map_all", "whole", () => this.#plot.reset())),
          this.card,
          this.probe,
          el("p", { id: "map-keys", class: "unseen" }, words.say("map_keys")),
        ),
        el("aside", { class: "map-side" }, this.legend, el("h2", {}, words.say("map_seen")), this.list),
      ),
    );
  }

  #say(text) {
    this.said.textContent = text;
  }

  #take({ documents, parts, total }) {
    const { words } = this.#app;
    const points = [];
    const folders = foldersOf(documents);
    for (const part of parts)
      part.ids.forEach((id, at) => points.push({ id, document: documents[part.documents[at]], folder: folders[part.documents[at]], start: part.starts[at], end: part.ends[at], medium: part.medium }));
    this.#data = { points, byId: new Map(points.map((point, at) => [`${point.medium}:${point.id}`, at])) };
    if (points.length < 3) {
      this.#container.replaceChildren(el("section", { class: "message" }, icon("map"), el("h2", {}, words.say("map_none")), el("p", {}, words.say(this.#app.state.filter.length ? "map_none_filtered" : "map_none_try"))));
      this.#data = null;
      return;
    }
    const many = { n: points.length, total };
    this.#say(words.say(points.length < total ? "map_sample" : "map_points", many));
    this.canvas.setAttribute("aria-label", words.say("map_label", many));
    this.#lay(parts);
    this.#colour();
    this.#search();
  }

  #lay(parts) {
    const input = parts.map(({ ids, dimensions, scale, vectors }) => ({
      count: ids.length,
      dimensions,
      values: Float32Array.from(Int8Array.from(atob(vectors), (one) => one.charCodeAt(0)), (value) => value * scale),
    }));
    this.#worker = new Worker("/page/map-worker.js", { type: "module" });
    this.#worker.onmessage = ({ data: { positions, done } }) => {
      this.#plot.place(positions);
      this.work.value = done;
      this.work.hidden = done >= 1;
      this.canvas.dataset.done = done >= 1;
      if (done >= 1) {
        this.#worker.terminate();
        this.#seen();
      }
    };
    this.#worker.postMessage({ parts: input, links: this.#links() }, input.map(({ values }) => values.buffer));
  }

  /** Pictures and what is said about them: they are of one document, and can't be compared. */
  #links() {
    const pictures = new Map();
    this.#data.points.forEach((point, at) => point.medium !== "text" && pictures.set(point.document, at));
    return this.#data.points.flatMap((point, at) => (point.medium === "text" && pictures.has(point.document) ? [[pictures.get(point.document), at]] : []));
  }

  #colour() {
    const by = this.#by;
    this.#coloured = by;
    this.#only = -1;
    for (const button of this.bys.children) button.setAttribute("aria-pressed", String(button.dataset.by === by));
    if (!this.#data) return;
    const { words } = this.#app;
    const { points } = this.#data;
    const { groups, named } = groupsOf(points, by, by === "relevance" ? this.#relevance : null, words);
    const colours = { groups: named.map(({ colour }) => this.#resolved(colour)), paper: this.#resolved("--surface") };
    this.#plot.isolate(-1);
    this.#plot.colour(groups, colours, Uint8Array.from(points, (point) => point.medium !== "text"));
    this.legend.replaceChildren(
      ...named.map(({ name, count, colour }, group) =>
        count === 0 ? "" : el("li", {}, el(
          "button",
          { type: "button", "aria-pressed": "false", data: { group }, title: words.say("map_only", { name }), on: { click: () => this.#isolate(group) } },
          el("i", { class: by === "kind" && group === 1 ? "square" : "", style: { background: `var(${colour})` } }),
          el("span", {}, name),
          el("span", { class: "count" }, words.number(count)),
        )),
      ),
    );
    if (by === "relevance") this.#weigh();
    this.#seen();
  }

  /** A colour of the style sheet as red, green and blue. */
  #resolved(property) {
    this.probe.style.setProperty("color", `var(${property})`);
    return getComputedStyle(this.probe).color.match(/[\d.]+/g).slice(0, 3).map(Number);
  }

  #isolate(group) {
    this.#only = this.#only === group ? -1 : group;
    for (const button of this.legend.querySelectorAll("button")) button.setAttribute("aria-pressed", String(Number(button.dataset.group) === this.#only));
    this.#plot.isolate(this.#only);
    this.#seen();
  }

  get #relevance() {
    return this.#weighed?.key === keyOf(this.#app.state) ? this.#weighed.points : null;
  }

  #weighed = null;

  /** Ask how relevant points are, as many as a search tells. */
  async #weigh() {
    const { state } = this.#app;
    const key = keyOf(state);
    if (!asks(state) || this.#weighed?.key === key) return;
    this.#weighed = { key, points: new Map() };
    const found = await this.#found({ limit: WEIGHED, min_relevance: 0 });
    if (!found || keyOf(this.#app.state) !== key) return;
    this.#weighed.points = found.points;
    if (this.#by === "relevance") this.#colour();
  }

  /** Light the hits of the search that the state has. */
  async #search() {
    const { state, words } = this.#app;
    const key = keyOf(state);
    if (key === this.#searched) return;
    this.#searched = key;
    this.#searching.abort();
    this.#searching = new AbortController();
    if (!asks(state)) {
      this.#lit = null;
      this.#plot.light(null);
      if (this.#by === "relevance") this.#colour();
      return this.#seen();
    }
    const found = await this.#found({ limit: LIT });
    if (!found || this.#searched !== key) return;
    this.#lit = found.points;
    this.#plot.light(new Set(found.points.keys()));
    this.#app.announce(words.say("map_lit", { n: found.points.size, hits: found.hits }));
    this.#say(words.say("map_lit", { n: found.points.size, hits: found.hits }));
    if (this.#by === "relevance") this.#colour();
    this.#seen();
  }

  /** The points of a search's hits, with their relevance; null where there is no answer to it. */
  async #found(more) {
    try {
      const { shown, group, sort, ...state } = this.#app.state;
      const response = await search(this.#app, { ...state, shown: more.limit, group: false, sort: "relevance" }, more, { signal: this.#searching.signal });
      const points = new Map();
      for (const hit of response?.hits ?? [])
        for (const { id } of [hit, ...hit.also]) {
          const point = this.#data?.byId.get(`${hit.kind}:${id}`);
          if (point !== undefined && !points.has(point)) points.set(point, hit.relevance);
        }
      return { points, hits: response?.hits.length ?? 0 };
    } catch (error) {
      if (error.name !== "AbortError") this.#say(error.message);
      return null;
    }
  }

  #place(point) {
    const { document, start, end, medium } = this.#data.points[point];
    return { document: document.id, at: medium === "text" ? [start, end] : null };
  }

  async #hover(point, x, y) {
    if (point >= 0 && !this.card.hidden) this.#put(x, y);
    if (point === this.#hovered) return;
    this.#hovered = point;
    this.#plot.choose(point);
    this.canvas.classList.toggle("on-point", point >= 0);
    this.card.hidden = point < 0;
    if (point < 0) return;
    const { document, folder, medium, id } = this.#data.points[point];
    const text = el("p", { class: "snippet" });
    const relevance = this.#lit?.get(point);
    const parts = [
      el("a", { class: "title", href: this.#app.href(this.#place(point)) }, titleOf(document)),
      el("p", { class: "where" }, el("span", {}, folder), relevance !== undefined && el("span", {}, this.#app.words.say("relevance", { percent: Math.round(100 * relevance) }))),
    ];
    if (medium === "text") parts.push(text);
    else {
      const image = el("img", { alt: "" });
      this.#app.client.show(image, `/v1/images/${encodeURIComponent(document.id)}/thumbnail`);
      parts.unshift(image);
    }
    this.card.replaceChildren(...parts);
    this.#put(x, y);
    if (medium !== "text") return;
    text.textContent = this.#texts.get(id) ?? "…";
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS)); // a pointer that only passes asks for nothing
    if (this.#hovered !== point || this.#texts.has(id)) return;
    this.#texts.set(id, await this.#read(this.#data.points[point]));
    if (this.#hovered === point) text.textContent = this.#texts.get(id);
    this.#put(x, y);
  }

  /** What a point says, "" where that can't be had. */
  async #read({ document, start, end }) {
    try {
      const { text } = await this.#app.client.get(`/v1/documents/${encodeURIComponent(document.id)}/content`, { start, end: Math.min(end, start + 2 * EXCERPT) }, { signal: this.#asking.signal });
      const said = text.replace(/\s+/g, " ").replace(/^#+ /, "").trim();
      return said.length > EXCERPT ? `${said.slice(0, EXCERPT)}…` : said;
    } catch {
      return "";
    }
  }

  #put(x, y) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const { offsetWidth: across, offsetHeight: down } = this.card;
    this.card.style.setProperty("left", `${Math.max(8, Math.min(x + 16, width - across - 8))}px`);
    this.card.style.setProperty("top", `${y + 20 + down > height ? Math.max(8, y - down - 16) : y + 20}px`);
  }

  /** Name what is in sight, once the map rests. */
  #seen() {
    clearTimeout(this.#pause);
    this.list.setAttribute("aria-busy", "true");
    this.#pause = setTimeout(() => {
      const { points } = this.#data;
      const named = new Map();
      for (const point of this.#plot.inView()) {
        const { document } = points[point];
        if (!named.has(document)) named.set(document, point);
        if (named.size >= LISTED) break;
      }
      const mark = (point) => ({ pointerenter: () => this.#plot.choose(point), pointerleave: () => this.#plot.choose(-1), focus: () => this.#plot.choose(point), blur: () => this.#plot.choose(-1) });
      this.list.replaceChildren(
        ...[...named].map(([document, point]) =>
          el("li", {}, el("a", { href: this.#app.href(this.#place(point)), class: this.#lit?.has(point) ? "lit" : "", on: mark(point) }, el("span", {}, titleOf(document)), el("small", {}, points[point].folder))),
        ),
      );
      this.list.setAttribute("aria-busy", "false");
    }, PAUSE_MS);
  }
}
