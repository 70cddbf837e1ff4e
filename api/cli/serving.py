"""`quarry serve`."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import resource
import shlex
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click
import uvicorn

from quarry.api.cli.libraries import (
    all_opened,
    folder_uris,
    folders_option,
    libraries_option,
    named,
    together_option,
)
from quarry.api.cli.options import handed_in, model_options, wait_option
from quarry.api.cli.stopping import drain_on_signals
from quarry.api.cli.terminal import say
from quarry.api.federation.places import elsewhere, here, joined, places
from quarry.api.mcp import require_mcp
from quarry.api.server import logs
from quarry.api.server.connections import DRAIN_S, MAX_CONNECTIONS, Protocol, Server
from quarry.api.server.deadlines import DEADLINE_S
from quarry.api.server.keys import Keys
from quarry.api.server.policy import RATE, Policy
from quarry.api.server.workers import SHARED, run
from quarry.search.errors import InvalidRequest, NoLibrary
from quarry.search.models.live import SharedModels
from quarry.search.stores.catalog import Catalog

if TYPE_CHECKING:
    from quarry.api.federation.federation import Federation
    from quarry.api.library import Library
    from quarry.search.config import ModelOptions
    from quarry.search.models.live import LiveModels

_ORIGIN = re.compile(r"https?://[\w.\-]+(:\d+)?|https?://\[[\da-fA-F:]+\](:\d+)?")
_FLAGS = socket.AI_PASSIVE | socket.AI_NUMERICHOST  # no name is looked up anywhere
_OTHERS = 200  # descriptors of files, of parsers and of bodies that come in


@click.command("serve")
@libraries_option
@together_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; others than this machine's need a key.")
@click.option("--port", type=click.IntRange(0, 65535), default=7700, show_default=True, help="Port.")
@folders_option
@click.option("--create", is_flag=True, help="Make the library where there is none, to be filled over HTTP.")
@click.option("--shared", is_flag=True, help="With --create: make it for your group, too, not for you alone.")
@model_options(
    text_model="The model to embed queries with; it must be the library's own.",
    reader="A transformers model for question answering, to find answers with.",
    cross_encoder="A sentence-transformers CrossEncoder, to rerank with.",
    summarizer="A transformers model that writes summaries.",
    generator="A transformers model that writes answers.",
    checker="A transformers model for natural language inference, which checks claims.",
    picture_reader="A transformers model for visual question answering.",
    page_reader="A transformers model for document question answering.",
    table_reader="A transformers model for table question answering.",
    translator="A transformers model for translation, which puts queries into other languages.",
)
@click.option(
    "--deadline",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    help="How long a request may take before it is stopped; one that writes, twenty times as long. "
    f"[default: QUARRY_DEADLINE, or {DEADLINE_S:g}]",
)
@click.option(
    "--rate-limit",
    type=click.IntRange(0),
    default=RATE,
    show_default=True,
    help="Requests a minute of each key, and of each address without one; 0 for any number. Nothing is counted where "
    "no key is needed.",
)
@click.option(
    "--cors-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    help="A site whose pages may use the server, such as https://search.example; can be given again.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Processes that search, each with models of its own in memory; one of them writes.",
)
@click.option("--watch", is_flag=True, help="Index what changes in the libraries' folders, as it changes.")
@click.option("--mcp", is_flag=True, help="Answer assistants at /mcp, too, by the Model Context Protocol.")
@click.option("--log", is_flag=True, help="Tell each request, and what goes wrong, on standard error in JSON lines.")
@click.option("--log-queries", is_flag=True, help="With --log: with what was searched for, too.")
@wait_option
def serve_command(
    libraries: tuple[str, ...],
    together: bool,
    host: str,
    port: int,
    folders: tuple[str, ...],
    create: bool,
    shared: bool,
    models: ModelOptions,
    deadline: float | None,
    rate_limit: int,
    origins: tuple[str, ...],
    workers: int,
    watch: bool,
    mcp: bool,
    log: bool,
    log_queries: bool,
    wait: float,
) -> None:
    """Serve the library over HTTP: search, documents, health; /openapi.json describes it.

    It answers this machine alone, without a key unless `quarry keys add` made one. With --host 0.0.0.0, or an address
    of this machine, others reach it, and all need a key. There is no TLS: put a reverse proxy in front of it.

    `quarry index` can write to the same library meanwhile: searches see each commit without a restart. A library that
    is not there is made only with --create. Port 0, for programs that start a server of their own, takes any that is
    free, and implies --create.
    """
    drain_on_signals()
    # FAISS reads it when it is imported: each request searches in one thread, and requests run beside each other.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        if workers > 1 and handed_in() is not None:
            raise InvalidRequest("Models that are live in this process can't serve several; leave out --workers.")
        if mcp:
            require_mcp()
        if mcp and together:
            raise InvalidRequest("Assistants ask one library at a time; leave out --mcp or --together.")
        every = places(libraries) if together else {}
        own = here(every) if together else named(libraries)
        live = handed_in()
        opening = partial(_opening, own, live, models, together, wait_s=wait, shared=shared, deadline_s=deadline)
        folders_of = [library.settings.library for library in opening().values()]
        policy = replace(policy_at(folders_of[0], host, rate_limit, origins), log=log, log_queries=log and log_queries)
        with listener_at(host, port) as listener:
            with all_opened(opening()) as opened, _joined(opened, every):  # which tells what of it can't be
                for library in opened.values():
                    _open(library, create or port == 0, watch)
            _tell([*map(str, folders_of), *elsewhere(every)], listener, policy)
            serve = partial(_serve, opening, replace(policy, workers=workers), folder_uris(folders), mcp, watch, every)
            if workers > 1:
                sys.exit(run(workers, listener, serve))
            serve([listener], None)
    except KeyboardInterrupt:
        pass


def _opening(
    places: Mapping[str, str | None],
    live: LiveModels | None,
    models: ModelOptions,
    together: bool,
    *,
    wait_s: float,
    shared: bool,
    deadline_s: float | None,
) -> dict[str, Library]:
    """Return the libraries that are served, by their names; each is opened when it is first used."""
    from quarry.api.library import Library

    live = live or (SharedModels() if together else None)
    how = partial(Library, models=live, wait_s=wait_s, prepare=False, shared=shared, deadline_s=deadline_s, **models)
    return {name: how(directory) for name, directory in places.items()}


def _serve(
    opening: Callable[[], Mapping[str, Library]],
    policy: Policy,
    folders: Sequence[str],
    mcp: bool,
    watch: bool,
    every: Mapping[str, str],
    sockets: list[socket.socket],
    writer: Path | None,
) -> None:
    """Serve until a signal, in this process; `every` names the places of those that are searched as one, if any."""
    from quarry.api.server.app import create_app

    drain_on_signals()
    with suppress(KeyboardInterrupt), all_opened(opening()) as opened, _joined(opened, every) as together:
        counts = Path(os.environ[SHARED], "rates") if policy.workers > 1 else None
        app = create_app(
            opened,
            policy=replace(policy, writer=writer, counts=counts),
            folders=folders,
            mcp=mcp,
            watch=watch,
            together=together,
        )
        config = uvicorn.Config(
            app,
            log_level=None if policy.log else "warning",
            log_config=logs.config() if policy.log else uvicorn.config.LOGGING_CONFIG,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=DRAIN_S,
            http=Protocol,
            limit_concurrency=_connections(),
        )
        Server(config, draining=app.state.libraries.stop).run(sockets)


@contextmanager
def _joined(opened: Mapping[str, Library], every: Mapping[str, str]) -> Iterator[Federation | None]:
    if not every:
        yield None
        return
    with joined(opened, every) as federation:
        yield federation


def _open(library: Library, create: bool, watch: bool) -> None:
    if not create:
        try:
            Catalog(library.settings.library, wait_s=library.settings.wait_s).close()
        except NoLibrary as error:  # mistyped, more likely than not
            raise NoLibrary(f"{error} To serve a new one, add --create.") from error
    catalog = library.catalog(create=True)
    if watch:
        catalog.lock.require()


def _connections() -> int:
    """Return how many connections may be open at once, with as many descriptors as they take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + _OTHERS
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return MAX_CONNECTIONS if soft < 0 else max(1, min(MAX_CONNECTIONS, soft - _OTHERS))


