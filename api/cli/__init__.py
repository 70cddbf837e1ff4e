"""The command line. It parses, calls `api.library.Library`, and prints; one file per command group.

A command's module is imported when the command is run, so that `quarry search` pays for nothing else.
"""

from __future__ import annotations

import importlib
import io
import sys

import click

from search.errors import QuarryError

COMMANDS = {
    "index": "indexing",
    "forget": "indexing",
    "reembed": "indexing",
    "search": "searching",
    "ask": "asking",
    "summarize": "asking",
    "images": "picturing",
    "similar": "picturing",
    "show": "searching",
    "fields": "fields",
    "delete": "keeping",
    "undelete": "keeping",
    "status": "keeping",
    "doctor": "keeping",
    "compact": "keeping",
    "models": "models",
    "eval": "evaluation",
    "serve": "serving",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"api.cli.{module}"), f"{cmd_name}_command")
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="quarry-search", prog_name="quarry")
def cli() -> None:
    """Make folders of texts and pictures searchable by meaning and by words. Nothing leaves this machine."""


def main() -> None:
    """Run the command line: errors of ours become one line on standard error and exit code 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what it can't encode, such as the bytes of a file's name
    try:
        cli(prog_name="quarry")
    except QuarryError as error:
        click.echo(f"quarry: {error}", err=True)
        sys.exit(1)
