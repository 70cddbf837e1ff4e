from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from api import Library
from tests.processes import Served, served

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


@pytest.fixture(scope="session")
def sample_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample documents, indexed by the real encoder. To be read only: a test that writes takes `own_library`."""
    directory = tmp_path_factory.mktemp("sample") / "library"
    with Library(directory) as library:
        assert library.index(SAMPLE).complete
    return directory


@pytest.fixture
def own_library(sample_library: Path, tmp_path: Path) -> Path:
    """A copy of the sample library."""
    return Path(shutil.copytree(sample_library, tmp_path / "library"))


@pytest.fixture(scope="session")
def server(sample_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real `quarry serve` over the sample library. To be read only."""
    with served(sample_library, tmp_path_factory.mktemp("server") / "log") as running:
        yield running
