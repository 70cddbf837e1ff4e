from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from quarry.search.errors import LibraryLocked, NoLibrary
from quarry.search.stores.database.lock import WriterLock

HOLD = """
import sys, time
from pathlib import Path
from quarry.search.stores.database.lock import WriterLock
with WriterLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "writer.lock"


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


@pytest.mark.fault("8")
def test_who_waits_too_long_is_told_who_holds_it_and_a_dead_holder_blocks_nobody(path: Path) -> None:
    """Row 8."""
    with hold(path) as process:
        for wait_s in (0, 0.2):
            began = time.monotonic()
            with pytest.raises(LibraryLocked, match=rf"locked by PID {process.pid}\b.*waited {wait_s:g} s.*--wait"):
                WriterLock(path, wait_s).held().__enter__()
            assert wait_s <= time.monotonic() - began < wait_s + 5
        process.send_signal(signal.SIGKILL)
        process.wait()
        with WriterLock(path, 5).held():
            assert path.read_text() == str(os.getpid())


def test_a_waiting_one_gets_it_as_soon_as_it_is_free(path: Path) -> None:
    with hold(path) as process:
        timer = threading.Timer(0.3, process.terminate)
        timer.start()
        with WriterLock(path, 30).held():
            assert timer.finished.is_set()
        timer.join()


def test_one_thread_may_take_it_again_another_waits(path: Path) -> None:
    lock = WriterLock(path, 0.1)
    outcome: list[object] = []

    def other() -> None:
        try:
            with lock.held():
                outcome.append("held")
        except LibraryLocked as error:
            outcome.append(error)

    def run() -> None:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()

    with lock.held():
        with lock.held():
            run()
        run()
    run()
    assert [type(each) for each in outcome] == [LibraryLocked, LibraryLocked, str]


def test_two_objects_of_one_process_exclude_each_other(path: Path) -> None:
    with WriterLock(path).held(), pytest.raises(LibraryLocked, match=f"PID {os.getpid()}"):
        WriterLock(path, 0.05).held().__enter__()


def test_an_error_inside_frees_it(path: Path) -> None:
    lock = WriterLock(path, 0.1)
    with pytest.raises(ZeroDivisionError), lock.held():
        raise ZeroDivisionError
    with lock.held(), pytest.raises(LibraryLocked):
        WriterLock(path, 0).held().__enter__()


def test_any_wait_can_be_asked_for(path: Path) -> None:
    with WriterLock(path, 1e30).held():
        pass


def test_a_library_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(NoLibrary, match="is gone"):
        WriterLock(tmp_path / "nowhere" / "writer.lock").held().__enter__()


GREEDY = """
import sys, time
from pathlib import Path
from quarry.search.stores.database.lock import WriterLock
lock = WriterLock(Path(sys.argv[1]))
for number in range(1000):
    with lock.held():
        if number == 0:
            print("held", flush=True)
        time.sleep(0.02)
"""


@pytest.mark.fault("8")
def test_one_that_takes_it_again_and_again_starves_nobody(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", GREEDY, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        for _ in range(10):
            with WriterLock(path, 5).held():
                assert process.poll() is None
        process.kill()
