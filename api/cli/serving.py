"""`quarry serve`."""

from __future__ import annotations

import click

from api.cli.options import library_option, wait_option
from api.library import Library

DRAIN_S = 25


@click.command("serve")
@library_option
@click.option("--port", type=click.IntRange(0, 65535), default=7700, show_default=True, help="Port on 127.0.0.1.")
@click.option("--text-model", metavar="MODEL", help="The model to embed queries with; it must be the library's own.")
@wait_option
def serve_command(library: str | None, port: int, text_model: str | None, wait: float) -> None:
    """Serve the library over HTTP on this machine: search, documents, health; /openapi.json describes it.

    `quarry index` can write to the same library meanwhile: searches see each commit without a restart.
    """
    import os

    # Before FAISS is imported: each request searches in one thread, and requests run beside each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import uvicorn

    from api.app import create_app

    with Library(library, text_model=text_model, wait_s=wait) as opened:
        opened.catalog(create=True)
        click.echo(f"Serving {opened.settings.library} on http://127.0.0.1:{port} (Ctrl-C stops)", err=True)
        uvicorn.run(
            create_app(opened),
            host="127.0.0.1",
            port=port,
            log_level="warning",
            timeout_graceful_shutdown=DRAIN_S,
            server_header=False,
        )
