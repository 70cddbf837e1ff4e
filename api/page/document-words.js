// What a document says that is open.

export const DOCUMENT_WORDS = {
  document: ["Document", "문서"],
  matches: [({ n, at }) => (n ? `${at} of ${n}` : "no matches"), ({ n, at }) => (n ? `${n}곳 중 ${at}번째` : "일치 없음")],
  match_previous: ["Previous match", "이전 일치"],
  match_next: ["Next match", "다음 일치"],
  details: ["Details", "정보"],
  original: ["Original", "원본"],
  save: ["Save the file", "파일 저장"],
  no_file: ["There is no file of it, or it has changed.", "파일이 없거나 바뀌었습니다."],
  no_text: ["This document has no text.", "이 문서에는 글이 없습니다."],
  no_original: ["The file is not there any more; this is what was kept of it.", "원본 파일이 없어 보관된 작은 사진을 보여 줍니다."],
  modified: ["Modified", "수정한 날"],
  indexed: ["Indexed", "색인한 날"],
  characters: ["Characters", "글자 수"],
  path: ["Path", "경로"],
  date: ["Date", "날짜"],
  field_taken: ["Taken", "찍은 날"],
  field_width: ["Width", "너비"],
  field_height: ["Height", "높이"],
  field_title: ["Title", "제목"],
  field_description: ["Description", "설명"],
};
