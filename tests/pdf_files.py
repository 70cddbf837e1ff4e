"""PDFs written by hand: pages of lines, and what else stands in a file."""

from __future__ import annotations


def pdf(
    pages: list[str],
    extra: str = "",
    info: str = "",
    kids: str = "",
    count: int | None = None,
    added: tuple[str, ...] = (),
) -> bytes:
    """Write a PDF by hand; each page is given as the lines that it shows, `added` are annotations on the first."""
    first = 5 + 2 * len(pages)
    annotations = " ".join(f"{first + place} 0 R" for place in range(len(added)))
    fields = " ".join(f"{first + place} 0 R" for place, one in enumerate(added) if "/Widget" in one)
    bodies = [
        f"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{fields}] >> >>"
        if fields
        else "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids or ' '.join(f'{5 + 2 * n} 0 R' for n in range(len(pages)))}] "
        f"/Count {len(pages) if count is None else count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        f"<< {info} >>",
    ]
    for number, lines in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines.split("\n"))
        stream = f"BT /F1 12 Tf 72 700 Td {shown} ET" if lines else ""
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {6 + 2 * number} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> {f'/Annots [{annotations}]' if number == 0 else ''} >>"
        )
        bodies.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    bodies.extend(f"<< /Type /Annot {one} >>" for one in added)
    data, places = "%PDF-1.7\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    data += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n{table}"
    size = len(places) + 1
    trailer = f"trailer\n<< /Size {size} /Root 1 0 R /Info 4 0 R {extra} >>\nstartxref\n{data.index('xref')}\n%%EOF\n"
    return (data + trailer).encode("latin-1")
