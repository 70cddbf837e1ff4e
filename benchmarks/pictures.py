"""Speed and memory of pictures: indexing photos, searching 100,000 of them, photos of 50 megapixels.

Run: python -m benchmarks.pictures

Photos are made of those that ship inside scikit-image and scikit-learn, enlarged, with grain, saved as a camera does.
The reference for indexing is the plain loop: Pillow opens a photo, the model's transform makes a tensor, the same
model in torch encodes it.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image

from benchmarks import corpus, machine
from quarry.api import Library
from quarry.search.stores.rows import documents
from quarry.search.stores.rows.documents import NewDocument
from quarry.search.types import Chunk

PHOTOS = 96
MANY = 100_000
LARGE = (8_700, 5_800)


def samples() -> list[Path]:
    """Return the colour photos inside the installed packages."""
    import skimage
    import sklearn

    found = [
        Path(skimage.__file__).parent / "data" / f"{name}"
        for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")
    ]
    return found + sorted((Path(sklearn.__file__).parent / "datasets" / "images").glob("*.jpg"))


def make_photos(folder: Path, count: int, size: tuple[int, int], quality: int = 90) -> list[Path]:
    """Write `count` different JPEG photos of about `size`."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    sources = [Image.open(path).convert("RGB") for path in samples()]
    grain = random.normal(0, 5, (512, 512, 1))
    paths = []
    for number in range(count):
        source = sources[number % len(sources)]
        left, top = (int(random.integers(0, side // 4)) for side in source.size)
        box = (left, top, source.width - left // 2, source.height - top // 2)
        pixels = np.asarray(source.resize(size, Image.Resampling.BICUBIC, box=box), np.float32)
        tiles = np.tile(grain, (size[1] // 512 + 1, size[0] // 512 + 1, 1))[: size[1], : size[0]]
        path = folder / f"{number:05}.jpg"
        Image.fromarray(np.clip(pixels + tiles, 0, 255).astype(np.uint8)).save(path, quality=quality)
        paths.append(path)
    return paths


def plain_loop(paths: list[Path]) -> float:
    """Return the pictures a second of Pillow and torch, one photo after the other, with the same model."""
    import torch
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from quarry.search.models.image.embedded import CARD, build

    model = build()
    transform = image_transform_v2(
        PreprocessCfg(size=224, mean=CARD.mean, std=CARD.std, interpolation="bicubic", resize_mode="squash"),
        is_train=False,
    )
    with torch.no_grad():
        model.encode_image(transform(Image.open(paths[0]))[None])
        started = time.perf_counter()
        for path in paths:
            model.encode_image(transform(Image.open(path))[None])
        return len(paths) / (time.perf_counter() - started)


def index(paths: list[Path]) -> float:
    """Return the pictures a second from files to a searchable library, thumbnails and all."""
    with tempfile.TemporaryDirectory() as folder, Library(folder) as library:
        writer = library.opened.writer(create=True)
        size = writer.pictures.encoder.preprocessing
        writer.pictures.encoder.encode_pictures([np.zeros((size.height, size.width, 3), np.uint8)])
        started = time.perf_counter()
        report = library.index(paths[0].parent)
        seconds = time.perf_counter() - started
        assert report.added == len(paths), report.failed
        return len(paths) / seconds


def throughput(folder: Path) -> None:
    """Print the table of photos a second, in turns."""
    rows = []
    for name, size in (("12 megapixels", (4_000, 3_000)), ("2 megapixels", (1_632, 1_224)), ("small", (500, 375))):
        paths = make_photos(folder / name, PHOTOS, size)
        for _ in range(2):
            reference, ours = plain_loop(paths), index(paths)
            rows.append((name, f"{reference:.1f}", f"{ours:.1f}", f"{ours / reference:.1f}x"))
    print(machine.table(("JPEG photos", "Pillow and torch, photos/s", "Quarry, photos/s", "ratio"), rows))


def latency(folder: Path) -> None:
    """Print how long text to image takes in process over 100,000 pictures."""
    random = np.random.default_rng(0)
    with Library(folder / "many") as library:
        writer = library.opened.writer(create=True)
        encoder, space = writer.pictures.encoder, writer.pictures.space
        captions = [text for text, _ in zip(corpus.captions(), range(2_000), strict=False)]
        middles = encoder.encode_texts(captions)
        vectors = middles[np.arange(MANY) % len(middles)] + random.normal(0, 0.03, (MANY, encoder.dimension))
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        for start in range(0, MANY, 5_000):
            batch = {f"{number:016}".encode(): vectors[number] for number in range(start, start + 5_000)}
            with library.catalog().transaction() as connection:
                documents.stage_vectors(connection, space.id, batch)
                for number, key in enumerate(batch, start):
                    chunk = Chunk(0, 0, 0, "", medium="image")
                    new = NewDocument(
                        f"file:{number}", "image/jpeg", f"{number}", "", key, [chunk], [key], kind="image"
                    )
                    documents.put(connection, new, "2026-01-01T00:00:00+00:00")
        library.compact()
        questions = [text for text, _ in zip(corpus.captions(), range(3_000), strict=False)][2_000::5]
        for text in questions[:10]:
            library.search(text, kinds=("image",))
        seconds = []
        for text in questions[10:]:
            started = time.perf_counter()
            library.search(text, kinds=("image",), mode="semantic")
            seconds.append(time.perf_counter() - started)
    print(f"\nText to image in process, {MANY:,} pictures, {len(seconds)} captions: {machine.percentiles(seconds)}")


def memory(folder: Path) -> None:
    """Print the most memory that this process and its children take while 50-megapixel photos are indexed."""
    paths = make_photos(folder / "large", 8, LARGE)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            family = [psutil.Process(), *psutil.Process().children(recursive=True)]
            peak = max(peak, sum(_resident(process) for process in family))

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    rate = index(paths)
    done.set()
    watcher.join()
    print(
        f"\n{len(paths)} photos of {LARGE[0] * LARGE[1] / 1e6:.0f} megapixels: {rate:.1f} a second, at most "
        f"{peak / 2**20:,.0f} MiB in all processes ({time.perf_counter() - started:.0f} s)"
    )


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def main(names: list[str]) -> None:
    """Run the parts that are named, or each in a process of its own: memory is only true in a fresh one."""
    parts = {"memory": memory, "throughput": throughput, "latency": latency}
    if not names:
        print(machine.description())
        for name in parts:
            os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-m", "benchmarks.pictures", name])
        return
    with tempfile.TemporaryDirectory(prefix="quarry-photos-") as folder:
        for name in names:
            parts[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
