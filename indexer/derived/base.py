"""What is derived is: it follows the catalog, and says how it is. Whatever is lost of it is made again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from quarry.indexer.doctor.findings import Finding
from quarry.search.stores.catalog import Snapshot


class Derived(Protocol):
    """One thing that is derived from a library's catalog.

    Whoever dies in the middle of any of these leaves what `catch_up` goes on from, or `verify` names. Nothing that was
    committed depends on them.
    """

    def catch_up(self) -> None:
        """Take in what the catalog has had since the last time, as far as that is worth while."""

    def compact(self) -> int:
        """Take in all that the catalog has, and let go of all else; return the generation up to which that is so.

        What was deleted up to the smallest of these generations is forgotten by the catalog, though not at once.
        """
        ...

    def release(self, *, is_read: bool) -> int:
        """Let go of what was replaced, unless readers of older generations may use it; return how many bytes stay."""
        ...

    def verify(self) -> Iterator[Finding]:
        """Compare it with the catalog: yield `damage` for each thing that is wrong, or one that says how it is."""
        ...

    def repair(self) -> None:
        """Make anew, from the catalog or the documents' files, what is damaged."""

    def status(self, snapshot: Snapshot) -> Mapping[str, Any]:
        """Return what `quarry status` tells of it: names and values as JSON has them."""
        ...
