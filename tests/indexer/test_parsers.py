"""What is handed over at once is read within one budget of memory, in turn."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from quarry.indexer.loaders.base import MEBIBYTE, LoadOptions
from quarry.indexer.parsers import Parsers
from quarry.search.errors import Busy, FileMalformed

GREEDY = b"[0" + b',{"":0}' * 2_000_000 + b"]"  # 14 MB that become 400


_others: set[int] = set()


@pytest.fixture(autouse=True)
def leave_out_others() -> None:
    """Count no children that tests before these have left to their process."""
    _others.clear()
    _others.update(child.pid for child in children())


def children() -> list[psutil.Process]:
    found = [one for one in psutil.Process().children() if "loaders.sandbox.child" in " ".join(one.cmdline())]
    return [one for one in found if one.pid not in _others]


def texts(parsers: Parsers, content: bytes, name: str = "a.txt") -> list[str]:
    return [parsed.text for parsed in parsers.load(content, name, LoadOptions())]


@pytest.mark.fault("34")
def test_no_more_read_at_once_than_the_budget_allows(tmp_path: Path) -> None:
    parsers = Parsers()
    most: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            most.append(len(children()))
            time.sleep(0.01)

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda number: texts(parsers, b"words %d" % number), range(24)))
    ended.set()
    watching.join()
    assert found == [[f"words {number}"] for number in range(24)]
    assert max(most) == 2
    assert len(children()) == 2  # kept for the next
    parsers.close()
    assert not children()


def test_options_are_those_of_each_file() -> None:
    parsers = Parsers()
    for fields, text in ((("q",), "why"), (("k",), "x")):
        (parsed,) = parsers.load(b"k,q\nx,why\n", "a.csv", LoadOptions(text_fields=fields))
        assert parsed.text == text
    assert len(children()) == 1
    parsers.close()


def test_what_needs_more_than_its_share_is_read_alone() -> None:
    parsers = Parsers(budget=1600 * MEBIBYTE, share=400 * MEBIBYTE)
    with ThreadPoolExecutor(4) as pool:
        lengths = list(pool.map(lambda _: [len(text) for text in texts(parsers, GREEDY, "a.json")], range(2)))
        assert [sum(each) for each in lengths] == [len(GREEDY)] * 2
    parsers.close()
    parsers = Parsers(budget=420 * MEBIBYTE, share=400 * MEBIBYTE)
    with pytest.raises(FileMalformed, match="more memory"):
        texts(parsers, GREEDY, "a.json")
    assert texts(parsers, b"good") == ["good"]
    parsers.close()


def test_who_waits_too_long_or_behind_too_many_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    parsers = Parsers(budget=400 * MEBIBYTE, share=400 * MEBIBYTE, wait_s=0.3)
    rows = parsers.load(b"text\none\ntwo\n", "a.csv", LoadOptions())
    next(rows)
    with pytest.raises(Busy, match="waited 0"):
        texts(parsers, b"words")
    monkeypatch.setattr("quarry.indexer.parsers.WAITING", 0)
    with pytest.raises(Busy, match="Too many files wait"):
        texts(parsers, b"words")
    monkeypatch.undo()
    rows.close()
    assert texts(parsers, b"words") == ["words"]
    parsers.close()


def test_a_child_that_is_gone_is_replaced() -> None:
    parsers = Parsers()
    assert texts(parsers, b"one") == ["one"]
    (child,) = children()
    child.kill()
    child.wait(10)
    assert texts(parsers, b"two") == ["two"]
    parsers.close()
