"""Write docs/cli.md, api.md, formats.md and tasks.md from the code; `tests/house/test_docs.py` holds them equal."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from dataclasses import is_dataclass
from typing import Any

import click

from tests.folders import ROOT

NOTE = "<!-- Written by `make docs` from the code; edits are lost. -->\n"


def cli_reference() -> str:
    """Return the command line's reference: each command's help."""
    from quarry.api.cli import COMMANDS, cli

    parts = [NOTE, "# Command line\n", _help(cli, "quarry")]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        parts += [f"## quarry {name}\n", _help(command, f"quarry {name}")]
    return "\n".join(parts)


def _help(command: click.Command, name: str) -> str:
    # The names of the help option as the group gives them to its commands; click keeps those of the first call.
    names: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
    with click.Context(command, info_name=name, max_content_width=100, terminal_width=100, **names) as context:
        return f"```text\n{command.get_help(context)}\n```\n"


def api_reference() -> str:
    """Return the HTTP and Python reference: every route with its bodies, every public method of `Library`."""
    from quarry.api import Library, Text, restore
    from quarry.api.federation.federation import Federation
    from quarry.api.federation.places import federated
    from quarry.api.server.app import create_app
    from quarry.search.config import ModelNames
    from quarry.search.queries.query import Query

    openapi = create_app(Library("unused")).openapi()
    parts = [NOTE, "# API\n", "## HTTP\n"]
    parts.append("`quarry serve` answers on 127.0.0.1; `/openapi.json` is the machine-readable form of this page.\n")
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            parts += _operation(method, path, operation)
    parts.append("### Bodies\n")
    for name, schema in openapi["components"]["schemas"].items():
        if not name.startswith(("HTTPValidation", "ValidationError")):
            parts += _schema(name, schema)
    parts.append("## Python\n")
    parts.append(f"```python\n{_CALL}```\n")
    for kind in (Library, Query, ModelNames, Text, Federation):
        parts.append(f"### {kind.__name__}\n")
        if is_dataclass(kind):
            parts.append(f"```python\n{_signature(kind.__name__, kind)}\n```\n")
        parts.append(_docstring(kind))
        members: dict[str, Any] = {}
        for base in kind.__mro__:
            members |= {name: member for name, member in vars(base).items() if name not in members}
        for name, member in members.items():
            if not name.startswith("_") and callable(member):
                parts += [f"#### {kind.__name__}.{name}\n", f"```python\n{_signature(name, member)}\n```\n"]
                parts.append(_docstring(member))
    for function in (federated, restore):
        name = function.__name__
        parts += [f"### {name}\n", f"```python\n{_signature(name, function)}\n```\n", _docstring(function)]
    return "\n".join([*parts, *_client()])


def _client() -> list[str]:
    from quarry.client import AsyncClient, Client

    parts = ["## Client\n", f"```python\n{_CLIENT_CALL}```\n"]
    for kind in (Client, AsyncClient):
        parts += [f"### {kind.__name__}\n", f"```python\n{_signature(kind.__name__, kind)}\n```\n", _docstring(kind)]
    parts.append("Both have these members, whose results are the bodies above:\n")
    for name, member in vars(Client).items():
        if not name.startswith("_") and callable(member):
            told = getattr(member, "__wrapped__", member)
            signature = re.sub(r"Call\[(\w+)\]", r"\1", _signature(name, told))
            parts.append(f"- `{signature}`: {_docstring(told).partition(chr(10))[0]}")
    return [*parts, ""]


_CLIENT_CALL = """from quarry.client import Client

with Client("http://127.0.0.1:7700") as client:
    for hit in client.search("how do stars form", limit=3).hits:
        print(hit.document.title, hit.relevance, hit.text)
    for job in client.watch(client.sync().id):
        print(job.state, job.progress.done_files, "of", job.progress.files)
"""

_CALL = """from quarry import Library

with Library("my-library") as library:
    library.index("notes/")
    for hit in library.search("how do stars form").hits:
        print(hit.document.title, hit.score, hit.text)
