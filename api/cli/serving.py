"""`quarry serve`."""

from __future__ import annotations

import os
import resource
import socket
from typing import TYPE_CHECKING

import click
import uvicorn

from quarry.api.cli.libraries import all_opened, folder_uris, folders_option, libraries_option, named
from quarry.api.cli.options import handed_in, model_options, wait_option
from quarry.api.cli.stopping import drain_on_signals
from quarry.api.cli.terminal import say
from quarry.api.connections import DRAIN_S, MAX_CONNECTIONS, Protocol, Server
from quarry.api.deadlines import DEADLINE_S
from quarry.search.errors import NoLibrary
from quarry.search.stores.catalog import Catalog

if TYPE_CHECKING:
    from quarry.api.library import Library
    from quarry.search.config import ModelOptions

_OTHERS = 200  # descriptors of files, of parsers and of bodies that come in


@click.command("serve")
@libraries_option
@click.option("--port", type=click.IntRange(0, 65535), default=7700, show_default=True, help="Port on 127.0.0.1.")
@folders_option
@click.option("--create", is_flag=True, help="Make the library where there is none, to be filled over HTTP.")
@click.option("--shared", is_flag=True, help="With --create: make it for your group, too, not for you alone.")
@model_options(
    text_model="The model to embed queries with; it must be the library's own.",
    reader="A transformers model for question answering, to find answers with.",
    cross_encoder="A sentence-transformers CrossEncoder, to rerank with.",
    summarizer="A transformers model that writes summaries.",
    generator="A transformers model that writes answers.",
)
@click.option(
    "--deadline",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help="How long a request may take before it is stopped; one that writes, twenty times as long. "
    f"[default: QUARRY_DEADLINE, or {DEADLINE_S:g}]",
)
@wait_option
def serve_command(
    libraries: tuple[str, ...],
    port: int,
    folders: tuple[str, ...],
    create: bool,
    shared: bool,
    models: ModelOptions,
    deadline: float | None,
    wait: float,
) -> None:
    """Serve the library over HTTP on this machine: search, documents, health; /openapi.json describes it.

    `quarry index` can write to the same library meanwhile: searches see each commit without a restart. A library that
    is not there is made only with --create. Port 0, for programs that start a server of their own, takes any that is
    free, and implies --create.
    """
    drain_on_signals()
    # FAISS reads it when it is imported: each request searches in one thread, and requests run beside each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        from quarry.api.app import create_app
        from quarry.api.library import Library

        served = {
            name: Library(
                directory, models=handed_in(), wait_s=wait, prepare=False, shared=shared, deadline_s=deadline, **models
            )
            for name, directory in named(libraries).items()
        }
        with all_opened(served) as opened, _listener(port) as listener:
            for library in opened.values():
                _open(library, create or port == 0)
            host, port = listener.getsockname()
            places = ", ".join(str(library.settings.library) for library in opened.values())
            say(f"Serving {places} on http://{host}:{port} (Ctrl-C stops)", err=True)
            app = create_app(opened, folders=folder_uris(folders))
            config = uvicorn.Config(
                app,
                log_level="warning",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=DRAIN_S,
                http=Protocol,
                limit_concurrency=_connections(),
            )
            Server(config, draining=app.state.libraries.stop).run([listener])
    except KeyboardInterrupt:
        pass


def _open(library: Library, create: bool) -> None:
    if not create:
        try:
            Catalog(library.settings.library, wait_s=library.settings.wait_s).close()
        except NoLibrary as error:  # mistyped, more likely than not
            raise NoLibrary(f"{error} To serve a new one, add --create.") from error
    library.catalog(create=True)


def _connections() -> int:
    """Return how many connections may be open at once, with as many descriptors as they take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHERS
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft < 0 else max(1, min(MAX_CONNECTIONS, soft - _OTHERS))


def _listener(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()  # from now on clients wait for an answer, instead of being refused
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise click.ClickException(f"Port {port} can't be used ({reason}); give another with --port.") from error
    return listener
