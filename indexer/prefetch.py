"""Run an iterator ahead of its consumer, in a thread, so that parsing overlaps embedding."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

T = TypeVar("T")


def prefetch(
    items: Iterable[T], ahead: int, weight: Callable[[T], int], cancel: Callable[[], None]
) -> Generator[T, None, None]:
    """Yield `items` in order, computed before they are asked for until those that wait weigh `ahead` together.

    An exception of the iterator is raised at its place. Closing the generator early calls `cancel`, which may cut
    short what the thread waits for, and then waits for the thread.
    """
    ready: deque[T] = deque()
    waiting = 0
    ended = stopped = False
    failure: BaseException | None = None
    changed = threading.Condition()

    def has_room() -> bool:
        return stopped or not ready or waiting < ahead

    def run() -> None:
        nonlocal waiting, ended, failure
        try:
            for item in items:
                with changed:
                    changed.wait_for(has_room)
                    if stopped:
                        return
                    ready.append(item)
                    waiting += weight(item)
                    changed.notify_all()
        except BaseException as error:  # handed to the consumer, who raises it
            failure = error
        finally:
            with changed:
                ended = True
                changed.notify_all()

    thread = threading.Thread(target=run, name="quarry-prefetch", daemon=True)
    thread.start()
    try:
        while True:
            with changed:
                changed.wait_for(lambda: ready or ended)
                if not ready:
                    break
                item = ready.popleft()
                waiting -= weight(item)
                changed.notify_all()
            yield item
        if failure is not None:
            raise failure
    finally:
        with changed:
            stopped = True
            changed.notify_all()
        if not ended:
            cancel()
        thread.join()
