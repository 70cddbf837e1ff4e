"""The command line. It parses, calls `api.library.Library`, and prints; one file per command group.

A command's module is imported when the command is run, so that `quarry search` pays for nothing else.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from difflib import get_close_matches
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from quarry.api.cli.language import error_text, speak, translated
from quarry.api.cli.stopping import Stopped, is_stopping, stoppable
from quarry.api.cli.terminal import say, shield
from quarry.search.errors import QuarryError

if TYPE_CHECKING:
    from quarry.search.models.live import LiveModels

COMMANDS = {
    "index": "indexing",
    "forget": "indexing",
    "reembed": "indexing",
    "enrich": "enriching",
    "search": "searching",
    "ask": "asking",
    "check": "checking",
    "summarize": "asking",
    "verify": "verifying",
    "images": "picturing",
    "similar": "picturing",
    "show": "searching",
    "fields": "fields",
    "facets": "counting",
    "list": "listing",
    "duplicates": "duplicates",
    "outliers": "outliers",
    "label": "labelling",
    "delete": "keeping",
    "undelete": "keeping",
    "status": "keeping",
    "doctor": "keeping",
    "compact": "keeping",
    "engine": "engine",
    "backup": "backing",
    "restore": "backing",
    "export": "backing",
    "import": "backing",
    "models": "models",
    "eval": "evaluation",
    "serve": "serving",
    "mcp": "mcp",
    "keys": "keys",
}


_LONGEST = 300  # characters of what an error says that nobody foresaw
_FIRST = """\
Make folders of texts and pictures searchable by meaning and by words.

  quarry index ~/notes           read a folder, and keep it in sync
  quarry search "how stars form" find passages and pictures
  quarry ask "when was it built" answer by the documents' own words
  quarry images "a red bicycle"  find pictures
  quarry status                  what the library holds

`quarry --help` lists all commands, `quarry COMMAND --help` tells of one."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"quarry.api.cli.{module}"), f"{cmd_name}_command")
        return translated(command)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BaseException as error:
            if is_stopping():  # which may be a KeyboardInterrupt by now, and click has a word of its own for that
                raise Stopped from error
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if "" in args:
            ctx.fail(_("An argument is empty. Was a variable meant that is not set?"))
        if name not in COMMANDS and (close := get_close_matches(name.lower(), COMMANDS, cutoff=0.7)):
            said = _("No such command {name!r}. Did you mean {names}?")
            ctx.fail(said.format(name=name, names=_(" or ").join(close)))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="quarry-search", prog_name="quarry")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Make folders of texts and pictures searchable by meaning and by words. Nothing leaves this machine.

    NO_COLOR, FORCE_COLOR and COLUMNS are respected.
    """
    ctx.color = _colours()
    if ctx.invoked_subcommand is None:
        click.echo(_(_FIRST))


def _colours() -> bool | None:
    """Say whether output is coloured; None for where it is a terminal. See no-color.org and force-color.org."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return True if os.environ.get("FORCE_COLOR", "0") not in ("", "0") else None


def main(models: LiveModels | None = None) -> None:
    """Run the command line: errors become one line on standard error and exit code 1.

    Args:
        models: live ones for the libraries that it opens, in place of those of this machine.
    """
    shield()
    speak()
    with stoppable():
        try:
            try:
                translated(cli)(prog_name="quarry", obj=models)
            finally:
                sys.stdout.flush()  # here, where what goes wrong can still be told
        except QuarryError as error:
            if is_stopping():
                raise
            _fail(error_text(error))
        except OSError as error:
            name, why = error.filename, error.strerror or error
            said = _("{name} can't be used: {why}.") if name else _("The output can't be written: {why}.")
            _fail(said.format(name=name, why=why))
        except MemoryError:
            _fail(_("There is not enough memory for this."))
        except Exception as error:
            if sys.flags.dev_mode or is_stopping():  # which may break an import off, and that raise anything
                raise
            what = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
            said = _("This is a fault of Quarry's own ({what}). Where it is, `python -X dev -m quarry.api.cli` shows.")
            _fail(said.format(what=what))


def _fail(message: str) -> None:
    with contextlib.suppress(OSError):
        say(f"quarry: {message}", err=True)
    # What could not be written would be tried again, and complained about, while Python ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
            continue
        os.dup2(nowhere, stream.fileno())
    sys.exit(1)