"""


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"### {method.upper()} {path}\n", operation.get("description", operation.get("summary", "")) + "\n"]
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        default = f", default {json.dumps(schema['default'])}" if "default" in schema else ""
        parts.append(
            f"- `{parameter['name']}` ({parameter['in']}, {_type(schema)}{default}) {parameter.get('description', '')}"
        )
    body = operation.get("requestBody", {}).get("content", {})
    for media, content in body.items():
        parts.append(f"- body: `{media}` {_type(content['schema'])}")
    for status, response in operation["responses"].items():
        contents: list[Any] = list(response.get("content", {}).values())
        content = contents[0].get("schema", {}) if contents else {}
        parts.append(f"- {status}: {_type(content)} {response['description'] if status >= '4' else ''}".rstrip())
    return [*parts, ""]


def _schema(name: str, schema: dict[str, Any]) -> list[str]:
    parts = [f"#### {name}\n", schema.get("description", "") + "\n"]
    required = schema.get("required", ())
    for field, what in schema.get("properties", {}).items():
        default = "" if field in required else f", default `{json.dumps(what.get('default'))}`"
        parts.append(f"- `{field}` ({_type(what)}{default}) {what.get('description', '')}".rstrip())
    for example in schema.get("examples", ()):
        parts.append(f"\n```json\n{json.dumps(example, indent=2)}\n```")
    return [*parts, ""]


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    if schema.get("type") == "array":
        inner = schema.get("items") or {}
        return f"list of {_type(inner)}" if inner else "list"
    return str(schema.get("type", "anything"))


def _signature(name: str, member: Any) -> str:
    given = enumerate(inspect.signature(member).parameters.values())
    parameters = [p for place, p in given if place or p.name not in ("self", "library")]
    returns = inspect.signature(member).return_annotation
    arrow = "" if returns is inspect.Signature.empty else f" -> {returns}"
    text = str(inspect.Signature(parameters))
    return f"{name}{text}{arrow}"


def _docstring(thing: Any) -> str:
    return inspect.cleandoc(thing.__doc__ or "") + "\n"


def formats_reference() -> str:
    """Return which files are read and what becomes of them: each loader's own words, and the rows that name it."""
    from quarry.indexer.formats import ROWS
    from quarry.indexer.loaders.base import GIBIBYTE, MEBIBYTE, LoadOptions

    rows: dict[str, dict[str, list[str]]] = {}
    for row in ROWS:
        rows.setdefault(row.loader, {}).setdefault(row.type, []).extend(row.suffixes)
    sizes = LoadOptions()
    limits = sizes.max_bytes // MEBIBYTE, sizes.max_streamed // GIBIBYTE
    parts = [NOTE, "# Formats\n", _FORMATS.format(*limits)]
    for loader, types in rows.items():
        module = ROOT / ("indexer/loaders" if "." not in loader else "") / f"{loader.replace('.', '/')}.py"
        words = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
        parts += [f"## {re.split('[./]', loader)[-1]}\n", f"{words}\n", "| media type | suffixes |", "| --- | --- |"]
        parts += [f"| `{type}` | {' '.join(f'`.{suffix}`' for suffix in names)} |" for type, names in types.items()]
        parts.append("")
    return "\n".join([*parts, _told()])


def _told() -> str:
    """Return what is read of what files say of themselves: of each format's sample, the fields that it gave."""
    from tests.told_samples import FIELDS, samples

    head = " | ".join(f"`{name}`" for name in FIELDS)
    rows = [f"| `{name}` | {' | '.join('×' if told.get(field) else '' for field in FIELDS)} |"
            for name, (_, told) in samples().items()]  # fmt: skip
    return "\n".join([_TOLD, f"| | {head} |", f"| --- |{' :-: |' * len(FIELDS)}", *rows, ""])


def tasks_reference() -> str:
    """Return which tasks there are, and how each is asked for: a table of the rows that stand beside their code."""
    from quarry.indexer.enrichments.tasks.table import EMBEDDED, TASKS
    from quarry.search.tasks import table as on_hits

    found = [*(one.task for one in TASKS.values()), *EMBEDDED, *on_hits.TASKS]
    rows = sorted(found, key=lambda one: (one.name, one.default))
    table = ["| task | command | model by default | by option | where its result is seen |", "| --- " * 5 + "|"]
    for row in rows:
        default = row.default or "none: one is named"
        table.append(f"| {row.name} | `{row.command}` | {default} | {row.option} | {row.seen} |")
    return "\n".join([NOTE, "# Tasks\n", _TASKS_BEFORE, *table, "", _TASKS_AFTER])


