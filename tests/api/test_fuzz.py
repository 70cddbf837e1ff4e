"""A short run of `tests.fuzz`, the same each time: nothing but answers and named refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarry.api import Library
from tests import fuzz


@pytest.fixture
def filled(own_library: Path) -> Path:
    with Library(own_library) as library:
        fuzz.fill(library)
    return own_library


@pytest.mark.fault("28")
@pytest.mark.fault("31")
@pytest.mark.fault("32")
def test_any_query_is_answered_or_refused_by_name(filled: Path) -> None:
    findings = fuzz.queries(seed=5, count=500, seconds=0, directory=filled)
    assert not findings.wrong, findings.wrong
    assert findings.answers["answered"] > 20 and findings.answers["InvalidFilter"] > 5


@pytest.mark.fault("31")
@pytest.mark.fault("32")
@pytest.mark.fault("33")
def test_any_request_is_answered_or_refused_by_name(filled: Path, tmp_path: Path) -> None:
    findings = fuzz.requests(seed=5, count=300, seconds=0, directory=filled, log=tmp_path / "log")
    assert not findings.wrong, findings.wrong
    assert {"200", "404", "422"} <= set(findings.answers)
