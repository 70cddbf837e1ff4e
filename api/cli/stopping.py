"""Ctrl-C and SIGTERM end any command as a shell expects it: promptly, with one line, and 128 plus the signal's number.

The first one unwinds what runs. A second one ends it at once, and so does time where the first could not be heard:
Python hears nothing while the main thread is within native code, such as a merge or a query of minutes. Commits are
atomic, so nothing is left half-done by that.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

GRACE_S = 15.0  # for what runs to unwind
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAID = "Interrupted. What was committed stays; run it again to go on from there.\n"


class Stopped(BaseException):
    """A signal that ends the command was received."""


_received: list[int] = []


@contextmanager
def stoppable() -> Iterator[None]:
    """End the process on SIGINT and SIGTERM, from now on to its end; for the main thread."""
    heard, hearing = os.pipe()
    os.set_blocking(hearing, False)
    signal.set_wakeup_fd(hearing, warn_on_full_buffer=False)  # written to when the signal comes, whatever runs
    for number in _SIGNALS:
        signal.signal(number, _stop)
    threading.Thread(target=_end, args=(heard,), name="quarry-stopping", daemon=True).start()
    try:
        yield
    except BaseException:
        if not _received:
            raise
        _say()  # whatever became of `Stopped` on its way: an import that it breaks off may raise anything
        # At once: all is unwound, and native code that was broken off while it started threads can't be taken down.
        os._exit(128 + _received[0])
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)


def is_stopping() -> bool:
    """Whether a signal to end was received."""
    return bool(_received)


def drain_on_signals() -> None:
    """Have the signals raise KeyboardInterrupt, as a server wants it: it finishes what runs, in its own time."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.default_int_handler)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_DFL)  # the second one ends it at once
    _received.append(number)
    raise Stopped


def _end(heard: int) -> None:
    """End the process when a second signal comes, or some time after the first."""
    first = os.read(heard, 1)
    ready = select.poll()
    ready.register(heard, select.POLLIN)
    ready.poll(GRACE_S * 1000)
    _say()
    os._exit(128 + first[0])


def _say() -> None:
    try:
        os.write(2, _SAID.encode())
    except OSError:
        pass  # nobody listens
