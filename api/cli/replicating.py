"""`quarry replicate`."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from quarry.api.cli.options import json_option, print_json, tell, wait_option
from quarry.api.cli.progress import progress_display
from quarry.api.cli.reports import count, size_of
from quarry.api.cli.terminal import printable, say
from quarry.api.members.replicating import follow, replicate

if TYPE_CHECKING:
    from quarry.indexer.exchange.replicating import Replicated


@click.command("replicate")
@click.argument("source", metavar="DIR|URL")
@click.argument("target", metavar="TARGET", type=click.Path(file_okay=False))
@click.option("--follow", "follows", is_flag=True, help="Go on, and bring each generation as it comes.")
@click.option("--key", metavar="KEY", envvar="QUARRY_KEY", help="Of the server [default: QUARRY_KEY].")
@wait_option
@json_option
def replicate_command(source: str, target: str, follows: bool, key: str | None, wait: float, as_json: bool) -> None:
    """Bring the newest generation of a library to a read-only copy, the folder TARGET.

    The library is a folder, or what a Quarry serves: https://HOST, or https://HOST/v1/libraries/NAME, with a key that
    `quarry keys add NAME --replicate` made there. Only what is new is copied, and all is verified. Until everything is
    there TARGET stays as it is; a server over it goes over to the new generation without a restart.

    With --follow, a library that is away is waited for. With --json, each generation is a line.
    """
    with closing(progress_display()) as progress:
        if not follows:
            _print(replicate(source, target, key=key, wait_s=wait, progress=progress), as_json)
            return
        tell(_("Following {source} (Ctrl-C stops)").format(source=source))

        def done(made: Replicated) -> None:
            _print(made, as_json, one_line=True)

        follow(source, target, threading.Event(), done, key=key, wait_s=wait, tell=tell, progress=progress)


def _print(made: Replicated, as_json: bool, *, one_line: bool = False) -> None:
    for left in made.left_out:
        warning = _("! Damaged at its source, and left out: {part}.").format(part=printable(left))
        click.secho(warning, fg="yellow", err=True)
    if as_json and one_line:
        click.echo(json.dumps(_body(made), ensure_ascii=False))
    elif as_json:
        print_json(_body(made))
    elif not made.is_new:
        newest = _("{target} has generation {generation} already, the newest.")
        later = _("{target} stays at generation {generation}: others still copy that. Try again in a minute.")
        say((later if made.behind else newest).format(target=made.target, generation=made.generation))
    else:
        said = _("Generation {generation}, {documents}: {fetched} of {size} came, in {new} of {files}.")
        say(
            said.format(
                generation=made.generation,
                documents=count(made.documents, "document"),
                fetched=size_of(made.fetched.bytes),
                size=size_of(made.bytes),
                new=f"{made.fetched.files:,}",
                files=count(made.files, "file"),
            )
        )


def _body(made: Replicated) -> dict[str, Any]:
    return {
        "source": made.source,
        "target": str(made.target),
        "generation": made.generation,
        "documents": made.documents,
        "is_new": made.is_new,
        "files": made.files,
        "bytes": made.bytes,
        "fetched_files": made.fetched.files,
        "fetched_bytes": made.fetched.bytes,
        "left_out": list(made.left_out),
    }
