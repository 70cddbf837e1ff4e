"""What `docs/extending.md` says of each addition: it is made, in a copy of the house, of those files and rows alone."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import pytest

from quarry.api import Library, Text
from quarry.search.models.contracts import TextEncoder
from quarry.search.models.fake import FakeTextEncoder
from quarry.search.models.live import How, NamedModels
from tests import text_models
from tests.folders import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
ROOMS = ("api", "indexer", "search", "data")


@dataclass(frozen=True)
class Addition:
    """A file of `tests/toys`, the folder that it is put into, and the rows: in a file, what takes the place of what."""

    toy: str
    folder: str
    table: str
    rows: dict[str, str]


ADDITIONS = {
    "loader": Addition(
        "fortunes.py",
        "indexer/loaders",
        "indexer/formats.py",
        {"    PLAIN,\n": '    PLAIN,\n    Format("fortunes", "text/x-fortune", ("fortune",)),\n'},
    ),
    "enrichment": Addition(
        "length.py",
        "indexer/enrichments",
        "indexer/enrichments/table.py",
        {
            "\nENRICHMENTS": "from quarry.indexer.enrichments.length import Length\n\nENRICHMENTS",
            "= (Language(),": "= (Length(), Language(),",
        },
    ),
    "engine": Addition(
        "elsewhere.py",
        "search/engines",
        "search/engines/table.py",
        {
            "from quarry.search.engines.exact": "from quarry.search.engines.elsewhere import Elsewhere\n"
            "from quarry.search.engines.exact",
            '    "exact": ExactVectors,\n': '    "exact": ExactVectors,\n    "elsewhere": Elsewhere,\n',
        },
    ),
    "route": Addition(
        "counts.py",
        "api/routes",
        "api/routes/__init__.py",
        {
            "    answer,\n": "    answer,\n    counts,\n",
            "    answer.router,\n": "    answer.router,\n    counts.router,\n",
        },
    ),
    "medium": Addition(
        "sound.py",
        "search/media",
        "search/types.py",
        {'KINDS = ("text", "image")': 'KINDS = ("text", "image", "sound")'},
    ),
}


def built(house: Path, addition: Addition) -> None:
    """Make a house of links to the rooms, and of a copy of the one that something is added to."""
    package = house / "quarry"
    package.mkdir(parents=True)
    shutil.copy(ROOT / "quarry" / "__init__.py", package)
    for name in ROOMS:
        if addition.table.startswith(f"{name}/"):
            shutil.copytree(ROOT / name, package / name)
        else:
            (package / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "tests" / "toys" / addition.toy, package / addition.folder)
    table = package / addition.table
    text = table.read_text("utf-8")
    for before, after in addition.rows.items():
        assert text.count(before) == 1, f"{addition.table} has another form: {before!r}"
        text = text.replace(before, after)
    table.write_text(text, "utf-8")


def used(name: str, folder: Path, *packages: Path) -> None:
    """Do in a process of its own, with some packages, what can be done after an addition."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}  # this is a copy
    ran = subprocess.run(
        [sys.executable, "-m", "tests.toys.uses", name, str(folder)],
        cwd=folder,
        env={**own, "PYTHONPATH": os.pathsep.join([*map(str, packages), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, ran.stdout) == (0, "used\n"), ran.stderr


@pytest.mark.parametrize("name", ADDITIONS)
def test_an_addition_is_a_file_and_its_rows(name: str, tmp_path: Path) -> None:
    built(tmp_path / "house", ADDITIONS[name])
    used(name, tmp_path, tmp_path / "house")


@pytest.mark.parametrize("name", ADDITIONS)
def test_the_page_names_them(name: str) -> None:
    addition = ADDITIONS[name]
    (section,) = re.findall(rf"^## [^\n]*\b{name}\b[^\n]*\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert f"`{addition.folder}/" in section and f"`{addition.table}`" in section
    assert f"`tests/toys/{addition.toy}`" in section
    held = re.findall(r"`((?:tests|search|indexer|api)/[\w/]+\.py)`", section)
    made = f"{addition.folder}/{addition.toy}"
    assert [path for path in held if not (ROOT / path).is_file()] == [made]


def test_a_loader_of_another_package_is_a_row_that_it_names(tmp_path: Path) -> None:
    """It runs in the confined child as ours do, and takes no suffix of theirs."""
    package = tmp_path / "site"
    (package / "fortunes-1.dist-info").mkdir(parents=True)
    (package / "fortunes-1.dist-info" / "METADATA").write_text("Name: fortunes\nVersion: 1\n")
    (package / "fortunes-1.dist-info" / "entry_points.txt").write_text("[quarry.formats]\nall = rows:FORMATS\n")
    (package / "rows.py").write_text(
        "from quarry.indexer.formats import Format\n"
        'FORMATS = (Format("others.fortunes", "text/x-fortune", ("fortune", "png")),)\n'
    )
    (package / "others").mkdir()
    shutil.copy(ROOT / "tests" / "toys" / "fortunes.py", package / "others")
    used("loader", tmp_path, package)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("FORMATS = ['csv']", "TypeError"),
        ("1/0", "ZeroDivisionError"),
    ],
)
def test_formats_of_a_broken_package_are_left_out_and_told(rows: str, why: str, tmp_path: Path) -> None:
    info = tmp_path / "site" / "broken-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: broken\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[quarry.formats]\nbroken = broken_rows:FORMATS\n")
    (info.parent / "broken_rows.py").write_text(rows)
    asked = (
        "from quarry.indexer import formats\n"
        "from quarry.api import Library, Text; from quarry.search.models.fake import FakeModels\n"
        "with Library('library', models=FakeModels()) as library:\n"
        "    library.add([Text('Stars.')])\n"
        "    said = [one.text for one in library.doctor() if one.part == 'formats']\n"
        "    print(len(formats.ROWS) > 50, *library.status()['formats_left_out'].values(), *said)\n"
    )
    path = os.pathsep.join([str(info.parent), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-c", asked], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, capture_output=True,
        text=True,
    )  # fmt: skip
    assert ran.stdout.startswith(f"True broken_rows:FORMATS: {why}"), ran.stderr
    assert "those of broken are left out" in ran.stdout and "The formats of broken are left out" in ran.stderr


class OneMore(NamedModels):
    """The models of this machine, and a live one."""

    def text(self, name: str, **how: Unpack[How]) -> TextEncoder:
        return FakeTextEncoder(name=name) if name == "live" else super().text(name, **how)


@pytest.mark.filterwarnings("ignore")  # of torch and transformers
@pytest.mark.usefixtures("exported_here")
@pytest.mark.parametrize("model", ["live", "saved"])
def test_a_second_text_model_is_no_file_at_all(model: str, tmp_path: Path) -> None:
    named = "live" if model == "live" else str(text_models.save(tmp_path, "static"))
    with Library(tmp_path / "library", models=OneMore()) as library:
        library.add([Text("Bright stars at night.", id="stars"), Text("밝은 별", id="별")])
        report = library.reembed(named, space="second", takes={"scripts": ["Latin"]})
        assert (report.passages, report.embedded, report.failed) == (1, 1, {})
        library.add([Text("Bread with butter.", id="bread")])
        spaces = {space["name"]: space for space in library.status()["spaces"]}
        assert {name: space["vectors"] for name, space in spaces.items()} == {"text": 2, "multilingual": 1, "second": 2}
        both = library.search("stars at night", mode="semantic").hits[0]
        assert not [finding for finding in library.doctor() if finding.level == "damage"]
        library.reembed(undo=True, space="second")
        assert [space["name"] for space in library.status()["spaces"]] == ["text", "multilingual"]
        alone = library.search("stars at night", mode="semantic").hits[0]
        assert both.document.id == alone.document.id == "stars" and both.score != alone.score


def test_the_page_names_all_that_tells_media_apart() -> None:
    (section,) = re.findall(r"^## A medium\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    # Which are of a kind of model, of judged pictures, and of formats that call their own elements so.
    own = ("search/models/", "search/evaluations/", "indexer/loaders/")
    apart = {path.relative_to(ROOT).as_posix() for room in ("indexer", "search") for path in _apart(ROOT / room)}
    named = set(re.findall(r"`([\w/]+\.py)`", section)) - {"search/media/sound.py"}
    assert sorted(path for path in apart - named if not path.startswith(own)) == []
    assert not [path for path in named if not (ROOT / path).is_file()]


def _apart(room: Path) -> Iterator[Path]:
    """Yield the modules of a room that have a branch, a row or SQL for what is an image."""
    for path in room.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
        ]
        if any(text == "image" or "'image'" in text for text in texts):
            yield path
