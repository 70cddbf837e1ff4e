"""Jupyter notebooks (nbformat 3 and 4): their texts, code and what it printed, in order; its pictures apart."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import decode, one_line
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.pictures.figures import Figures
from quarry.indexer.loaders.texts.markdown import find_headings
from quarry.indexer.loaders.titles import people
from quarry.indexer.loaders.web.images import from_base64
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_MOST_PRINTED = 20_000  # characters of one output; beyond that it is data
_PICTURES = {"png": "png", "jpeg": "jpg", "gif": "gif", "webp": "webp"}
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SAYS_NOTHING = re.compile(
    r"<[^<>\n]*(?: at 0x[0-9a-fA-F]+|Axes|size [0-9x ]+|\.\.\.)[^<>\n]*>|\[<[^<>\n]* at 0x[^<>\n]*>\]"
)


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document."""
    try:
        notebook = json.loads(decode(source.read()))
    except ValueError as error:
        raise FileMalformed(f"it is no notebook, its JSON ends or is wrong ({error}); save it anew") from error
    if not isinstance(notebook, dict):
        raise FileMalformed("it is no notebook, but other JSON; give it the suffix .json")
    flow, figures = Flow(), Figures(source)
    for number, cell in enumerate(_cells(notebook), 1):
        _read(cell, flow)
        for count, (suffix, data) in enumerate(_shown(cell), 1):
            figures.add(f"cell{number}-{count}.{suffix}", partial(from_base64, data), section=flow.section)
    about = notebook.get("metadata")
    about = about if isinstance(about, dict) else {}
    metadata: dict[str, Any] = {}
    for name in ("language_info", "kernelspec"):
        info = about.get(name)
        if isinstance(info, dict) and (language := info.get("name" if name == "language_info" else "language")):
            metadata.setdefault("language", one_line(str(language), 40))
    authors = about.get("authors")
    if isinstance(authors, list):
        metadata["author"] = people(*(str(one.get("name")) for one in authors if isinstance(one, dict)))
    title = about.get("title")
    title = one_line(title) if isinstance(title, str) else ""
    yield from figures.after(flow.parsed(source.format.type, title, metadata))


def _cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    sheets = notebook.get("worksheets")  # of nbformat 3
    for sheet in sheets if isinstance(sheets, list) else [notebook]:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        yield from (cell for cell in cells if isinstance(cell, dict)) if isinstance(cells, list) else ()


def _read(cell: dict[str, Any], flow: Flow) -> None:
    text = _joined(cell.get("source", cell.get("input")))
    match cell.get("cell_type"):
        case "markdown":
            _markdown(text, flow)
        case "heading":
            level = cell.get("level")
            flow.add(text, level=level if isinstance(level, int) and 0 < level < 7 else 1)
        case "code":
            flow.add(text)
            outputs = cell.get("outputs")
            for output in outputs if isinstance(outputs, list) else ():
                if isinstance(output, dict):
                    flow.add(_printed(output))
        case _:
            flow.add(text)


def _markdown(text: str, flow: Flow) -> None:
    at = 0
    for heading in find_headings(text):
        flow.add(text[at : heading.start])
        flow.add(heading.text, level=heading.level)
        end = text.find("\n", heading.start)
        at = len(text) if end < 0 else end + 1
        if not text[heading.start :].lstrip(" ").startswith("#"):  # its underline
            end = text.find("\n", at)
            at = len(text) if end < 0 else end + 1
    flow.add(text[at:])


def _shown(cell: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the pictures that a cell gave out or has attached, as base64, with the suffix of each."""
    outputs, attached = cell.get("outputs"), cell.get("attachments")
    held = [one.get("data", one) for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    held += list(attached.values()) if isinstance(attached, dict) else []
    for forms in held:
        for kind, suffix in _PICTURES.items() if isinstance(forms, dict) else ():
            if data := _joined(forms.get(f"image/{kind}", forms.get(kind))):
                yield suffix, data
                break


def _printed(output: dict[str, Any]) -> str:
    if output.get("output_type") in ("error", "pyerr"):
        return f"{output.get('ename', '')}: {output.get('evalue', '')}"
    data = output.get("data")
    text = _joined(data.get("text/plain") if isinstance(data, dict) else output.get("text"))
    text = _COLOURS.sub("", text)
    return "" if _SAYS_NOTHING.fullmatch(text.strip()) else text[:_MOST_PRINTED]


def _joined(value: Any) -> str:
    """Return a text that is written as one or as its lines."""
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
