// The search box: what is typed, the searches of before, and pictures that are dropped, pasted or chosen.

import { el, icon } from "./elements.js";
import { keep } from "./picture.js";
import { anew } from "./state.js";

const STORED = "quarry.recent";
const KEPT = 8;
const PAUSE_MS = 1200; // what is typed within it is one entry of the history

export class Box {
  #app;
  #input;
  #list;
  #chosen = -1; // which of the list, -1 for none
  #typed = -Infinity;

  constructor(app) {
    this.#app = app;
    addEventListener("paste", (event) => this.#take(event.clipboardData, event));
    addEventListener("dragover", (event) => {
      if (!event.dataTransfer.types.includes("Files") || app.state.view === "upload") return;
      event.preventDefault();
      document.body.classList.add("dropping");
    });
    addEventListener("dragleave", (event) => event.relatedTarget ?? document.body.classList.remove("dropping"));
    addEventListener("drop", (event) => {
      document.body.classList.remove("dropping");
      if (app.state.view !== "upload") this.#take(event.dataTransfer, event);
    });
  }

  /** Make the box; it takes the place of an older one. */
  element() {
    const { words } = this.#app;
    this.#list = el("ul", { id: "recent", role: "listbox", "aria-label": words.say("recent"), hidden: true });
    this.#input = el("input", {
      type: "text", // "search" has an own button to clear it, which not all browsers show
      role: "combobox",
      enterkeyhint: "search",
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: "false",
      "aria-label": words.say("ask"),
      "aria-autocomplete": "list",
      "aria-controls": "recent",
      "aria-expanded": "false",
      placeholder: words.say("ask"),
      on: {
        input: () => this.#search(),
        keydown: (event) => this.#press(event),
        focus: () => this.#input.value || this.#open(),
        blur: () => this.#close(),
      },
    });
    this.#input.value = this.#app.state.query;
    const file = el("input", { type: "file", accept: "image/*", hidden: true, on: { change: () => this.#picture(file.files[0]) } });
    return el(
      "form",
      { class: "box", role: "search", on: { submit: (event) => event.preventDefault() } },
      icon("search"),
      this.#input,
      el("button", { class: "quiet clear", type: "button", "aria-label": words.say("clear"), on: { click: () => this.#clear() } }, icon("close")),
      el("button", { class: "quiet", type: "button", "aria-label": words.say("search_by_picture"), title: words.say("search_by_picture"), on: { click: () => file.click() } }, icon("picture")),
      file,
      this.#list,
      el("div", { class: "drop", "aria-hidden": "true" }, icon("picture"), words.say("drop_here")),
    );
  }

  /** Show what the state says, unless it is being typed. */
  update() {
    const { query } = this.#app.state;
    if (this.#input && this.#input.value.trim() !== query.trim()) this.#input.value = query;
    if (query !== this.#input?.value.trim()) this.#typed = -Infinity;
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  #search() {
    const now = performance.now();
    const replace = now - this.#typed < PAUSE_MS;
    this.#typed = now;
    this.#close();
    const { view } = this.#app.state;
    const query = this.#input.value;
    this.#app.go({ ...anew({ query: query.trim() ? query : "" }), view: view === "map" ? view : "search" }, { replace });
  }

  #clear() {
    this.#input.value = "";
    this.#typed = -Infinity;
    this.#search();
    this.focus();
  }

  #press(event) {
    const open = !this.#list.hidden;
    if (event.isComposing) return; // a syllable of Korean is being put together
    if (event.key === "Enter") {
      if (open && this.#chosen >= 0) this.#choose(this.#list.children[this.#chosen].textContent);
      else this.#enter();
    } else if (event.key === "Escape") {
      if (open) this.#close();
      else if (this.#input.value) this.#clear();
      else return;
    } else if (event.key === "ArrowUp" && !open) this.#open();
    else if (event.key === "ArrowDown" && !open && !this.#input.value) {
      this.#open();
      this.#move(1);
    }
    else if (event.key === "ArrowUp" || (event.key === "ArrowDown" && open)) this.#move(event.key === "ArrowUp" ? -1 : 1);
    else if (event.key === "ArrowDown") document.querySelector("#hits .hit")?.focus();
    else return;
    event.preventDefault();
  }

  #enter() {
    this.#typed = -Infinity; // what follows is an entry of its own
    remember(this.#app.state.query);
    this.#close();
    if (matchMedia("(pointer: coarse)").matches) this.#input.blur(); // the keyboard of a phone covers the hits
    else document.querySelector("#hits .hit")?.focus();
  }

  #open() {
    const recent = remembered().filter((one) => one !== this.#input.value);
    this.#chosen = -1;
    this.#list.replaceChildren(
      ...recent.map((text, index) =>
        el("li", { role: "option", id: `recent-${index}`, "aria-selected": "false", on: { pointerdown: (event) => event.preventDefault(), click: () => this.#choose(text) } }, text),
      ),
    );
    this.#list.hidden = !recent.length;
    this.#input.setAttribute("aria-expanded", String(!this.#list.hidden));
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.removeAttribute("aria-activedescendant");
  }

  #move(step) {
    const options = [...this.#list.children];
    if (!options.length) return;
    this.#chosen = (this.#chosen + step + options.length + (this.#chosen < 0 && step < 0)) % options.length;
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === this.#chosen)));
    this.#input.setAttribute("aria-activedescendant", options[this.#chosen].id);
  }

  #choose(text) {
    this.#input.value = text;
    this.#typed = -Infinity;
    this.#search();
    this.#enter();
  }

  #take(data, event) {
    const file = [...data.files].find((one) => one.type.startsWith("image/") || /\.(heic|heif|avif|tiff?)$/i.test(one.name));
    if (file) this.#picture(file);
    else if (data.files.length) this.#app.announce(this.#app.words.say("no_picture"));
    else return;
    event.preventDefault();
  }

  async #picture(file) {
    if (!file) return;
    this.#app.go({ ...anew({ query: "", like: [], unlike: [] }), picture: await keep(file) });
  }
}

/** Keep a search for the list of the box. */
export function remember(query) {
  const text = query.trim();
  if (text) localStorage.setItem(STORED, JSON.stringify([text, ...remembered().filter((one) => one !== text)].slice(0, KEPT)));
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(STORED)) ?? [];
  } catch {
    return [];
  }
}
