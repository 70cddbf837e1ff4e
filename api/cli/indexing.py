"""`quarry index`, `forget` and `reembed`."""

from __future__ import annotations

import json
import sys
import threading
from contextlib import closing
from gettext import gettext as _

import click

from quarry.api.bodies.holdings import report_body
from quarry.api.cli.enriching import enrich_option, read_models, translate_to_option
from quarry.api.cli.options import (
    between_commas,
    handed_in,
    json_option,
    library_option,
    model_options,
    print_json,
    read_pair,
    tell,
    wait_option,
)
from quarry.api.cli.progress import progress_display
from quarry.api.cli.reports import LISTED, count, print_failed, print_report
from quarry.api.cli.terminal import say
from quarry.api.library import Library
from quarry.indexer.report import Report
from quarry.search.config import ModelOptions
from quarry.search.files.uris import uri_of

INCOMPLETE = 3


@click.command("index")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(allow_dash=True))
@library_option
@click.option("--name", help="With `-` (standard input): the name its content is read as, such as notes.md.")
@click.option("--text-field", "text_fields", multiple=True, metavar="FIELD", help="Tables, JSON: a field that is text.")
@click.option("--title-field", default="", metavar="FIELD", help="Tables, JSON: the field that is the title.")
@click.option("--id-field", default="", metavar="FIELD", help="Tables, JSON: the field that identifies a row.")
@click.option("--meta", multiple=True, metavar="KEY=VALUE", help="Metadata for every document of these paths.")
@model_options(
    text_model="A new library: the sentence-transformers model to embed with.",
    image_model="Before the first picture: the open_clip model to embed with.",
)
@click.option(
    "--cross-lingual", is_flag=True, help="Embed texts so that questions in any language find them, now and later."
)
@click.option(
    "--ocr",
    type=click.Choice(["auto", "tesseract", "rapidocr", "off"]),
    help="What reads scans, now and later; else the best that is installed.",
)
@click.option(
    "--transcribe",
    metavar="auto|off|MODEL",
    help="The Whisper that hears recordings and films, now and later: a name or folder; else tiny.en, for English.",
)
@enrich_option
@translate_to_option
@click.option(
    "--labels",
    multiple=True,
    metavar="A,B,...",
    help="Labels that documents get where they are apt, now and later, as of `quarry label`. Repeatable.",
)
@click.option("--as", "field", metavar="FIELD", help="With --labels: where they are found.  [default: label]")
@click.option("--engine", metavar="NAME", help="What keeps the vectors, now and later, as `quarry engine` has it.")
@click.option("--engine-uri", metavar="URI", default="", help="With --engine: where it is.")
@click.option(
    "--on",
    metavar="ray[=HOST:PORT]",
    help="Parse and embed on a Ray cluster: that of RAY_ADDRESS or HOST:PORT, else one of this machine.",
)
@click.option("--shared", is_flag=True, help="A new library: for your group, too, not for you alone.")
@click.option("--prune", is_flag=True, help="Drop documents even where a root is missing or lost most of them.")
@click.option("--verify", is_flag=True, help="Hash every file instead of trusting size and times; retry failed ones.")
@click.option("--watch", is_flag=True, help="Then go on until stopped: index what changes in the library's folders.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@wait_option
@json_option
def index_command(
    paths: tuple[str, ...],
    library: str | None,
    name: str | None,
    text_fields: tuple[str, ...],
    title_field: str,
    id_field: str,
    meta: tuple[str, ...],
    models: ModelOptions,
    cross_lingual: bool,
    ocr: str | None,
    transcribe: str | None,
    enrich: tuple[str, ...],
    translate_to: str,
    labels: tuple[str, ...],
    field: str | None,
    engine: str | None,
    engine_uri: str,
    on: str | None,
    shared: bool,
    prune: bool,
    verify: bool,
    watch: bool,
    dry_run: bool,
    wait: float,
    as_json: bool,
) -> None:
    """Index folders and files, and keep them in sync.

    Without PATH, every folder indexed before is brought in sync. With `-`, one document is read from standard input.

    With --watch, it goes on after that: a file that is new or has changed is read when it is written to its end, and
    what is gone is dropped, unless it is more than half of a folder. With --json, each run is a line.

    With --on, files are sent to the workers of a cluster to be parsed and embedded, while this process alone writes.
    What --watch finds later is indexed here.

    What is skipped is named. Exit code: 0 when everything was read, 3 when some files failed (they are listed) or
    nothing of a PATH could be read, 1 when nothing could be done.
    """
    metadata = dict(read_pair(pair, "--meta") for pair in meta)
    chosen = read_models(enrich, "--enrich")
    named = between_commas(labels)
    if field is not None and not named:
        raise click.UsageError(_("--as says where --labels are found: give some."))
    if watch and (dry_run or "-" in paths):
        raise click.UsageError(f"--watch follows folders; leave out {'--dry-run' if dry_run else '`-`'}.")
    if engine_uri and not engine:
        raise click.UsageError(_("--engine-uri says where an engine is: give --engine, too."))
    with Library(library, models=handed_in(), wait_s=wait, tell=tell, shared=shared, **models) as opened:
        if engine and not dry_run:
            opened.move(engine, engine_uri)
        if "-" in paths:
            if len(paths) > 1:
                raise click.UsageError(_("`-` stands alone: index other paths in a run of their own."))
            ids = opened.add_file(sys.stdin.buffer, name or "stdin.txt", metadata)
            if as_json:
                print_json({"ids": ids})
            else:
                said = _("Added {documents} from standard input: {ids}")
                say(said.format(documents=count(len(ids), "document"), ids=", ".join(ids)))
            return
        if models["text_model"] and not dry_run:
            opened.catalog(create=True)
            opened.searcher.encoder(prepare=True)  # refused here, even where there is nothing to embed
        if models["image_model"] and not dry_run:
            opened.catalog(create=True)
            opened.searcher.encoder("image", prepare=True)
        with closing(progress_display()) as progress:
            report = opened.index(
                *paths,
                text_fields=text_fields,
                title_field=title_field,
                id_field=id_field,
                metadata=metadata,
                prune=prune,
                verify=verify,
                dry_run=dry_run,
                cross_lingual=cross_lingual,
                ocr=ocr,
                transcribe=transcribe,
                enrich=chosen,
                translate_to=translate_to,
                labels=named,
                label_field="label" if field is None else field,
                on=on,
                progress=progress,
            )
        _print(report, opened, as_json, one_line=watch)
        if watch:
            _watch(opened, as_json)
        if not report.complete:
            sys.exit(INCOMPLETE)


def _watch(opened: Library, as_json: bool) -> None:
    """Follow the library's roots until a signal, and tell of each run that did or found something."""

    def done(report: Report) -> None:
        if report.added or report.changed or report.moved or report.dropped or not report.complete:
            _print(report, opened, as_json, one_line=True)

    tell(f"Watching {count(len(opened.root_paths()), 'folder')} (Ctrl-C stops)")
    opened.watch(threading.Event(), done, tell=tell)


def _print(report: Report, opened: Library, as_json: bool, *, one_line: bool) -> None:
    if not as_json:
        print_report(report, opened)
    elif one_line:
        click.echo(json.dumps(report_body(report), ensure_ascii=False))
    else:
        print_json(report_body(report))


@click.command("forget")
@click.argument("root", metavar="ROOT", type=click.Path())
@library_option
@wait_option
@json_option
def forget_command(root: str, library: str | None, wait: float, as_json: bool) -> None:
    """Stop syncing ROOT and drop its documents. The files themselves are not touched."""
    with Library(library, models=handed_in(), wait_s=wait) as opened:
        removed = opened.forget(root)
    if as_json:
        print_json({"root": uri_of(root), "dropped": removed})
    else:
        say(_("Forgot {root}: {documents} dropped.").format(root=root, documents=count(removed, "document")))


@click.command("reembed")
@model_options(
    text_model="Texts: name or folder of a sentence-transformers model.",
    image_model="Pictures: name of an open_clip model, or its folder.",
)
@click.option(
    "--space", metavar="NAME", help="Vectors that stand beside the library's own, by the name of their space."
)
@click.option(
    "--script", "scripts", multiple=True, metavar="SCRIPT", help="With a new --space: only texts in it. Repeatable."
)
@click.option(
    "--language", "languages", multiple=True, metavar="CODE", help="With a new --space: only texts in it. Repeatable."
)
@click.option("--undo", is_flag=True, help="Go back to the vectors that were searched before, of --space or of all.")
@library_option
@wait_option
@json_option
def reembed_command(
    models: ModelOptions,
    space: str | None,
    scripts: tuple[str, ...],
    languages: tuple[str, ...],
    undo: bool,
    library: str | None,
    wait: float,
    as_json: bool,
) -> None:
    """Embed the stored text or the pictures anew by another model, or both.

    Searches use the old vectors until all new ones are there. A picture whose file is gone or has changed is read from
    its thumbnail. The old vectors are kept until `quarry compact`; until then --undo goes back to them.

    Exit code: 0 when everything has a vector, 3 when something has none (it is listed), 1 when nothing was changed.
    """
    text_model, image_model = models["text_model"], models["image_model"]
    if not undo and not text_model and not image_model:
        raise click.UsageError("Name the model to embed by: --text-model, --image-model, or both.")
    with (
        Library(library, models=handed_in(), wait_s=wait, tell=tell) as opened,
        closing(progress_display("passages")) as progress,
    ):
        takes = {name: list(given) for name, given in (("scripts", scripts), ("languages", languages)) if given}
        report = opened.reembed(text_model, image_model, space=space, takes=takes or None, undo=undo, progress=progress)
    if as_json:
        print_json(
            {
                "text_model": text_model,
                "image_model": image_model,
                "passages": report.passages,
                "embedded": report.embedded,
                "failed": report.failed,
                "from_thumbnails": report.from_thumbnails,
                "seconds": round(report.seconds, 3),
            }
        )
    elif undo:
        say(f"The vectors that were searched before are searched again: {report.embedded:,} were to be made for them.")
    else:
        _print_reembedded(report, text_model, image_model)
    if report.failed:
        sys.exit(INCOMPLETE)


def _print_reembedded(report: Report, text_model: str | None, image_model: str | None) -> None:
    what = count(report.passages, "passage" if text_model else "picture")
    if text_model and image_model:
        what = f"{report.passages:,} passages and pictures"
    by = " and ".join(filter(None, (text_model, image_model)))
    say(f"The library's {what} are embedded by {by}: {report.embedded:,} now, in {report.seconds:,.1f} s.")
    if report.from_thumbnails:
        pictures = count(len(report.from_thumbnails), "picture")
        click.echo(f"Read from their thumbnails, since their files are gone or have changed: {pictures}.", err=True)
        for uri in report.from_thumbnails[:LISTED]:
            say(f"  {uri}", err=True)
    print_failed(report, "document")
