"""What a run of the indexer did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(slots=True)
class Report:
    """Counts of documents unless said otherwise (of files in a dry run).

    Args:
        passages: how many were cut, of the files that were read.
        embedded: how many texts; a passage that was embedded before, wherever it stood, is not embedded again.
        failed: what was wrong, by the path of the file.
        skipped_files: why files and folders were passed by, by path.
        warnings: what of a file could not be read though the rest was, by its path.
        held_back: a sentence for each root that is missing or lost more than half of its documents: nothing of it
            was dropped.
        enriched: documents that enrichments know something else of now; those that were just added may be among them.
        unable: why models could not look at documents, by the names of what they do.
        from_thumbnails: pictures that were embedded anew from their thumbnails, since their files are gone or have
            changed.
        seconds: how long it took.
    """

    added: int = 0
    changed: int = 0
    moved: int = 0
    dropped: int = 0
    unchanged_files: int = 0
    files_read: int = 0
    passages: int = 0
    embedded: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    skipped_files: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, str] = field(default_factory=dict)
    held_back: dict[str, str] = field(default_factory=dict)
    enriched: int = 0
    unable: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False
    from_thumbnails: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Say whether everything that was asked for was done."""
        return not self.failed and not self.held_back

    @property
    def skipped(self) -> Counter[str]:
        """How many files and folders were passed by, by reason."""
        return Counter(self.skipped_files.values())

    def add(self, other: Report) -> None:
        """Add what embedding anew did."""
        self.passages += other.passages
        self.embedded += other.embedded
        self.failed |= other.failed
        self.from_thumbnails += other.from_thumbnails
        self.seconds += other.seconds


class Progress(Protocol):
    """What long work tells whoever watches. Library code never prints."""

    def start(self, files: int, size: int) -> None:
        """Say how many files will be read, and how much work that is in all, in steps of any size."""

    def advance(self, files: int, size: int, passages: int) -> None:
        """Say that so many more files, steps and passages are done: committed, and there to stay."""

    def note(self, text: str) -> None:
        """Say what is being done now: which file is read, or what else."""


class NoProgress:
    """Nobody watches."""

    def start(self, files: int, size: int) -> None:
        """Do nothing."""

    def advance(self, files: int, size: int, passages: int) -> None:
        """Do nothing."""

    def note(self, text: str) -> None:
        """Do nothing."""
