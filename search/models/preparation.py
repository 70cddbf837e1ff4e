"""Preparation: exporting a model into the cache of `search.models.prepared`, once, whoever asks and however many do.

The export needs torch and runs in a child process (`search.models.exporting`), so that the process that searches never
imports it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from quarry.search import errors
from quarry.search.errors import ModelDamaged, ModelError, ModelMissing, QuarryError, StorageFull
from quarry.search.files import disks
from quarry.search.files.access import OWNER, make_folder, open_kept, settle
from quarry.search.models.kinds import TEXT, Kind
from quarry.search.models.prepared import AnyCard, Prepared, as_it_is, mend, models_folder, prepared
from quarry.search.requests.lifeline import Lifeline

Progress = Callable[[str], None]


def prepare(
    kind: Kind[AnyCard, Any], name: str, progress: Progress | None = None, *, fetch: bool = True
) -> Prepared[AnyCard]:
    """Return the prepared form of the model called `name`, exporting it first where that is still to be done.

    Safe to call from many processes at once: one exports, the others wait for it. `progress` is told in words what
    is being done. Without `fetch`, the hub is not asked.

    Raises:
        ModelMissing: there is no such model here, nor could the hub be reached.
        ModelDamaged: its weights are not what they should be, or its export is not equal to it.
        StorageFull: there is no room in the cache.
    """
    say = progress or (lambda _: None)
    if kind.needs and name == kind.default:
        prepare(TEXT, kind.needs, progress)  # which the export is checked with
    try:
        card = kind.find(name)
    except ModelMissing:
        if not (fetch and kind.is_on_hub(name)):
            raise
        say(f"fetching {name} from the hub")
        _export(kind, name, None, say)
        card = kind.find(name)
    if not kind.exported:
        return as_it_is(card)
    if found := _sound(card):
        return found
    folder = models_folder()
    with _storage(folder):
        make_folder(folder)
    with _locked(folder / f"{card.identity}.lock", say):
        if found := _sound(card):
            return found
        with _storage(folder):
            for leftover in folder.glob(f".{card.identity}.*"):
                shutil.rmtree(leftover, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{card.identity}.", dir=folder))
        try:
            made = temporary / "made"
            takes = "once" if card.source else f"once, about {kind.seconds} s"
            say(f"preparing the {kind.what} {name} ({takes})")
            _export(kind, name, made, say)
            with _storage(folder):
                if (folder / card.identity).exists():
                    (folder / card.identity).rename(temporary / "damaged")
                for inner, _, _ in os.walk(temporary):
                    settle(Path(inner), OWNER)  # the exporter's libraries go by the umask
                made.rename(folder / card.identity)
                disks.sync_folder(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    if found := _sound(card):
        return found
    raise ModelDamaged(f"the model {name!r} changed while it was being prepared; {mend(card)} again.")


def _sound(card: AnyCard) -> Prepared[AnyCard] | None:
    try:
        found = prepared(card)
        if found:
            found.verify()
    except ModelDamaged:
        return None
    return found


def _export(kind: Kind[AnyCard, Any], name: str, into: Path | None, say: Progress) -> None:
    """Export a model into the new folder `into` in a child, or only fetch it."""
    package_root = str(Path(__file__).absolute().parents[3])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH")))),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }
    # -P: the working directory may be any folder, and is no place to import from.
    command = [sys.executable, "-P", "-m", "quarry.search.models.exporting", kind.name, name]
    if into:
        command += ["--into", str(into)]
        environment["HF_HUB_OFFLINE"] = "1"  # all of it is here
    outcome: dict[str, Any] = {}
    lifeline = Lifeline()
    with (
        closing(lifeline),
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            env=environment | lifeline.environment,
            pass_fds=lifeline.passed,
        ) as child,
    ):
        lifeline.started()
        try:
            assert child.stdout is not None
            for line in child.stdout:
                message = _message(line)
                if "progress" in message:
                    say(str(message["progress"]))
                outcome = message or outcome
        except BaseException:
            child.kill()
            raise
        status = child.wait()
        complaints.seek(0)
        tail = complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
    if status == 0:
        return
    if "error" in outcome:
        failure = getattr(errors, str(outcome["error"]), ModelError)
        raise (failure if issubclass(failure, QuarryError) else ModelError)(str(outcome["message"]))
    reason = f"was killed by signal {-status} (out of memory?)" if status < 0 else f"ended with {status}"
    raise ModelError(f"exporting {name!r} failed: the process {reason}: {' '.join(tail) or 'it said nothing'}.")


def _message(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except ValueError:
        return {}  # a library printed something
    return message if isinstance(message, dict) else {}


@contextmanager
def _locked(path: Path, say: Progress) -> Iterator[None]:
    with _storage(path.parent):
        file = os.fdopen(open_kept(path, path.parent, os.O_RDWR | os.O_CREAT), "r+b")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that is preparing the same model")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    """Translate what the file system says."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"the disk is full: no room for a model under {folder}.") from error
        raise ModelError(
            f"models can't be kept under {folder} ({error.strerror}): make it writable, or name another folder "
            "in QUARRY_CACHE."
        ) from error
