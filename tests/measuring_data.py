"""The data for measuring, which is no part of the project: what needs it is skipped where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("QUARRY_TEST_DATA", ""))
FILES = DATA / "loader_files"  # a collection of real and odd ones
needs_data = pytest.mark.skipif("QUARRY_TEST_DATA" not in os.environ, reason="QUARRY_TEST_DATA names no folder")
