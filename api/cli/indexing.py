"""`quarry index`, `forget` and `reembed`."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any, NoReturn, Protocol

import click

from api.cli.options import json_option, library_option, print_json, read_pair, wait_option
from api.library import Library
from indexer.report import Progress, Report

INCOMPLETE = 3
_LISTED = 20
_INTERRUPTED = "Interrupted. What was committed stays; run it again to go on from there."


@contextmanager
def interruptible() -> Iterator[None]:
    """End on Ctrl-C and SIGTERM as a shell expects it: promptly, with one line, and 128 plus the signal's number."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)  # the second one ends it at once
        raise _Stopped(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except _Stopped as stopped:
        click.echo(_INTERRUPTED, err=True)
        sys.exit(128 + stopped.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Stopped(BaseException):
    def __init__(self, number: int) -> None:
        self.number = number


@click.command("index")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(allow_dash=True))
@library_option
@click.option("--name", help="With `-` (standard input): the name its content is read as, such as notes.md.")
@click.option("--text-field", "text_fields", multiple=True, metavar="FIELD", help="Tables, JSON: a field that is text.")
@click.option("--title-field", default="", metavar="FIELD", help="Tables, JSON: the field that is the title.")
@click.option("--id-field", default="", metavar="FIELD", help="Tables, JSON: the field that identifies a row.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Metadata for every document of these paths.")
@click.option("--text-model", metavar="MODEL", help="A new library: the sentence-transformers model to embed with.")
@click.option("--image-model", metavar="MODEL", help="Before the first picture: the open_clip model to embed with.")
@click.option("--prune", is_flag=True, help="Drop documents even where a root is missing or lost most of them.")
@click.option("--verify", is_flag=True, help="Hash every file instead of trusting size and times; retry failed ones.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@wait_option
@json_option
def index_command(
    paths: tuple[str, ...],
    library: str | None,
    name: str | None,
    text_fields: tuple[str, ...],
    title_field: str,
    id_field: str,
    meta: tuple[str, ...],
    text_model: str | None,
    image_model: str | None,
    prune: bool,
    verify: bool,
    dry_run: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Index folders and files, and keep them in sync.

    Without PATH, every folder indexed before is brought in sync. With `-`, one document is read from standard input.

    Exit code: 0 when everything was read, 3 when some files failed (they are listed), 1 when nothing could be done.
    """
    metadata = dict(read_pair(pair, "--meta") for pair in meta)
    with interruptible(), Library(library, text_model=text_model, image_model=image_model, wait_s=wait) as opened:
        if "-" in paths:
            if len(paths) > 1:
                raise click.UsageError("`-` stands alone: index other paths in a run of their own.")
            ids = opened.add_file(sys.stdin.buffer.read(), name or "stdin.txt", metadata)
            if as_json:
                print_json({"ids": ids})
            else:
                click.echo(f"Added {_count(len(ids), 'document')} from standard input: {', '.join(ids)}")
            return
        if text_model and not dry_run:
            opened.catalog(create=True)
            opened.searcher.encoder(prepare=True)  # refused here, even where there is nothing to embed
        if image_model and not dry_run:
            opened.catalog(create=True)
            opened.searcher.image_encoder(prepare=True)
        with closing(progress_display()) as progress:
            report = opened.index(
                *paths,
                text_fields=text_fields,
                title_field=title_field,
                id_field=id_field,
                metadata=metadata,
                prune=prune,
                verify=verify,
                dry_run=dry_run,
                progress=progress,
            )
        if as_json:
            print_json(report_body(report))
        else:
            _print_report(report, opened)
        if not report.complete:
            sys.exit(INCOMPLETE)


def report_body(report: Report) -> dict[str, Any]:
    """Return a report as `--json` prints it."""
    return {
        "added": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "dropped": report.dropped,
        "unchanged_files": report.unchanged_files,
        "files_read": report.files_read,
        "passages": report.passages,
        "embedded": report.embedded,
        "failed": report.failed,
        "warnings": report.warnings,
        "skipped": dict(report.skipped),
        "held_back": report.held_back,
        "dry_run": report.dry_run,
        "seconds": round(report.seconds, 3),
    }


def _print_report(report: Report, library: Library) -> None:
    parts = [
        f"{number:,} {word}"
        for number, word in (
            (report.added, "added"),
            (report.changed, "changed"),
            (report.moved, "moved"),
            (report.dropped, "dropped"),
        )
        if number
    ]
    unit = "files" if report.dry_run else "documents"
    done = f"{unit}: {', '.join(parts)}" if parts else "nothing changed"
    click.echo(f"{'Would do' if report.dry_run else 'Done'}: {done}; {report.unchanged_files:,} files unchanged.")
    if report.passages:
        rate = report.passages / max(report.seconds, 1e-9)
        click.echo(
            f"{report.passages:,} passages, {report.embedded:,} embedded, in {report.seconds:,.1f} s "
            f"({rate:,.0f} passages/s). Library: {library.settings.library}"
        )
    if report.skipped:
        click.echo("Skipped: " + ", ".join(f"{count:,} {reason}" for reason, count in report.skipped.most_common()))
    _print_listed(f"Read but for a part, {_count(len(report.warnings), 'file')}", report.warnings)
    _print_failed(report, "file")
    for reason in report.held_back.values():
        click.echo(f"Held back: {reason}", err=True)


def _print_failed(report: Report, what: str) -> None:
    _print_listed(f"Failed, {_count(len(report.failed), what)}", report.failed)


def _print_listed(heading: str, reasons: Mapping[str, str]) -> None:
    if reasons:
        click.echo(f"{heading}:", err=True)
        for name, reason in list(reasons.items())[:_LISTED]:
            click.echo(f"  {name}: {reason}", err=True)
        if len(reasons) > _LISTED:
            click.echo(f"  ... and {len(reasons) - _LISTED:,} more (all with --json)", err=True)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def progress_display() -> Display:
    """Return what shows progress here, to be closed: a bar on a terminal, plain lines elsewhere."""
    return _Bar() if sys.stderr.isatty() else _Lines()


class Display(Progress, Protocol):
    """Progress that somebody sees."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class _Bar:
    """A progress bar with rate and time left, on a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._files = self._total = self._passages = 0

    def start(self, files: int, size: int) -> None:
        from tqdm import tqdm

        self.close()
        self._files, self._total, self._passages = 0, files, 0
        self._bar = tqdm(total=size, unit="B", unit_scale=True, dynamic_ncols=True, leave=False, file=sys.stderr)

    def advance(self, files: int, size: int, passages: int) -> None:
        self._files += files
        self._passages += passages
        self._bar.set_description(f"{self._files:,}/{self._total:,} files, {self._passages:,} passages", refresh=False)
        self._bar.update(size)

    def note(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_description(text)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Lines:
    """Plain lines, at most one in five seconds, where nobody watches a terminal."""

    _EVERY_S = 5.0

    def __init__(self) -> None:
        self._files = self._total = self._passages = 0
        self._began = self._said = time.monotonic()

    def start(self, files: int, size: int) -> None:
        self._files, self._total, self._passages = 0, files, 0
        self._began = self._said = time.monotonic()

    def advance(self, files: int, size: int, passages: int) -> None:
        self._files += files
        self._passages += passages
        now = time.monotonic()
        if now - self._said >= self._EVERY_S:
            self._said = now
            rate = self._passages / (now - self._began)
            click.echo(
                f"{self._files:,} of {self._total:,} files, {self._passages:,} passages, {rate:,.0f}/s", err=True
            )

    def note(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


@click.command("forget")
@click.argument("root", metavar="ROOT", type=click.Path())
@library_option
@wait_option
@json_option
def forget_command(root: str, library: str | None, wait: float, as_json: bool) -> None:
    """Stop syncing ROOT and drop its documents. The files themselves are not touched."""
    with Library(library, wait_s=wait) as opened:
        removed = opened.forget(root)
    if as_json:
        print_json({"root": root, "dropped": removed})
    else:
        click.echo(f"Forgot {root}: {_count(removed, 'document')} dropped.")


@click.command("reembed")
@click.option("--text-model", metavar="MODEL", help="Texts: name or folder of a sentence-transformers model.")
@click.option("--image-model", metavar="MODEL", help="Pictures: name of an open_clip model, or its folder.")
@library_option
@wait_option
@json_option
def reembed_command(
    text_model: str | None, image_model: str | None, library: str | None, wait: float, as_json: bool
) -> None:
    """Embed the stored text or the pictures anew by another model, or both.

    Searches use the old vectors until all new ones are there. A picture whose file is gone or has changed is read from
    its thumbnail; when the file is back, run it again.

    Exit code: 0 when everything has a vector, 3 when something has none (it is listed), 1 when nothing was changed.
    """
    if not text_model and not image_model:
        raise click.UsageError("Name the model to embed by: --text-model, --image-model, or both.")
    with interruptible(), Library(library, wait_s=wait) as opened, closing(progress_display()) as progress:
        report = opened.reembed(text_model, image_model, progress=progress)
    if as_json:
        print_json(
            {
                "text_model": text_model,
                "image_model": image_model,
                "passages": report.passages,
                "embedded": report.embedded,
                "failed": report.failed,
                "from_thumbnails": report.from_thumbnails,
                "seconds": round(report.seconds, 3),
            }
        )
    else:
        _print_reembedded(report, text_model, image_model)
    if report.failed:
        sys.exit(INCOMPLETE)


def _print_reembedded(report: Report, text_model: str | None, image_model: str | None) -> None:
    what = _count(report.passages, "passage" if text_model else "picture")
    if text_model and image_model:
        what = f"{report.passages:,} passages and pictures"
    by = " and ".join(filter(None, (text_model, image_model)))
    click.echo(f"The library's {what} are embedded by {by}: {report.embedded:,} now, in {report.seconds:,.1f} s.")
    if report.from_thumbnails:
        pictures = _count(len(report.from_thumbnails), "picture")
        click.echo(f"Read from their thumbnails, since their files are gone or have changed: {pictures}.", err=True)
        for uri in report.from_thumbnails[:_LISTED]:
            click.echo(f"  {uri}", err=True)
    _print_failed(report, "document")
