// What the view says of folders that are kept in sync.

const en = (n, one, more = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : more}`;
const ko = (n) => n.toLocaleString("ko");

export const ROOTS_WORDS = {
  roots_title: ["Folders kept in sync", "동기화하는 폴더"],
  roots_none: ["No folder is kept in sync yet", "아직 동기화하는 폴더가 없습니다"],
  roots_all: ["all folders", "모든 폴더"],
  roots_files: [({ n }) => en(n, "file"), ({ n }) => `파일 ${ko(n)}개`],
  roots_synced: [({ ago }) => `last change ${ago}`, ({ ago }) => `마지막 변경 ${ago}`],
  roots_now: ["just now", "방금"],
  roots_never: ["never read to its end", "끝까지 읽은 적 없음"],
  roots_gone: ["It is not there now. Its documents are kept.", "지금 이 위치에 없습니다. 문서는 그대로 있습니다."],
  roots_sync_all: ["Sync all", "모두 동기화"],
  roots_sync_one: ["Sync", "동기화"],
  roots_sync: [({ path }) => `Sync ${path}`, ({ path }) => `${path} 동기화`],
  roots_forget_one: ["Stop syncing", "동기화 중지"],
  roots_forget: [({ path }) => `Stop syncing ${path}`, ({ path }) => `${path} 동기화 중지`],
  roots_forget_sure: [
    ({ path, n }) => `Stop syncing ${path} and take its ${en(n, "document")} out of the library? The files stay as they are.`,
    ({ path, n }) => `${path} 동기화를 멈추고 문서 ${ko(n)}건을 라이브러리에서 뺄까요? 파일은 그대로 남습니다.`,
  ],
  roots_path: ["Path of a folder to keep in sync", "동기화할 폴더의 경로"],
  roots_add: ["Add", "추가"],
  roots_waiting: [({ about }) => `Waiting to sync ${about}`, ({ about }) => `${about} 동기화 대기 중`],
  roots_running: [({ about }) => `Syncing ${about}`, ({ about }) => `${about} 동기화 중`],
  roots_progress: [({ done, all }) => `${done.toLocaleString("en")} of ${en(all, "file")}`, ({ done, all }) => `파일 ${ko(all)}개 중 ${ko(done)}개`],
  roots_cancel: ["Cancel", "취소"],
  roots_cancelled: [({ about }) => `Stopped syncing ${about}; what was read stays.`, ({ about }) => `${about} 동기화를 멈췄습니다. 읽은 것은 남습니다.`],
  roots_failed: [({ about }) => `Syncing ${about} failed.`, ({ about }) => `${about} 동기화에 실패했습니다.`],
  roots_done: [({ about }) => `In sync: ${about}`, ({ about }) => `동기화 완료: ${about}`],
  roots_added: [({ n }) => `${n} added`, ({ n }) => `${ko(n)}건 추가`],
  roots_changed: [({ n }) => `${n} changed`, ({ n }) => `${ko(n)}건 변경`],
  roots_moved: [({ n }) => `${n} moved`, ({ n }) => `${ko(n)}건 이동`],
  roots_dropped: [({ n }) => `${n} dropped`, ({ n }) => `${ko(n)}건 제거`],
  roots_same: ["nothing has changed", "바뀐 것 없음"],
  roots_wrong: [({ n }) => `${en(n, "file")} could not be read`, ({ n }) => `읽지 못한 파일 ${ko(n)}개`],
  roots_wrong_more: [({ n }) => `and ${n} more; quarry status lists them`, ({ n }) => `그 밖에 ${ko(n)}개 (quarry status로 확인)`],
};
