"""The most memory that a server and its parsers take when much arrives at once, by what arrives.

Run: python -m benchmarks.uploads [NAME...]
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

from tests.processes import Served, served

AT_ONCE = 12
SIDE = 6300  # pixels: 39.7 million


def _picture(format: str, mode: str = "RGB", **options: object) -> bytes:
    data = io.BytesIO()
    if mode == "I;16":
        Image.fromarray(np.zeros((SIDE, SIDE), np.uint16)).save(data, format, **options)
    else:
        Image.new(mode, (SIDE, SIDE)).save(data, format, **options)
    return data.getvalue()


def _declared_webp() -> bytes:
    """Return 34 bytes that say they are a lossless WebP of 16,383 x 2,400 pixels."""
    bits = (16383 - 1) | (2400 - 1) << 14
    chunk = b"VP8L" + (14).to_bytes(4, "little") + b"\x2f" + bits.to_bytes(4, "little") + bytes(9)
    return b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk


CONTENTS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "webp": ("a.webp", lambda: _picture("WEBP", lossless=True, quality=0, method=0)),
    "webp-34-bytes": ("a.webp", _declared_webp),
    "png-rgba": ("a.png", lambda: _picture("PNG", "RGBA", compress_level=1)),
    "png-16": ("a.png", lambda: _picture("PNG", "I;16", compress_level=1)),
    "tiff": ("a.tif", lambda: _picture("TIFF", "RGBA", compression="tiff_lzw")),
    "jpeg-progressive": ("a.jpg", lambda: _picture("JPEG", progressive=True)),
    "avif": ("a.avif", lambda: _picture("AVIF", speed=10)),
    "text": ("a.txt", lambda: b"Stars form in clouds. " * 1_300_000),
    "json": ("a.json", lambda: b"[" + b"[]," * 9_000_000 + b"[]]"),
    "html": ("a.html", lambda: b"<p>" * 9_000_000),
    "rows": ("a.csv", lambda: b"text\n" + b"a\n" * 14_000_000),
    "body": ("", lambda: b'{"documents": [' + b"[]," * 10_000_000 + b"[]]}"),
}


def peak(running: Served, send: Callable[[int], int]) -> tuple[float, float, int, Counter[int]]:
    """Return the most resident MB of all and of the parsers, how many there were, and the answers' statuses."""
    server = psutil.Process(running.process.pid)
    most = parsers = 0.0
    count = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sent = [pool.submit(send, number) for number in range(AT_ONCE)]
        while not all(one.done() for one in sent):
            children = server.children(recursive=True)
            sizes = []
            for child in children:
                try:
                    sizes.append(child.memory_info().rss)
                except psutil.Error:
                    continue
            parsers, count = max(parsers, sum(sizes) / 1e6), max(count, len(sizes))
            most = max(most, (server.memory_info().rss + sum(sizes)) / 1e6)
            time.sleep(0.02)
        return most, parsers, count, Counter(one.result() for one in sent)


def main(names: list[str]) -> None:
    """Send each kind of content to a new server, twelve times at once."""
    print("| what arrives, 12 at once | bytes of one | all, MB | parsers, MB | parsers at once | answers |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for name in names or CONTENTS:
        called, make = CONTENTS[name]
        content = make()
        with (
            tempfile.TemporaryDirectory(prefix="quarry-bench-") as folder,
            served(Path(folder, "library"), Path(folder, "log")) as running,
        ):
            base = running.client.base_url

            def send(number: int, content: bytes = content, called: str = called, base: httpx.URL = base) -> int:
                path = f"/v1/documents/file?name={number}-{called}" if called else "/v1/documents"
                headers = {} if called else {"Content-Type": "application/json"}
                with httpx.Client(base_url=base, timeout=180, trust_env=False) as client:
                    return client.post(path, content=content, headers=headers).status_code

            most, parsers, count, answers = peak(running, send)
        said = ", ".join(f"{times} x {status}" for status, times in sorted(answers.items()))
        print(f"| {name} | {len(content):,} | {most:,.0f} | {parsers:,.0f} | {count} | {said} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
