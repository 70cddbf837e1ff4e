from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quarry.api import Library
from quarry.data.photos import copy_photos
from quarry.search.models.fake import FakeModels
from tests.processes import Served, served

SAMPLE = Path(__file__).parent.parent / "data" / "sample"


@pytest.fixture
def models() -> FakeModels:
    """Models whose vectors mean nothing, to be handed in."""
    return FakeModels()


@pytest.fixture(scope="session")
def sample_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample documents, indexed by the real encoder. To be read only: a test that writes takes `own_library`."""
    directory = tmp_path_factory.mktemp("sample") / "library"
    with Library(directory) as library:
        assert library.index(SAMPLE).complete
    return directory


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that come with scikit-image and scikit-learn."""
    folder = tmp_path_factory.mktemp("photos")
    try:
        copy_photos(folder)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    return folder


@pytest.fixture(scope="session")
def picture_library(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos and a few of the sample's texts, indexed by the real models. To be read only."""
    directory = tmp_path_factory.mktemp("pictures") / "library"
    with Library(directory) as library:
        assert library.index(photos, SAMPLE / "astronomy", SAMPLE / "food").complete
    return directory


@pytest.fixture
def own_pictures(picture_library: Path, photos: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A library of a few photos of its own, and their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(photos / name, folder / name)
    directory = tmp_path / "library"
    with Library(directory) as library:
        assert library.index(folder).complete
    return directory, folder


@pytest.fixture(scope="session")
def picture_server(picture_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real `quarry serve` over the photos. To be read only."""
    with served(picture_library, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture
def own_library(sample_library: Path, tmp_path: Path) -> Path:
    """A copy of the sample library."""
    return Path(shutil.copytree(sample_library, tmp_path / "library"))


@pytest.fixture(scope="session")
def server(sample_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real `quarry serve` over the sample library. To be read only."""
    with served(sample_library, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made smaller and larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(place)]
    mounted = os.geteuid() == 0 and shutil.which("mount") and not subprocess.run(mount, capture_output=True).returncode
    if not mounted:
        pytest.skip("a tmpfs can't be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
