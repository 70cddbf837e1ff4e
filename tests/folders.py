"""Where things lie in this checkout. A process that imports this has imported nothing else."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
SAMPLE = ROOT / "data" / "sample"
FILM = ROOT / "data" / "sound" / "harbour.webm"
