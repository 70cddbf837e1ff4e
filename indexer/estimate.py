"""How much of a run is done: an estimate that learns while files are read.

Bytes alone would mislead where kinds mix: a photo of 4 MB takes as long as 3 KB of text, and so may a PDF of that size.
So work is counted in characters of text that are embedded, a picture as many as are embedded in the time that it takes.
How many characters the bytes of a kind hold is learnt from the files that were read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from quarry.indexer.formats import PLAIN, ROWS, format_of, is_picture
from quarry.indexer.loaders.base import largest
from quarry.search.files.uris import path_of
from quarry.search.stores.rows.files import FileStat

WHOLE = 10_000  # steps of a run

_FILE = 150  # characters that opening a file takes the time of
_PICTURE, _PICTURE_BYTES = 1_000, 1 / 2_000  # measured: small photos 16 ms, those of 12 megapixels 51 ms
_DENSITY = {row.loader: row.density for row in ROWS}
_SURE = 1 << 18  # bytes of a kind that were read before its own figure counts for as much as the one above
_OPEN = 0.95  # of a file, at most, before its end
_TELLING = 0.002  # of a file, from which on it tells how many characters it holds


@dataclass(frozen=True, slots=True)
class _Open:
    """The file that is not at its end: its kind and bytes, the characters so far, and the share that holds them."""

    kind: str = ""
    size: int = 0
    characters: int = 0
    share: float = 0.0

    def expected(self, planned: float) -> float:
        """Return how many characters it has in all, by what of it was read, else by what is usual."""
        if self.share >= _TELLING:
            return self.characters / self.share
        return max(planned, self.characters / _OPEN)


class Estimate:
    """The share of a run that is done; it never falls."""

    def __init__(self, files: Iterable[FileStat]) -> None:
        self._left: Counter[str] = Counter()  # bytes of a kind that are not read yet
        self._read: Counter[str] = Counter()  # and those that were
        self._characters: Counter[str] = Counter()  # of text, in what was read
        self._fixed = 0.0  # work that is left whatever the files hold
        self._done = 0.0
        self._open = _Open()
        self._embedded = 0.0  # characters of a document that is not committed yet
        self._share = 0.0
        for file in files:
            self._left[_kind(file)] += _size(file)
            self._fixed += _least(file)

    def read(self, file: FileStat, characters: int, share: float = 0.0) -> None:
        """Count a document of a file that has more of them, perhaps.

        Args:
            share: 0..1 of the file, which was read before; 0 where that is not known.
        """
        self._open = _Open(_kind(file), _size(file), self._open.characters + characters, max(share, self._open.share))
        self._done += characters
        self._embedded = 0.0

    def embed(self, characters: float) -> None:
        """Count text of a document that is counted as a whole later."""
        self._embedded += characters

    def end(self, file: FileStat, planned: FileStat) -> None:
        """Count a file as read to its end; it may have another size than when the run was planned."""
        kind = _kind(planned)
        self._left[kind] -= _size(planned)
        self._read[kind] += _size(file)
        self._characters[kind] += self._open.characters
        self._fixed -= _least(planned)
        self._done += _least(planned)
        self._open = _Open()

    def steps(self) -> int:
        """Return how many steps of `WHOLE` were made since this was asked for last."""
        left = self._fixed + sum(size * self._density(kind) for kind, size in self._left.items())
        if characters := self._open.characters:
            planned = self._open.size * self._density(self._open.kind)
            left -= planned
            left += max(self._open.expected(planned) - characters, 0.0)
        left = max(0.0, left - self._embedded)
        before = round(self._share * WHOLE)
        done = self._done + self._embedded
        self._share = max(self._share, done / max(done + left, 1.0))
        return round(self._share * WHOLE) - before

    def _density(self, kind: str) -> float:
        """Return how many characters a byte of a kind holds."""
        prior = _DENSITY[kind]
        return (self._characters[kind] + prior * _SURE) / (self._read[kind] + _SURE)


def _kind(file: FileStat) -> str:
    form = format_of(path_of(file.path))
    return (form or PLAIN).loader


def _size(file: FileStat) -> int:
    """Return how many bytes will be read: none of a file that is refused by its size."""
    return file.size if file.size <= largest(path_of(file.path)) else 0


def _least(file: FileStat) -> float:
    return _FILE + (_PICTURE + _size(file) * _PICTURE_BYTES if is_picture(path_of(file.path)) else 0)
