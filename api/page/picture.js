// Pictures to search by: kept in this tab under a key that the URL can hold, so that back and reload find them.

const PREFIX = "quarry.picture.";
const EDGE = 640; // pixels; models look at fewer
const held = new Map(); // key -> Blob, for what no tab's storage takes

/** Keep a picture; return its key. */
export async function keep(file) {
  const key = await keyOf(file);
  held.set(key, file);
  const small = await scaled(file);
  if (small) {
    for (const name of Object.keys(sessionStorage).filter((one) => one.startsWith(PREFIX)).slice(0, -4)) sessionStorage.removeItem(name);
    try {
      sessionStorage.setItem(PREFIX + key, small);
    } catch {
      // It is full: the picture lives as long as the page.
    }
  }
  return key;
}

/** The picture of a key as a Blob, null where this tab does not have it. */
export function kept(key) {
  const url = shown(key);
  if (!held.has(key) && url) {
    const bytes = Uint8Array.from(atob(url.slice(url.indexOf(",") + 1)), (one) => one.charCodeAt(0));
    held.set(key, new Blob([bytes], { type: "image/jpeg" }));
  }
  return held.get(key) ?? null;
}

/** What an <img> can show of it, "" where that is nothing. */
export function shown(key) {
  return sessionStorage.getItem(PREFIX + key) ?? "";
}

async function keyOf(file) {
  let hash = 0x811c9dc5; // FNV-1a: crypto.subtle is not there over plain HTTP
  for (const byte of new Uint8Array(await file.arrayBuffer())) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(36) + file.size.toString(36);
}

// What the browser can't read, such as HEIC in some, is sent as it is and not shown.
async function scaled(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, EDGE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.85);
}
