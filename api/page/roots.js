// The view of the folders that are kept in sync: their state, and jobs that bring them up to what is on the disk.

import { el, icon } from "./elements.js";
import { events } from "./events.js";
import { ROOTS_WORDS } from "./roots-words.js";
import { problem } from "./states.js";

const OVER = ["done", "failed", "cancelled", "interrupted"];
const AGAIN_MS = 2000; // before a stream that broke off is asked for anew
const SHOWN = 5; // files of a report that could not be read

let view = null;

export function open(container, app) {
  app.words.add(ROOTS_WORDS);
  view = new RootsView(container, app);
  view.load();
}

export function update() {}

export function close() {
  view?.close();
  view = null;
}

class RootsView {
  #app;
  #container;
  #asking = new AbortController();
  #rows = new Map(); // by path
  #watched = new Set();
  #job = null; // the one that is shown above the list

  constructor(container, app) {
    this.#app = app;
    this.#container = container;
  }

  close() {
    this.#asking.abort();
  }

  async load() {
    const { client, words } = this.#app;
    const { signal } = this.#asking;
    try {
      const [{ roots, folders }, { jobs }] = await Promise.all([client.get("/v1/roots", {}, { signal }), client.get("/v1/jobs", {}, { signal })]);
      this.#build(roots, folders);
      for (const job of jobs.filter(({ state }) => !OVER.includes(state)).reverse()) this.#watch(job);
    } catch (error) {
      if (error.name !== "AbortError") this.#container.replaceChildren(problem(this.#app, error));
    }
  }

