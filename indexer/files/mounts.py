"""Folders that the kernel makes up: what looks like files in them is its own state, some of it without an end."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

_TYPES = frozenset(
    [
        "autofs",
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "proc",
        "pstore",
        "resctrl",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    ]
)


@lru_cache(1)
def made_up() -> frozenset[str]:
    """Return the paths at which the kernel shows itself; none where that can't be told (only Linux has such)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return frozenset()
    found = set()
    for line in lines:
        place, _, kind = line.partition(" - ")
        if kind.split(" ")[0] in _TYPES:
            found.add(place.split(" ")[4].encode("latin-1", "replace").decode("unicode_escape"))
    return frozenset(found)


def is_made_up(path: str) -> bool:
    """Whether a path without links lies in such a folder, or is one."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in made_up())
