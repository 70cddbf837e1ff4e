"""Searches take turns; a line that would be long is not joined."""

from __future__ import annotations

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from quarry.api.server.metrics import Metrics
from quarry.api.server.turns import Turns


class Work:
    """What requests are worked on by: each until it is let go."""

    def __init__(self) -> None:
        self.running: list[str] = []
        self.most = 0
        self.done = anyio.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.running.append(scope["query_string"].decode())
        self.most = max(self.most, len(self.running))
        await self.done.acquire()
        self.running.remove(scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 200, "headers": []})


async def ask(turns: Turns, name: str, statuses: list[tuple[str, int]], path: str = "/v1/search") -> None:
    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append((name, message["status"]))

    scope = {"type": "http", "method": "POST", "path": path, "query_string": name.encode(), "headers": []}
    await turns(scope, receive, send)


@pytest.mark.fault("36")
def test_a_line_that_would_be_long_is_not_joined() -> None:
    async def main() -> None:
        work, statuses = Work(), list[tuple[str, int]]()
        metrics = Metrics(dict)
        turns = Turns(work, metrics, at_once=2, longest_s=0.05, held_s=1000)  # of 20 ms each: five wait
        async with anyio.create_task_group() as tasks:
            for name in "abcdefghij":
                tasks.start_soon(ask, turns, name, statuses)
                await anyio.wait_all_tasks_blocked()
            assert work.running == ["a", "b"] and statuses == [("h", 503), ("i", 503), ("j", 503)]
            await ask_at_once(turns, work)
            for _ in range(7):
                work.done.release()
                await anyio.wait_all_tasks_blocked()
        assert [name for name, status in statuses if status == 200] == list("abcdefg") and work.most == 3
        assert b"quarry_shed_total 3.0" in metrics.render()
        assert b"quarry_requests_running 0.0" in metrics.render()

    async def ask_at_once(turns: Turns, work: Work) -> None:
        """What is no search waits for nobody."""
        others: list[tuple[str, int]] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, turns, "health", others, "/healthz")
            await anyio.wait_all_tasks_blocked()
            assert work.running == ["a", "b", "health"]
            tasks.cancel_scope.cancel()
        work.running.remove("health")

    anyio.run(main)


def test_who_goes_away_gives_up_the_turn() -> None:
    async def main() -> None:
        work, statuses = Work(), list[tuple[str, int]]()
        turns = Turns(work, Metrics(dict), at_once=1, longest_s=10, held_s=1000)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, turns, "a", statuses)
            await anyio.wait_all_tasks_blocked()
            async with anyio.create_task_group() as gone:
                gone.start_soon(ask, turns, "b", statuses)
                await anyio.wait_all_tasks_blocked()
                gone.cancel_scope.cancel()
            tasks.start_soon(ask, turns, "c", statuses)
            await anyio.wait_all_tasks_blocked()
            work.done.release()
            await anyio.wait_all_tasks_blocked()
            assert work.running == ["c"]
            work.done.release()
        assert statuses == [("a", 200), ("c", 200)]

    anyio.run(main)


def test_one_that_takes_long_holds_up_nobody() -> None:
    async def main() -> None:
        work, statuses = Work(), list[tuple[str, int]]()
        turns = Turns(work, Metrics(dict), at_once=1, longest_s=10, held_s=0)
        async with anyio.create_task_group() as tasks:
            for name in "abc":
                tasks.start_soon(ask, turns, name, statuses)
                while name not in work.running:
                    await anyio.sleep(0)
            for _ in range(3):
                work.done.release()
        assert len(statuses) == 3

    anyio.run(main)
