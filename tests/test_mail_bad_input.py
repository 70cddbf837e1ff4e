"""Mail, archives and what people write, damaged in every way: read or refused by name, each at its own cost alone."""

import random
import sys
import tempfile
from pathlib import Path

import pytest

from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import LoadError
from tests import mail_files as made
from tests.office_samples import damaged


@pytest.mark.fault("19")
def test_damaged_files_of_files_cost_themselves_alone(tmp_path: Path) -> None:
    """Run with a count for more: python -m tests.test_mail_bad_input 2000 [SEED]."""
    assert hurt(60, 1, tmp_path) == []


def hurt(count: int, seed: int, folder: Path) -> list[str]:
    """Read damaged files in the confined child; return what crashed, hung, or was no error of the house."""
    found = []
    every = list(made.samples().items())
    with Sandbox(timeout=20) as sandbox:
        for number in range(count):
            name, data = every[number % len(every)]
            path = folder / name
            path.write_bytes(damaged(data, random.Random(f"{seed} {number}")))
            try:
                for parsed in sandbox.load(path):
                    parsed.text.encode()
                    parsed.key.encode()
            except LoadError as error:
                if any(word in str(error) for word in ("parser", "took longer")):
                    found.append(f"{number} {name}: {error}")
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        wrong = hurt(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, Path(scratch))
    print("\n".join(wrong) or "nothing crashed, hung, or failed otherwise than by name")
    sys.exit(1 if wrong else 0)
