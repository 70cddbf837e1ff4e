// What the page says, in English and Korean. `words.say("hits", {n: 3})`; a view adds its own: `words.add(TABLE)`.
// A row is `name: [English, Korean]`; each is a text, or a function of what `say` is given.

const LANGUAGES = ["en", "ko"];
const STORED = "quarry.language";

const many = (n, one, more) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;

const TABLE = {
  search: ["Search", "검색"],
  map: ["Map", "지도"],
  upload: ["Add", "추가"],
  roots: ["Folders", "폴더"],
  language: ["한국어", "English"],
  hits: [({ n }) => many(n, "hit", "hits"), ({ n }) => `결과 ${n.toLocaleString("ko")}건`],
};

export class Words {
  #table = { ...TABLE };

  constructor() {
    const wanted = [localStorage.getItem(STORED), ...navigator.languages.map((one) => one.slice(0, 2))];
    this.language = wanted.find((one) => LANGUAGES.includes(one)) ?? "en";
  }

  /** Add rows to what can be said. */
  add(table) {
    Object.assign(this.#table, table);
  }

  /** Speak the other language from now on. */
  switch() {
    this.language = LANGUAGES.find((one) => one !== this.language);
    localStorage.setItem(STORED, this.language);
  }

  /** Say something by the name of its row. */
  say(name, given = {}) {
    const row = this.#table[name];
    const said = row ? row[LANGUAGES.indexOf(this.language)] : name;
    return typeof said === "function" ? said(given) : said;
  }

  number(value) {
    return value.toLocaleString(this.language);
  }

  /** Write a date of the API for a reader, "" where there is none. */
  date(text) {
    if (!text) return "";
    const date = new Date(text);
    return isNaN(date) ? text : date.toLocaleDateString(this.language, { year: "numeric", month: "short", day: "numeric" });
  }
}
