"""How a run of the indexer is told: as JSON, or in a few lines for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from gettext import gettext as _
from gettext import ngettext
from pathlib import Path

import click

from quarry.api.cli.reasons import reason_text
from quarry.api.cli.snippets import columns, page_width, wrapped
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.indexer.files.walking import UNSUPPORTED
from quarry.indexer.formats import LACKING
from quarry.indexer.report import Report
from quarry.search.files.uris import path_of

LISTED = 20  # names in a list that --json has the whole of
_TYPES, _NAMED, _LABELS = 5, 3, 5


def print_report(report: Report, library: Library) -> None:
    """Print for people what was done, what was passed by, and what failed."""
    parts = [
        said.format(n=f"{number:,}")
        for number, said in (
            (report.added, _("{n} added")),
            (report.changed, _("{n} changed")),
            (report.moved, _("{n} moved")),
            (report.dropped, _("{n} dropped")),
        )
        if number
    ]
    would, did = (
        _("Would do: files: {done}; {unchanged} unchanged."),
        _("Done: documents: {done}; {unchanged} unchanged."),
    )
    if not parts:
        would = _("Would do: nothing changed; {unchanged} unchanged.")
        did = _("Done: nothing changed; {unchanged} unchanged.")
    if parts or report.unchanged_files or not report.failed:
        unchanged = count(report.unchanged_files, "file")
        click.echo((would if report.dry_run else did).format(done=", ".join(parts), unchanged=unchanged))
    else:
        click.echo(_("Nothing was indexed."))
    if report.passages:
        rate = report.passages / max(report.seconds, 1e-9)
        say(
            _("{passages}, {n} embedded, in {seconds} s ({rate} passages/s). Library: {library}").format(
                passages=count(report.passages, "passage"),
                n=f"{report.embedded:,}",
                seconds=f"{report.seconds:,.1f}",
                rate=f"{rate:,.0f}",
                library=library.settings.library,
            )
        )
    elif report.embedded:
        said = _("Of what was there already, {passages} got a vector, in {seconds} s.")
        say(said.format(passages=count(report.embedded, "passage"), seconds=f"{report.seconds:,.1f}"))
    if report.enriched and not parts:
        say(_("What is known of {documents} has changed.").format(documents=count(report.enriched, "document")))
    if report.skipped_files:
        print_skipped(report.skipped_files)
    print_listed(_("Read but for a part, {files}").format(files=count(len(report.warnings), "file")), report.warnings)
    print_failed(report, "file")
    print_unable(report)
    for reason in report.held_back.values():
        say(_("Held back: {reason}").format(reason=reason_text(reason)), err=True)


def print_skipped(skipped: Mapping[str, str]) -> None:
    """Print what was passed by: how much for each reason, its types, and names for example."""
    by_reason: dict[str, list[Path]] = {}
    for path, reason in skipped.items():
        by_reason.setdefault(reason, []).append(path_of(path))
    start = _("Skipped: ")
    for reason, paths in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        has_types = reason == UNSUPPORTED or reason.startswith(LACKING)
        types = Counter(path.suffix.lower() or _("no suffix") for path in paths) if has_types else Counter()
        told = [f"{number:,} {type}" for type, number in types.most_common(_TYPES)]
        if len(types) > _TYPES:
            told.append(_("{n} more types").format(n=f"{len(types) - _TYPES:,}"))
        of = f" ({', '.join(told)})" if told else ""
        named = ", ".join(path.name for path in paths[:_NAMED]) + (", ..." if len(paths) > _NAMED else "")
        for line in wrapped(f"{len(paths):,} {reason_text(reason)}{of}: {named}", [], page_width() - columns(start)):
            click.echo(start + line)
            start = " " * columns(start)
    if max(map(len, by_reason.values())) > _NAMED:
        click.echo(_("All of them: --json, or `quarry status --skipped`."))


def print_failed(report: Report, what: str) -> None:
    """Print on standard error what failed, and why."""
    print_listed(_("Failed, {what}").format(what=count(len(report.failed), what)), report.failed)


def print_unable(report: Report) -> None:
    """Print on standard error which models could not look at documents, and why."""
    for name, reason in report.unable.items():
        say(_("Nothing was looked at for {name}: {reason}").format(name=name, reason=reason), err=True)


def print_listed(heading: str, reasons: Mapping[str, str]) -> None:
    """Print on standard error names with what is said of each, the first of them where there are many."""
    if reasons:
        click.echo(f"{heading}:", err=True)
        for name, reason in list(reasons.items())[:LISTED]:
            say(f"  {name}: {reason_text(reason)}", err=True)
        if len(reasons) > LISTED:
            more = _("... and {n} more (all with --json)").format(n=f"{len(reasons) - LISTED:,}")
            click.echo(f"  {more}", err=True)


def enrichment_line(
    name: str,
    task: str,
    model: str,
    labels: Sequence[str],
    language: str,
    documents: int,
    could: int,
    failed: int,
    reasons: Mapping[str, str],
) -> str:
    """Return which model does a task, and how far it is, as `quarry status --json` has it."""
    said = _("enrich {name}: {task} by {model}, {documents} of {could}")
    if failed:
        said += _(", {failed} failed")
    if labels:
        said += _(", for {labels}")
    if language:
        said += _(", in {language}")
    return said.format(
        name=name,
        task=task,
        model=model,
        documents=f"{documents:,}",
        could=count(could, "document"),
        failed=f"{failed:,}",
        labels=_some(labels),
        language=language,
    )


def labels_line(field: str, kind: str, labels: Sequence[str], documents: int, could: int, failed: int) -> str:
    """Return which labels documents get in a field, and how far that is, as `quarry status --json` has it."""
    said = _("labels {field}: {documents} of {could}, for {labels}")
    if failed:
        said += _(", {failed} failed")
    whole = count(could, "picture" if kind == "image" else "document")
    return said.format(field=field, documents=f"{documents:,}", could=whole, failed=f"{failed:,}", labels=_some(labels))


def _some(labels: Sequence[str]) -> str:
    return ", ".join([*labels[:_LABELS], *(["..."] if len(labels) > _LABELS else [])])


def size_of(number: float) -> str:
    """Return a number of bytes in words."""
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.{int(number < 10 and unit != 'bytes')}f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def count(number: int, word: str, words: str = "") -> str:
    """Return a number with what is counted."""
    return ngettext(f"{{n}} {word}", f"{{n}} {words or f'{word}s'}", number).format(n=f"{number:,}")
