"""A process that indexes by a fake model, says what it has committed, and can be made to die at a given step.

Processes come from a fork server that has everything imported, so that each starts in some milliseconds.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import quarry.api.cli
import quarry.api.cli.serving
import quarry.indexer.pipeline
import quarry.search.engines.faiss.segment_writer
import quarry.search.stores.database.sqlite
from quarry.api.library import Library
from quarry.indexer.reading import FileEnd
from quarry.search.errors import QuarryError
from quarry.search.models.fake import FakeModels

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.indexing_process"])
CRASHED = 77


@dataclass(frozen=True, slots=True)
class Crash:
    """Where to die: before or after the nth call of a function (`module:Class.name`, or `COMMIT` of the catalog)."""

    step: str
    when: str
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """An operation of the library with its arguments."""

    operation: str
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """What to do: an operation of the library with its arguments, in batches so small that there are many commits.

    Args:
        operation: `serve` is a real server, on any port.
        calls: what to do instead of one operation, one after the other.
        acknowledge: a file to which the paths of files are written, one a line, when their documents are committed,
            and the number of each call, from 0, when it is done.
        embedded: a file to which a byte is written for each text that is embedded.
        said: a file that takes the place of standard error.
        pages: how large the catalog may become; a disk that is full, as far as SQLite can tell.
    """

    library: Path
    operation: str = "index"
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    calls: Sequence[Call] = ()
    acknowledge: Path | None = None
    embedded: Path | None = None
    said: Path | None = None
    crash: Crash | None = None
    batch_passages: int = 8
    segment_from: int = 10
    pages: int = 0
    wait_s: float = 60.0


def start(task: Task) -> multiprocessing.process.BaseProcess:
    """Start it; its exit code is 0, 1 for one of our errors (on standard error), `CRASHED`, or minus a signal."""
    process = CONTEXT.Process(target=run, args=(task,))
    process.start()
    return process


def run(task: Task) -> None:
    """Be the process."""
    models = stand_in(task.batch_passages, task.segment_from, task.embedded)
    if task.said is not None:
        os.dup2(os.open(task.said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.stderr.fileno())
    done = _acknowledge(task.acknowledge) if task.acknowledge is not None else lambda number: None
    _open_writers(task)
    if task.crash is not None and task.crash.step != "COMMIT":
        _arm(task.crash)
    try:
        if task.operation == "serve":
            sys.argv = ["quarry", "serve", "--library", str(task.library), "--port", "0"]
            quarry.api.cli.main(models)
        with Library(task.library, wait_s=task.wait_s, models=models) as library:
            for number, call in enumerate(task.calls or [Call(task.operation, task.arguments, task.options)]):
                getattr(library, call.operation)(*call.arguments, **call.options)
                done(number)
    except QuarryError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(1)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(70)


def stand_in(batch_passages: int, segment_from: int, embedded: Path | None = None) -> FakeModels:
    """Have this process commit and build segments in small pieces; return the models that it is to embed by."""
    models = FakeModels()
    if embedded is not None:
        models.on_embed = lambda count: embedded.open("ab", buffering=0).write(bytes(count))
    quarry.indexer.pipeline.BATCH_PASSAGES = batch_passages
    quarry.indexer.pipeline.BATCH_ITEMS = 4 * batch_passages
    quarry.indexer.pipeline.FLUSH_BATCHES = 3
    quarry.search.engines.faiss.segment_writer.FLUSH_FROM = segment_from
    quarry.search.engines.faiss.segment_writer.SegmentWriter.flush.__defaults__ = (segment_from,)
    return models


def _acknowledge(path: Path) -> Callable[[int], None]:
    commit = quarry.indexer.pipeline.commit_batch
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines = os.fdopen(descriptor, "w", closefd=False)

    def acknowledged(batch: Sequence[Any], *arguments: Any) -> None:
        commit(batch, *arguments)
        lines = [json.dumps(part.found.path) + "\n" for part in batch if isinstance(part, FileEnd)]
        os.write(descriptor, "".join(lines).encode())

    quarry.indexer.pipeline.commit_batch = acknowledged  # type: ignore[assignment]
    return lambda number: print(number, file=lines, flush=True)


def _arm(crash: Crash) -> None:
    module, _, name = crash.step.partition(":")
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, _dying(getattr(owner, last), crash))


def _dying(function: Callable[..., Any], crash: Crash) -> Callable[..., Any]:
    calls = 0

    def wrapper(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == crash.nth and crash.when == "before":
            os._exit(CRASHED)
        result = function(*arguments, **options)
        if calls == crash.nth:
            os._exit(CRASHED)
        return result

    return wrapper


def _open_writers(task: Task) -> None:
    open_writer = quarry.search.stores.database.sqlite.open_writer

    def opened(path: Path, **options: Any) -> Any:
        connection = open_writer(path, **options)
        if task.pages:
            connection.execute(f"PRAGMA max_page_count={task.pages}")
        return _Connection(connection, task.crash)

    quarry.search.stores.database.sqlite.open_writer = opened


class _Connection:
    """A connection that dies at COMMIT."""

    __slots__ = ("_commit", "_connection")

    def __init__(self, connection: Any, crash: Crash | None) -> None:
        object.__setattr__(self, "_connection", connection)
        execute = connection.execute
        if crash is not None and crash.step == "COMMIT":
            execute = _dying(execute, crash)
        object.__setattr__(self, "_commit", execute)

    def execute(self, sql: str, *parameters: Any) -> Any:
        return (self._commit if sql == "COMMIT" else self._connection.execute)(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._connection, name, value)
