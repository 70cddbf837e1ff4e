"""`quarry engine`."""

from __future__ import annotations

from contextlib import closing
from gettext import gettext as _

import click

from quarry.api.cli.options import handed_in, json_option, library_option, print_json, wait_option
from quarry.api.cli.progress import progress_display
from quarry.api.cli.terminal import say
from quarry.api.library import Library


@click.command("engine")
@click.argument("name", metavar="[NAME]", default="")
@click.option("--uri", metavar="URI", default="", help="Where it is; else in the library's own folder.")
@library_option
@wait_option
@json_option
def engine_command(name: str, uri: str, library: str | None, wait: float, as_json: bool) -> None:
    """Show which engine keeps the library's vectors, or move them to the engine NAME.

    NAME is faiss, exact, milvus or qdrant. The URI of Milvus is http(s)://HOST:PORT[/DATABASE], or a file that ends in
    .db, for one machine; that of Qdrant is a folder. Vectors are copied as they are stored, and none is embedded anew;
    searches use the old engine until all are there. QUARRY_MILVUS_TOKEN holds what a Milvus asks for.
    """
    if uri and not name:
        raise click.UsageError(_("--uri says where an engine is: name the engine, too."))
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        if not name:
            engine = opened.status()["engine"]
            if as_json:
                print_json(engine)
            else:
                say(engine["name"] + (f" {engine['uri']}" if engine["uri"] else ""))
            return
        opened.status()  # a library that there is not is not made here
        with closing(progress_display("passages")) as progress:
            moved = opened.move(name, uri, progress=progress)
    if as_json:
        body = {"name": moved.engine.name, "uri": moved.engine.uri, "vectors": moved.vectors}
        print_json({**body, "seconds": round(moved.seconds, 3)})
    else:
        said = _("Moved {vectors:,} vectors to {name} in {seconds:,.1f} s.")
        say(said.format(vectors=moved.vectors, name=moved.engine.name, seconds=moved.seconds))
