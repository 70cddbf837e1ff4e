"""The query side of Quarry, and what both sides share."""

import os

# Before any library is loaded: ONNX Runtime sends events to its maker, and keeps a device id and a queue of them in the
# user's cache, unless this is set when it is loaded; the hub's client tells what its user runs. Children inherit it.
for _switch in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
    os.environ[_switch] = "1"

# Before NumPy is imported: a search multiplies matrices so small that waking OpenBLAS's threads costs more than it
# gains, and on a busy machine a hundred times the product itself. Where NumPy is loaded already, this changes nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
