"""`quarry delete`, `undelete`, `status`, `doctor` and `compact`."""

from __future__ import annotations

import sys
from gettext import gettext as _

import click

from quarry.api.cli.options import handed_in, json_option, library_option, named, print_json, wait_option
from quarry.api.cli.reasons import reason_text
from quarry.api.cli.reports import count, enrichment_line, labels_line, print_listed, size_of
from quarry.api.cli.snippets import columns
from quarry.api.cli.terminal import printable, say
from quarry.api.library import Library
from quarry.search.engines.table import DEFAULT_ENGINE


@click.command("delete")
@click.argument("references", metavar="ID|PATH...", nargs=-1, required=True)
@library_option
@wait_option
@json_option
def delete_command(references: tuple[str, ...], library: str | None, wait: float, as_json: bool) -> None:
    """Delete documents by id or path. A file that is still in a synced folder comes back when it changes."""
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        deleted = opened.delete(list(map(named, references)))
    if as_json:
        print_json({"deleted": deleted})
    else:
        click.echo(_("Deleted {documents}; `quarry undelete` undoes it.").format(documents=count(deleted, "document")))


@click.command("undelete")
@click.argument("references", metavar="[ID|PATH]...", nargs=-1)
@library_option
@wait_option
@json_option
def undelete_command(references: tuple[str, ...], library: str | None, wait: float, as_json: bool) -> None:
    """Bring deleted documents back by id or path, or what was deleted last. `compact` makes it impossible."""
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        ids = opened.undelete(list(map(named, references)))
    if as_json:
        print_json({"ids": ids})
    else:
        click.echo(_("Brought back {documents}.").format(documents=count(len(ids), "document")))


@click.command("status")
@library_option
@click.option("--skipped", is_flag=True, help="List the files and folders that are passed by, and why.")
@json_option
def status_command(library: str | None, skipped: bool, as_json: bool) -> None:
    """Show what the library holds: counts, folders, models, sizes."""
    with Library(library, models=handed_in()) as opened:
        status = opened.status()
        if skipped:
            status["skipped"] = opened.skipped()
    if as_json:
        print_json(status)
        return
    say(status["library"], bold=True)
    if status["replica"]:
        say(_replica_line(**status["replica"]))
        if status["replica"]["problem"]:
            said = _("! The source could not be looked at since: {problem}")
            say(said.format(problem=status["replica"]["problem"]), fg="yellow", err=True)
    held = f"{count(status['documents'], 'document')}, {count(status['passages'], 'passage')}"
    click.echo(f"{held}, {size_of(status['bytes'])}")
    for root in status["roots"]:
        said = _("root   {path}: {documents} of {files}")
        documents, files = count(root["documents"], "document"), count(root["files"], "file")
        say(said.format(path=root["path"], documents=documents, files=files))
    for space in status["spaces"]:
        own = _("model  {model} ({name}, {dimension} dimensions): {vectors:,} vectors")
        say((own + _(", {segments} segments, {tail:,} not yet in one")).format_map(space))
    if status["engine"]["name"] != DEFAULT_ENGINE:
        say(_("engine {name} {uri}").format_map(status["engine"]).rstrip())
    ocr = status["ocr"]
    if ocr["documents"] or ocr["unread"] or ocr["failed"]:
        said = _("ocr    {engine}: {documents} read, {unread} without what their pictures say") + _failed(ocr["failed"])
        named = ocr["engine"] or (_("turned off") if ocr["off"] else _("not installed"))
        say(said.format(engine=named, documents=count(ocr["documents"], "document"), unread=f"{ocr['unread']:,}"))
        for reason in ocr["missing"]:
            say(_("ocr    missing: {reason}").format(reason=reason_text(reason)))
    speech = status["speech"]
    if speech["documents"]:
        said = _("speech {model}: {heard} of {documents} heard, {unknown} in a language that it does not know")
        said += _failed(speech["failed"])
        named = speech["model"] or (_("turned off") if speech["off"] else _("not installed"))
        documents = count(speech["documents"], "document")
        say(
            said.format(
                model=named, heard=f"{speech['heard']:,}", documents=documents, unknown=f"{speech['unknown']:,}"
            )
        )
        for reason in speech["missing"]:
            say(_("speech missing: {reason}").format(reason=reason_text(reason)))
    for one in status["enrichments"]:
        say(enrichment_line(**one))
    for one in status["labels"]:
        say(labels_line(**one))
    for name, found in (("ocr", ocr), ("speech", speech), *((one["name"], one) for one in status["enrichments"])):
        heading = _("Failed for {name}, {documents} (`quarry enrich` tries again)")
        failed = count(found["failed"], "document")
        print_listed(heading.format(name=name, documents=failed), found["reasons"])
    print_listed(_("Failing, {files}").format(files=count(len(status["failing"]), "file")), status["failing"])
    for name, reason in status["formats_left_out"].items():
        say(_("formats of {name} are left out: {reason}").format(name=name, reason=reason))
    for path, reason in status.get("skipped", {}).items():
        say(_("skipped {path}: {reason}").format(path=path, reason=reason_text(reason)))


def _failed(number: int) -> str:
    return _(", {failed} failed").format(failed=f"{number:,}") if number else ""


def _replica_line(
    source: str, replicated: str, seen: str | None, source_generation: int | None, behind: int | None, problem: str
) -> str:
    """Return what a replica is a copy of, how old it is, and how far behind."""
    if seen is None or source_generation is None or behind is None:
        return _("replica of {source}, brought {replicated}").format(source=source, replicated=replicated)
    said = _("replica of {source}, brought {replicated}; {behind} behind its generation {newest} of {seen}")
    return said.format(
        source=source,
        replicated=replicated,
        behind=count(behind, "commit"),
        newest=f"{source_generation:,}",
        seen=seen,
    )


@click.command("doctor")
@library_option
@click.option("--repair", is_flag=True, help="Mend what is damaged, from whichever copy is good.")
@wait_option
@json_option
def doctor_command(library: str | None, repair: bool, wait: float, as_json: bool) -> None:
    """Check the whole library against its catalog. Exits with 1 when something is damaged."""
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        findings = opened.doctor(repair=repair)
    damaged = any(finding.level == "damage" for finding in findings)
    if as_json:
        print_json({"ok": not damaged, "findings": [finding.body() for finding in findings]})
    else:
        colours = {"ok": "green", "repaired": "green", "warning": "yellow", "damage": "red"}
        for finding in findings:
            word = _(finding.level)
            level = click.style(" " * (8 - columns(word)) + word, fg=colours[finding.level])
            click.echo(f"{level}  {printable(f'{_(finding.part)}: {reason_text(finding.text)}')}")
    if damaged:
        sys.exit(1)


@click.command("compact")
@library_option
@wait_option
@json_option
def compact_command(library: str | None, wait: float, as_json: bool) -> None:
    """Merge segments into one, drop what nothing refers to, and give space back."""
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        found = opened.status()
        before, tail = found["bytes"], sum(space["tail"] for space in found["spaces"])
        kept = opened.compact()
        after = opened.status()["bytes"]
    if as_json:
        print_json({"bytes_before": before, "bytes": after, "kept_for_readers": kept})
        return
    click.echo(_("Compacted: {before} before, {after} now.").format(before=size_of(before), after=size_of(after)))
    if tail:
        said = _("{vectors} that stood in the catalog alone are in a segment as well now.")
        click.echo(said.format(vectors=count(tail, "vector")))
    if kept:
        said = _("{size} of it are kept for searches that run now; the next compaction gives them back.")
        click.echo(said.format(size=size_of(kept)))
