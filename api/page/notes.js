// What the server notes on a response, in Korean, by the note's code; its own words are English.

const listed = (values) => [values ?? []].flat().join(", ");
const damaged = "quarry doctor --repair로 고칠 수 있습니다";

const KOREAN = {
  vectors_damaged: () => `일부 벡터가 손상되어 있습니다. ${damaged}.`,
  words_behind: ({ count }) => `낱말 색인에 아직 없는 대목${count ? ` ${count}건` : ""}은 하나씩 찾았습니다.`,
  words_missing: () => "낱말 색인을 쓸 수 없어 의미로만 찾았습니다.",
  model_missing_words_only: () => "글 모델을 쓸 수 없어 낱말로만 찾았습니다.",
  model_missing_space: ({ space }) => `모델 하나를 쓸 수 없어${space ? ` (${space})` : ""} 나머지로 찾았습니다.`,
  model_missing_pictures: () => "사진 모델을 쓸 수 없어 사진은 찾지 못했습니다.",
  model_missing_pictures_by_words: () => "사진 모델을 쓸 수 없어 사진은 설명글로만 찾았습니다.",
  model_missing_passages: () => "글 모델을 쓸 수 없어 글은 찾지 못했습니다.",
  no_passages_by_picture: () => "이 모델은 사진으로 글을 찾지 못합니다.",
  no_pictures_by_text: () => "글과 비슷한 것으로는 글만 찾습니다.",
  script_unknown_words_only: () => "의미 모델이 이 문자를 몰라 낱말로만 찾았습니다.",
  script_unknown_by_chance: () => "의미 모델이 이 문자를 몰라 결과가 우연일 수 있습니다.",
  script_unknown_picture_only: () => "모델이 이 문자를 몰라 사진으로만 찾았습니다.",
  script_unknown_answers: () => "답을 찾는 모델이 이 문자를 몰라 낱말로만 답을 찾았습니다.",
  passages_unread: ({ count }) => `모르는 문자로 쓰인 대목${count ? ` ${count}건` : ""}은 읽지 못했습니다.`,
  not_excluded: ({ text }) => `의미 모델이 이 문자를 몰라 “${text}”에 관한 것을 빼지 못했습니다.`,
  not_left_out: ({ words }) => `뺄 낱말(${listed(words)})을 찾아볼 수 없었습니다.`,
  hits_damaged: ({ count }) => `손상된 결과${count ? ` ${count}건` : ""}을 뺐습니다. ${damaged}.`,
  model_missing_reranking: () => "순위를 다시 매기지 못했습니다.",
  model_missing_answers: () => "답은 찾지 못했습니다.",
  model_missing_summary: () => "요약하지 못했습니다.",
  field_unknown: ({ field, near }) => `“${field}” 필드가 있는 문서가 없습니다.${near?.length ? ` 혹시 ${listed(near)}인가요?` : ""}`,
  filter_unmet: ({ field }) => `${field ? `“${field}” ` : ""}조건에 맞는 문서가 없습니다.`,
  filter_unmet_together: () => "조건마다 맞는 문서는 있지만, 모두 맞는 문서는 없습니다.",
  dates_unclear: ({ example }) => `${example ? `${example}처럼 ` : ""}두 가지로 읽히는 날짜는 파일의 날짜로 봅니다.`,
};

/** A note in the language of the page, or in the server's words where that does not know it. */
export function said({ code, message, values }, words) {
  return words.language === "ko" && code in KOREAN ? KOREAN[code](values) : message;
}
