"""ONNX Runtime sessions: how many threads, how much memory, how quickly loaded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from quarry.search.errors import MissingExtra, ModelDamaged
from quarry.search.requests import deadline

Session = Any  # onnxruntime.InferenceSession, which has no types of its own


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(count: int, threads: int, task: Callable[[int], None]) -> None:
    """Call `task` with 0 ... count - 1, on up to `threads` threads, this one among them.

    The first exception ends the others after what they are at, and is raised; so does a deadline.
    """
    remaining = iter(range(count))
    lock = threading.Lock()
    checked = deadline.checking()

    def work() -> None:
        while True:
            with lock:
                position = next(remaining, None)
            if position is None:
                return
            try:
                checked()
                task(position)
            except BaseException:
                with lock:
                    for _ in remaining:  # the others stop too
                        pass
                raise

    workers = min(threads, count)
    if workers <= 1:
        work()
        return
    with ThreadPoolExecutor(workers - 1, thread_name_prefix="encoder") as pool:
        others = [pool.submit(work) for _ in range(workers - 1)]
        work()
    for other in others:
        other.result()


def load_onnxruntime() -> Any:
    """Return the module onnxruntime, which is imported nowhere else, with its telemetry off.

    What counts is the variable that `search/__init__.py` sets; the call is for a caller that loaded it earlier.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("models need onnxruntime: `pip install onnxruntime`.") from error
    if hasattr(onnxruntime, "disable_telemetry_events"):
        onnxruntime.disable_telemetry_events()
    return onnxruntime


def open_session(model: Path | bytes, *, threads: int = 1, convolutions: bool = False) -> Session:
    """Open a session over a serialized graph.

    With one thread a call runs in the thread that makes it, and any number of threads may call at once: that is how
    texts are embedded in parallel, each alone, since a dynamically quantised graph gives a text other values among
    other batch mates.

    Args:
        model: the ONNX graph's file, or its content (which costs its size in memory once more).
        threads: threads within one call.
        convolutions: lay out for this CPU what convolutions read and write, which makes a convolutional network three
            times as fast and takes some milliseconds.

    Raises:
        ModelDamaged: ONNX Runtime can't load it.
    """
    onnxruntime = load_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Prepared graphs are stored optimised, but for what depends on the CPU.
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if convolutions else levels.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"], disabled_optimizers=["SkipLayerNormFusion"]
        )
    except Exception as error:  # its own exceptions share no base below this
        name = "an exported graph" if isinstance(model, bytes) else model
        reason = " ".join(str(error).strip().splitlines()[:1])
        raise ModelDamaged(f"ONNX Runtime can't load {name}: {reason}") from error
