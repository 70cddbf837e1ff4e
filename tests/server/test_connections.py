"""Clients that keep a server waiting are dropped; many at once keep nobody else from an answer."""

from __future__ import annotations

import gc
import resource
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
import uvicorn
from PIL import Image
from starlette.types import Receive, Scope, Send

from quarry.api.cli.serving import listener_at
from quarry.api.server.connections import Protocol, Server
from quarry.api.server.intake import Intake
from tests.processes import Served, served

POST = b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body, or with more than the buffers of any socket hold."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    pieces = 64 if scope["path"] == "/large" else 0
    for _ in range(pieces):
        await send({"type": "http.response.body", "body": b"x" * (1 << 20), "more_body": True})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """A server that has thirty times less patience than the real one."""
    with listener_at("127.0.0.1", 0) as listener:
        config = uvicorn.Config(Intake(app, 1 << 20, arrival_s=1.0), http=Protocol, lifespan="off", log_level="error")
        server = Server(config, scale=30)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


def until_dropped(connection: socket.socket, drip: bytes = b"") -> bytes:
    """Return what a client is told before it is dropped, which sends `drip` meanwhile, a byte at a time."""
    said = b""
    connection.settimeout(0.1)
    for _ in range(300):
        try:
            if drip:
                connection.sendall(drip[:1])
                drip = drip[1:]
            part = connection.recv(4096)
        except TimeoutError:
            continue
        except OSError:
            return said
        if not part:
            return said
        said += part
    raise AssertionError("it was not dropped")


@pytest.mark.fault("35")
@pytest.mark.parametrize(
    ("sent", "drip", "answer"),
    [
        (b"", b"", b""),
        (b"GET /", b"", b""),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"x" * 300, b""),
        (POST, b"", b"HTTP/1.1 408"),
        (POST, b"x" * 300, b"HTTP/1.1 408"),
    ],
    ids=["nothing", "half a line", "half a header, a byte at a time", "no body", "a body, a byte at a time"],
)
def test_who_does_not_ask_is_dropped(address: tuple[str, int], sent: bytes, drip: bytes, answer: bytes) -> None:
    with ExitStack() as stack:
        waiting = [stack.enter_context(socket.create_connection(address)) for _ in range(25)]
        for each in waiting:
            each.sendall(sent)
        # The others are served.
        assert httpx.post(f"http://{address[0]}:{address[1]}/", content=b"words", trust_env=False).text == "words"
        for each in waiting[::12]:
            assert until_dropped(each, drip).startswith(answer)


def test_the_body_of_an_answer_does_not_wait_for_its_head(address: tuple[str, int]) -> None:
    """TCP would hold it back until the client says that it has the head, which that does 40 ms later."""
    took = []
    with socket.create_connection(address) as connection:
        for _ in range(40):  # at first clients answer at once
            started = time.monotonic()
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nbody")
            said = b""
            while b"body" not in said:
                said += connection.recv(4096)
            took.append(time.monotonic() - started)
    assert min(took[20:]) < 0.02


def test_what_is_loaded_is_not_looked_over_for_garbage(address: tuple[str, int]) -> None:
    httpx.post(f"http://{address[0]}:{address[1]}/", content=b"words", trust_env=False)
    assert gc.get_freeze_count() > len(gc.get_objects())


@pytest.mark.parametrize("method", [b"HEAD", b"POST"])
def test_what_is_no_http_is_refused(address: tuple[str, int], method: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(
            method + b" / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n"
        )
        assert until_dropped(connection).startswith(b"HTTP/1.1 400")
    assert not [record for record in caplog.records if record.name == "asyncio"]  # which stumbled before


def test_what_follows_a_request_with_two_lengths_is_not_answered(address: tuple[str, int]) -> None:
    """A proxy may take it for a part of the first one's body, and its answer for that to another client's request."""
    with socket.create_connection(address) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"4\r\nbody\r\n0\r\n\r\nGET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
        said = until_dropped(connection)
    assert b"body" in said and said.count(b"HTTP/1.1") == 1


@pytest.mark.fault("35")
def test_who_does_not_take_the_answer_is_dropped(address: tuple[str, int]) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(address)
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(4)
        connection.settimeout(10)
        taken = 0
        try:
            while part := connection.recv(1 << 20):
                taken += len(part)
        except ConnectionResetError:
            pass
        assert taken < 64 << 20
    assert len(httpx.get(f"http://{address[0]}:{address[1]}/large", trust_env=False).content) == 64 << 20


@pytest.mark.fault("36")
def test_a_thousand_connections_and_more_requests_than_can_be_answered(server: Served) -> None:
    """200, 429 or 503, nothing else; and everything as before when they have gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    address = ("127.0.0.1", server.client.base_url.port or 0)
    try:
        with ExitStack() as stack:
            for _ in range(1000):
                stack.enter_context(socket.create_connection(address))
            assert server.client.get("/healthz").status_code == 200

            def ask(number: int) -> int:
                return server.client.post("/v1/search", json={"query": f"water {number}"}).status_code

            with ThreadPoolExecutor(100) as pool:
                found = Counter(pool.map(ask, range(200)))
            assert set(found) <= {200, 429, 503} and found[200]
        assert server.client.get("/healthz").status_code == 200
        assert server.client.post("/v1/search", json={"query": "water"}).status_code == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.fault("34")
def test_pictures_sent_at_once_share_their_parsers(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (1500, 2000, 3), dtype=np.uint8))
    noise.save(tmp_path / "noise.png", compress_level=1)
    content = (tmp_path / "noise.png").read_bytes()
    with served(tmp_path / "library", tmp_path / "log") as running, ThreadPoolExecutor(12) as pool:

        def send(number: int) -> int:
            if number % 2:
                return running.client.post("/v1/search/image", content=content).status_code
            return running.client.post(f"/v1/documents/file?name={number}.png", content=content).status_code

        sent = [pool.submit(send, number) for number in range(12)]
        most = 0
        while not all(one.done() for one in sent):
            most = max(most, len(psutil.Process(running.process.pid).children()))
            assert running.client.get("/healthz").status_code == 200
            time.sleep(0.05)
        assert {one.result() for one in sent} <= {200, 201, 503}
        assert 1 <= most <= 3  # two that read files, and one that reads what pictures show
