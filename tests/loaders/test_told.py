"""What files say of themselves: who wrote them, when, where; under the same names in every format."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from quarry.indexer.loaders.loading import load
from tests.told_samples import samples

BESIDE = frozenset(
    ["pages", "slides", "width", "height", "language", "subject", "to", "cc", "from", "attachments", "feed"]
)  # what else there is


@pytest.mark.parametrize(("name", "data", "told"), [(name, *sample) for name, sample in samples().items()])
def test_what_a_file_says_of_itself(name: str, data: bytes, told: Mapping[str, Any], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    parsed = next(load(tmp_path / name))
    found = {"title": parsed.title, **parsed.metadata}
    assert {key: value for key, value in found.items() if key not in BESIDE} == told
