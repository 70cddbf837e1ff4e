"""Parsing in a child process with caps on its time and memory, so that no file can harm the caller.

One child serves many files. It is spawned, never forked; it gets requests on its standard input and answers on its
standard output (`indexer/loaders/sandbox/wire.py`). The pipe holds it back when the caller is slower. It goes away when
the caller does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from quarry.indexer.loaders.base import GIBIBYTE, MEBIBYTE, LoadOptions, Resumed, too_large
from quarry.indexer.loaders.sandbox.wire import (
    ChildLimits,
    End,
    Entered,
    Failure,
    FilePart,
    Garbled,
    Message,
    Reached,
    Request,
    pack,
    receive,
    write,
)
from quarry.search.errors import FileMalformed, FileUnreadable, LoadError, QuarryError
from quarry.search.files import disks
from quarry.search.files.access import make_file
from quarry.search.requests.lifeline import Lifeline
from quarry.search.types import Parsed

_STARTING = 60.0  # seconds that a child may take to start on a busy machine
_PIPE = MEBIBYTE
_ENDINGS = 8  # members of one file that may end the parser before the rest is given up
# Times that a parser may be silent, which a file may take in all, and each MiB and page of it: an hour and two minutes.
_WHOLE, _MIB, _PAGE = 120, 4, 1
_TOO_LONG = "it took longer than {}; split it or leave it out"
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


# What a parser brings on itself. Every other signal comes from outside, such as from a kernel short of memory.
_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP})


class Ended(FileMalformed):
    """The file ended its parser, which crashed or took more time or memory than it may."""


class TookLong(Ended):
    """The parser took more time than it may, which on a busy machine says nothing of the file."""


class Greedy(Ended):
    """The parser failed, and may not have with more memory."""


NOT_NOW = (FileUnreadable, TookLong)  # what may be read another time, as nothing of it is known to be wrong


class _Died(Exception):
    """The child ended before it answered."""


class Sandbox:
    """A child process that parses one file at a time; not for use by several threads at once.

    Args:
        timeout: seconds that a parser may be silent, which tells of documents and of how far it is with a long one; a
            file may take many times as long in all. The clock stands still while the caller works on the last one.
        memory: bytes of address space that the child may have.
        folder: where the child puts files that have names; the caller removes what an ended one leaves there.
    """

    def __init__(
        self,
        options: LoadOptions | None = None,
        *,
        timeout: float = 30,
        memory: int = 2 * GIBIBYTE,
        folder: Path | None = None,
    ) -> None:
        self._options = options or LoadOptions()
        self._timeout = timeout
        self._memory = memory
        self._own = _ONE_THREAD if folder is None else {**_ONE_THREAD, "TMPDIR": os.fspath(folder.absolute())}
        self._child: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None
        self._ready = False
        self._busy = False

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def load(self, path: Path, name: str = "", options: LoadOptions | None = None) -> Generator[Parsed, None, None]:
        """Do as `indexer.loaders.loading.load` does, in the child.

        Args:
            options: instead of those of the sandbox.

        Raises:
            Greedy: as `FileMalformed`, and more memory may help.
            FileMalformed: as there, or the parser crashed, or took more time or memory than it may.
            QuarryError: no child can be started.
        """
        with closing(self.follow(path, name, options)) as answers:
            for answer in answers:
                if isinstance(answer, Parsed):
                    yield answer

    def follow(
        self, path: Path, name: str = "", options: LoadOptions | None = None
    ) -> Generator[Parsed | Reached, None, None]:
        """Do as `load`, and tell in between how much of the file was read.

        A member of a file of files that ends the parser is noted, and the others are read by a new one.
        """
        with closing(self._answers(Request(path.absolute(), name, options or self._options))) as answers:
            for answer in answers:
                if isinstance(answer, Parsed | Reached):
                    yield answer

    def extract(self, path: Path, wanted: str, name: str = "") -> Generator[FilePart, None, None]:
        """Do as `indexer.loaders.extracting.extract` does, in the child; raise as `load` does."""
        with closing(self._answers(Request(path.absolute(), name, self._options, wanted=wanted))) as answers:
            for answer in answers:
                if isinstance(answer, FilePart):
                    yield answer

    def _answers(self, request: Request) -> Generator[Parsed | Reached | FilePart, None, None]:
        if self._busy:
            raise RuntimeError("a sandbox loads one file at a time: exhaust or close the last iterator first")
        self._busy = True
        finished = False
        left = most = self._timeout * _shares(request)
        try:
            while True:
                entered: Entered | None = None
                try:
                    self._request(request)
                    while True:
                        began = time.monotonic()
                        answer = self._next()
                        left -= time.monotonic() - began
                        if answer is None:
                            break
                        if isinstance(answer, Entered):
                            entered = answer if answer.number else None
                        elif isinstance(answer, Reached) or entered is not None or not request.resumed.after:
                            yield answer  # what comes before the members was given before
                        if left < 0:
                            self.close()
                            raise TookLong(_TOO_LONG.format(f"{most:,.0f} s in all"))
                    break
                except Ended as error:
                    if entered is None or entered.number <= request.resumed.after or left < 0:
                        raise
                    noted = (*request.resumed.noted, (entered.name, str(error)))
                    if len(noted) > _ENDINGS:
                        told = "; ".join(f"{member}: {why}" for member, why in noted)
                        raise FileMalformed(f"its members end the parser again and again ({told})") from error
                    request = replace(request, resumed=Resumed(entered.number, noted))
            finished = True
        except LoadError:
            finished = True
            raise
        finally:
            self._busy = False
            if not finished:  # the rest of its answers would be taken for those to the next request
                self.close()

    def load_content(self, content: bytes | IO[bytes], name: str) -> Generator[Parsed, None, None]:
        """Load content that is no file, by the name that it goes by; a stream is read to its end, if it has one.

        Raises:
            FileMalformed: as `load`, or it is larger than what is read whole, whatever its type.
        """
        with as_file(content, self._options.max_bytes) as path:
            yield from self.load(path, name)

    def close(self) -> None:
        """End the child; the next load starts another."""
        child, self._child, self._ready = self._child, None, False
        if child is None:
            return
        _kill(child)
        child.wait()
        if self._lifeline is not None:
            self._lifeline.close()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def cancel(self) -> None:
        """End what another thread is loading: it fails there as if the parser had crashed."""
        child = self._child
        if child is not None:
            _kill(child)

    def _start(self) -> subprocess.Popen[bytes]:
        # The child must not import from the folder that it stands in; relative ones may lead nowhere by now.
        paths = [os.path.abspath(path) for path in sys.path if _is_there(path)]  # noqa: PTH100
        program = (
            f"import sys; sys.path[:] = {paths!r}; from quarry.indexer.loaders.sandbox.child import serve; serve()"
        )
        self._lifeline = lifeline = Lifeline()
        try:
            self._child = child = subprocess.Popen(
                [sys.executable, "-P", "-W", "ignore", "-c", f"import sys; sys.path[:] = {paths!r}; {program}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                cwd=os.sep,
                env={**os.environ, **self._own, **lifeline.environment},
                pass_fds=lifeline.passed,
                process_group=0,  # Ctrl-C in a terminal is for the caller
            )
        except OSError as error:
            lifeline.close()
            raise QuarryError(f"no process for parsing can be started: {error.strerror or error}") from error
        lifeline.started()
        assert child.stdin is not None and child.stdout is not None
        os.set_blocking(child.stdout.fileno(), False)
        _widen(child.stdout.fileno())
        with contextlib.suppress(BrokenPipeError):  # why it ended is told when its answer is missed
            write(child.stdin.fileno(), pack(ChildLimits(self._timeout, self._memory)))
        return child

    def _request(self, request: Request) -> None:
        for _ in range(2):  # a child may have been killed while it was idle: once more with a new one
            if self._child is not None and self._child.poll() is not None:
                self.close()
            child = self._child or self._start()
            if not self._ready:
                self._await_ready(child)
            assert child.stdin is not None
            try:
                write(child.stdin.fileno(), pack(request))
                return
            except BrokenPipeError:
                self.close()
        raise QuarryError("the process for parsing ends as soon as it is started; look for what kills it")

    def _await_ready(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stderr is not None
        try:
            self._receive(_STARTING)
        except (_Died, Garbled, TimeoutError) as error:
            child.kill()
            said = child.stderr.read().decode("utf-8", "replace").strip().splitlines()
            self.close()
            why = said[-1] if said else "it gave no reason"
            raise QuarryError(f"the process for parsing did not start: {why}") from error
        child.stderr.close()
        self._ready = True

    def _next(self) -> Parsed | FilePart | Reached | Entered | None:
        try:
            answer = self._receive(self._timeout)
            if not isinstance(answer, Parsed | FilePart | Reached | Entered | End | Failure):
                raise Garbled(f"{answer} is no answer")
        except TimeoutError:
            self.close()
            raise TookLong(_TOO_LONG.format(f"{self._timeout:g} s to parse")) from None
        except Garbled as error:
            self.close()
            raise Ended("its parser gave what is no document; the file is hostile, leave it out") from error
        except _Died:
            raise self._epitaph() from None
        if isinstance(answer, Parsed | FilePart | Reached | Entered):
            return answer
        if answer.retire:
            self.close()
        if isinstance(answer, Failure):
            raise (Greedy if answer.greedy and answer.error is FileMalformed else answer.error)(answer.message)
        return None

    def _epitaph(self) -> LoadError:
        """Say what a child that ended died of, and bury it; what came from outside is no fault of the file's."""
        child = self._child
        assert child is not None
        code = child.wait()
        self.close()
        if code == -signal.SIGALRM:
            return TookLong(_TOO_LONG.format(f"{self._timeout:g} s to parse"))
        name = signal.Signals(-code).name if -code in signal.Signals.__members__.values() else f"exit code {code}"
        if code < 0 and -code not in _FAULTS:
            return FileUnreadable(
                f"its parser was killed from outside ({name}), maybe for want of memory; the next run reads it again"
            )
        return Greedy(f"its parser crashed ({name}); the file is damaged or hostile, leave it out")

    def _receive(self, seconds: float) -> Message:
        """Take one message.

        Raises:
            TimeoutError: it was not complete in time.
            Garbled: it is none.
            _Died: the child ended first.
        """
        deadline = time.monotonic() + seconds
        return receive(lambda count: self._read(count, deadline))

    def _read(self, count: int, deadline: float) -> bytes:
        assert self._child is not None and self._child.stdout is not None
        descriptor = self._child.stdout.fileno()
        parts: list[bytes] = []
        while count:
            try:
                part = os.read(descriptor, min(count, _PIPE))
            except BlockingIOError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError from None
                poll = select.poll()
                poll.register(descriptor, select.POLLIN)
                poll.poll(left * 1000)
                continue
            if not part:
                raise _Died
            parts.append(part)
            count -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


