"""Exporting: the program that exports one model, or fetches it from the hub.

    python -m quarry.search.models.exporting KIND NAME [--into FOLDER]

Runs in a process of its own (`search.models.preparation` starts it), since it needs torch. It writes JSON lines:
{"progress": ...}, and on failure {"error": class, "message": ...}. Without `--into` it only fetches.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

from quarry.search.errors import QuarryError
from quarry.search.models.kinds import KINDS
from quarry.search.requests import lifeline


def run(arguments: list[str] | None = None) -> int:
    """Export or fetch one model, as the command line says; 0 when it was made, 1 after an error line."""
    lifeline.hold()
    parser = argparse.ArgumentParser(prog="python -m quarry.search.models.exporting")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("name")
    parser.add_argument("--into", type=Path)
    options = parser.parse_args(arguments)
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not get between the lines
    warnings.simplefilter("ignore")

    def tell(**message: str) -> None:
        lines.write(json.dumps(message) + "\n")
        lines.flush()

    kind = KINDS[options.kind]
    try:
        if options.into is None:
            kind.fetch(options.name)
        else:
            kind.export(options.name, options.into, lambda words: tell(progress=words))
    except QuarryError as error:
        tell(error=type(error).__name__, message=str(error))
        return 1
    except OSError as error:
        full = error.errno is not None and os.strerror(error.errno) == os.strerror(28)
        tell(
            error="StorageFull" if full else "ModelError",
            message=f"the model {options.name!r} can't be written to {options.into}: {error.strerror or error}.",
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
