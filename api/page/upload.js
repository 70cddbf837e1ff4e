// The view that adds files, dropped or chosen: each with its progress and what came of it.
//
// Uploads go on while another view is open: they belong to this module, not to the view.

import { el, icon } from "./elements.js";
import { UPLOAD_WORDS } from "./upload-words.js";

const AT_ONCE = 2; // uploads that run beside each other; the server reads them one by one
const MOST = 32 * 2 ** 20; // bytes that the server takes of one file
const SHOWN = 500; // rows

const uploads = []; // of all files of this tab, the oldest first
let view = null;

export function open(container, app) {
  app.words.add(UPLOAD_WORDS);
  view = new UploadView(container, app);
}

export function update() {}

export function close() {
  view?.close();
  view = null;
}

/** One file on its way. */
class Upload {
  state = "waiting"; // sending, reading, done, failed, cancelled
  sent = 0; // share of it
  said = "";
  ids = [];
  #request = null;

  constructor(app, file, path) {
    this.app = app;
    this.file = file;
    this.path = path;
    this.url = app.client.at(`/v1/documents/file?name=${encodeURIComponent(path)}`); // of the library that is open now
  }

  get isOver() {
    return ["done", "failed", "cancelled"].includes(this.state);
  }

  start() {
    const request = new XMLHttpRequest(); // fetch tells nothing of what has been sent
    this.#request = request;
    this.#become("sending");
    request.open("POST", this.url);
    for (const [name, value] of Object.entries(this.app.client.headers)) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => this.#become("sending", { sent: total ? loaded / total : 1 });
    request.upload.onload = () => this.#become("reading", { sent: 1 });
    request.onload = () => this.#answered(request);
    request.onerror = () => this.#become("failed", { said: this.app.words.say("gone") });
    request.onabort = () => this.#become("cancelled");
    request.send(this.file);
  }

  cancel() {
    if (this.state === "waiting") this.#become("cancelled");
    else this.#request?.abort();
  }

  fail(said) {
    this.#become("failed", { said });
  }

  #answered({ status, responseText, statusText }) {
    let body = {};
    try {
      body = JSON.parse(responseText);
    } catch {
      body = { detail: statusText };
    }
    if (status === 201) this.#become("done", { ids: body.ids, said: body.job ? this.app.words.say("upload_hearing") : "" });
    else this.#become("failed", { said: status === 401 || status === 403 ? this.app.words.say("upload_key") : body.detail || body.title });
  }

  #become(state, more = {}) {
    if (this.isOver) return;
    Object.assign(this, more, { state });
    view?.show(this);
    if (this.isOver) begin();
  }
}

function begin() {
  const running = uploads.filter(({ state }) => state === "sending" || state === "reading").length;
  const next = uploads.find(({ state }) => state === "waiting");
  if (next && running < AT_ONCE) {
    next.start();
    begin();
  }
}

class UploadView {
  #app;
  #rows = new Map();
  #list;
  #sum;
  #listeners = new AbortController();

