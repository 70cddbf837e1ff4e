// What the view says that adds files.

const en = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
const ko = (n) => n.toLocaleString("ko");

export const UPLOAD_WORDS = {
  upload_title: ["Drop files or folders here", "파일이나 폴더를 여기에 놓으세요"],
  upload_note: [
    "Texts, PDFs, web pages, tables and pictures. They are copied into the library; a file of the same name takes the place of the old one.",
    "글, PDF, 웹 페이지, 표, 사진을 라이브러리에 복사합니다. 이름이 같은 파일은 새것으로 바뀝니다.",
  ],
  upload_choose: ["Choose files", "파일 선택"],
  upload_waiting: ["Waiting", "대기 중"],
  upload_sending: [({ percent }) => `${percent}% sent`, ({ percent }) => `${percent}% 보냄`],
  upload_reading: ["Reading and indexing…", "읽고 색인하는 중…"],
  upload_done: [({ n }) => (n === 1 ? "Added" : `Added as ${en(n, "document")}`), ({ n }) => (n === 1 ? "추가됨" : `문서 ${ko(n)}건 추가됨`)],
  upload_hearing: ["Added; what is said in it is being heard, and can be found then", "추가됨. 말소리를 듣고 있으며, 끝나면 검색할 수 있습니다"],
  upload_failed: ["It could not be added.", "추가하지 못했습니다."],
  upload_cancelled: ["Cancelled", "취소됨"],
  upload_cancel: [({ name }) => `Cancel ${name}`, ({ name }) => `${name} 취소`],
  upload_stop: ["Cancel all", "모두 취소"],
  upload_clear: ["Clear what is over", "끝난 것 지우기"],
  upload_key: ["This needs a key that may write.", "쓰기 권한이 있는 키가 필요합니다."],
  upload_large: [({ most }) => `It is larger than ${most}. Index its folder on this machine: quarry index`, ({ most }) => `${most}보다 큽니다. 이 컴퓨터에서 폴더를 색인하세요: quarry index`],
  upload_sum: [
    ({ done, failed, all }) => `${done} of ${en(all, "file")} added${failed ? `, ${failed} not` : ""}`,
    ({ done, failed, all }) => `파일 ${ko(all)}개 중 ${ko(done)}개 추가${failed ? `, ${ko(failed)}개 실패` : ""}`,
  ],
};
