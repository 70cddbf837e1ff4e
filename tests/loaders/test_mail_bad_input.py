"""Mail, archives, texts, tables, PDF, pictures, damaged in every way: read or refused by name, each alone."""

import io
import random
import sys
import tempfile
import wave
from pathlib import Path

import pytest
from PIL import Image

from quarry.indexer.formats import ROWS
from quarry.indexer.loaders.sandbox.sandbox import Sandbox
from quarry.search.errors import LoadError
from tests import mail_files as made
from tests.folders import SAMPLE
from tests.loaders.office_samples import damaged
from tests.loaders.office_samples import samples as office_samples

TEXTS = {
    "a.txt": "Tides of the harbour.\r\n\r\nHigh water ﬁ at nine.",
    "a.rst": "Tides\n=====\n\n.. note:: High\n\nLow\n---\n",
    "a.info": "x\n\x1f\nFile: a.info,  Node: Top\n\nTides\n*****\n",
    "a.man": '.TH A 1 "2024"\n.SH NAME\na \\- \\fBtides\\fR \\(lqb\\(rq\n.ie n \\{\\\n.IP "a" 4\n.\\}\n.TS\nl.\na\tb\n'
    '.TE\n.Nm x\n.Op Fl a Ar b\n.de X\n..\n',
    "a.md": "---\ntitle: Tides\ntags: [a, b]\n---\n# High\n\n| a | b |\n| - | - |\n\n```\nx\n```\n",
    "a.html": '<!doctype html><meta charset=utf-8><title>T</title><h1>A</h1><p>b<table><tr><td rowspan=2>c</table>',
    "a.xml": '<?xml version="1.0"?><rss><channel><item><title>A</title><link>B</link></item></channel></rss>',
    "a.csv": 'id;name;level\n1;"Busan ""x""";3,5\n2;Oslo;2\n',
    "a.tsv": "id\tname\n1\tBusan\n2\tOslo\n",
    "a.json": '[{"id": 1, "title": "A", "text": "Tides", "n": {"x": [1.5e3, null, true]}}]',
    "a.jsonl": '{"id": 1, "text": "Tides"}\n{"id": 2, "text": "\\ud83c\\udf0a"}\n',
}  # fmt: skip


def others() -> dict[str, bytes]:
    """Return a small valid file of each format that is no mail, no archive, and of no office program."""
    files = {name: text.encode() for name, text in TEXTS.items()}
    files["a.pdf"] = (SAMPLE / "history" / "silk-road.pdf").read_bytes()
    picture = Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    exif = Image.Exif()
    exif.update({0x010E: "Tides", 0x0112: 6, 0x9003: "2024:05:31 10:20:30"})
    for suffix in ("jpg", "png", "webp", "gif", "bmp", "tiff", "avif"):
        kept = {"exif": exif} if suffix not in ("gif", "bmp") else {}
        stream = io.BytesIO()
        picture.save(stream, {"jpg": "jpeg"}.get(suffix, suffix), **kept)
        files[f"a.{suffix}"] = stream.getvalue()
    stream = io.BytesIO()
    with wave.open(stream, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(1600))
    files["a.wav"] = stream.getvalue()
    return files


def test_each_loader_has_a_sample() -> None:
    names = [*made.samples(), *others(), *office_samples()]
    suffixes = {Path(name).suffix[1:] for name in names}
    assert not {row.loader for row in ROWS} - {row.loader for row in ROWS if suffixes.intersection(row.suffixes)}


@pytest.mark.fault("19")
def test_damaged_files_of_files_cost_themselves_alone(tmp_path: Path) -> None:
    """Run with a count for more: python -m tests.loaders.test_mail_bad_input 2000 [SEED]."""
    assert hurt(90, 1, tmp_path) == []


def hurt(count: int, seed: int, folder: Path) -> list[str]:
    """Read damaged files in the confined child; return what crashed, hung, or was no error of the house."""
    found = []
    every = [*made.samples().items(), *others().items()]
    with Sandbox(timeout=20) as sandbox:
        for number in range(count):
            name, data = every[number % len(every)]
            path = folder / name
            path.write_bytes(damaged(data, random.Random(f"{seed} {number}")))
            try:
                for parsed in sandbox.load(path):
                    parsed.text.encode()
                    parsed.key.encode()
            except LoadError as error:
                if any(word in str(error) for word in ("parser", "took longer")):
                    found.append(f"{number} {name}: {error}")
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        wrong = hurt(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1, Path(scratch))
    print("\n".join(wrong) or "nothing crashed, hung, or failed otherwise than by name")
    sys.exit(1 if wrong else 0)