_TASKS_BEFORE = """What models find out about documents beside embedding them, by the names that the Hugging Face hub
has for it. A model is any of transformers for that task: its name on the hub, or the folder that it was saved in; its
weights are safetensors, and no code of it is run (`pip install 'quarry-search[models]'`). A model of another task is
refused by name.
"""
_TASKS_AFTER = """## At indexing

```console
$ quarry enrich sentiment=text-classification:MODEL       # every document, now and from now on
$ quarry index ~/notes --enrich token-classification=MODEL
$ quarry search tides --filter sentiment=positive --facet person
$ quarry search tides --filter 'confidence.sentiment.positive>=0.8'
$ quarry enrich object-detection=MODEL image-to-text=MODEL
$ quarry images "a dog" --filter 'confidence.objects.dog>=0.9' --sheet dogs.png
$ quarry enrich topic=zero-shot-classification:MODEL --labels 'invoice,letter,"recipes, menus"'
$ quarry enrich german=translation:MODEL --translate-to de
$ quarry enrich audio-classification=MODEL video-classification=MODEL heard=automatic-speech-recognition:MODEL
$ quarry enrich                                           # go on with what is missing, try again what failed
$ quarry enrich --redo sentiment
$ quarry enrich --remove sentiment                        # what it said goes, and nothing else
$ quarry status                                           # which models, and how much of the library each has seen
```

- *The library remembers it.* Documents to come get it with the run that reads them; a changed one is looked at again,
  and one whose content is there already is not. Over HTTP it goes on as a job (`POST /v1/enrichments`); a client names
  no model.
- *It is a model's word*, and marked so: beside the field stands how sure the model is of each value
  (`confidence.FIELD.VALUE`, 0 to 1), and `said_by` names who said something of a document. What a document says of
  itself in a field of that name wins.
- *Documents are written without it*, and looked at a few to a commit when all are. Breaking off loses nothing: the next
  run goes on from there. What was found before, by another model or other labels, stays until the new one has looked.
  A model that is away costs its task alone, which is told; so is a document that it fails over.
- *The model is the one that was chosen.* Where another stands in its place, it is refused until it is chosen again.
- *A text that is longer than the model takes* is looked at in windows that overlap, up to a million characters. The
  probabilities of its labels are their mean, by how much of the text each window has to itself; names are taken from
  the window in which they stand further from the edge.
- *What is said* in recordings and films is heard a minute at a time, four minutes of each to a commit, when all files
  are read and can be searched. A minute of speech or song takes tiny.en up to ten seconds, one in which nobody has a
  voice half a second: hours for a thousand songs, which `--transcribe off` spares, now and later. What was heard stays
  where Whisper is not installed any more. Silence, noise and music say nothing. tiny.en hears English alone: where it
  makes nothing of what is said, `spoken_language` is `unknown`, and `quarry status` says that another Whisper is
  needed.
- *Labels that one gives* (`--labels`) are for the zero-shot tasks, up to 1,000; other ones, or another `--template`
  (`This text is about {}.`, `a photo of a {}`), have everything looked at again. A text has each label that it rather
  entails than contradicts, or none, by up to eight windows of it; a picture has the one that fits best, and its
  confidence says how well.
- *A picture* is given as it is, at most 768 pixels long, read again from its file in the confined child, or as its
  thumbnail where that is gone.
- *Objects* and *parts* of pictures are passages of a word, found like all others: "a dog" opens the picture at the
  box of the dog. The same object is told once (boxes that share six tenths of what they cover), and none that takes
  less than a 2,000th of the picture. Parts have an outline of up to 24 points, for each piece that is at least a 500th
  of the picture, and `share.segments.LABEL` is how much of it they take.
- *A caption* ends where it begins to repeat itself; its confidence is the mean probability of its tokens.
- *A translation* is passages of some sentences, each found by its own words and shown with what it translates
  (`original`, `place.characters`). A sentence is translated by itself, as such models are trained; one that is longer
  than the model takes is cut at words. `--translate-to` names the language as ISO 639-1 or the model itself does (`ko`,
  `kor_Hang`); a model of many languages needs it, one of a pair does not. What is in that language already is left
  alone. Its confidence is the mean probability of its tokens.
- *Sound* is given to a model in windows, 16,000 samples a second, four minutes of a recording to a commit: of ten
  seconds for labels, where what goes on under one label is one passage with its seconds, of fifteen for speech. Silence
  is passed by. Any Whisper is `--transcribe MODEL`, which tells the second of every word; models of letters (CTC) are
  `heard=automatic-speech-recognition:MODEL`, beside it.
- *A film* is given as so many frames as its model takes, at equal distances from beginning to end, and has a label as a
  whole: what takes a moment of a long film is not seen.
- *A field that two models find* has the values of both, where these are lists (`objects`, `person`).
- *Labels of your own* need no model: `quarry label --labels sport,politics --as subject`, `--label "politics: parties
  and elections"`. Words for them are compared with the vectors that are there: nothing is read or embedded again. A
  document may have several, or none (`subject=null`); `confidence.subject.sport` is how likely each is. `--remove
  subject` takes them away, and other labels in a field take the place of those that were there. A label in a writing
  that no model of the library knows is told of.
- *Labels* are called as the model calls them. One that does not say what its labels mean (`LABEL_0`) is told of. Names
  are `person`, `organization`, `location`, `miscellaneous`, or in small letters what the model calls them; what a
  document has anyway is another field (`named_language`).

## On the hits

```console
$ quarry check "the ferry runs on Sundays" --checker MODEL
$ quarry ask "what colour is the boat?" --picture ID --picture-reader MODEL
$ quarry ask "what is the total?" --document 'invoice.pdf#page=2' --page-reader MODEL
$ quarry ask "which city has the cheapest chair?" --document shops.csv --table-reader MODEL
$ quarry search "바다" --translate-to en --translator MODEL
```

- *The model is named by who asks or runs the server*: by an option, `Library(checker=MODEL)`, or the environment
  (`QUARRY_CHECKER`, `QUARRY_PICTURE_READER`, `QUARRY_PAGE_READER`, `QUARRY_TABLE_READER`, `QUARRY_TRANSLATOR`).
  Nothing of what it says is stored.
- *A claim* is held against the nearest passages, each by itself: it `supports` the claim, `contradicts` it, or does
  `neither`, with a probability for each. What several passages say only together is not seen, and a passage on another
  thing of that name may seem to contradict. A passage longer than the model takes is read in windows that overlap; the
  one counts that says most.
- *A picture* is given at most 768 pixels long, read again from its file in the confined child, or as its thumbnail
  where that is gone. A model that chooses among answers gives its five likeliest, one that writes gives one; its
  confidence is the product of those of its words.
- *A page* of a PDF, or a picture of one, is drawn in the confined child; without a number the first 20 are looked at.
  A model of words and boxes needs OCR, which reads them there, and answers with the box of its words; one that writes
  (Donut) names the page alone. A page without words has no answer.
- *A table* (CSV, a sheet of a workbook, by its path or any of its rows) is written to the model as TAPEX has it. Of one
  that is longer than the model takes it is shown the rows that share most words with the question, and how many is
  told. An answer names the cells that say just that; a sum or a count is in none. TAPAS, which needs pandas, is not
  taken.
- *A query* that is translated is looked for by its translation alone; a note tells both.
"""


_TOLD = """## What files say of themselves

Under these names, in whatever format, so that one filter means all: `date` is when it was made, written, sent or taken,
`edited` when it was last saved by whoever wrote it (`modified` is the time of the file), `lang` what it calls its own
language (`language` is what it is written in). What has `latitude` and `longitude` gets a town ([filters](filters.md)).
Samples that say all that their format can:
"""
_FORMATS = """What a file is read as: its suffix says so, after a look at how it begins. A file is read whole up
to {} MiB, one that is read piece by piece (texts, code, rows, mailboxes, archives) up to {} GiB. A text of more than 16
million characters is several documents, its parts. What can't be read is reported with the reason and what to do;
`quarry status` lists it. Other packages may bring formats ([extending](extending.md)).
"""

PAGES = {
    "cli.md": cli_reference,
    "api.md": api_reference,
    "formats.md": formats_reference,
    "tasks.md": tasks_reference,
}


if __name__ == "__main__" and "--write" in sys.argv:
    for page, write in PAGES.items():
        (ROOT / "docs" / page).write_text(write(), "utf-8")
