"""Fortunes: quotes in one file, each a document of its own, parted by lines that hold nothing but a %."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.decoding import clean, decode
from quarry.search.types import Parsed


def parse(source: Source) -> Iterator[Parsed]:
    """Read a document for each quote; who said it is the title."""
    for number, quote in enumerate(re.split(r"^%\n", decode(source.read()), flags=re.M), start=1):
        text, _, author = clean(quote).rpartition("\n-- ")
        if text:
            yield Parsed(text, source.format.type, author, key=f"quote={number}", metadata={"author": author})
