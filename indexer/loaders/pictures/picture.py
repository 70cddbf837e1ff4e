"""Pictures: the pixels for a model, a thumbnail, and what was written about them, in the file and beside it."""

from __future__ import annotations

import io
from collections.abc import Iterator

from quarry.indexer.loaders.base import Source
from quarry.indexer.loaders.fields import scalars
from quarry.indexer.loaders.pictures import gathering as picture_words
from quarry.search.errors import FileMalformed
from quarry.search.formats import pixels
from quarry.search.types import Parsed, ParsedPart, Preprocessing

_DEFAULT = Preprocessing(224, 224, "squash")  # where no model asks for another


def parse(source: Source) -> Iterator[Parsed]:
    """Read one document, the first frame of an animation; its text is what is said about it, often "".

    Raises:
        UnsupportedType: it is HEIC, and what reads that is not installed.
        FileMalformed: it is damaged or empty, or has too many pixels.
    """
    data = source.read()
    if not data:
        raise FileMalformed("it is empty; get it anew")
    with pixels.opened(io.BytesIO(data)) as image:
        type = pixels.TYPES[image.format or ""]
        picture = pixels.picture(image, source.options.preprocessing or _DEFAULT, thumbnails=source.options.thumbnails)
        said = picture_words.read(image, source.path)
    metadata = {"width": picture.width, "height": picture.height, **said.metadata}
    yield Parsed(said.text, type, said.title, metadata=scalars(metadata), parts=(ParsedPart("image", picture),))
