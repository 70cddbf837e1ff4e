"""Files within a file: attachments of a message, members of an archive. Each is a document of its own, or several.

A member is named by its place in the file: `letters.zip#2024/may.eml#plan.pdf`. One that can't be read is noted, the
others are read, and when all have been the file is said to be damaged, with what was wrong with which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from quarry.indexer.formats import LACKING, lacks
from quarry.indexer.loaders.base import ALL, ITSELF, Source
from quarry.indexer.loaders.decoding import one_line
from quarry.search.errors import FileMalformed, LoadError, UnsupportedType
from quarry.search.types import Parsed

_NAMED = 20  # of those that can't be read
_LONGEST_NAME = 400  # characters
_LONGEST_REASON = 400
_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})  # what systems add for themselves


class Members:
    """What of a file's members was read, and what was not.

    Args:
        what: several of them, in words.
    """

    def __init__(self, source: Source, what: str = "members") -> None:
        self._source = source
        self._what = what
        self._count = self._passed = self._number = 0
        self._is_open = False
        self._failed: list[str] = []
        self._names: set[int] = set()  # their hashes: there may be a million
        self._wanted = _by_member(source.wanted)
        for name, reason in source.watch.resumed.noted:
            self.note(name, reason)

    def read(self, name: str, pieces: Iterable[bytes], key: str = "") -> Iterator[Parsed]:
        """Yield the documents of a member.

        Args:
            key: of what in the file holds it, such as a message; "" for the file itself.
        """
        key = self._own(f"{key}#{name}" if key else name)
        if not self.wants(key):
            return
        inner = self._source.within(name, pieces, frozenset(self._wanted.get(key, ALL)))
        yield from self.holding((replace(one, key=f"{key}#{one.key}" if one.key else key) for one in inner), key)

    def _own(self, key: str) -> str:
        """Return the key of a member, with a number where another one has the same name."""
        wanted, number = key, 1
        while hash(key) in self._names:
            number += 1
            key = f"{wanted}~{number}"
        self._names.add(hash(key))
        return key

    def message(
        self, key: str, name: str, content: Callable[[], bytes], documents: Iterator[Parsed]
    ) -> Iterator[Parsed]:
        """Yield the documents of what is no file until it is taken out, or the file that it is then.

        Args:
            name, content: of the file.
        """
        if not self.wants(key):
            return
        if "" in self._wanted.get(key, ALL):
            yield from (replace(piece, key=key) for piece in self._source.within(name, [content()], ITSELF))
        yield from documents

    def wants(self, key: str) -> bool:
        """Whether what a file holds is to be read: all of it, unless something alone is wanted that is not in there."""
        self._source.watch.reached(0.0)
        return not self._source.wanted or key in self._wanted

    def holding(self, inner: Iterator[Parsed], key: str) -> Iterator[Parsed]:
        """Yield what a member holds as far as it can be read, and note where it can't."""
        self._count += 1
        is_outermost, self._is_open = not self._is_open, True
        try:
            if is_outermost:
                self._number += 1
                passed_by = self._source.watch.resumed.after
                if self._number >= passed_by:  # what stands after the last one of these was not given before
                    self._source.watch.entered(self._number, key)
                if self._number <= passed_by:
                    return
            yield from inner
        except UnsupportedType:
            if extra := lacks(key):
                self.note(key, f"{LACKING} {extra}")
            else:
                self._passed += 1
        except MemoryError:
            raise
        except LoadError as error:
            self.note(key, str(error))
        except Exception as error:  # what a library raises over a hostile member is that member's fault alone
            self.note(key, f"its parser failed ({type(error).__name__}: {error}"[:300] + ")")
        finally:
            self._is_open = not is_outermost

    def text(self, name: str, data: bytes) -> str:
        """Return the text of what is kept as if it were a file, "" where it can't be read."""
        if self._source.wanted:
            return ""
        try:
            return "\n\n".join(parsed.text for parsed in self._source.within(name, [data]))
        except LoadError:
            return ""

    def note(self, name: str, reason: str) -> None:
        """Note why a member could not be read."""
        self._failed.append(f"{name}: {reason[:_LONGEST_REASON]}")

    def pass_by(self) -> None:
        """Count a member that no loader reads."""
        self._source.watch.reached(0.0)
        self._count += 1
        self._passed += 1

    def check(self, *, alone: bool = True) -> None:
        """Say which members could not be read.

        Args:
            alone: whether members are all that the file holds.

        Raises:
            FileMalformed: some could not, or none of them is of a type that is read.
        """
        self._source.watch.entered(0, "")
        if self._failed:
            more = f"; and {len(self._failed) - _NAMED:,} more" if len(self._failed) > _NAMED else ""
            told = "; ".join(self._failed[:_NAMED])
            count = max(self._count, len(self._failed))
            raise FileMalformed(f"{len(self._failed):,} of its {count:,} {self._what} could not be read ({told}{more})")
        if alone and self._passed and self._passed == self._count:
            raise FileMalformed(f"none of its {self._count:,} {self._what} is of a type that is read")


def _by_member(wanted: Iterable[str]) -> dict[str, set[str]]:
    """Return, by the keys of all that holds something that is wanted, its keys in there."""
    found = defaultdict[str, set[str]](set)
    for key in wanted:
        steps = key.split("#")
        for at in range(1, len(steps) + 1):
            found["#".join(steps[:at])].add("#".join(steps[at:]))
    return dict(found)


def member_name(written: str) -> str:
    """Return the name of a member as a path that leads nowhere but down; "" of what is hidden or a system's own."""
    steps = [one_line(step) for step in written.replace("\\", "/").split("/")]
    steps = [step for step in steps if step not in ("", ".", "..")]
    if any(step.startswith(".") or step in _LITTER for step in steps):
        return ""
    return "/".join(steps)[-_LONGEST_NAME:]
