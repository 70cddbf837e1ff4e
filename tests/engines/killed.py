"""Fill an engine, and be killed in the middle: `python -m tests.engines.killed STORE FOLDER`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from quarry.search.engines.following import collection
from quarry.search.engines.trial import Trial
from tests.engines.stores import STORES


def main(store: str, folder: Path) -> None:
    collection._PORTION, collection._BATCH = 100, 40
    trial = Trial(folder / "library", STORES[store])

    def told(done: int, of: int) -> None:
        if done >= of // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    trial.engine.fill(told)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
