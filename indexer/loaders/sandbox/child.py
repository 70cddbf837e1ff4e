"""The child of the sandbox: it parses what is asked for on its standard input, within caps on its time and memory."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn

from quarry.indexer.loaders.base import MEBIBYTE, TOO_GREEDY, Listener
from quarry.indexer.loaders.loading import load
from quarry.indexer.loaders.sandbox.wire import (
    ChildLimits,
    End,
    Entered,
    Failure,
    Message,
    Reached,
    Ready,
    Request,
    pack,
    receive,
    write,
)
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.requests.lifeline import hold

_RETIRING = 512 * MEBIBYTE  # bytes, at which a child is replaced lest what one file took be missing for the next


_OFTEN = 0.2  # seconds between two words on how far a file was read


def serve() -> NoReturn:
    """Be the child: parse what is asked for until the caller closes the pipe."""
    hold()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)  # a library that prints must not write between the frames
    with os.fdopen(requests, "rb") as pipe, contextlib.suppress(EOFError, BrokenPipeError):
        settings = _asked(pipe)
        assert isinstance(settings, ChildLimits)
        _confine(settings.memory)
        write(answers, pack(Ready()))
        os.dup2(silence, 2)
        while True:
            request = _asked(pipe)
            assert isinstance(request, Request)
            _serve_one(answers, request, settings)
    os._exit(0)  # without finalizers, which what a hostile file left behind could trip


def _asked(pipe: IO[bytes]) -> Message:
    """Read what the caller asks; EOFError when it has closed the pipe."""

    def read(count: int) -> bytes:
        if len(data := pipe.read(count)) < count:
            raise EOFError
        return data

    return receive(read)


def _serve_one(answers: int, request: Request, settings: ChildLimits) -> None:
    # The kernel ends a child that hangs even in native code, and even if the caller is gone. Not so while it waits
    # for the caller to read.
    seconds = settings.timeout + 1.0
    signal.setitimer(signal.ITIMER_REAL, seconds)
    last: End | Failure = End()
    told = time.monotonic()

    def answer(frame: Sequence[bytes]) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        write(answers, frame)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def reached(share: float) -> None:
        nonlocal told
        if (now := time.monotonic()) - told >= _OFTEN:
            told = now
            answer(pack(Reached(share)))

    def entered(number: int, name: str) -> None:
        answer(pack(Entered(number, name)))

    try:
        for found in _found(request, Listener(reached, entered, request.resumed)):
            frame = pack(found)
            del found
            answer(frame)
            del frame
    except BrokenPipeError:
        raise
    except LoadError as error:
        is_greedy = isinstance(error.__cause__, MemoryError)
        last = Failure(type(error), str(error), is_greedy, is_greedy)
    except MemoryError:
        last = Failure(FileMalformed, TOO_GREEDY, greedy=True, retire=True)
    except Exception as error:  # whatever a library raises over a hostile file is the file's fault, not the run's
        reason = f"its parser failed ({type(error).__name__}: {error}"[:300] + "); the file is probably damaged"
        last = Failure(FileMalformed, reason, retire=True)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if _peak("VmHWM") > _RETIRING:
        last = replace(last, retire=True)
    if isinstance(last, Failure) and _peak("VmPeak") > settings.memory // 2:
        last = replace(last, greedy=True, retire=True)  # libraries say of memory that they did not get what they like
    write(answers, pack(last))


def _found(request: Request, watch: Listener) -> Iterator[Message]:
    if not request.wanted:
        return load(request.path, request.options, request.name, watch)
    from quarry.indexer.loaders.extracting import extract

    return extract(request.path, request.wanted, request.options, request.name, Listener(watch.reached))


def _peak(name: str) -> int:
    """Return the most bytes that this process had, resident (VmHWM) or in all (VmPeak)."""
    # On Linux ru_maxrss begins with what the parent had when it started this process.
    with contextlib.suppress(OSError), Path("/proc/self/status").open("rb") as status:
        for line in status:
            if line.startswith(name.encode()):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _confine(memory: int) -> None:
    for kind, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(kind, (value, value))
