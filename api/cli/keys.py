"""`quarry keys`."""

from __future__ import annotations

from dataclasses import asdict

import click

from quarry.api.cli.options import json_option, library_option, print_json
from quarry.api.cli.terminal import say
from quarry.api.server.keys import Key, Keys, Scope
from quarry.search.config import read_settings


@click.command("keys")
@click.argument("action", type=click.Choice(["list", "add", "remove"]), default="list")
@click.argument("name", required=False)
@library_option
@click.option(
    "--replicate", is_flag=True, help="With add: the key may copy the library whole, too (`quarry replicate`)."
)
@click.option("--write", is_flag=True, help="With add: the key may write, too, and not only read.")
@json_option
def keys_command(
    action: str, name: str | None, library: str | None, replicate: bool, write: bool, as_json: bool
) -> None:
    """List the keys that open the server of a library, add one, or remove one.

    A key that is added is printed once and kept as a hash; clients send it as `Authorization: Bearer KEY`. Servers that
    run follow at once. From the first key on every server of the library asks for one; one that other machines reach
    (`quarry serve --host`) does not start without.

    \b
      quarry keys add laptop          may search and read
      quarry keys add mirror --replicate  may copy the library, too
      quarry keys add scanner --write may add and delete, too
      quarry keys remove laptop
    """
    if (name is None) == (action != "list"):
        raise click.UsageError(f"`quarry keys {action}` takes {'a name' if name is None else 'no name'}.")
    if (write or replicate) and action != "add":
        raise click.UsageError(f"--{'write' if write else 'replicate'} is for `quarry keys add NAME`.")
    scope: Scope = "write" if write else "replicate" if replicate else "read"
    keys = Keys(read_settings(library).library)
    if action == "add" and name is not None:
        secret = keys.add(name, scope)
        if as_json:
            print_json({"name": name, "scope": scope, "key": secret})
        else:
            click.echo(secret)
            say("Keep it now: it is not shown again.", err=True)
    elif action == "remove" and name is not None:
        keys.remove(name)
        if as_json:
            print_json({"removed": name})
        else:
            say(f"Removed the key {name}.")
    elif as_json:
        told = [asdict(key) for key in keys.all()]
        print_json({"keys": [{name: value for name, value in key.items() if name != "sha256"} for key in told]})
    else:
        _print(keys.all())


def _print(keys: tuple[Key, ...]) -> None:
    if not keys:
        say("There are no keys. `quarry keys add NAME` makes one.")
    width = max((len(key.name) for key in keys), default=0)
    for key in keys:
        say(f"{key.name:{width}}  {key.scope:9}  made {key.made}  {f'used {key.used}' if key.used else 'never used'}")
