"""The numbered faults of docs/reliability.md, and the tests that say which of them they try.

`python -m tests.faults` names in each row the tests that are marked with its number, and with `--run` runs them all and
writes into each row how they ended.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.folders import ROOT, TESTS

PAGE = ROOT / "docs" / "reliability.md"
NUMBERS = [*map(str, range(1, 14)), "13b", *map(str, range(14, 41))]


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table: `tests` are `file::name` as they are named there, `reason` says why there are none."""

    number: str
    tests: tuple[str, ...]
    reason: str
    line: int


def rows() -> list[Fault]:
    """Read the table of numbered faults."""
    found = []
    for line, text in enumerate(PAGE.read_text("utf-8").splitlines()):
        cells = [cell.strip() for cell in text.strip("|").split(" | ")]
        if re.fullmatch(r"\d+b?", cells[0]):
            reason = cells[3] if cells[3].startswith("not tried") else ""
            found.append(Fault(cells[0], _named(cells[3]), reason, line))
    return found


def named_elsewhere() -> list[str]:
    """Return the tests, and files of tests, that the rest of the page names."""
    lines = PAGE.read_text("utf-8").splitlines()
    numbered = {fault.line for fault in rows()}
    return [name for line, text in enumerate(lines) if line not in numbered for name in _named(text)]


def marked() -> dict[str, set[str]]:
    """Return all tests, `file::name` and the file itself, with the numbers of the faults that each is marked with."""
    found: dict[str, set[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        file = path.relative_to(TESTS).as_posix()
        found[file] = set()
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[f"{file}::{node.name}"] = {number for mark in node.decorator_list for number in _numbers(mark)}
    return found


def _named(cell: str) -> tuple[str, ...]:
    """Return what a cell names; a bare `test_name` is in the file that was named before it."""
    names, file = [], ""
    for name in re.findall(r"`((?:[\w/]+\.py)?(?:::)?(?:test_\w+)?)`", cell):
        first, colons, test = name.partition("::")
        if first.endswith(".py"):
            file = first
            names.append(f"{file}{colons}{test}")
        elif first.startswith("test_"):
            names.append(f"{file}::{first}")
    return tuple(names)


def _numbers(mark: ast.expr) -> list[str]:
    if not (isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault"):
        return []
    return [one.value for one in mark.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]


class _Results:
    """What pytest tells of each test: how often it passed, failed or was skipped, by `file::name`."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.removeprefix("tests/").partition("[")[0]
            self.counts.setdefault(name, Counter())[report.outcome] += 1


def write(results: dict[str, Counter[str]] | None = None) -> None:
    """Write the names of marked tests into their rows, and the results where there are some."""
    lines = PAGE.read_text("utf-8").split("\n")
    found = marked()
    for fault in rows():
        cells = lines[fault.line].removeprefix("| ").removesuffix(" |").split(" | ")
        cells += [""] * (5 - len(cells))
        missing = [name for name, numbers in found.items() if fault.number in numbers and name not in fault.tests]
        if missing:
            cells[3] = "; ".join(([] if fault.reason else [cells[3]]) + _listed(missing))
        if results is not None:
            total = sum((results.get(name, Counter()) for name in (*fault.tests, *missing)), Counter[str]())
            cells[4] = ", ".join(f"{count} {outcome}" for outcome, count in sorted(total.items(), reverse=True))
        lines[fault.line] = f"| {' | '.join(cell.strip() for cell in cells)} |"
    PAGE.write_text("\n".join(lines), "utf-8")


def _listed(names: list[str]) -> list[str]:
    """Return tests as a row names them: the file once, then its tests."""
    by_file: dict[str, list[str]] = {}
    for name in names:
        file, _, test = name.partition("::")
        by_file.setdefault(file, []).append(f"`{test}`")
    return [", ".join(tests).replace("`", f"`{file}::", 1) for file, tests in by_file.items()]


def main() -> int:
    if "--run" not in sys.argv:
        write()
        return 0
    results = _Results()
    code = pytest.main(["-m", "fault", str(TESTS), "-p", "no:cacheprovider"], plugins=[results])
    write(results.counts)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
