"""A process that has imported what commands import, and forks for each that a test runs: most of a start is imports.

What depends on the start itself (its locale, its standard input, what is imported and when) is tried cold.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path

from tests.folders import ROOT

_AT_START = ("PYTHON", "LC_", "LANG", "LOCPATH", "TZ", "LD_", "OMP_", "OPENBLAS_", "COVERAGE")  # is read then, or never
_IMPORTED = (
    "quarry.api.library",
    "quarry.indexer.sync",
    "quarry.search.models.pair.serving",
    "quarry.search.models.text.serving",
    "quarry.search.ranking.pictures",
    "tokenizers",
)
_ONE = threading.Lock()  # at a time


def run(
    arguments: Sequence[str], env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[bytes] | None:
    """Run `quarry` without anything on standard input; None where these variables ask for a start of its own."""
    parent = _parent()
    if _at_start(env) != parent.started_with:
        return None
    with _ONE:
        return parent.run(arguments, env, timeout_s)


@cache
def _parent() -> _Parent:
    return _Parent()


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_AT_START)}


class _Parent:
    """The process, from this side. It ends when this one does, and so nobody holds the other end of its socket."""

    def __init__(self) -> None:
        self.started_with = _at_start(os.environ)
        self._end, other = socket.socketpair()
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
        with other:
            command = [sys.executable, "-P", "-c", f"from tests.warm import serve; serve({other.fileno()})"]
            nothing = subprocess.DEVNULL
            self._process = subprocess.Popen(
                command, env=env, stdin=nothing, stdout=nothing, pass_fds=[other.fileno()], start_new_session=True
            )
        atexit.register(self.end)

    def end(self) -> None:
        with self._end, suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)  # a fork of this process may hold it, too
        self._process.wait()

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str], timeout_s: float
    ) -> subprocess.CompletedProcess[bytes]:
        os.umask(mask := os.umask(0o077))
        with (
            tempfile.TemporaryFile() as request,
            Path(os.devnull).open("rb") as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            pickle.dump((list(arguments), dict(env), str(Path.cwd()), mask), request)
            request.seek(0)
            files = (request, given, out, err)
            socket.send_fds(self._end, [b"."], [file.fileno() for file in files])
            self._end.settimeout(timeout_s)
            try:
                code = self._end.recv(8)
            except TimeoutError:
                os.killpg(self._process.pid, signal.SIGKILL)
                _parent.cache_clear()
                raise
            for file in (out, err):
                file.seek(0)
            return subprocess.CompletedProcess(list(arguments), int(code), out.read(), err.read())


def serve(descriptor: int) -> None:
    """Be that process: fork for each request, and say with which code it ended."""
    _import()
    if (threads := Path("/proc/self/task")).is_dir():
        assert len([*threads.iterdir()]) == 1, "a fork would lack the other threads"
    gc.freeze()  # lest each child's collector touch, and so copy, all of it
    with socket.socket(fileno=descriptor) as connection:
        while True:
            word, files, _, _ = socket.recv_fds(connection, 1, 4)
            if not word:
                return
            if not (child := os.fork()):
                break
            for file in files:
                os.close(file)
            connection.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    _become(files)


def _become(files: Sequence[int]) -> None:
    """Be the command that was asked for, as its script would."""
    request, *streams = files
    with os.fdopen(request, "rb") as file:
        arguments, env, folder, mask = pickle.load(file)
    for stream, at in zip(streams, range(3), strict=True):
        os.dup2(stream, at)
        os.close(stream)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    os.umask(mask)
    sys.argv = ["quarry", *arguments]
    from quarry.api.cli import main

    main()


def _import() -> None:
    from quarry.api.cli import COMMANDS

    for name in (*(f"quarry.api.cli.{module}" for module in COMMANDS.values()), *_IMPORTED):
        importlib.import_module(name)
    from quarry.search.models.runtime import load_onnxruntime

    load_onnxruntime()
