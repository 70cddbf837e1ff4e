"""No module of the project is longer than 400 lines: one that grows past that is two nouns."""

from __future__ import annotations

import sys

from tests.folders import ROOT

LIMIT = 400


def too_long() -> list[str]:
    """List the modules over the limit, with their length."""
    found = []
    for folder in ("search", "indexer", "api", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = len(path.read_text("utf-8").splitlines())
            if lines > LIMIT:
                found.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {LIMIT}")
    return found


if __name__ == "__main__":
    problems = too_long()
    print("\n".join(problems) or f"no module is longer than {LIMIT} lines")
    sys.exit(bool(problems))
