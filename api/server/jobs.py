"""Long work over a library, which goes on when the request that began it is answered: one job after the other.

What is known of jobs is kept in a file of the library, so that it can be asked for when the server has ended, too. One
that had not ended by then was interrupted: what it had committed stays.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from quarry.api.bodies.holdings import report_body
from quarry.api.server.errors import problem_body
from quarry.indexer.prepared import timestamp
from quarry.indexer.report import Report
from quarry.search.errors import Busy, NotFound, QuarryError
from quarry.search.files.whole import whole_file
from quarry.search.requests.deadline import Deadline

State = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
OVER: Sequence[State] = ("done", "failed", "cancelled", "interrupted")
MAX_WAITING = 20
KEPT = 100  # jobs that are over
FILE = "jobs.json"
_KEEP_EVERY_S = 2.0  # how far a job is
_UNFORESEEN = "Something went wrong here; the server's log says what."
_LOG = logging.getLogger("uvicorn.error")  # the server's own, as for what is wrong with a request


class Cancelled(BaseException):
    """A job is to end; no handler of errors within it is to hold that up."""


@dataclass(slots=True, eq=False)
class Job:
    """A job, and how far it is: the work itself tells (it is the work's `indexer.report.Progress`).

    Args:
        kind: what it does, such as `sync`.
        work: does it, telling the job how far it is.
        about: the paths that it is about, () for all there are.
        files, size: how much there is to do, in files and in steps of any size, as far as that is known.
        done_files, done_size, passages: how much is done: committed, and there to stay.
        doing: what is being done now, in words.
        changes: grows with whatever changes here.
        report: what was done; None of a job that is not done.
        error: why it failed.
        told: what a process before this one has kept of it; None of a job of this one.
    """

    kind: str
    work: Callable[[Job], Report]
    about: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    created: str = field(default_factory=lambda: timestamp(time.time()))
    started: str | None = None
    ended: str | None = None
    files: int = 0
    size: int = 0
    done_files: int = 0
    done_size: int = 0
    passages: int = 0
    doing: str = ""
    changes: int = 0
    report: Report | None = None
    error: Exception | None = None
    told: Mapping[str, Any] | None = None
    on_change: Callable[[], None] = lambda: None
    _deadline: Deadline = field(default_factory=lambda: Deadline(threading.TIMEOUT_MAX))
    _cancelled_as: State | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in OVER

    @property
    def body(self) -> dict[str, Any]:
        """What `GET /v1/jobs/{id}` answers."""
        if self.told is not None:
            return {**self.told, "state": self.state, "ended": self.ended}
        problem = None
        if self.error is not None:
            problem = problem_body(self.error if isinstance(self.error, QuarryError) else QuarryError(_UNFORESEEN))
        return {
            "id": self.id,
            "kind": self.kind,
            "about": list(self.about),
            "state": self.state,
            "created": self.created,
            "started": self.started,
            "ended": self.ended,
            "progress": {
                "files": self.files,
                "size": self.size,
                "done_files": self.done_files,
                "done_size": self.done_size,
                "passages": self.passages,
                "doing": self.doing,
            },
            "report": report_body(self.report) if self.report is not None else None,
            "problem": problem,
        }

    def start(self, files: int, size: int) -> None:
        """Add to what there is to do."""
        self.files += files
        self.size += size
        self._changed()

    def advance(self, files: int, size: int, passages: int) -> None:
        """Count what was committed."""
        self.done_files += files
        self.done_size += size
        self.passages += passages
        self._changed()

    def note(self, text: str) -> None:
        """Say what is being done now."""
        self.doing = text
        self._changed()

    def cancel(self, state: State = "cancelled") -> None:
        """Have it end so. What it has committed stays; what it has not is not begun, or given up."""
        self._cancelled_as = state
        self._deadline.stop("it was cancelled")
        if self.state == "waiting":
            self.end(state)

    def run(self) -> None:
        """Do the work in this thread."""
        self.started = timestamp(time.time())
        self.state = "running"
        try:
            with self._deadline.current():
                self._changed()
                self.report = self.work(self)
            self.end("done")
        except Cancelled:
            self.end(self._cancelled_as or "cancelled")
        except Exception as error:
            if not isinstance(error, QuarryError):
                _LOG.exception("A job failed")
            self.error = None if self._cancelled_as else error
            self.end(self._cancelled_as or "failed")

    def end(self, state: State) -> None:
        """Say how it ended."""
        self.ended = timestamp(time.time())
        self.doing = ""
        self.state = state
        self.changes += 1
        self.on_change()

    def _changed(self) -> None:
        self.changes += 1
        self.on_change()
        if self._cancelled_as:
            raise Cancelled


class Jobs:
    """The jobs of one library, in the order they were begun in. They end with the process.

    Args:
        directory: of the library, in which what is known of them is kept; None for nowhere.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._path = None if directory is None else directory / FILE
        self._known: dict[str, Job] | None = None
        self._kept, self._kept_at = ("", ""), 0.0
        self._keeping = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def begin(self, job: Job) -> Job:
        """Have a job done when those before it are over.

        Raises:
            Busy: too many wait, or the server is about to end.
        """
        with self._lock:
            if self._is_stopped:
                raise Busy("The server is shutting down.")
            if sum(one.state == "waiting" for one in self._waiting) >= MAX_WAITING:
                raise Busy(f"{MAX_WAITING} jobs are waiting already; try again when some are over.")
            over = [id for id, one in self._jobs.items() if one.is_over]
            for id in over[: max(0, len(over) - KEPT + 1)]:
                del self._jobs[id]
            self._jobs[job.id] = job
            self._waiting.append(job)
            job.on_change = lambda: self._keep(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quarry-jobs", daemon=True)
                self._thread.start()
        self._keep(job)
        return job

    def listed(self) -> list[Job]:
        """Return the jobs there are, the latest first."""
        with self._lock:
            return list(reversed(self._jobs.values()))

    def get(self, id: str) -> Job:
        """Return a job; raise `NotFound` where there is none, or it was over long ago."""
        with self._lock:
            if (job := self._jobs.get(id)) is not None:
                return job
        raise NotFound(f"There is no job {id!r}; of those that are over, the last {KEPT} are known.")

    def stop(self) -> None:
        """Interrupt all jobs, and begin none any more."""
        with self._lock:
            self._is_stopped = True
            jobs = list(self._jobs.values())
        for job in jobs:
            if not job.is_over:
                job.cancel("interrupted")

    def join(self, timeout_s: float) -> None:
        """Wait until nothing runs."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    @property
    def _jobs(self) -> dict[str, Job]:
        """All that are known, the earliest first; those of before are read when they are first asked for."""
        if self._known is None:
            self._known = {job.id: job for job in self._read()}
        return self._known

    def _read(self) -> list[Job]:
        """Return what a process before this one kept; what was not over then was interrupted."""
        found = []
        with suppress(OSError, ValueError, TypeError, KeyError):
            for one in json.loads(self._path.read_bytes())["jobs"] if self._path is not None else ():
                job = Job(one["body"]["kind"], _over, id=one["body"]["id"], told=one["body"])
                job.state, job.ended = one["body"]["state"], one["body"]["ended"]
                if not job.is_over:
                    job.state, job.ended = "interrupted", one["at"]
                found.append(job)
        return found

    def _keep(self, job: Job) -> None:
        """Write down what is known, how far a job is now and then; where that can't be done, it is known here alone."""
        now, state = time.monotonic(), (job.id, job.state)
        if self._path is None or (state == self._kept and now < self._kept_at + _KEEP_EVERY_S):
            return
        with self._keeping, suppress(QuarryError, OSError):
            self._kept, self._kept_at = state, now
            at = timestamp(time.time())
            jobs = [{"body": one.body, "at": at} for one in list(self._jobs.values())]
            with whole_file(self._path) as stream:
                stream.write(json.dumps({"jobs": jobs}).encode("utf-8", "surrogatepass"))

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.popleft()
            if not job.is_over:
                job.run()


def _over(job: Job) -> Report:
    raise AssertionError("what was kept of a job is not run")