def policy_at(library: Path, host: str, rate: int = RATE, origins: tuple[str, ...] = ()) -> Policy:
    """Return how the server is guarded.

    Raises:
        InvalidRequest: other machines would reach it, and there is no key; or an origin is none.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise InvalidRequest(f"--cors-origin {origin}: give scheme and host alone, such as https://search.example.")
    keys = Keys(library)
    exposed = not _is_loopback(host)
    if not keys.all() and exposed:
        raise InvalidRequest(
            f"At {host} other machines reach the server, and there is no key that would keep them out. "
            f"Make one first: `quarry keys add NAME --library {shlex.quote(str(library))}`."
        )
    return Policy(keys, exposed, origins, rate or None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _tell(places: Sequence[str], listener: socket.socket, policy: Policy) -> None:
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(_("Serving {places} on {url} (Ctrl-C stops)").format(places=", ".join(places), url=url), err=True)
    if policy.keys is not None and (keys := policy.keys.all()):
        names = ", ".join(f"{key.name} ({key.scope})" for key in keys)
        say(_("It is opened by the keys {names}.").format(names=names), err=True)


def listener_at(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ClickException: it can't.
    """
    listener: socket.socket | None = None
    try:
        numeric = "127.0.0.1" if host.lower() == "localhost" else host
        ((family, *_, address), *_) = socket.getaddrinfo(numeric, port, type=socket.SOCK_STREAM, flags=_FLAGS)
        # By its protocol asyncio knows that nothing it sends must wait for what was sent before (TCP_NODELAY): else the
        # body of an answer comes 40 ms after its head.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # from now on clients wait for an answer, instead of being refused
    except (OSError, UnicodeError) as error:
        if listener is not None:
            listener.close()
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        if listener is None or getattr(error, "errno", 0) == errno.EADDRNOTAVAIL:
            raise click.ClickException(f"Host {host} is no address of this machine ({reason}).") from error
        raise click.ClickException(f"Port {port} can't be used ({reason}); give another with --port.") from error
    return listener
