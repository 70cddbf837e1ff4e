"""The child of the sandbox: it parses what is asked for on its standard input, within caps on its time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import Any, NoReturn

from quarry.indexer.loaders.base import MEBIBYTE, TOO_GREEDY, LoadOptions
from quarry.indexer.loaders.loading import load
from quarry.search.errors import LoadError
from quarry.search.lifeline import hold
from quarry.search.types import Preprocessing

LENGTHS = struct.Struct("!III")  # of a frame's header, text and bytes
_RETIRING = 512 * MEBIBYTE  # bytes, at which a child is replaced lest what one file took be missing for the next


def serve() -> NoReturn:
    """Be the child: parse what is asked for until the caller closes the pipe."""
    hold()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = os.dup(0), os.dup(1)
    silence = os.open(os.devnull, os.O_RDWR)
    os.dup2(silence, 0)
    os.dup2(silence, 1)  # a library that prints must not write between the frames
    with os.fdopen(requests, "rb") as lines:
        settings = json.loads(lines.readline())
        _confine(settings["memory"])
        _answer(answers, {"kind": "ready"})
        os.dup2(silence, 2)
        for line in lines:
            request = json.loads(line)
            path = Path(os.fsdecode(request["path"].encode("latin-1")))
            name = os.fsdecode(request["name"].encode("latin-1"))
            try:
                _serve_one(answers, path, name, _options(request["options"]), settings)
            except BrokenPipeError:
                break
    os._exit(0)  # without finalizers, which what a hostile file left behind could trip


def _options(values: dict[str, Any]) -> LoadOptions:
    asked = values["preprocessing"] and Preprocessing(**values["preprocessing"])
    return LoadOptions(**{**values, "text_fields": tuple(values["text_fields"]), "preprocessing": asked})


def _serve_one(answers: int, path: Path, name: str, options: LoadOptions, settings: dict[str, Any]) -> None:
    # The kernel ends a child that hangs even in native code, and even if the caller is gone. Not so while it waits
    # for the caller to read.
    seconds = settings["timeout"] + 1.0
    signal.setitimer(signal.ITIMER_REAL, seconds)
    last: dict[str, Any] = {"kind": "end"}
    try:
        for parsed in load(path, options, name):
            picture = parsed.picture
            header = {
                "kind": "item",
                "type": parsed.type,
                "title": parsed.title,
                "key": parsed.key,
                "metadata": dict(parsed.metadata),
                "warning": parsed.warning,
                "page_starts": parsed.page_starts,
                "headings": [(heading.start, heading.level, heading.text) for heading in parsed.headings],
                "picture": picture and [picture.pixels.shape, picture.width, picture.height],
            }
            text = parsed.text.encode("utf-8")
            data = picture.pixels.tobytes() + picture.thumbnail if picture else b""
            del parsed, picture
            signal.setitimer(signal.ITIMER_REAL, 0)
            _answer(answers, header, text, data)
            signal.setitimer(signal.ITIMER_REAL, seconds)
    except BrokenPipeError:
        raise
    except LoadError as error:
        last = {"kind": "error", "error": type(error).__name__, "message": str(error)}
        last["retire"] = last["greedy"] = isinstance(error.__cause__, MemoryError)
    except MemoryError:
        last = {"kind": "error", "error": "FileMalformed", "message": TOO_GREEDY, "retire": True, "greedy": True}
    except Exception as error:  # whatever a library raises over a hostile file is the file's fault, not the run's
        reason = f"its parser failed ({type(error).__name__}: {error}"[:300] + "); the file is probably damaged"
        last = {"kind": "error", "error": "FileMalformed", "message": reason, "retire": True, "greedy": False}
    signal.setitimer(signal.ITIMER_REAL, 0)
    if _peak("VmHWM") > _RETIRING:
        last["retire"] = True
    if last["kind"] == "error" and _peak("VmPeak") > settings["memory"] // 2:
        last["greedy"] = last["retire"] = True  # libraries say of memory that they did not get what they like
    _answer(answers, last)


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


def _answer(descriptor: int, header: dict[str, Any], text: bytes = b"", data: bytes = b"") -> None:
    head = json.dumps(header, separators=(",", ":")).encode("ascii")
    write(descriptor, LENGTHS.pack(len(head), len(text), len(data)) + head)
    write(descriptor, text)
    write(descriptor, data)


def write(descriptor: int, data: bytes) -> None:
    """Write all of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
