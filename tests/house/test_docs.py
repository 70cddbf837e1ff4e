"""What the documents say of the code is what the code says."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

from quarry.api.cli import COMMANDS, cli
from tests import faults, module_length, reference
from tests.folders import ROOT


@pytest.mark.parametrize("page", reference.PAGES)
def test_reference_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / page).read_text("utf-8")
    assert written == reference.PAGES[page](), "run `make docs` and commit what it writes"


def test_every_command_is_in_the_tour() -> None:
    tour = (ROOT / "docs" / "tour.md").read_text("utf-8")
    assert not [name for name in COMMANDS if f"quarry {name}" not in tour]


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_commands_that_are_shown_are_there_with_their_options() -> None:
    wrong, shown = [], re.compile(r"^(?:\$ )?quarry (\w+)(.*)$", re.M)
    for page in pages():
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text("utf-8"), re.M | re.S):
            for name, rest in shown.findall(block.replace("\\\n", " ")):
                command = cli.get_command(click.Context(cli), name)
                known = {name for one in command.params for name in one.opts} if command else set()
                given = re.findall(r"(?<=\s)--?[a-z][\w-]*", re.sub(r"\"[^\"]*\"|'[^']*'|#.*", "", rest))
                wrong += [f"{page.name}: quarry {name} {one}" for one in given if one not in known]
                wrong += [] if command else [f"{page.name}: quarry {name}"]
    assert not wrong


def test_links_lead_somewhere() -> None:
    broken = []
    for page in pages():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert not broken


def architecture() -> str:
    return (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_what_the_architecture_names_is_there() -> None:
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", architecture())
    made = {"segments/retired/", "segments/unfinished/"}  # in a library
    assert sorted({path for path in named if not (ROOT / path).exists()} - made) == []


def test_every_room_has_a_row_that_tells_what_it_is_for_and_why() -> None:
    rows = [line.strip("| ").split(" | ") for line in architecture().splitlines() if line.startswith("| `")]
    told = {room for row in rows if len(row) == 4 and all(row) for room in re.findall(r"`([\w/]+)/`", row[0])}
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout")
    folders = {Path(path).parent.as_posix() for path in listed.stdout.splitlines()}
    rooms = {folder for folder in folders if folder.startswith(("api", "indexer", "search"))}
    assert sorted((rooms | {"data", "benchmarks", "tests", "quarry"}) - told) == []


def test_what_always_holds_is_numbered() -> None:
    (section,) = re.findall(r"^## What always holds\n(.*?)^## ", architecture(), re.M | re.S)
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", section, re.M)]
    assert numbers == list(range(1, len(numbers) + 1)) and "\n\n" not in section.strip()


def test_modules_stay_short() -> None:
    assert module_length.too_long() == []


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    architecture = (ROOT / "docs" / "architecture.md").read_text("utf-8").lower()
    names = [re.match(r"[\w-]+", dependency).group().lower() for dependency in project["dependencies"]]  # type: ignore[union-attr]
    assert not [name for name in names if f"`{name}`" not in architecture]


def test_each_fault_has_a_row_that_tells_what_tries_it() -> None:
    rows, marked = faults.rows(), faults.marked()
    assert [row.number for row in rows] == faults.NUMBERS
    assert not [row.number for row in rows if not row.tests and len(row.reason) <= len("not tried: ")]
    wrong = [f"{row.number}: {name}" for row in rows for name in row.tests if row.number not in marked.get(name, ())]
    assert not wrong, "these tests are not there, or not marked with the number of the row that names them"
    named = {name: {row.number for row in rows if name in row.tests} for name in marked}
    assert not [name for name in marked if marked[name] - named[name]], "these are marked, and no row names them"


def test_tests_that_the_page_of_faults_names_exist() -> None:
    marked = faults.marked()
    named = [name.removeprefix("tests/") for name in faults.named_elsewhere() if "test_" in name]
    assert not [name for name in named if name not in marked]
