"""ONNX Runtime sessions: how many threads, how much memory, how quickly loaded."""

from __future__ import annotations

import os
from typing import Any

from search.errors import MissingExtra, ModelDamaged

Session = Any  # onnxruntime.InferenceSession, which has no types of its own


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_session(model: bytes, name: str, *, threads: int = 1, optimise: bool = False) -> Session:
    """Open a session over a serialized graph.

    With one thread a call runs in the thread that makes it, and any number of threads may call at once: that is how
    texts are embedded in parallel, each alone, since a dynamically quantised graph gives a text other values among
    other batch mates.

    Args:
        model: the serialized ONNX graph.
        name: what to call it in an error.
        threads: threads within one call.
        optimise: optimise the graph while loading; prepared graphs are stored optimised.

    Raises:
        ModelDamaged: ONNX Runtime can't load it.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("models need onnxruntime: `pip install onnxruntime`.") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if optimise else levels.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions share no base below this
        reason = str(error).strip().splitlines()[:1]
        raise ModelDamaged(f"ONNX Runtime can't load {name}: {' '.join(reason)}") from error
