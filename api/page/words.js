// What the page says, in English and Korean: `words.say("hits", {n: 3})`. A view adds its own rows: `words.add(TABLE)`.
// A row is `name: [English, Korean]`; each is a text, or a function of what `say` is given.

const LANGUAGES = ["en", "ko"];
const STORED = "quarry.language";

const many = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
const ko = (n) => n.toLocaleString("ko");

const TABLE = {
  // The header
  search: ["Search", "검색"],
  map: ["Map", "지도"],
  duplicates: ["Duplicates", "중복"],
  upload: ["Add", "추가"],
  roots: ["Folders", "폴더"],
  views: ["Views", "화면"],
  library: ["Library", "라이브러리"],
  libraries_all: ["All libraries", "모든 라이브러리"],
  skip: ["Skip to the results", "결과로 건너뛰기"],
  other_language: ["한국어", "English"],
  keys: ["Keys", "단축키"],
  ask: ["Ask or search your library", "라이브러리에 묻거나 검색하세요"],
  clear: ["Clear", "지우기"],
  recent: ["Recent searches", "최근 검색"],
  search_by_picture: ["Search by a picture", "사진으로 검색"],
  drop_here: ["Drop the picture to search by it", "사진을 놓으면 그 사진으로 검색합니다"],
  no_picture: ["This file is no picture that can be searched by.", "이 파일은 검색에 쓸 수 있는 사진이 아닙니다."],
  picture_gone: ["The picture is not in this tab any more. Drop it here once more.", "사진이 이 탭에 남아 있지 않습니다. 다시 놓아 주세요."],
  close: ["Close", "닫기"],
  remove: [({ name }) => `Remove: ${name}`, ({ name }) => `제거: ${name}`],

  // Home
  home_title: ["What are you looking for?", "무엇을 찾고 계신가요?"],
  home_note: [
    "By meaning and by words, in texts and pictures. Ask a question, describe a picture, or drop one here.",
    "글과 사진을 의미와 낱말로 찾습니다. 질문하거나, 사진을 설명하거나, 사진을 여기에 놓으세요.",
  ],
  home_holds: [
    ({ texts, pictures }) => `${many(texts, "document")}${pictures ? ` and ${many(pictures, "picture")}` : ""}`,
    ({ texts, pictures }) => `문서 ${ko(texts)}건${pictures ? `, 사진 ${ko(pictures)}장` : ""}`,
  ],

  // Results
  hits: [({ n }) => many(n, "hit"), ({ n }) => `결과 ${ko(n)}건`],
  documents: [({ n }) => many(n, "document"), ({ n }) => `문서 ${ko(n)}건`],
  results: ["Results", "검색 결과"],
  all: ["All", "전체"],
  texts: ["Passages", "글"],
  pictures: ["Pictures", "사진"],
  kind: ["Kind", "종류"],
  sort: ["Order", "정렬"],
  sort_relevance: ["Most relevant", "관련도순"],
  "sort_-date": ["Newest first", "최신순"],
  sort_date: ["Oldest first", "오래된순"],
  sort_title: ["By title", "제목순"],
  mode: ["Find by", "찾는 방법"],
  mode_hybrid: ["Meaning and words", "의미와 낱말"],
  mode_semantic: ["Meaning", "의미"],
  mode_lexical: ["Words", "낱말"],
  group: ["One per document", "문서별로 묶기"],
  list: ["List", "목록"],
  gallery: ["Gallery", "갤러리"],
  filters: ["Filters", "필터"],
  boxes: ["Where in the picture", "사진 속 위치"],
  seen: [({ percent }) => `likely there: ${percent}%`, ({ percent }) => `거기 있을 가능성 ${percent}%`],
  seen_nowhere: [({ percent }) => `not sure where in it (${percent}%)`, ({ percent }) => `사진 속 어디인지 확실하지 않음 (${percent}%)`],
  more_hits: ["Show more", "더 보기"],
  left_out: [
    ({ n }) => `${many(n, "less likely hit")} left out.`,
    ({ n }) => `관련이 적은 결과 ${ko(n)}건을 뺐습니다.`,
  ],
  show_left_out: ["Show them", "모두 보기"],
  more_passages: [
    ({ n }) => `${many(n, "more passage")} of this document`,
    ({ n }) => `이 문서의 다른 대목 ${ko(n)}건`,
  ],
  also_in: [({ n }) => `Equal in ${many(n, "other place")}`, ({ n }) => `같은 내용이 다른 ${ko(n)}곳에 있음`],
  near_in: [({ n }) => `Nearly the same in ${many(n, "other place")}`, ({ n }) => `거의 같은 내용이 다른 ${ko(n)}곳에 있음`],
  looks_in: [({ n }) => `${many(n, "picture looks", "pictures look")} nearly the same`, ({ n }) => `거의 같아 보이는 사진 ${ko(n)}장`],
  unlisted: [({ n }) => `and ${n.toLocaleString("en")} more`, ({ n }) => `그리고 ${ko(n)}건 더`],
  slide: [({ n }) => `slide ${n}`, ({ n }) => `슬라이드 ${n}`],
  page: [({ n }) => `page ${n}`, ({ n }) => `${n}쪽`],
  lines: [({ a, b }) => (a === b ? `line ${a}` : `lines ${a}–${b}`), ({ a, b }) => (a === b ? `${a}행` : `${a}–${b}행`)],
  rows: [({ a, b }) => (a === b ? `row ${a}` : `rows ${a}–${b}`), ({ a, b }) => (a === b ? `${a}번째 줄` : `${a}–${b}번째 줄`)],
  seconds: [({ a }) => `at ${a}`, ({ a }) => `${a}부터`],
  said_by_caption: ["from its caption", "설명에서"],
  said_by_ocr: ["read by OCR", "OCR로 읽음"],
  "said_by_automatic-speech-recognition": ["heard by a model", "모델이 들음"],
  said_by_model: [({ name, percent }) => `${name}, ${percent}% sure`, ({ name, percent }) => `${name}, 확신도 ${percent}%`],
  said_by: [({ name }) => `from ${name}`, ({ name }) => `출처: ${name}`],
  relevance: [({ percent }) => `Relevance ${percent}%`, ({ percent }) => `관련도 ${percent}%`],
  more_like: ["More like this", "이와 비슷하게"],
  less_like: ["Less like this", "이와 다르게"],
  why: ["Why this?", "왜 나왔나요?"],
  took: [({ ms }) => `${ms} ms`, ({ ms }) => `${ms} ms`],

  // Chips and facets
  chips: ["What narrows this search", "검색 조건"],
  chip_picture: ["Like your picture", "내 사진과 비슷하게"],
  chip_like: [({ title }) => `Like ${title}`, ({ title }) => `비슷하게: ${title}`],
  chip_unlike: [({ title }) => `Unlike ${title}`, ({ title }) => `다르게: ${title}`],
  chip_exclude: [({ text }) => `Not about ${text}`, ({ text }) => `${text} 제외`],
  chip_word: [({ text }) => `Without ${text}`, ({ text }) => `${text} 없는 것만`],
  strength: ["Strength", "세기"],
  strengths: [({ n }) => ["a little", "some", "fully"][n], ({ n }) => ["조금", "보통", "많이"][n]],
  clear_all: ["Clear all", "모두 지우기"],
  exclude: ["Leave out what is about…", "이런 내용은 제외…"],
  other_values: [({ n }) => `${many(n, "hit")} with other values`, ({ n }) => `다른 값 ${ko(n)}건`],
  more_values: ["Show all", "모두 보기"],
  folder_itself: [({ name }) => `directly in ${name}`, ({ name }) => `${name} 바로 안`],
  below: [({ name }) => `Below ${name}`, ({ name }) => `${name} 아래 항목`],
  field_type: ["File type", "파일 형식"],
  field_language: ["Language", "언어"],
  field_date: ["Year", "연도"],
  field_path: ["Folder", "폴더"],
  field_kind: ["Kind", "종류"],
  field_camera: ["Camera", "카메라"],
  field_author: ["Author", "글쓴이"],
  field_subject: ["Subject", "주제"],
  field_tags: ["Tags", "태그"],
  field_keywords: ["Keywords", "키워드"],

  // Answers and summaries
  answer: ["Answer", "답"],
  reading: ["Reading the nearest passages…", "가까운 대목을 읽고 있습니다…"],
  no_answer: ["The library holds no answer to this.", "라이브러리에 이 질문의 답이 없습니다."],
  nearest: ["These passages come nearest:", "가장 가까운 대목은 다음과 같습니다."],
  confidence: [({ percent }) => `${percent}% sure`, ({ percent }) => `확신도 ${percent}%`],
  other_answers: ["Other answers", "다른 답"],
  check: ["Check this claim", "이 주장 확인하기"],
  checking: ["Holding the claim against the passages…", "주장을 글과 견주고 있습니다…"],
  check_label: ["Claim", "주장 확인"],
  check_found: [
    ({ supported, contradicted, n }) => `${supported} of ${many(n, "passage")} ${supported === 1 ? "supports" : "support"} it, ${contradicted} ${contradicted === 1 ? "contradicts" : "contradict"} it.`,
    ({ supported, contradicted, n }) => `글 ${ko(n)}건 가운데 ${ko(supported)}건이 뒷받침하고 ${ko(contradicted)}건이 반박합니다.`,
  ],
  check_supports: [({ n }) => `Supports: ${n.toLocaleString("en")}`, ({ n }) => `뒷받침 ${ko(n)}건`],
  check_contradicts: [({ n }) => `Contradicts: ${n.toLocaleString("en")}`, ({ n }) => `반박 ${ko(n)}건`],
  check_neither: [({ n }) => `Says neither: ${n.toLocaleString("en")}`, ({ n }) => `어느 쪽도 아님 ${ko(n)}건`],
  check_note: ["A model's word: each passage was read by itself.", "모델이 글을 하나씩 읽고 판단한 것입니다."],
  summarize: ["Summarize these", "요약하기"],
  summary: ["Summary", "요약"],
  summary_none: ["There is too little here to summarize.", "요약할 내용이 부족합니다."],
  summarizing: ["Summarizing…", "요약하고 있습니다…"],
  source: [({ n, title }) => `Source ${n}: ${title}`, ({ n, title }) => `출처 ${n}: ${title}`],

  // States
  loading: ["Loading…", "불러오는 중…"],
  gone: ["The server does not answer", "서버가 응답하지 않습니다"],
  gone_try: ["It may have been stopped. The page tries again by itself.", "서버가 멈췄을 수 있습니다. 자동으로 다시 시도합니다."],
  again: ["Try again", "다시 시도"],
  key_needed: ["This library needs a key", "이 라이브러리에는 키가 필요합니다"],
  key_wrong: ["This key is not known, or may not do this.", "이 키는 등록되어 있지 않거나 권한이 없습니다."],
  key_note: [
    "Whoever runs the server makes one with `quarry keys`. It stays in this tab and is gone when you close it.",
    "서버 관리자가 `quarry keys`로 만듭니다. 키는 이 탭에만 남고 탭을 닫으면 사라집니다.",
  ],
  key: ["API key", "API 키"],
  key_use: ["Open", "열기"],
  empty: ["The library is empty", "라이브러리가 비어 있습니다"],
  empty_try: ["Give it something to find:", "찾을 것을 넣어 주세요."],
  empty_command: ["On this machine, index a folder:", "이 컴퓨터에서 폴더를 색인하세요."],
  empty_upload: ["Or add files here", "또는 여기에서 파일을 추가하세요"],
  none: ["Nothing was found", "찾은 것이 없습니다"],
  none_near: ["Nothing here seems to be meant by this", "이 검색어에 맞는 것이 없는 것 같습니다"],
  none_try: ["You could try:", "이렇게 해 보세요."],
  try_words: ["other words, or a whole question", "다른 낱말이나 완전한 질문으로 찾기"],
  try_filters: ["without the filters", "필터 없이 찾기"],
  try_kind: ["texts and pictures", "글과 사진 모두 찾기"],
  try_mode: ["by meaning and by words", "의미와 낱말로 찾기"],
  try_near: [({ n }) => `the ${many(n, "nearest hit")} anyway`, ({ n }) => `그래도 가까운 결과 ${ko(n)}건 보기`],
  failed: ["That did not work", "처리하지 못했습니다"],
  busy: ["The server has too much to do", "서버가 바쁩니다"],

  // Keys
  key_focus: ["to the search box", "검색창으로"],
  key_walk: ["through recent searches and hits", "최근 검색과 결과 사이 이동"],
  key_enter: ["opens", "열기"],
  key_escape: ["closes, clears", "닫기, 지우기"],
  key_match: ["next, previous match in a document", "문서에서 다음, 이전 일치"],
  key_why: ["why a hit was found", "결과가 나온 까닭"],
  key_help: ["shows these keys", "이 단축키 보기"],
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

  /** Whether there is a row of that name. */
  has(name) {
    return name in this.#table;
  }

  /** Say something by the name of its row. */
  say(name, given = {}) {
    const said = this.#table[name][LANGUAGES.indexOf(this.language)];
    return typeof said === "function" ? said(given) : said;
  }

  number(value, options) {
    return value.toLocaleString(this.language, options);
  }

  /** Write a date of the API for a reader; what is none stays as it is. */
  date(text) {
    const date = new Date(text);
    if (isNaN(date)) return String(text);
    return date.toLocaleDateString(this.language, { year: "numeric", month: "short", day: "numeric" });
  }
}