  constructor(container, app) {
    this.#app = app;
    const { words } = app;
    const input = el("input", { type: "file", multiple: true, hidden: true, on: { change: () => this.#add([...input.files].map((file) => ({ file, path: file.name }))) } });
    this.#list = el("ul", { class: "uploads" });
    this.#sum = el("p", { class: "count" });
    this.zone = el(
      "div",
      { class: "upload-zone" },
      icon("upload"),
      el("h1", {}, words.say("upload_title")),
      el("p", {}, words.say("upload_note")),
      el("button", { class: "main", type: "button", on: { click: () => input.click() } }, words.say("upload_choose")),
      input,
    );
    this.clear = el("button", { class: "link", type: "button", on: { click: () => this.#clear() } }, words.say("upload_clear"));
    this.stop = el("button", { class: "link", type: "button", on: { click: () => uploads.filter(({ isOver }) => !isOver).reverse().forEach((one) => one.cancel()) } }, words.say("upload_stop"));
    container.replaceChildren(el("section", { class: "upload", "aria-label": words.say("upload") }, this.zone, el("div", { class: "upload-bar" }, this.#sum, this.stop, this.clear), this.#list));
    const options = { signal: this.#listeners.signal };
    addEventListener("dragover", (event) => this.#over(event, true), options);
    addEventListener("dragleave", (event) => event.relatedTarget || this.#over(event, false), options);
    addEventListener("drop", (event) => this.#drop(event), options);
    for (const one of uploads) this.show(one);
    this.#count();
  }

  close() {
    this.#listeners.abort();
  }

  #over(event, is) {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.zone.classList.toggle("over", is);
  }

  async #drop(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.zone.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (entries.length) this.#add((await Promise.all(entries.map((entry) => filesOf(entry)))).flat());
    else this.#add([...event.dataTransfer.files].map((file) => ({ file, path: file.name })));
  }

  #add(files) {
    const { words } = this.#app;
    for (const { file, path } of files) {
      const upload = new Upload(this.#app, file, path);
      uploads.push(upload);
      this.show(upload);
      if (file.size > MOST) upload.fail(words.say("upload_large", { most: sizeOf(MOST, words) }));
    }
    begin();
  }

  /** Show how far an upload is. */
  show(upload) {
    let row = this.#rows.get(upload);
    if (!row) {
      if (this.#rows.size >= SHOWN) return this.#count();
      row = this.#row(upload);
      this.#rows.set(upload, row);
      this.#list.prepend(row.element);
    }
    const { words, href } = this.#app;
    const { state, sent, said, ids } = upload;
    row.element.dataset.state = state;
    row.bar.hidden = upload.isOver || state === "waiting";
    if (state === "reading") row.bar.removeAttribute("value");
    else row.bar.value = sent;
    row.cancel.hidden = upload.isOver;
    row.said.replaceChildren(said || words.say(`upload_${state}`, { n: ids.length, percent: Math.floor(100 * sent) }));
    if (state === "done" && ids.length) row.name.replaceChildren(el("a", { href: href({ document: ids[0], at: null }) }, upload.path));
    this.#count();
  }

  #row(upload) {
    const { words } = this.#app;
    const name = el("span", { class: "name" }, upload.path);
    const said = el("span", { class: "said" });
    const bar = el("progress", { max: "1", value: "0", "aria-label": upload.path });
    const cancel = el("button", { class: "quiet", type: "button", "aria-label": words.say("upload_cancel", { name: upload.path }), title: words.say("upload_cancel", { name: upload.path }), on: { click: () => upload.cancel() } }, icon("close"));
    return { element: el("li", {}, name, el("span", { class: "count" }, sizeOf(upload.file.size, words)), said, cancel, bar), name, said, bar, cancel };
  }

  #count() {
    const { words } = this.#app;
    const count = (state) => uploads.filter((one) => one.state === state).length;
    const [done, failed, over] = [count("done"), count("failed"), uploads.filter(({ isOver }) => isOver).length];
    this.#sum.textContent = uploads.length ? words.say("upload_sum", { done, failed, all: uploads.length }) : "";
    this.stop.hidden = over === uploads.length;
    this.clear.hidden = !over;
    if (uploads.length && over === uploads.length) this.#app.announce(this.#sum.textContent);
  }

  #clear() {
    for (const upload of uploads.filter(({ isOver }) => isOver)) {
      uploads.splice(uploads.indexOf(upload), 1);
      this.#rows.get(upload)?.element.remove();
      this.#rows.delete(upload);
    }
    this.#count();
  }
}

/** The files of what was dropped: a file, or all within a folder but for hidden ones. */
async function filesOf(entry, folder = "") {
  const path = folder + entry.name;
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path }];
  if (entry.name.startsWith(".")) return [];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at most
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.filter(({ name }) => !name.startsWith(".")).map((one) => filesOf(one, `${path}/`)))).flat();
}

function sizeOf(bytes, words) {
  const units = ["B", "kB", "MB", "GB"];
  let at = 0;
  while (bytes >= 1000 && at < units.length - 1) [bytes, at] = [bytes / 1024, at + 1];
  return `${words.number(bytes, { maximumFractionDigits: bytes < 10 && at ? 1 : 0 })} ${units[at]}`;
}
