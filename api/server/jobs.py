"""Long work over a library, which goes on when the request that began it is answered: one job after the other."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from quarry.indexer.prepared import timestamp
from quarry.indexer.report import Report
from quarry.search.deadline import Deadline
from quarry.search.errors import Busy, NotFound, QuarryError

State = Literal["waiting", "running", "done", "failed", "cancelled"]
OVER: Sequence[State] = ("done", "failed", "cancelled")
MAX_WAITING = 20
KEPT = 100  # jobs that are over
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
    _deadline: Deadline = field(default_factory=lambda: Deadline(threading.TIMEOUT_MAX))
    _is_cancelled: bool = False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in OVER

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

    def cancel(self) -> None:
        """Have it end. What it has committed stays; what it has not is not begun, or given up."""
        self._is_cancelled = True
        self._deadline.stop("it was cancelled")
        if self.state == "waiting":
            self.end("cancelled")

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
            self.end("cancelled")
        except Exception as error:
            if not isinstance(error, QuarryError):
                _LOG.exception("A job failed")
            self.error = None if self._is_cancelled else error
            self.end("cancelled" if self._is_cancelled else "failed")

    def end(self, state: State) -> None:
        """Say how it ended."""
        self.ended = timestamp(time.time())
        self.doing = ""
        self.state = state
        self.changes += 1

    def _changed(self) -> None:
        self.changes += 1
        if self._is_cancelled:
            raise Cancelled


class Jobs:
    """The jobs of one library, in the order they were begun in. They are kept in memory, and end with the process."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
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
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quarry-jobs", daemon=True)
                self._thread.start()
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
        raise NotFound(f"There is no job {id!r}; those that are over are kept until the server ends, {KEPT} at most.")

    def stop(self) -> None:
        """Cancel all jobs, and begin none any more."""
        with self._lock:
            self._is_stopped = True
            jobs = list(self._jobs.values())
        for job in jobs:
            if not job.is_over:
                job.cancel()

    def join(self, timeout_s: float) -> None:
        """Wait until nothing runs."""
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._thread = None
                    return
                job = self._waiting.popleft()
            if not job.is_over:
                job.run()
