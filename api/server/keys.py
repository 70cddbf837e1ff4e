"""The keys that open a server: made, kept in one file, looked up by what a client sends.

The file lies beside the library, as `DIRECTORY.keys.json`, and not in it: no copy or backup of a library brings a key
along, and none that comes from a stranger.

A key is 256 random bits, so a plain SHA-256 of it is all that is kept. What passwords need, a salt and a hash that is
slow, holds back who guesses them one by one; nobody guesses one of 2**256, and each request pays for the hash.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread

from quarry.search.errors import Conflict, InvalidRequest, LibraryError, NotFound
from quarry.search.files import openings
from quarry.search.files.whole import whole_file

Scope = Literal["read", "replicate", "write"]
SCOPES: tuple[Scope, ...] = ("read", "replicate", "write")
_PREFIX = "quarry_"  # so that programs that look for secrets in code know one
_LONGEST = 64  # characters of a name
_MOST = 1 << 20  # bytes of the file
_USED_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key, which is all but the key.

    Args:
        scope: whether it may only read, read and copy the library whole, or write as well.
        sha256: of the key.
        made, used: when, in UTC; it was never used where None. Uses within a minute count as one.
    """

    name: str
    scope: Scope
    sha256: str
    made: str
    used: str | None = None


class Keys:
    """The keys of one library's servers, as they stand in their file; changes by others are seen at once.

    Args:
        library: its directory.
    """

    def __init__(self, library: Path) -> None:
        self.path = library.with_name(f"{library.name}.keys.json")
        self._known: tuple[tuple[int, ...], tuple[Key, ...]] = ((), ())

    def all(self) -> tuple[Key, ...]:
        """Return all keys, oldest first.

        Raises:
            LibraryError: the file can't be read, or others could have written it.
        """
        stamp = self._stamp()
        if stamp != self._known[0]:
            self._known = (stamp, self._read() if stamp else ())
        return self._known[1]

    def find(self, secret: str) -> Key | None:
        """Return the key that a client sent, None where it is none; how long that takes tells nothing about any."""
        sent, found = _digest(secret), None
        for key in self.all():
            if hmac.compare_digest(sent, key.sha256):
                found = key
        return found

    def add(self, name: str, scope: Scope) -> str:
        """Make a key and return it; it can't be had again.

        Raises:
            InvalidRequest: the name can't be one.
            Conflict: there is a key of that name.
        """
        if not name.isprintable() or not 0 < len(name.strip()) == len(name) <= _LONGEST:
            raise InvalidRequest(f"A key's name is one line of 1 to {_LONGEST} characters; {name!r} is not.")
        secret = _PREFIX + secrets.token_urlsafe(32)
        with self._changed() as keys:
            if any(key.name == name for key in keys):
                raise Conflict(f"There is a key named {name}; remove it first, or give another name.")
            keys.append(Key(name, scope, _digest(secret), _now()))
        return secret

    def remove(self, name: str) -> None:
        """Take a key away: from the next request on, it opens nothing.

        Raises:
            NotFound: there is none of that name.
        """
        with self._changed() as keys:
            kept = [key for key in keys if key.name != name]
            if len(kept) == len(keys):
                raise NotFound(f"There is no key named {name}; `quarry keys list` lists them.")
            keys[:] = kept

    def note_uses(self, uses: dict[str, str]) -> None:
        """Keep when keys, by their names, were last used."""
        with self._changed() as keys:
            keys[:] = [replace(key, used=uses.get(key.name, key.used)) for key in keys]

    def _stamp(self) -> tuple[int, ...]:
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        return status.st_ino, status.st_size, status.st_mtime_ns

    def _read(self) -> tuple[Key, ...]:
        try:
            with os.fdopen(openings.open_file(self.path, top=self.path.parent), "rb") as stream:
                status = os.fstat(stream.fileno())
                content = stream.read(_MOST)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        # Who may write there makes keys; another user could have put a file there before there was one.
        if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise self._unusable("it is another user's, or others may write to it")
        if not content:  # made a moment ago, or by a process that was killed before it wrote
            return ()
        try:
            keys = tuple(Key(**each) for each in json.loads(content)["keys"])
        except (ValueError, TypeError, KeyError) as error:
            raise self._unusable("it is not what `quarry keys` writes") from error
        if any(key.scope not in SCOPES for key in keys):
            raise self._unusable("it has a key of another scope than read, replicate or write")
        return keys

    @contextmanager
    def _changed(self) -> Iterator[list[Key]]:
        """Give the keys to change in the block; then they are written, one process after another."""
        try:
            descriptor = self._locked()
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        try:
            keys = list(self._read())
            before = list(keys)
            yield keys
            if keys != before:
                with whole_file(self.path) as stream:
                    stream.write(json.dumps({"keys": [asdict(key) for key in keys]}, indent=1).encode())
        finally:
            os.close(descriptor)

    def _locked(self) -> int:
        """Return a descriptor that holds the lock of the file, for its owner only, which lies there now."""
        while True:
            descriptor = openings.open_file(self.path, os.O_RDWR | os.O_CREAT, top=self.path.parent)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if os.fstat(descriptor).st_ino == self.path.lstat().st_ino:
                    return descriptor
            except FileNotFoundError:
                pass
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _unusable(self, why: str) -> LibraryError:
        return LibraryError(f"The keys in {self.path} can't be used: {why}.")


class KeyUses:
    """When keys were used, told to their file once a minute: a request waits for no disk."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._new: dict[str, str] = {}

    def add(self, key: Key) -> None:
        """Count a use."""
        self._new[key.name] = _now()

    async def keep_on(self) -> None:
        """Keep what is new every minute, until cancelled."""
        while True:
            await anyio.sleep(_USED_EVERY_S)
            await anyio.to_thread.run_sync(self.keep)

    def keep(self) -> None:
        """Write down what is new; where that can't be done, such as on a disk to be read only, it is not known."""
        new, self._new = self._new, {}
        if new:
            try:
                self._keys.note_uses(new)
            except (LibraryError, OSError):
                pass


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
