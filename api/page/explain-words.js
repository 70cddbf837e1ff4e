// What an explanation says.

export const EXPLAIN_WORDS = {
  explain_title: ["How it was found", "찾은 방법"],
  why_not: ["This search does not tell why.", "이 검색은 까닭을 알려 주지 않습니다."],
  why_retriever: ["Found", "찾은 방법"],
  why_rank: ["Rank", "순위"],
  why_score: ["Score", "점수"],
  by_semantic: ["by meaning (cosine)", "의미로 (코사인)"],
  by_lexical: ["by words (BM25)", "낱말로 (BM25)"],
  by_image: ["by what it shows (cosine)", "사진 내용으로 (코사인)"],
  why_weights: [({ meaning, words }) => `meaning ${meaning}%, words ${words}%`, ({ meaning, words }) => `의미 ${meaning}%, 낱말 ${words}%`],
  why_fused: [({ own, all }) => `together ${own}, with its neighbours ${all}`, ({ own, all }) => `합쳐서 ${own}, 이웃 대목까지 ${all}`],
  why_beyond: ["ranked after everything that was weighed exactly", "정확히 계산된 결과 다음 순위"],
  why_boilerplate: [({ share, n, percent }) => `${share}% of it stands in ${n} documents: it counts for ${percent}%`, ({ share, n, percent }) => `${share}%가 문서 ${n}건에 되풀이됨: ${percent}%만 쳐줌`],
  why_chance: [({ n }) => `${n} spreads above chance`, ({ n }) => `우연보다 표준편차 ${n}배 높음`],
  why_relevance: [({ percent }) => `relevance ${percent}%`, ({ percent }) => `관련도 ${percent}%`],
  why_meaning: ["What each word adds to the meaning", "낱말마다 의미에 더한 몫"],
  why_words: ["What each word of the query adds", "검색어 낱말마다 더한 몫"],
  why_patches: ["Which parts of the picture match", "사진에서 맞는 부분"],
  why_for: ["for", "가까움"],
  why_against: ["against", "멂"],
  why_sum: [({ total }) => `together ${total}`, ({ total }) => `합계 ${total}`],
};
