from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from quarry.api import Library
from quarry.data.photos import copy_photos
from quarry.search.models import preparation
from quarry.search.models.fake import FakeModels
from quarry.search.models.kinds import Kind
from tests.folders import SAMPLE
from tests.processes import Served, served

# Workers, and the processes that they start, share few cores: more threads of torch's would wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def made_once(name: str, make: Callable[[Path], object], factory: pytest.TempPathFactory) -> Path:
    """Return a folder that is made by the worker that needs it first. To be read only: the others have it, too."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = folder.with_suffix(".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(folder)
    return folder


@pytest.fixture
def models() -> FakeModels:
    """Models whose vectors mean nothing, to be handed in."""
    return FakeModels()


@pytest.fixture
def exported_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are exported in this process, which has imported torch: a child would do so for seconds."""

    def export(kind: Kind[Any, Any], name: str, into: Path | None, say: Callable[[str], None]) -> None:
        kind.export(name, into, say) if into else kind.fetch(name)

    monkeypatch.setattr(preparation, "_export", export)


@pytest.fixture(scope="session")
def sample_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample documents, indexed by the real encoder. To be read only: a test that writes takes `own_library`."""

    def make(directory: Path) -> None:
        with Library(directory) as library:
            assert library.index(SAMPLE).complete

    made = made_once("sample-library", make, tmp_path_factory)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("sample") / "library"))  # which one process may write


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos that come with scikit-image and scikit-learn."""
    try:
        return made_once("photos0", copy_photos, tmp_path_factory)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def picture_library(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos and a few of the sample's texts, indexed by the real models. To be read only."""

    def make(directory: Path) -> None:
        with Library(directory) as library:
            assert library.index(photos, SAMPLE / "astronomy", SAMPLE / "food").complete

    made = made_once("picture-library", make, tmp_path_factory)
    return Path(shutil.copytree(made, tmp_path_factory.mktemp("pictures") / "library"))  # which one process may write


@pytest.fixture(scope="session")
def few_pictures(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a library of a few photos and their folder lie as `made`, and are `own` when they are used."""
    place = tmp_path_factory.mktemp("few")
    folder = place / "own" / "photos"
    folder.mkdir(parents=True)
    for name in ("chelsea.png", "coffee.png", "rocket.jpg"):
        shutil.copy(photos / name, folder / name)
    with Library(place / "own" / "library") as library:
        assert library.index(folder).complete
    (place / "own").rename(place / "made")
    return place


@pytest.fixture
def own_pictures(few_pictures: Path) -> Iterator[tuple[Path, Path]]:
    """A library of a few photos of its own, and their folder."""
    own = few_pictures / "own"
    shutil.copytree(few_pictures / "made", own)
    yield own / "library", own / "photos"
    shutil.rmtree(own)


@pytest.fixture(scope="session")
def picture_server(picture_library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A real `quarry serve` over the photos. To be read only."""
    with served(picture_library, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


@pytest.fixture(scope="session")
def task_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """What returns the folder of a tiny model, by the arguments of `tests.task_models.save_text_model`; each once."""
    from tests.task_models import save_text_model

    def model(family: str, head: str, labels: Mapping[str, Sequence[str]], **options: Any) -> Path:
        name = hashlib.sha256(repr((family, head, labels, options)).encode()).hexdigest()[:16]
        return made_once(
            name, lambda folder: save_text_model(folder, family, head, labels, **options), tmp_path_factory
        )

    return model


@pytest.fixture(scope="session")
def picture_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """What returns the folder of a tiny model for pictures, by its kind in `tests.picture_models`; each once."""
    from tests.picture_models import save

    return lambda kind: made_once(f"picture-{kind.replace(' ', '-')}", lambda at: save(at, kind), tmp_path_factory)


@pytest.fixture(scope="session")
def seq2seq_models(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """What returns the folder of a tiny model, by the arguments of `tests.seq2seq_models.save`; each once."""
    from tests.seq2seq_models import save

    def model(kind: str, answers: Mapping[str, str], **config: Any) -> Path:
        name = hashlib.sha256(repr((kind, answers, config)).encode()).hexdigest()[:16]
        return made_once(name, lambda folder: save(folder, kind, answers, **config), tmp_path_factory)

    return model


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
