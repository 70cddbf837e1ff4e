"""Rare kinds of pictures: each is read by the one part of Pillow that is for it, and damaged ones are refused."""

from __future__ import annotations

import io
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quarry.indexer.loaders.loading import load
from quarry.search.errors import FileMalformed, LoadError
from quarry.search.formats import rare
from tests.loaders.office_samples import damaged

SHOWN = Image.fromarray(np.random.default_rng(1).integers(0, 255, (3, 4, 3), np.uint8)).resize((128, 96), 0)
NAMES = {"ico": "ICO", "ppm": "PPM", "dds": "DDS", "sgi": "SGI", "pcx": "PCX", "tga": "TGA", "jp2": "JPEG2000"}


def saved(name: str) -> bytes:
    stream = io.BytesIO()
    SHOWN.save(stream, name)
    return stream.getvalue()


def qoi() -> bytes:
    """Return a picture of one colour, by the words of https://qoiformat.org: a pixel, then runs of it."""
    runs = b"\xfd" * 161 + b"\xc0"  # of 62 and of 1
    head = b"qoif" + (128).to_bytes(4, "big") + (78).to_bytes(4, "big") + b"\x03\0"
    return head + b"\xfe\xc8\x10\x10" + runs + b"\0" * 7 + b"\x01"


def psd() -> bytes:
    """Return a picture as Photoshop saves it, its planes as they are."""
    head = b"8BPS\0\x01" + bytes(6) + b"\0\x03" + (96).to_bytes(4, "big") + (128).to_bytes(4, "big") + b"\0\x08\0\x03"
    planes = b"".join(np.asarray(SHOWN)[..., plane].tobytes() for plane in range(3))
    return head + bytes(12) + b"\0\0" + planes


def samples() -> dict[str, bytes]:
    made = {f"a.{suffix}": saved(name) for suffix, name in NAMES.items()}
    return {**made, "a.qoi": qoi(), "a.psd": psd(), "a.pgm": b"P5 128 96 255\n" + SHOWN.convert("L").tobytes()}


def test_each_is_a_picture(tmp_path: Path) -> None:
    for name, data in samples().items():
        path = tmp_path / name
        path.write_bytes(data)
        (parsed,) = load(path)
        assert parsed.picture is not None and parsed.type in rare.TYPES.values(), name
        if name not in ("a.ico", "a.qoi", "a.pgm"):  # of another size, of one colour, without colour
            assert (parsed.picture.width, parsed.picture.height) == SHOWN.size, name
            mean = np.asarray(SHOWN).mean((0, 1))
            assert np.abs(parsed.picture.pixels.mean((0, 1)) - mean).max() < 6, name
    (tmp_path / "a.png").write_bytes(samples()["a.psd"])
    assert next(load(tmp_path / "a.png")).type == "image/vnd.adobe.photoshop"


@pytest.mark.fault("25")
def test_one_of_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 6000 6000 255\n" + bytes(10))
    with pytest.raises(FileMalformed, match="more than 16 megapixels"):
        list(load(path))
    path.write_bytes(b"P5 99999999 99999999 255\n")
    with pytest.raises(FileMalformed, match="megapixels"):
        list(load(path))


@pytest.mark.fault("21")
def test_damaged_ones_are_read_or_refused(tmp_path: Path) -> None:
    every = list(samples().items())
    read = 0
    for turn in range(400):
        name, data = every[turn % len(every)]
        path = tmp_path / name
        path.write_bytes(damaged(data, random.Random(turn)))
        try:
            read += len(list(load(path)))
        except LoadError:
            continue
    assert read > 40


def test_what_reads_them_is_imported_when_the_first_comes() -> None:
    code = "import sys; import quarry.search.formats.pixels; print([m for m in sys.modules if 'PsdImage' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
