// What a document is called, where it lies, and where in it a passage stands.

/** The title of a document; a file without one goes by its name. */
export function titleOf(document) {
  return document.title || nameOf(document.uri);
}

/** The end of a document's path, which tells it from others. */
export function pathOf(document) {
  const parts = plain(document.uri).split("/").filter(Boolean);
  return parts.slice(-3).join(" / ");
}

/** The place of a hit in its file, in words, "" where nothing is known of it. */
export function placeOf(hit, words) {
  const { place, page } = hit;
  if (page) return pageOf(page, hit.document, words);
  if (place?.cells) return place.cells;
  if (place?.rows) return words.say("rows", { a: place.rows[0], b: place.rows[1] });
  if (place?.lines) return words.say("lines", { a: place.lines[0], b: place.lines[1] });
  if (place?.seconds) return words.say("seconds", { a: clock(place.seconds[0]) });
  return "";
}

/** What a page of a document is called: those of a presentation are slides. */
export function pageOf(page, document, words) {
  const isSlide = /presentation|powerpoint/.test(document?.type) || document?.metadata.slide;
  return words.say(isSlide ? "slide" : "page", { n: page });
}

const nameOf = (uri) => plain(uri).split("/").filter(Boolean).at(-1) ?? uri;

function plain(uri) {
  if (!uri.startsWith("file://")) return uri;
  try {
    return decodeURIComponent(uri.slice(7));
  } catch {
    return uri.slice(7);
  }
}

/** Seconds as a player shows them. */
export function clock(seconds) {
  const whole = Math.floor(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
