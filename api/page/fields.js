// What fields and their values are called, and a filter without one of them.

/** Whether the values of a field are paths, such as `Places|Korea|Seoul`. */
export const isTree = (field) => field.endsWith("/");

/** What a field is called. */
export function fieldName(app, field) {
  const plain = field.replace(/\/$/, "");
  const row = `field_${plain}`;
  return app.words.has(row) ? app.words.say(row) : plain.replaceAll("_", " ");
}

/** What a value of a field is called. */
export function valueName(app, field, value, others = []) {
  if (field === "language" && typeof value === "string" && value.length === 2) return new Intl.DisplayNames(app.words.language, { type: "language" }).of(value);
  if (field === "type") return typeName(String(value));
  if (isTree(field)) return String(value).split(String(value).includes("|") ? "|" : "/").filter(Boolean).at(-1) ?? value;
  if (field === "path") return folderName(app, String(value), others.filter((one) => one !== value).map(String));
  if (field === "kind") return app.words.say(value === "image" ? "pictures" : "texts");
  return String(value);
}

// A folder by its last part, and by as many of those above as tell it from others.
function folderName(app, path, others) {
  const parts = (one) => one.replace(/\/\*$/, "").split("/").filter(Boolean);
  const itself = path.endsWith("/*");
  const alike = others.filter((one) => one.endsWith("/*") === itself);
  const called = (one, n) => parts(one).slice(-n).join(" / ");
  let n = 1;
  while (n < parts(path).length && alike.some((one) => called(one, n) === called(path, n))) n++;
  const name = called(path, n) || path;
  return itself ? app.words.say("folder_itself", { name }) : name;
}

// Names that are the same in any language; what has none here is told by the type itself: text/x-rust is Rust.
const TYPES = {
  "text/plain": "Text",
  "text/markdown": "Markdown",
  "text/html": "HTML",
  "text/csv": "CSV",
  "text/tab-separated-values": "TSV",
  "text/calendar": "iCalendar",
  "text/vcard": "vCard",
  "text/vtt": "WebVTT",
  "text/x-rst": "reStructuredText",
  "text/x-tex": "LaTeX",
  "text/x-ssa": "SubStation Alpha",
  "text/x-javascript": "JavaScript",
  "text/x-typescript": "TypeScript",
  "message/rfc822": "E-mail",
  "message/x-emlx": "Apple Mail",
  "application/epub+zip": "EPUB",
  "application/hwp+zip": "HWPX",
  "application/jsonl": "JSON Lines",
  "application/mbox": "mbox",
  "application/msword": "Word 97",
  "application/vnd.ms-excel": "Excel 97",
  "application/vnd.ms-outlook": "Outlook",
  "application/vnd.ms-powerpoint": "PowerPoint 97",
  "application/vnd.oasis.opendocument.presentation": "OpenDocument ODP",
  "application/vnd.oasis.opendocument.presentation-flat-xml": "OpenDocument FODP",
  "application/vnd.oasis.opendocument.spreadsheet": "OpenDocument ODS",
  "application/vnd.oasis.opendocument.spreadsheet-flat-xml": "OpenDocument FODS",
  "application/vnd.oasis.opendocument.text": "OpenDocument ODT",
  "application/vnd.oasis.opendocument.text-flat-xml": "OpenDocument FODT",
  "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
  "application/vnd.rar": "RAR",
  "application/x-ipynb+json": "Jupyter",
  "application/x-subrip": "SubRip",
  "image/vnd.adobe.photoshop": "Photoshop",
  "image/vnd.microsoft.icon": "Icon",
  "image/vnd.ms-dds": "DirectDraw",
};
const SPELLED = /^(application|image)\/|^text\/x-(css|scss|sql|xml|yaml|toml|ini|php|vhdl|glsl|awk|d|r|v)$/; // in capitals

function typeName(type) {
  const last = type.split("/").at(-1).replace(/^x-/, "");
  return TYPES[type] ?? (SPELLED.test(type) ? last.toUpperCase() : last.charAt(0).toUpperCase() + last.slice(1));
}

/** A filter without one of its values. */
export function without(filter, field, value) {
  return filter.filter(([one, other]) => one !== field || other !== value);
}
