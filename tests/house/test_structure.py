"""What holds of the code as a whole: where SQL stands, that imports have no circles, that a name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.folders import ROOT

ROOMS = ("search", "indexer", "api")


def modules() -> dict[str, ast.Module]:
    """Every module of the rooms, by its dotted name."""
    paths = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]
    return {_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = modules()


def test_sql_stands_in_the_stores() -> None:
    calls = {"execute", "executemany", "executescript"}
    strays = [
        f"{name}:{node.lineno}"
        for name, tree in MODULES.items()
        if not name.startswith("search.stores.")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in calls
    ]
    assert strays == []


def test_a_class_name_is_that_of_one_class() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for name, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_imports_have_no_circles() -> None:
    """Those within functions are looked at, too: a circle that is put off is one."""
    assert circles({name: set(_imported(tree)) for name, tree in MODULES.items()}) == []


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that one imports; what only a type checker reads is not imported."""
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix("quarry.") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            home = node.module.removeprefix("quarry.")
            inner = [f"{home}.{alias.name}" for alias in node.names]
            yield from (one if one in MODULES else home for one in inner)


def _run(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from (other, *_run(other))
        else:
            yield child
            yield from _run(child)


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, each with its members in order."""
    found, index, low, stack = list[list[str]](), dict[str, int](), dict[str, int](), list[str]()

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name] & graph.keys()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            group, stack[at:] = stack[at:], []
            if len(group) > 1 or name in graph[name]:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": set()}, []),
        ({"a": {"b"}, "b": {"a"}}, [["a", "b"]]),
        ({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"d"}}, [["d"], ["a", "b", "c"]]),
    ],
)
def test_circles_are_found(graph: dict[str, set[str]], found: list[list[str]]) -> None:
    assert circles(graph) == found


def test_no_test_file_imports_another() -> None:
    """What several use is a module named for what it holds: a fixture of another file is a surprise."""
    strays = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in _imported(ast.parse(path.read_text(encoding="utf-8")))
        if any(part.startswith("test_") for part in name.split("."))
    ]
    assert strays == []