@contextmanager
def as_file(content: bytes | IO[bytes] | Iterable[bytes], limit: int) -> Iterator[Path]:
    """Write content into a temporary file for as long as the block runs.

    Raises:
        FileMalformed: it has more than `limit` bytes; no more are read of it.
    """
    with disks.temporary_folder("quarry-") as folder:
        path = Path(os.path.realpath(folder), "content")  # the folder of all of them may be reached by a link
        with disks.writing(folder), make_file(path) as file:
            for block in _blocks(content):
                file.write(block)
                if file.tell() > limit:
                    raise FileMalformed(too_large(limit))
        yield path


def _shares(request: Request) -> float:
    """Return how often a file may take as long as its parser may be silent."""
    with contextlib.suppress(OSError):  # which the child tells
        scans, listening = request.options.scans, request.options.listening
        pages = len(scans.pages if scans else listening.parts if listening else ())
        return _WHOLE + _MIB * request.path.lstat().st_size / MEBIBYTE + _PAGE * pages
    return _WHOLE


def _blocks(content: bytes | IO[bytes] | Iterable[bytes]) -> Iterable[bytes]:
    if isinstance(content, bytes | bytearray | memoryview):
        return [bytes(content)]
    read = getattr(content, "read", None)
    return content if read is None else iter(partial(read, MEBIBYTE), b"")


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a child with what it has started, such as a program that reads scans."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended, and is not waited for yet
        os.killpg(child.pid, signal.SIGKILL)
    child.kill()


def _is_there(path: str) -> bool:
    try:
        return os.path.isabs(path) or bool(os.getcwd())  # noqa: PTH109, PTH117
    except FileNotFoundError:
        return False


def _widen(descriptor: int) -> None:
    """Let the pipe hold a few documents, so that the child works on while the caller does (Linux)."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
