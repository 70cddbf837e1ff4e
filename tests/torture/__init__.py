"""`make torture`: what may go wrong is made to go wrong, at random and again and again, and nothing may be lost.

One module is one part: `crasher`, `failing_disk`, `flips`, `readers`, `model`. `tests/stores/test_torture.py` runs each
for a few seconds; `python -m tests.torture --seed 7 --seconds 3600` runs all of them for an hour. `oracle` knows what
must be there.
"""

PARTS = ("crasher", "failing_disk", "flips", "readers", "model")
