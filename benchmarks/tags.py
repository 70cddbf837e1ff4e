"""Tags of pictures: how many are words of their captions, by how sure they are, and what they cost."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks import machine
from benchmarks.corpus import data_folder
from benchmarks.labels import pixels_of, spread
from quarry.search.language.analysis import query_terms
from quarry.search.models.image import tags
from quarry.search.models.image.embedded import CLASSES, model_folder
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL

# What captions call things that are of a kind.
ALSO = {
    "ball": "football soccer basketball tennis volleyball",
    "dog": "puppy",
    "cat": "kitten",
    "bicycle": "bike biker",
    "boat": "canoe kayak ship",
    "car": "vehicle",
    "truck": "vehicle",
}
PHOTOS = 1_000
TIMED = 60


def spoken() -> dict[str, set[str]]:
    """Return the words of each tag and of its synonyms."""
    lines = (model_folder() / CLASSES).read_text(encoding="utf-8").splitlines()
    found = {name: set(query_terms(line)) for name, line in zip(tags.names(), lines, strict=True)}
    for kind in tags.KINDS:
        found.setdefault(kind, set()).update(query_terms(f"{kind} {ALSO.get(kind, '')}"))
    return found


def main() -> None:
    """Print precision by threshold, and the time that tags take."""
    print(machine.description(), file=sys.stderr)
    encoder = NamedModels().image(DEFAULT_IMAGE_MODEL, prepare=True)
    words = spoken()
    rows = []
    for split in ("train", "test"):
        photos = [json.loads(line) for line in (data_folder() / "flickr8k" / "captions.jsonl").open("rb")]
        photos = spread([photo for photo in photos if photo["split"] == split], PHOTOS)
        shares = [encoder.class_shares([pixels_of(photo["image"])])[0] for photo in photos]
        said = [{term for caption in photo["captions"] for term in query_terms(caption)} for photo in photos]
        for least in (0.5, 0.6, 0.7, 0.8):
            tags.SURE = least
            given = [tags.tags(row) for row in shares]
            right = [bool(words[tag] & own) for found, own in zip(given, said, strict=True) for tag in found]
            has = np.mean([bool(found) for found in given])
            rows.append((split, least, len(right), f"{np.mean(right):.1%}", f"{has:.0%}"))
    print(machine.table(("photos", "from", "tags", "in the captions", "photos with a tag"), rows))
    pixels = [pixels_of(photo["image"]) for photo in photos[:TIMED]]
    encoder.encode_pictures(pixels)  # which takes what is kept of those that were looked at above
    took = {"embedding": 0.0, "tags and embedding": 0.0}
    for _ in range(3):
        started = time.process_time()
        encoder.encode_pictures(pixels)
        took["embedding"] += time.process_time() - started
        started = time.process_time()
        for row in encoder.class_shares(pixels):
            tags.tags(row)
        encoder.encode_pictures(pixels)
        took["tags and embedding"] += time.process_time() - started
    plain, both = took.values()
    print(f"\n{TIMED} pictures, three times: embedding {plain:.2f} s, with tags {both:.2f} s: {both / plain - 1:+.1%}")


if __name__ == "__main__":
    main()
