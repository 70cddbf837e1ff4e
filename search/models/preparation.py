"""Preparation: exporting a model into the cache of `search.models.prepared`, once, whoever asks and however many do.

The export needs torch and runs in a child process (`python -m quarry.search.models.export`, `image_export` or
`pair_export`), so that the process that searches never imports it.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from quarry.search import errors
from quarry.search.access import OWNER, make_folder, open_kept, settle
from quarry.search.config import DEFAULT_READER
from quarry.search.errors import ModelDamaged, ModelError, ModelMissing, QuarryError, StorageFull
from quarry.search.lifeline import Lifeline
from quarry.search.models import image_sources, pair_sources, sources
from quarry.search.models.cards import EMBEDDED_NAMES, Card
from quarry.search.models.image_cards import DEFAULT_IMAGE_MODEL, ImageCard
from quarry.search.models.pair_cards import PairCard, PairTask
from quarry.search.models.prepared import AnyCard, Prepared, mend, models_folder, prepared, resolve

_EMBEDDED = {*EMBEDDED_NAMES, DEFAULT_IMAGE_MODEL, DEFAULT_READER}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Kind(Generic[AnyCard]):
    """What differs between text models, image models and those of pairs.

    Args:
        what: it is called.
        seconds: preparing the embedded one takes, about, on two cores.
        program: a module, which is run to export one, and its arguments.
        resolve: finds the card of a name.
        is_on_hub: tells whether a model that is not here might be fetched.
    """

    what: str
    seconds: int
    program: tuple[str, ...]
    resolve: Callable[[str], AnyCard]
    is_on_hub: Callable[[str], bool]


_TEXT: _Kind[Card] = _Kind(
    "text model",
    20,
    ("quarry.search.models.export",),
    resolve,
    lambda name: name not in EMBEDDED_NAMES and bool(sources.hub_names(name)),
)
_IMAGE: _Kind[ImageCard] = _Kind(
    "image model", 60, ("quarry.search.models.image_export",), image_sources.resolve, image_sources.is_on_hub
)


def prepare(name: str, progress: Progress | None = None, *, fetch: bool = True) -> Prepared[Card]:
    """Return the prepared form of the text model called `name`, exporting it first where that is still to be done.

    Safe to call from many processes at once: one exports, the others wait for it. Takes some 20 seconds for the
    embedded model. `progress` is told in words what is being done. Without `fetch`, the hub is not asked.

    Raises:
        ModelMissing: there is no such model here, nor could the hub be reached.
        ModelDamaged: its weights are not what they should be, or its export is not equal to it.
        StorageFull: there is no room in the cache.
    """
    return _prepare(name, _TEXT, progress or (lambda _: None), fetch)


def prepare_image(name: str, progress: Progress | None = None, *, fetch: bool = True) -> Prepared[ImageCard]:
    """Return the prepared form of the image model called `name`, as `prepare` does, with that of its text tower.

    Raises:
        ModelMissing, ModelDamaged, StorageFull: as `prepare`.
    """
    if name == DEFAULT_IMAGE_MODEL:
        prepare(image_sources.resolve(name).text_tower, progress)  # which the export is checked with
    return _prepare(name, _IMAGE, progress or (lambda _: None), fetch)


def prepare_pair(name: str, task: PairTask, progress: Progress | None = None) -> Prepared[PairCard]:
    """Return the prepared form of the reader or cross-encoder called `name`, as `prepare` does.

    Raises:
        ModelMissing, ModelDamaged, StorageFull: as `prepare`.
    """
    kind: _Kind[PairCard] = _Kind(
        task,
        30,
        ("quarry.search.models.pair_export", "--task", task),
        lambda name: pair_sources.resolve(name, task),
        pair_sources.is_on_hub,
    )
    return _prepare(name, kind, progress or (lambda _: None))


def fetch(name: str, progress: Progress | None = None) -> None:
    """Fetch a model from the hub into its cache, as it is, without exporting it.

    Raises:
        ModelMissing: that was not possible.
    """
    say = progress or (lambda _: None)
    say(f"fetching {name} from the hub")
    _export(name, _TEXT.program, None, say)


def _prepare(name: str, kind: _Kind[AnyCard], say: Progress, fetch: bool = True) -> Prepared[AnyCard]:
    card: AnyCard | None
    try:
        card = kind.resolve(name)
    except ModelMissing:
        if not (fetch and kind.is_on_hub(name)):
            raise
        card = None
    if card and (found := _sound(card)):
        return found
    folder = models_folder()
    with _storage(folder):
        make_folder(folder)
    if card is None:
        say(f"fetching {name} from the hub")
        _export(name, kind.program, None, say)
        card = kind.resolve(name)
    with _locked(folder / f"{card.identity}.lock", say):
        if found := _sound(card):
            return found
        with _storage(folder):
            for leftover in folder.glob(f".{card.identity}.*"):
                shutil.rmtree(leftover, ignore_errors=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{card.identity}.", dir=folder))
        try:
            made = temporary / "made"
            takes = f"once, about {kind.seconds} s" if name in _EMBEDDED else "once"
            say(f"preparing the {kind.what} {name} ({takes})")
            _export(name, kind.program, made, say)
            with _storage(folder):
                if (folder / card.identity).exists():
                    (folder / card.identity).rename(temporary / "damaged")
                for inner, _, _ in os.walk(temporary):
                    settle(Path(inner), OWNER)  # the exporter's libraries go by the umask
                made.rename(folder / card.identity)
                _fsync(folder)
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


def _export(name: str, program: tuple[str, ...], into: Path | None, say: Progress) -> None:
    """Run `program` in a child; without `into` it only fetches the model."""
    package_root = str(Path(__file__).absolute().parents[3])
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH")))),
        "PYTHONIOENCODING": "utf-8",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }
    # -P: the working directory may be any folder, and is no place to import from.
    command = [sys.executable, "-P", "-m", *program, name]
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
        kind = getattr(errors, str(outcome["error"]), ModelError)
        raise (kind if issubclass(kind, QuarryError) else ModelError)(str(outcome["message"]))
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


def _fsync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
