"""`quarry mcp`."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from quarry.api.cli.options import handed_in, library_option, model_options
from quarry.api.cli.stopping import drain_on_signals
from quarry.api.cli.terminal import say
from quarry.api.mcp import require_mcp

if TYPE_CHECKING:
    from quarry.api.library import Library
    from quarry.search.config import ModelOptions


@click.command("mcp")
@library_option
@click.option("--http", is_flag=True, help="Serve over HTTP (streamable HTTP), not over standard input.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="With --http; others than this machine's need a key."
)
@click.option("--port", type=click.IntRange(0, 65535), default=7701, show_default=True, help="With --http.")
@model_options(
    text_model="The model to embed queries with; it must be the library's own.",
    reader="A transformers model for question answering, to find answers with.",
)
def mcp_command(library: str | None, http: bool, host: str, port: int, models: ModelOptions) -> None:
    """Give an assistant the library to search and read, by the Model Context Protocol.

    A host such as Claude Desktop starts it and speaks to it over standard input and output; docs/mcp.md has its
    settings. Nothing is ever written to the library.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    require_mcp()
    from quarry.api.library import Library
    from quarry.api.mcp.server import create_server

    with Library(library, models=handed_in(), prepare=False, **models) as opened:
        opened.catalog()  # a library that is not there is told now, and not at the first question
        if http:
            _serve(opened, host, port)
        else:
            create_server(opened).run("stdio")


def _serve(library: Library, host: str, port: int) -> None:
    import uvicorn

    from quarry.api.cli.serving import listener_at, policy_at
    from quarry.api.mcp.http import PATH, create_http_app
    from quarry.api.server.connections import DRAIN_S, Protocol, Server

    drain_on_signals()
    with suppress(KeyboardInterrupt):
        policy = policy_at(library.settings.library, host)
        with listener_at(host, port) as listener:
            shown = f"[{host}]" if ":" in host else host
            url = f"http://{shown}:{listener.getsockname()[1]}{PATH}"
            say(f"Serving {library.settings.library} on {url} (Ctrl-C stops)", err=True)
            config = uvicorn.Config(
                create_http_app(library, policy),
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
                http=Protocol,
            )
            Server(config).run([listener])
