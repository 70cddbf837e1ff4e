"""What an OpenDocument file tells of itself (ODF 1.3, part 3, 4.3), and whether it is encrypted."""

from __future__ import annotations

from typing import Any

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.office.compound import ENCRYPTED
from quarry.indexer.loaders.office.elements import named, said, tree
from quarry.indexer.loaders.titles import people, title_of
from quarry.search.errors import FileMalformed

_MANIFEST = "META-INF/manifest.xml"


def check(members: Zipped) -> None:
    """Raise FileMalformed where a document is encrypted."""
    if b"encryption-data" in members.read(_MANIFEST):
        raise FileMalformed(ENCRYPTED)


def properties(members: Zipped) -> tuple[str, dict[str, Any]]:
    """Return the title and what else is known of a document."""
    if "meta.xml" not in members:
        return "", {}
    root = tree(members.read("meta.xml"))

    def first(*names: str) -> str:
        return next((text for name in names for each in named(root, name) if (text := said(each).strip())), "")

    found: dict[str, Any] = {
        "author": people(first("initial-creator", "creator")),
        "date": moment(first("creation-date", "date").partition(".")[0]),
        "edited": moment(first("date").partition(".")[0]),
        "subject": first("subject"),
        "description": first("description"),
        "keywords": [text for each in named(root, "keyword") if (text := said(each).strip())],
        "lang": first("language"),
    }
    return title_of(first("title")), {name: value for name, value in found.items() if value}
