"""A child process ends with its parent, however that ends, and whatever the child is at.

The parent holds one end of a pipe through which nothing is ever sent. The kernel closes it when the parent is gone, and
then signals the child, which ends it even within native code that never gives way to Python (Linux).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select

_VARIABLE = "QUARRY_LIFELINE"


class Lifeline:
    """The parent's end; the child is started with `environment` and `passed`."""

    def __init__(self) -> None:
        self._theirs, self._ours = os.pipe()

    @property
    def environment(self) -> dict[str, str]:
        """What tells the child which descriptor to hold."""
        return {_VARIABLE: str(self._theirs)}

    @property
    def passed(self) -> tuple[int]:
        """The descriptor that the child inherits."""
        return (self._theirs,)

    def started(self) -> None:
        """Leave the child its end."""
        if self._theirs >= 0:
            os.close(self._theirs)
            self._theirs = -1

    def close(self) -> None:
        """End a child that still holds on."""
        self.started()
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1


def hold() -> None:
    """Be the child: from now on, end when the parent does. Without a parent that asks for it, nothing is done."""
    descriptor = int(os.environ.pop(_VARIABLE, "-1"))
    if descriptor < 0:
        return
    with contextlib.suppress(AttributeError, OSError):  # not every system can signal what happens to a pipe
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)
    gone = select.poll()
    gone.register(descriptor, select.POLLIN)
    if gone.poll(0):  # before it could be signalled
        os._exit(1)
