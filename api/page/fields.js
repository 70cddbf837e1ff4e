// What fields and their values are called, and a filter without one of them.

/** What a field is called. */
export function fieldName(app, field) {
  const row = `field_${field}`;
  return app.words.has(row) ? app.words.say(row) : field.replaceAll("_", " ");
}

/** What a value of a field is called. */
export function valueName(app, field, value) {
  if (field === "language" && typeof value === "string" && value.length === 2) return new Intl.DisplayNames(app.words.language, { type: "language" }).of(value);
  if (field === "type") return TYPES[value] ?? String(value).split("/").at(-1);
  if (field === "path") return String(value).replace(/\/\*$/, "").split("/").filter(Boolean).at(-1) ?? value;
  if (field === "kind") return app.words.say(value === "image" ? "pictures" : "texts");
  return String(value);
}

const TYPES = {
  "text/plain": "Text",
  "text/markdown": "Markdown",
  "text/html": "HTML",
  "text/csv": "CSV",
  "text/x-rst": "reStructuredText",
  "text/x-python": "Python",
  "application/pdf": "PDF",
  "application/json": "JSON",
  "application/jsonl": "JSON Lines",
  "image/jpeg": "JPEG",
  "image/png": "PNG",
};

/** A filter without one of its values. */
export function without(filter, field, value) {
  return filter.filter(([one, other]) => one !== field || other !== value);
}
