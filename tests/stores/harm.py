"""Harm that is done to the files of a lexical index, one after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path


def flips(directory: Path) -> Iterator[tuple[Path, int, bytes]]:
    """Harm every file of an index by flipping bits of each region and by cutting it short; undo each after it."""
    choose = random.Random(3)
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and path.suffix != ".lock"):
        data = path.read_bytes()
        end = 8 * len(data)
        bits = {*range(0, min(end, 128), 29), *range(max(0, end - 1200), end, 131)}
        bits |= {choose.randrange(end) for _ in range(9)}
        if path.suffix == ".json":
            bits |= set(range(0, end, 37))
        for harm in [*sorted(bits), *(-cut - 1 for cut in (0, 1, len(data) // 2, len(data) - 8, len(data) - 1))]:
            changed = bytearray(data if harm >= 0 else data[: -harm - 1])
            if harm >= 0:
                changed[harm // 8] ^= 1 << harm % 8
            replacement = path.with_suffix(".new")
            replacement.write_bytes(changed)
            replacement.replace(path)
            yield path, harm, bytes(changed)
        path.unlink()
        path.write_bytes(data)
