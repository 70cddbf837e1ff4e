"""Documents with pictures in them, made for tests."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from tests import office_files as made

Shown = tuple[bytes, tuple[float, float, float, float]]  # a JPEG, and left, bottom, width and height on its page


def picture(seed: int = 0, size: tuple[int, int] = (160, 120), form: str = "PNG") -> bytes:
    """Return a picture of coloured blocks, another one for each seed."""
    blocks = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST).save(stream, form)
    return stream.getvalue()


def pdf(pages: Sequence[tuple[Sequence[Shown], str]]) -> bytes:
    """Return a PDF of pages with pictures and lines of text, which stand below 300."""
    document = pdfium.PdfDocument.new()
    font = raw.FPDFText_LoadStandardFont(document, b"Helvetica")
    for shown, text in pages:
        page = document.new_page(600, 800)
        for jpeg, (left, bottom, width, height) in shown:
            image = pdfium.PdfImage.new(document)
            image.load_jpeg(io.BytesIO(jpeg), inline=True)
            image.set_matrix(pdfium.PdfMatrix().scale(width, height).translate(left, bottom))
            page.insert_obj(image)
        for number, line in enumerate(text.split("\n") if text else ()):
            words = raw.FPDFPageObj_CreateTextObj(document, font, 12)
            encoded = (line + "\0").encode("utf-16-le")
            raw.FPDFText_SetText(words, (raw.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded))
            raw.FPDFPageObj_Transform(words, 1, 0, 0, 1, 72, 300 - 14 * number)
            raw.FPDFPage_InsertObject(page, words)
        page.gen_content()
        page.close()
    stream = io.BytesIO()
    document.save(stream)
    document.close()
    return stream.getvalue()


def drawing(id: str, alt: str = "") -> str:
    """Return a picture in a line of a Word document."""
    named = f'xmlns:a="{made.A}" xmlns:r="{made.R}" xmlns:w="{made.W}"'
    return (
        f'<w:p {named}><w:r><w:drawing><inline><docPr id="1" name="x" descr="{alt}"/><a:graphic><pic>'
        f'<blipFill><a:blip r:embed="{id}"/></blipFill></pic></a:graphic></inline></w:drawing></w:r></w:p>'
    )


def docx(body: str, pictures: dict[str, bytes]) -> bytes:
    """Return a Word document; its pictures have the ids that their names begin with."""
    targets = {f"image#{name.partition('.')[0]}": f"media/{name}" for name in pictures}
    return made.docx(body, {f"word/media/{name}": data for name, data in pictures.items()}, targets)
