// What the view of duplicates and outliers says.

const en = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
const ko = (n) => n.toLocaleString("ko");

export const DUPLICATES_WORDS = {
  among: ["What is listed", "목록 종류"],
  among_copies: ["Copies", "사본"],
  among_meaning: ["Other words, same meaning", "말만 다른 같은 뜻"],
  among_outliers: ["Fits nowhere", "어디에도 안 맞는 것"],
  groups: [
    ({ n, copies }) => `${en(n, "group")}, with ${en(copies, "document")} beside those to keep`,
    ({ n, copies }) => `묶음 ${ko(n)}개, 남길 것 말고 문서 ${ko(copies)}건`,
  ],
  groups_none: ["No document is the same as another one, or nearly so.", "서로 같거나 거의 같은 문서가 없습니다."],
  meaning_none: ["No two texts say the same in other words.", "다른 말로 같은 뜻을 전하는 글이 없습니다."],
  outliers_none: [
    ({ compared }) => (compared ? "Every document is like some others." : "There are too few documents to tell: twenty of a kind are needed."),
    ({ compared }) => (compared ? "모든 문서가 다른 문서와 비슷합니다." : "문서가 너무 적습니다. 종류마다 20건이 필요합니다."),
  ],
  unseen: [
    ({ n }) => `${en(n, "document")} wait to be looked at: index their folders once more.`,
    ({ n }) => `아직 살펴보지 않은 문서가 ${ko(n)}건 있습니다. 폴더를 다시 색인하세요.`,
  ],
  outliers_found: [
    ({ n, compared }) => `${en(n, "document")} of ${compared.toLocaleString("en")}, the strangest first`,
    ({ n, compared }) => `${ko(compared)}건 가운데 ${ko(n)}건, 가장 다른 것부터`,
  ],
  keep: ["to keep", "남길 것"],
  why_equal: ["equal", "같음"],
  why_text: [({ percent }) => `nearly the same text, ${percent}%`, ({ percent }) => `글이 거의 같음, ${percent}%`],
  why_meaning: [({ percent }) => `says the same, ${percent}%`, ({ percent }) => `같은 뜻, ${percent}%`],
  why_image: [({ percent }) => `looks alike, ${percent}%`, ({ percent }) => `모양이 비슷함, ${percent}%`],
  more_copies: [({ n }) => `and ${n.toLocaleString("en")} more`, ({ n }) => `그리고 ${ko(n)}건 더`],
  spreads: [
    ({ times }) => `${times} times as far from others as is usual`,
    ({ times }) => `다른 문서와의 거리가 보통의 ${times}배`,
  ],
  nearest_one: ["The least unlike:", "그나마 가까운 것:"],
  more_groups: ["Show more", "더 보기"],
};
