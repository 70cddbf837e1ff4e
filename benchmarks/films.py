"""Which scenes of films are found, how near to their beginning, and how long that takes.

`python -m benchmarks.films`: films of 40 shots of two to six seconds, each a photo of flickr8k over which the camera
pans and zooms, with noise, by several encoders; the reference is where the shots were put.
"""

from __future__ import annotations

import io
import resource
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from benchmarks.corpus import data_folder
from quarry.indexer.loaders.sandbox.sandbox import Sandbox

SHOTS, FPS, SIZE = 40, 24, (640, 360)
ENCODERS = (
    ("mp4", "libx264", 250),
    ("mkv", "libx265", 250),
    ("webm", "libvpx", 128),
    ("avi", "mpeg4", 12),
    ("mp4", "mpeg4", 600),
)
NEAR_S = 0.15


def main() -> None:
    """Print a row for each encoder."""
    print("| film | key frames | shots | found | near their beginning | too many | times real time |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, Sandbox() as sandbox:
        for suffix, codec, gop in ENCODERS:
            path = Path(folder, f"film.{suffix}")
            starts, seconds = _film(path, suffix, codec, gop)
            began = time.perf_counter()
            found = [
                one.place.seconds[0] for one in sandbox.load(path) if one.parts and one.place and one.place.seconds
            ]
            took = time.perf_counter() - began
            ends = [*starts[1:], seconds]
            within = [
                [at for at in found if start - NEAR_S <= at < end - NEAR_S]
                for start, end in zip(starts, ends, strict=True)
            ]
            hit = sum(bool(own) for own in within)
            near = sum(any(abs(at - start) <= NEAR_S for at in own) for own, start in zip(within, starts, strict=True))
            print(
                f"| {suffix}, {codec} | every {gop} frames at most | {SHOTS} | {hit} | {near} | {len(found) - hit}"
                f" | {seconds / took:.0f} |",
                flush=True,
            )
    print(f"\nThe process had at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024:,} MiB.")


def _film(path: Path, suffix: str, codec: str, gop: int) -> tuple[list[float], float]:
    random = np.random.default_rng(7)
    photos = sorted((data_folder() / "flickr8k" / "images").glob("*.jpg"))
    shown = [photos[at] for at in random.choice(len(photos), SHOTS, replace=False)]
    starts, number = list[float](), 0
    stream = io.BytesIO()
    with av.open(stream, "w", format={"mkv": "matroska"}.get(suffix, suffix)) as container:
        video = container.add_stream(codec, rate=FPS)
        video.width, video.height, video.pix_fmt, video.gop_size = *SIZE, "yuv420p", gop
        if codec.startswith("lib"):
            video.options = {"preset": "superfast"} if codec != "libvpx" else {"deadline": "realtime", "cpu-used": "8"}
        for photo in shown:
            starts.append(number / FPS)
            frames = int(random.integers(2 * FPS, 6 * FPS))
            for picture in _shot(Image.open(photo).convert("RGB"), frames, random):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(video.encode(frame))
                number += 1
        container.mux(video.encode(None))
    path.write_bytes(stream.getvalue())
    return starts, number / FPS


def _shot(photo: Image.Image, frames: int, random: np.random.Generator) -> list[np.ndarray]:
    """Pan over and zoom into a photo, a fifth of it in all."""
    width, height = photo.size
    step = random.uniform(-1, 1, 3)
    shot = []
    for number in range(frames):
        share = number / frames
        side = 0.8 - 0.1 * share * abs(step[2])
        left, top = (0.5 - side / 2) * (1 + step[0] * share), (0.5 - side / 2) * (1 + step[1] * share)
        box = (left * width, top * height, (left + side) * width, (top + side) * height)
        picture = np.asarray(photo.resize(SIZE, Image.Resampling.BILINEAR, box)).astype(np.int16)
        shot.append((picture + random.integers(-6, 7, picture.shape)).clip(0, 255).astype(np.uint8))
    return shot


if __name__ == "__main__":
    main()
