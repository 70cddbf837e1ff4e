"""Commands of Quarry over a disk that fails: a process that has all imported, and forks one for each command.

It runs with `failing.c` loaded before the C library. One line of JSON asks for a command, one answers: its exit code,
and how many calls of the kind it made.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import traceback
from typing import Any

from quarry.api import cli
from quarry.search.models.fake import FakeModels
from tests import indexing_process


def main() -> None:
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    shim.failing_seen.restype = ctypes.c_long
    del os.environ["LD_PRELOAD"]  # what the commands start is another story
    models = indexing_process.stand_in(batch_passages=8, segment_from=10)
    print("ready", flush=True)
    for line in sys.stdin:
        task: dict[str, Any] = json.loads(line)
        shim.failing_arm(b"", 0, 0, 0, b"")
        child = os.fork()
        if child == 0:
            _be(task, shim, models)
        print(json.dumps({"pid": child}), flush=True)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"code": os.waitstatus_to_exitcode(status), "seen": shim.failing_seen()}), flush=True)


def _be(task: dict[str, Any], shim: ctypes.CDLL, models: FakeModels) -> None:
    for descriptor, name in ((0, os.devnull), (1, task["out"]), (2, task["err"])):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), descriptor)
    code = 0
    try:
        sys.argv = ["quarry", *task["command"]]
        os.environ.update(task["env"])
        place = os.fsencode(task["place"])
        shim.failing_arm(task["kind"].encode(), ctypes.c_long(task["nth"]), task["error"], task["lasts"], place)
        cli.main(models)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 70
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
