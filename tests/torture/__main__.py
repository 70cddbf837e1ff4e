"""`python -m tests.torture --seed 7 --seconds 3600 [--only flips]`: print what was tried and what failed."""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import tempfile
import time
from pathlib import Path

from quarry.search.models.fake import FakeModels
from tests.torture import PARTS
from tests.torture.tally import Tally


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="what is tried; a random one unless it is given")
    parser.add_argument("--seconds", type=float, default=300, help="how long, all parts together")
    parser.add_argument("--only", choices=PARTS, action="append", help="this part alone; can be given again")
    parser.add_argument("--most", type=int, default=None, help="how many tries of each part, however long it takes")
    chosen = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if chosen.seed is None else chosen.seed
    parts = chosen.only or PARTS
    models = FakeModels()
    tallies = []
    for part in parts:
        print(f"{part}, seed {seed}", flush=True)
        bound = {"most": chosen.most} if chosen.most else {"until": time.monotonic() + chosen.seconds / len(parts)}
        tally = Tally(part, seed, **bound, is_loud=True)
        with tempfile.TemporaryDirectory(prefix="torture-") as place:
            importlib.import_module(f"tests.torture.{part}").run(tally, Path(place), models)
        tallies.append(tally)
    print(f"\nseed {seed}\n\n| part | tried | failed |\n| --- | ---: | ---: |")
    for tally in tallies:
        tried = f"{tally.tried:,}" if not tally.skipped else f"not tried: {tally.skipped}"
        print(f"| {tally.part} | {tried} | {len(tally.failed)} |")
    failed = [failure for tally in tallies for failure in tally.failed]
    print("".join(f"\n{failure}" for failure in failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
