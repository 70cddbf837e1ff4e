"""Documents of Word and presentations of PowerPoint from before 2007: what they are is told, and what to do."""

from __future__ import annotations

from collections.abc import Iterator

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import compound
from quarry.search.errors import FileMalformed
from quarry.search.types import Parsed

_KINDS = {
    "WordDocument": ("a Word document", "docx"),
    "PowerPoint Document": ("a PowerPoint presentation", "pptx"),
    "Workbook": ("an Excel workbook", "xls"),
}


def parse(source: Source) -> Iterator[Parsed]:
    """Give no documents.

    Raises:
        FileMalformed: it is not empty.
    """
    source.stream.seek(0)
    if not (head := source.stream.read(8)):
        return iter(())
    if head != compound.MAGIC:
        raise FileMalformed("it is a document of today's format under an old one's name; give it the suffix of its own")
    with compound.opened(source.stream) as file:
        what, suffix = next((told for name, told in _KINDS.items() if name in file), ("no document", ""))
    if not suffix:
        raise FileMalformed("it holds no document; give it the suffix of its own type")
    if suffix == "xls":
        raise FileMalformed(f"it is {what}; give it the suffix .{suffix}")
    raise FileMalformed(
        f"it is {what} from before 2007; save it as .{suffix}, such as with soffice --convert-to {suffix}"
    )
