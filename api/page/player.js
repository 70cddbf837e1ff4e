// What is played: a recording or a film, at the second that it is opened at.

import { within } from "./client.js";
import { el } from "./elements.js";
import { titleOf } from "./places.js";

/** Whether a document is one. */
export const isPlayed = (found) => found.kind === "text" && /^(audio|video)\//.test(found.type) && /^(\/|file:)/.test(found.uri);

export class Player {
  #media;

  constructor({ client, words, state }, found) {
    const tag = found.type.startsWith("video/") ? "video" : "audio";
    this.#media = el(tag, { controls: true, preload: "metadata", "aria-label": titleOf(found) });
    this.element = el("figure", { class: "player" }, this.#media);
    this.#media.addEventListener("error", () => this.element.replaceChildren(el("p", { class: "note" }, words.say("not_played"))));
    client.show(this.#media, within(state.from, `/v1/documents/${encodeURIComponent(found.id)}/original`));
  }

  /** Go to a second. */
  to(second, { play = false } = {}) {
    const go = () => {
      this.#media.currentTime = second;
      if (play) this.#media.play().catch(() => {});
    };
    if (this.#media.readyState) go();
    else this.#media.addEventListener("loadedmetadata", go, { once: true });
  }
}
