"""Documents of Hangul: HWP 5 and HWPX, each under the name of the other, too.

Paragraphs, headings, rows of tables, footnotes, text boxes, equations, comments, headers and footers. What was deleted
while changes were tracked is left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.office import hwp, hwpx
from quarry.search.types import Parsed


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document.

    Raises:
        FileMalformed: it is locked or damaged, or older than HWP 5.
    """
    source.stream.seek(0)
    return hwpx.parse(source) if source.stream.read(2) == b"PK" else hwp.parse(source)
