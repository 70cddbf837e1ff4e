// What the server says, in Korean, by its code; its own words are English. The command line says the same.

const KOREAN = await (await fetch("/page/korean.json")).json();

const shown = (value) => [value ?? []].flat().join(", ");

/** Fill the {names} of a template; what stands in [brackets] is left out where a name in it has no value. */
function filled(template, values = {}) {
  const fill = (part) => part.replace(/\{(\w+)\}/g, (_, name) => shown(values[name]));
  const given = (part) => [...part.matchAll(/\{(\w+)\}/g)].every(([, name]) => shown(values[name]));
  return fill(template.replace(/\[([^\]]*)\]/g, (_, part) => (given(part) ? part : "")));
}

/** A note in the language of the page, or in the server's words where that does not know it. */
export function said({ code, message, values }, words) {
  if (words.language !== "ko" || !(code in KOREAN.notes)) return message;
  const own = values?.library && !KOREAN.notes[code].includes("{library}");
  return `${own ? `${values.library}: ` : ""}${filled(KOREAN.notes[code], values)}`;
}

/** What went wrong, in the language of the page; null where only the server's words tell. */
export function wrong({ type = "" }, words) {
  const kind = type.replace("urn:quarry:", "").replace(/(^|-)(\w)/g, (_, before, letter) => letter.toUpperCase());
  return (words.language === "ko" && KOREAN.errors[kind]) || null;
}
