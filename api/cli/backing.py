"""`quarry backup`, `restore`, `export` and `import`."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from typing import Any, BinaryIO

import click

from quarry.api.cli.options import handed_in, json_option, library_option, print_json, tell, wait_option
from quarry.api.cli.progress import progress_display
from quarry.api.cli.queries import filter_option
from quarry.api.cli.reports import count, print_listed, size_of
from quarry.api.cli.terminal import printable, say
from quarry.api.library import Library
from quarry.api.members.keeping import restore
from quarry.indexer.exchange.exporting import FORMATS, Format


@click.command("backup")
@click.argument("file", metavar="FILE|-")
@library_option
@wait_option
@json_option
def backup_command(file: str, library: str | None, wait: float, as_json: bool) -> None:
    """Write the whole library into one file, or to standard output, while others go on reading and writing.

    It takes the place of a file of that name when it is whole.
    """
    to: str | BinaryIO = file
    if file == "-":
        if sys.stdout.isatty():
            raise click.UsageError("A backup is no text to be shown: send it to a file or a program.")
        to = sys.stdout.buffer
    with closing(progress_display("parts")) as progress, Library(library, models=handed_in(), wait_s=wait) as opened:
        made = opened.backup(to, progress=progress)
    for left in made.left_out:
        click.secho(f"! Left out, to be made anew by a restore: {printable(left)}.", fg="yellow", err=True)
    if as_json and file != "-":
        print_json(
            {
                "file": file,
                "documents": made.documents,
                "generation": made.generation,
                "bytes": made.bytes,
                "left_out": list(made.left_out),
            }
        )
    else:
        click.echo(f"Backed up {count(made.documents, 'document')}, {size_of(made.bytes)}.", err=file == "-")


@click.command("restore")
@click.argument("file", metavar="FILE|-")
@library_option
@click.option("--replace", is_flag=True, help="Put the backup in the place of the library that is there.")
@wait_option
@json_option
def restore_command(file: str, library: str | None, replace: bool, wait: float, as_json: bool) -> None:
    """Make a library of a backup; every byte of it is checked before anything is put in place."""
    source: str | BinaryIO = sys.stdin.buffer if file == "-" else file
    with closing(progress_display("backups")) as progress:
        made = restore(source, library, replace=replace, wait_s=wait, progress=progress)
    if as_json:
        print_json(
            {
                "library": str(made.library),
                "documents": made.documents,
                "generation": made.generation,
                "made": made.made,
            }
        )
        return
    say(f"Restored {count(made.documents, 'document')} as of {made.made} to {made.library}.")


@click.command("export")
@click.argument("file", metavar="[FILE|-]", default="-")
@library_option
@filter_option
@click.option("--format", type=click.Choice(FORMATS), help="Of the rows [default: by the file's name, else jsonl].")
@click.option("--vectors", is_flag=True, help="With vectors, so that an import need not embed anew.")
def export_command(
    file: str, library: str | None, filter: dict[str, Any] | None, format: Format | None, vectors: bool
) -> None:
    """Write documents as rows that any program reads: JSON Lines, or Parquet."""
    to: str | BinaryIO = sys.stdout.buffer if file == "-" else file
    if file == "-" and format == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is no text to be shown: send it to a file or a program.")
    with closing(progress_display("documents")) as progress, Library(library, models=handed_in()) as opened:
        total = opened.export(to, format=format, vectors=vectors, filter=filter, progress=progress)
    click.echo(f"Exported {count(total, 'document')}.", err=True)


@click.command("import")
@click.argument("file", metavar="FILE|-")
@library_option
@wait_option
@json_option
def import_command(file: str, library: str | None, wait: float, as_json: bool) -> None:
    """Take documents from rows of JSON Lines or Parquet, each in place of the one with its id.

    Exits with 3 where some rows could not be taken; they are listed.
    """
    source: str | BinaryIO = sys.stdin.buffer if file == "-" else file
    with (
        closing(progress_display("documents")) as progress,
        Library(library, models=handed_in(), wait_s=wait, tell=tell) as opened,
    ):
        done = opened.import_file(source, progress=progress)
    if as_json:
        print_json(asdict(done))
    else:
        say(
            f"{done.added:,} added, {done.changed:,} changed, {done.unchanged:,} unchanged, {done.embedded:,} embedded."
        )
        if done.kept:
            say(f"{count(len(done.kept), 'document')} left alone: a synced file of this library has the name.")
        print_listed(f"Failed, {count(len(done.failed), 'row')}", done.failed)
    if done.failed:
        sys.exit(3)
