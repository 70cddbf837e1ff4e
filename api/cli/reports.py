"""How a run of the indexer is told: as JSON, or in a few lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import click

from quarry.api.cli.snippets import page_width, wrapped
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.indexer.files.walking import UNSUPPORTED
from quarry.indexer.report import Report
from quarry.search.files.uris import path_of

LISTED = 20  # names in a list that --json has the whole of
_TYPES, _NAMED = 5, 3


def print_report(report: Report, library: Library) -> None:
    """Print for people what was done, what was passed by, and what failed."""
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
    if parts or report.unchanged_files or not report.failed:
        unchanged = count(report.unchanged_files, "file")
        click.echo(f"{'Would do' if report.dry_run else 'Done'}: {done}; {unchanged} unchanged.")
    else:
        click.echo("Nothing was indexed.")
    if report.passages:
        rate = report.passages / max(report.seconds, 1e-9)
        say(
            f"{count(report.passages, 'passage')}, {report.embedded:,} embedded, in {report.seconds:,.1f} s "
            f"({rate:,.0f} passages/s). Library: {library.settings.library}"
        )
    elif report.embedded:
        say(f"Of what was there already, {count(report.embedded, 'passage')} got a vector, in {report.seconds:,.1f} s.")
    if report.skipped_files:
        print_skipped(report.skipped_files)
    print_listed(f"Read but for a part, {count(len(report.warnings), 'file')}", report.warnings)
    print_failed(report, "file")
    for reason in report.held_back.values():
        say(f"Held back: {reason}", err=True)


def print_skipped(skipped: Mapping[str, str]) -> None:
    """Print what was passed by: how much for each reason, its types, and names for example."""
    by_reason: dict[str, list[Path]] = {}
    for path, reason in skipped.items():
        by_reason.setdefault(reason, []).append(path_of(path))
    start = "Skipped: "
    for reason, paths in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        types = Counter(path.suffix.lower() or "no suffix" for path in paths) if reason == UNSUPPORTED else Counter()
        told = [f"{number:,} {type}" for type, number in types.most_common(_TYPES)]
        if len(types) > _TYPES:
            told.append(f"{len(types) - _TYPES:,} more types")
        of = f" ({', '.join(told)})" if told else ""
        named = ", ".join(path.name for path in paths[:_NAMED]) + (", ..." if len(paths) > _NAMED else "")
        for line in wrapped(f"{len(paths):,} {reason}{of}: {named}", [], page_width() - len(start)):
            click.echo(start + line)
            start = " " * len(start)
    if max(map(len, by_reason.values())) > _NAMED:
        click.echo("All of them: --json, or `quarry status --skipped`.")


def print_failed(report: Report, what: str) -> None:
    """Print on standard error what failed, and why."""
    print_listed(f"Failed, {count(len(report.failed), what)}", report.failed)


def print_listed(heading: str, reasons: Mapping[str, str]) -> None:
    """Print on standard error names with what is said of each, the first of them where there are many."""
    if reasons:
        click.echo(f"{heading}:", err=True)
        for name, reason in list(reasons.items())[:LISTED]:
            say(f"  {name}: {reason}", err=True)
        if len(reasons) > LISTED:
            click.echo(f"  ... and {len(reasons) - LISTED:,} more (all with --json)", err=True)


def size_of(number: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.{int(number < 10 and unit != 'bytes')}f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, word: str, words: str = "") -> str:
    """Return a number with what is counted."""
    return f"{number:,} {word if number == 1 else words or f'{word}s'}"