  #build(roots, folders) {
    const { words } = this.#app;
    this.job ??= el("div", { class: "job", hidden: true });
    this.#rows.clear();
    this.#container.replaceChildren(
      el(
        "section",
        { class: "roots", "aria-label": words.say("roots") },
        el(
          "header",
          {},
          el("h1", {}, words.say("roots_title")),
          roots.length > 0 && el("button", { class: "main", type: "button", on: { click: () => this.#sync([]) } }, words.say("roots_sync_all")),
        ),
        this.job,
        roots.length ? el("ul", {}, roots.map((root) => this.#row(root))) : this.#empty(),
        folders.length > 0 && this.#form(folders),
      ),
    );
  }

  #empty() {
    const { words } = this.#app;
    return el(
      "div",
      { class: "message" },
      icon("folder"),
      el("h2", {}, words.say("roots_none")),
      el("p", {}, words.say("empty_command")),
      el("pre", {}, "quarry index ~/Documents"),
      el("p", {}, el("a", { class: "link", href: this.#app.href(this.#app.beginning({ view: "upload" })) }, words.say("empty_upload"))),
    );
  }

  #row(root) {
    const { words } = this.#app;
    const sync = el("button", { class: "quiet", type: "button", "aria-label": words.say("roots_sync", { path: root.path }), title: words.say("roots_sync_one"), on: { click: () => this.#sync([root.path]) } }, icon("sync"));
    const forget = el("button", { class: "quiet", type: "button", "aria-label": words.say("roots_forget", { path: root.path }), title: words.say("roots_forget_one"), on: { click: () => this.#forget(root) } }, icon("close"));
    this.#rows.set(root.path, { sync });
    const folders = root.path.replace(/^file:\/\//, "").split("/");
    return el(
      "li",
      {},
      icon("folder"),
      el(
        "div",
        {},
        el("p", { class: "name" }, el("span", {}, folders.slice(0, -1).join("/"), "/"), el("b", {}, folders.at(-1))),
        el(
          "p",
          { class: "where" },
          el("span", {}, words.say("documents", { n: root.documents })),
          el("span", {}, words.say("roots_files", { n: root.files })),
          el("span", {}, root.synced ? el("time", { datetime: root.synced }, words.say("roots_synced", { ago: ago(root.synced, words) })) : words.say("roots_never")),
        ),
        !root.is_there && el("p", { class: "wrong" }, words.say("roots_gone")),
      ),
      sync,
      forget,
    );
  }

  #form(folders) {
    const { words } = this.#app;
    const input = el("input", { type: "text", name: "path", required: true, autocomplete: "off", spellcheck: "false", placeholder: `${folders[0]}/`, "aria-label": words.say("roots_path") });
    const add = async (event) => {
      event.preventDefault();
      if (await this.#begin("/v1/roots", { path: input.value.trim() })) input.value = "";
    };
    return el("form", { class: "key", on: { submit: add } }, input, el("button", { class: "main" }, words.say("roots_add")));
  }

  #sync(paths) {
    return this.#begin("/v1/roots/sync", { paths });
  }

  async #begin(path, body) {
    try {
      this.#watch(await this.#app.client.post(path, body, { signal: this.#asking.signal }));
      return true;
    } catch (error) {
      if (error.name !== "AbortError") this.#tell(error);
      return false;
    }
  }

  async #forget(root) {
    const { client, words } = this.#app;
    if (!confirm(words.say("roots_forget_sure", { path: root.path, n: root.documents }))) return;
    try {
      await client.delete(`/v1/roots?path=${encodeURIComponent(root.path)}`, { signal: this.#asking.signal });
      await this.load();
    } catch (error) {
      if (error.name !== "AbortError") this.#tell(error);
    }
  }

  #tell(error) {
    const { words } = this.#app;
    const denied = error.status === 401 || (error.status === 403 && !error.message);
    this.job.hidden = false;
    this.job.replaceChildren(el("p", { class: "wrong", role: "alert" }, denied ? words.say("upload_key") : error.message));
  }

  /** Show how far a job is until it is over; a stream that breaks off is asked for anew. */
  async #watch(job) {
    if (this.#watched.has(job.id)) return;
    this.#watched.add(job.id);
    this.#show(job);
    const { signal } = this.#asking;
    while (!OVER.includes(job.state) && !signal.aborted) {
      try {
        for await (const { event, data } of events(this.#app.client, `/v1/jobs/${job.id}/events`, { signal })) {
          if (event !== "job") continue;
          job = data;
          this.#show(job);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 404) return this.#tell(error);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    if (signal.aborted) return;
    this.#watched.delete(job.id);
    this.#app.announce(this.job.textContent);
    await this.load();
  }

  #show(job) {
    const { words } = this.#app;
    const { files, size, done_files, done_size, doing } = job.progress;
    for (const [path, { sync }] of this.#rows) sync.classList.toggle("turning", !OVER.includes(job.state) && (!job.about.length || job.about.includes(path)));
    const about = job.about.length ? job.about.map((path) => path.split("/").at(-1)).join(", ") : words.say("roots_all");
    this.job.hidden = false;
    this.job.dataset.state = job.state;
    if (OVER.includes(job.state)) return this.job.replaceChildren(...this.#ended(job, about));
    const bar = el("progress", { max: Math.max(size, 1), "aria-label": words.say("roots_running", { about }) });
    if (size) bar.value = done_size;
    this.job.replaceChildren(
      el("p", {}, el("b", {}, words.say(job.state === "waiting" ? "roots_waiting" : "roots_running", { about })), el("span", { class: "count" }, files ? words.say("roots_progress", { done: done_files, all: files }) : "")),
      bar,
      el("p", { class: "doing" }, el("span", {}, doing), el("button", { class: "link", type: "button", on: { click: () => this.#cancel(job) } }, words.say("roots_cancel"))),
    );
  }

  async #cancel(job) {
    try {
      await this.#app.client.delete(`/v1/jobs/${job.id}`, { signal: this.#asking.signal });
    } catch (error) {
      if (error.name !== "AbortError") this.#tell(error);
    }
  }

  /** What a job did, in words. */
  #ended(job, about) {
    const { words } = this.#app;
    if (["cancelled", "interrupted"].includes(job.state)) return [el("p", {}, el("b", {}, words.say("roots_cancelled", { about })))];
    if (job.state === "failed") return [el("p", { class: "wrong" }, el("b", {}, words.say("roots_failed", { about })), " ", job.problem?.detail ?? "")];
    const { report } = job;
    const counts = ["added", "changed", "moved", "dropped"].filter((name) => report[name]).map((name) => words.say(`roots_${name}`, { n: report[name] }));
    const wrong = Object.entries({ ...report.failed, ...report.held_back });
    return [
      el("p", {}, el("b", {}, words.say("roots_done", { about })), el("span", { class: "count" }, counts.join(", ") || words.say("roots_same"))),
      wrong.length > 0 &&
        el(
          "details",
          {},
          el("summary", {}, words.say("roots_wrong", { n: wrong.length })),
          el("ul", {}, wrong.slice(0, SHOWN).map(([path, why]) => el("li", {}, el("code", {}, path), " ", why)), wrong.length > SHOWN && el("li", {}, words.say("roots_wrong_more", { n: wrong.length - SHOWN }))),
        ),
    ].filter(Boolean);
  }
}

/** How long ago something was, in words. */
function ago(text, words) {
  const seconds = (new Date(text) - Date.now()) / 1000;
  const format = new Intl.RelativeTimeFormat(words.language, { numeric: "auto" });
  for (const [unit, size] of [["day", 86400], ["hour", 3600], ["minute", 60]])
    if (-seconds >= size) return unit === "day" && -seconds > 30 * size ? words.date(text) : format.format(Math.round(seconds / size), unit);
  return words.say("roots_now");
}
