"""Packages of Office Open XML: their parts, what these refer to, and what is known of the document (ECMA-376-2)."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from quarry.indexer.loaders.archives.zipped import Zipped
from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.moments import moment
from quarry.indexer.loaders.office import compound
from quarry.indexer.loaders.office.elements import Element, attribute, child, tree
from quarry.indexer.loaders.office.flow import Flow
from quarry.indexer.loaders.pictures.figures import LARGEST, NO_WORDS, Figures, name_of
from quarry.indexer.loaders.titles import keywords, people, person, title_of
from quarry.search.errors import FileMalformed

_KINDS = {
    "document": "a Word document (.docx)",
    "workbook": "an Excel workbook (.xlsx)",
    "presentation": "a PowerPoint presentation (.pptx)",
}
_GENERATED = re.compile(r"generated (?:by|using) python-", re.I)
_WORDS = {"subject": "subject", "description": "description", "category": "category"}


@dataclass(frozen=True, slots=True)
class Relation:
    """What a part refers to: the last word of the relation's type, and the name of the other part."""

    kind: str
    target: str


class Package:
    """An open package.

    Args:
        root: the name of the main part's element.

    Raises:
        FileMalformed: it is encrypted or damaged, or something else.
    """

    def __init__(self, source: Source, root: str) -> None:
        source.stream.seek(0)
        if source.stream.read(8) == compound.MAGIC:
            with compound.opened(source.stream):
                raise FileMalformed("it is an old office document under a new one's name; save it in today's format")
        self.members, self.main = Zipped(source.stream), ""
        relations = self.relations("")
        self.main = next((one.target for one in relations.values() if one.kind == "officeDocument"), "")
        if self.main not in self.members:
            raise FileMalformed("it is a ZIP archive without a document in it; give it the suffix of its own type")
        self.root = tree(self.members.read(self.main))
        if self.root.tag != root:
            what = _KINDS.get(str(self.root.tag), "something else")
            raise FileMalformed(f"it is {what}, not what its name says; give it the suffix of its own type")

    def part(self, name: str) -> Element | None:
        """Return a part, None where there is none, or it is damaged beside a document that is not."""
        if name not in self.members:
            return None
        try:
            return tree(self.members.read(name))
        except FileMalformed:
            if name == self.main:
                raise
            return None

    def relations(self, name: str) -> dict[str, Relation]:
        """Return what a part refers to within the package, by id; "" is the package itself."""
        folder, file = posixpath.split(name)
        root = self.part(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, Relation] = {}
        for each in root if root is not None else ():
            if each.tag == "Relationship" and each.get("TargetMode") != "External":
                target = unquote(each.get("Target", ""))
                path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
                found[each.get("Id", "")] = Relation(each.get("Type", "").rpartition("/")[2], path.lstrip("/"))
        return found

    def related(self, name: str, *kinds: str) -> Iterator[Element]:
        """Yield the parts of some kinds that a part refers to, each once."""
        targets = {one.target: None for one in self.relations(name).values() if one.kind in kinds}
        yield from (part for target in targets if (part := self.part(target)) is not None)

    def properties(self) -> tuple[str, dict[str, Any]]:
        """Return the title, and what else is known of the document."""
        core = next(self.related("", "core-properties"), None)
        said = {each.tag: "".join(each.itertext()) for each in core} if core is not None else {}
        if _GENERATED.match(said.get("description", "")):  # with the date and the rest of a template
            return title_of(said.get("title", "")), {}
        found: dict[str, Any] = {name: text for key, name in _WORDS.items() if (text := said.get(key, "").strip())}
        if author := people(said.get("creator", "")):
            found["author"] = author
        if words := keywords(said.get("keywords", "")):
            found["keywords"] = words
        for name, key in (("date", "created"), ("edited", "modified")):
            if date := moment(said.get(key, "")):
                found[name] = date
        if language := said.get("language", "").strip():
            found["lang"] = language
        return title_of(said.get("title", "")), found

    def check_words(self, flow: Flow, figures: Figures) -> None:
        """Raise FileMalformed where a document has no words, but pictures that stand nowhere."""
        if not len(flow) and not len(figures) and any("/media/" in name for name in self.members.names):
            raise FileMalformed(NO_WORDS)

    def picture(self, figures: Figures, target: str, alt: str, flow: Flow) -> None:
        """Add a picture that is a part of the package, where it is one, and stands where `flow` has come to."""
        if target in self.members:
            read = partial(self.members.read, target, LARGEST)
            figures.add(name_of(target), read, alt, place=flow.place, section=flow.section)

    def number(self, name: str) -> int:
        """Return a number that the program wrote about the document, such as its `Pages`; 0 where it wrote none."""
        for part in self.related("", "extended-properties"):
            text = (found.text or "") if (found := child(part, name)) is not None else ""
            return int(text) if text.isdecimal() and len(text) < 9 else 0
        return 0


def shown(element: Element) -> Iterator[Element]:
    """Yield what of alternatives (ECMA-376-3) a program of today shows; of anything else, what it consists of."""
    if element.tag == "AlternateContent":
        choice = child(element, "Choice")
        yield from choice if choice is not None else child(element, "Fallback") or ()
    else:
        yield from element


def author(element: Element) -> str:
    """Return who wrote a comment."""
    return person(attribute(element, "author"))
