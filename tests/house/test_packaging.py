"""The wheel as a stranger installs it: one package, which works where modules of the same names as its rooms lie."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.folders import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; what it depends on is borrowed, without the checkout."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--quiet",
        "--python",
        python,
        "install",
        "--no-deps",
        wheel,
    ]
    subprocess.run(command, check=True, capture_output=True, env=_apart())
    (packages,) = (folder / "lib").glob("python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _apart() -> dict[str, str]:
    """What programs run with: nothing of the checkout on the path, where pip would find what it is to install."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def run(python: Path, *arguments: str | Path, cwd: Path) -> str:
    """Run in a folder without anything of the checkout on the path."""
    done = subprocess.run([python, *arguments], cwd=cwd, env=_apart(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_one_package_whole(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"quarry", "quarry_search"}
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "api", "indexer", "search", "data"], cwd=ROOT, capture_output=True
    )
    files = {f"quarry/{name}" for name in tracked.stdout.decode().split("\0") if name}
    assert files - set(names) <= {name for name in files if name.endswith("README.md")}


def test_the_default_path_asks_for_no_pytorch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted, found = list(project["dependencies"]), set()
    while wanted:
        requirement = Requirement(wanted.pop())
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            wanted += requires(name) or []
        except PackageNotFoundError:
            pass  # one of another platform
    assert {"onnx", "onnxruntime", "numpy"} <= found
    assert not {"torch", "transformers", "sentence-transformers", "timm", "open-clip-torch"} & found


def test_it_works_beside_modules_of_the_same_names(python: Path, tmp_path: Path) -> None:
    for room in ("api", "indexer", "search", "data"):
        (tmp_path / f"{room}.py").write_text("raise ImportError('the wrong module')\n")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("# Otters\n\nOtters live along the river.\n")
    code = (
        "from quarry import Document, Hit, Library, QuarryError, Query, Response, Text\n"
        "import quarry\n"
        "assert set(quarry.__all__) <= {*dir(quarry), *quarry.__all__} and Query('otters').limit == 10\n"
        "with Library('library') as library:\n"
        "    library.index('notes')\n"
        "    library.add([Text('Beavers build dams.')])\n"
        "    print(library.search('where do otters live').hits[0].document.title)\n"
    )
    assert run(python, "-c", code, cwd=tmp_path) == "Otters\n"
    quarry = python.with_name("quarry")
    found = run(python, quarry, "search", "who builds dams", "--library", "library", cwd=tmp_path)
    assert "Beavers build dams." in found
