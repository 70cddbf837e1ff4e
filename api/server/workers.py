"""Several processes behind one address: all read, and one of them writes.

What reads is answered by whichever process takes the connection. What writes, and what runs on after it was answered
(jobs), is handed to the first one through a socket in a folder of the user's own, so that it is one queue, as in a
server of one process. The others' answers follow each commit, as those of any other process do.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import anyio
import h11
from anyio.abc import ByteStream
from starlette.types import ASGIApp, Receive, Scope, Send

from quarry.api.server.connections import DRAIN_S, STUCK_S
from quarry.api.server.errors import problem
from quarry.api.server.policy import is_reading
from quarry.search.errors import LibraryError
from quarry.search.files.disks import temporary_folder

SHARED = "PROMETHEUS_MULTIPROC_DIR"  # names the folder in which they add up what they count
_AGAIN_S = 1.0  # before a worker that ended is replaced
_LOOK_S = 1.0  # for whether the parent is still there
_PART = 64 << 10  # bytes
# What one process alone knows of: what it runs, and holds.
_OWN = re.compile(r"/v1(/libraries/[^/]+)?/(jobs|roots|commit)(/.*)?")
_HOP = frozenset({b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"expect", b"upgrade"})


def run(count: int, listener: socket.socket, work: Callable[[list[socket.socket], Path | None], None]) -> int:
    """Fork so many workers and replace those that end, until a signal; return the exit code.

    To be called before anything is open or runs in threads.

    Args:
        work: what a worker does, with the sockets that it listens on, and where the one that writes listens (None for
            that one itself).

    Raises:
        LibraryError: there is no place for their socket, of which the path has 107 bytes at most.
    """
    stopping: list[int] = []
    workers: dict[int, int] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        _signal(workers, number)
        if not stopping:
            signal.alarm(int(DRAIN_S + STUCK_S + 1))
        stopping.append(number)

    def kill(number: int, frame: FrameType | None) -> None:
        _signal(workers, signal.SIGKILL)

    with temporary_folder("quarry-serve-") as place, socket.socket(socket.AF_UNIX) as writer:
        os.environ[SHARED] = str(place)
        try:
            writer.bind(os.fspath(place / "writer"))
        except OSError as error:
            raise LibraryError(f"No socket can be made in {place} ({error}); name another place in TMPDIR.") from error
        writer.listen()
        for number, handler in ((signal.SIGINT, stop), (signal.SIGTERM, stop), (signal.SIGALRM, kill)):
            signal.signal(number, handler)

        def start(at: int) -> None:
            sockets, handed = ([listener, writer], None) if at == 0 else ([listener], place / "writer")
            workers[_forked(lambda: work(sockets, handed))] = at

        for at in range(count):
            start(at)
        failed = False
        while workers:
            pid, status = os.wait()
            at = workers.pop(pid)
            if stopping:
                failed |= os.waitstatus_to_exitcode(status) != 0
                continue
            _forget(pid)
            time.sleep(_AGAIN_S)
            if not stopping:
                start(at)
        return int(failed)


def _forget(pid: int) -> None:
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _signal(workers: Iterable[int], number: int) -> None:
    for pid in workers:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _forked(work: Callable[[], None]) -> int:
    """Fork a worker that ends by itself when its parent is gone; return its process."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        work()
        code = 0
    except KeyboardInterrupt:  # before it served anybody
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os.kill(os.getpid(), signal.SIGTERM)


class ToWriter:
    """ASGI middleware of the workers that read: hands on what is not theirs, and hands back the answer as it comes.

    Args:
        place: the socket of the worker that writes.
    """

    def __init__(self, app: ASGIApp, place: Path) -> None:
        self._app = app
        self._place = place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or (
            is_reading(scope["method"], scope["path"]) and not _OWN.fullmatch(scope["path"])
        ):
            await self._app(scope, receive, send)
            return
        try:
            stream = await anyio.connect_unix(self._place)
        except OSError:
            refusal = problem(503, "The process that writes is being started again.", headers={"Retry-After": "2"})
            await refusal(scope, receive, send)
            return
        scope.setdefault("observed", {})["handed_on"] = True
        async with stream, anyio.create_task_group() as tasks:
            connection = h11.Connection(h11.CLIENT)
            await stream.send(connection.send(_request(scope)) or b"")
            more = True
            while more:
                message = await receive()
                more = message.get("more_body", False)
                if part := message.get("body", b""):
                    await stream.send(connection.send(h11.Data(data=part)) or b"")
            await stream.send(connection.send(h11.EndOfMessage()) or b"")

            async def gone() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                tasks.cancel_scope.cancel()

            tasks.start_soon(gone)
            await _answer(stream, connection, send)
            tasks.cancel_scope.cancel()


def _request(scope: Scope) -> h11.Request:
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    headers = [(name, value) for name, value in scope["headers"] if name not in _HOP]
    headers += [(b"connection", b"close"), (b"transfer-encoding", b"chunked")]
    return h11.Request(method=scope["method"], target=target, headers=headers)


async def _answer(stream: ByteStream, connection: h11.Connection, send: Send) -> None:
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await stream.receive(_PART))
            except anyio.EndOfStream:
                connection.receive_data(b"")
        elif isinstance(event, h11.Response):
            headers = [(name, value) for name, value in event.headers if name not in _HOP]
            if length := [(name, value) for name, value in event.headers if name == b"content-length"]:
                headers += length
            await send({"type": "http.response.start", "status": event.status_code, "headers": headers})
        elif isinstance(event, h11.Data):
            await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
        elif isinstance(event, h11.EndOfMessage):
            await send({"type": "http.response.body", "body": b""})
            return
