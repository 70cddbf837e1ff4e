"""The query side of Quarry, and what both sides share."""

import os

# Before NumPy is imported: a search multiplies matrices so small that waking OpenBLAS's threads costs more than it
# gains, and on a busy machine a hundred times the product itself. Where NumPy is loaded already, this changes nothing.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
