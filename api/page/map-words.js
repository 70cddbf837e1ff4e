// What the map says.

const many = (n) => `${n.toLocaleString("en")} ${n === 1 ? "point" : "points"}`;
const en = (n) => n.toLocaleString("en");
const ko = (n) => n.toLocaleString("ko");

export const MAP_WORDS = {
  map_role: ["map", "지도"],
  map_loading: ["Fetching the map…", "지도를 불러오는 중…"],
  map_laying: ["Laying the map out", "지도를 그리는 중"],
  map_label: [
    ({ n }) => `Map of ${many(n)}: passages and pictures that are alike lie together.`,
    ({ n }) => `점 ${ko(n)}개의 지도. 비슷한 글과 사진이 가까이 있습니다.`,
  ],
  map_points: [({ n }) => `${many(n)}; what is alike lies together`, ({ n }) => `점 ${ko(n)}개 · 비슷한 것끼리 가까이 있습니다`],
  map_sample: [
    ({ n, total }) => `A sample of ${en(n)} of ${en(total)}; what is alike lies together`,
    ({ n, total }) => `${ko(total)}개 중 ${ko(n)}개 · 비슷한 것끼리 가까이 있습니다`,
  ],
  map_lit: [
    ({ n, hits }) => (n === hits ? `${n} ${n === 1 ? "hit" : "hits"} lit` : `${hits} hits, ${n} of them on the map`),
    ({ n, hits }) => (n === hits ? `결과 ${ko(n)}건 표시` : `결과 ${ko(hits)}건 중 ${ko(n)}건이 지도에 있습니다`),
  ],
  map_by: ["Colour by", "색 기준"],
  map_by_kind: ["Kind", "종류"],
  map_by_folder: ["Folder", "폴더"],
  map_by_relevance: ["Relevance", "관련도"],
  map_legend: ["Colours", "색"],
  map_only: [({ name }) => `Show ${name} alone`, ({ name }) => `${name}만 보기`],
  map_others: [({ n }) => `${n} other folders`, ({ n }) => `다른 폴더 ${ko(n)}개`],
  map_loose: ["No folder", "폴더 없음"],
  map_from: [({ percent }) => `${percent}% and more`, ({ percent }) => `${percent}% 이상`],
  map_not_found: ["Not among the first hits", "상위 결과가 아님"],
  map_no_search: ["Search to see what is relevant", "검색하면 관련도가 보입니다"],
  map_seen: ["In view", "보이는 문서"],
  map_in: ["Zoom in", "확대"],
  map_out: ["Zoom out", "축소"],
  map_all: ["Show all", "전체 보기"],
  map_keys: [
    "Arrow keys move the map, plus and minus zoom, 0 shows all. The list after it names the documents in view.",
    "화살표 키로 움직이고, 더하기와 빼기로 확대·축소하며, 0으로 전체를 봅니다. 뒤의 목록에 보이는 문서가 있습니다.",
  ],
  map_none: ["There is too little here for a map", "지도를 그리기에는 문서가 적습니다"],
  map_none_try: ["Add some documents first.", "먼저 문서를 추가하세요."],
  map_none_filtered: ["Fewer filters show more.", "필터를 줄이면 더 많이 보입니다."],
};
