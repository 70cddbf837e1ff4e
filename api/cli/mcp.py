"""`quarry mcp`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from quarry.api.cli.options import handed_in, library_option, model_options
from quarry.api.cli.stopping import drain_on_signals
from quarry.api.cli.terminal import say
from quarry.search.errors import MissingExtra

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from quarry.api.library import Library
    from quarry.search.config import ModelOptions

_DEADLINE_S = 30.0


@click.command("mcp")
@library_option
@click.option("--http", is_flag=True, help="Serve over HTTP (streamable HTTP) on 127.0.0.1, not over standard input.")
@click.option("--port", type=click.IntRange(0, 65535), default=7701, show_default=True, help="With --http: the port.")
@model_options(
    text_model="The model to embed queries with; it must be the library's own.",
    reader="A transformers model for question answering, to find answers with.",
)
def mcp_command(library: str | None, http: bool, port: int, models: ModelOptions) -> None:
    """Give an assistant the library to search and read, by the Model Context Protocol.

    A host such as Claude Desktop starts it and speaks to it over standard input and output; docs/mcp.md has its
    settings. Nothing is ever written to the library.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        from quarry.api.mcp.server import PATH, create_http_app, create_server
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("quarry"):
            raise
        raise MissingExtra("An MCP server needs mcp: `pip install 'quarry-search[mcp]'`.") from error
    from quarry.api.library import Library

    with Library(library, models=handed_in(), prepare=False, deadline_s=_DEADLINE_S, **models) as opened:
        opened.catalog()  # a library that is not there is told now, and not at the first question
        if http:
            _serve(opened, create_http_app(opened), port, PATH)
        else:
            create_server(opened).run("stdio")


def _serve(library: Library, app: ASGIApp, port: int, path: str) -> None:
    import uvicorn

    from quarry.api.cli.serving import _listener
    from quarry.api.connections import DRAIN_S, Protocol, Server

    drain_on_signals()
    try:
        with _listener(port) as listener:
            host, port = listener.getsockname()
            say(f"Serving {library.settings.library} on http://{host}:{port}{path} (Ctrl-C stops)", err=True)
            config = uvicorn.Config(
                app,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
                http=Protocol,
            )
            Server(config).run([listener])
    except KeyboardInterrupt:
        pass
