"""Pictures found in another language: do captions in Korean find what English ones do, and what does English lose?

Run: python -m benchmarks.picture_languages

Captions in Korean of 200 of the test photos of Flickr8k, drawn at random, were written for this by looking at them, one
each, without their English captions: `korean_captions.jsonl`. They are under this project's licence; the photos are not
part of it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import corpus, machine
from quarry.api import Library
from quarry.search.evaluations.captions import CUTS, Captioned, evaluate_captions
from quarry.search.models.contracts import ImageEncoder
from quarry.search.models.image.languages import InEveryLanguage
from quarry.search.models.loading import load_image_encoder, load_text_encoder
from quarry.search.models.names import DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL
from quarry.search.types import Vectors

KOREAN = Path(__file__).with_name("korean_captions.jsonl")
# About nothing that a photo of Flickr8k shows, and in English the same.
ABSENT = {
    "주택 담보 대출 금리": "mortgage rates",
    "백신 부작용": "side effects of vaccines",
    "국어사전": "a dictionary",
    "물가 상승률": "inflation",
    "비밀번호 재설정": "resetting a password",
    "대수학 증명": "a proof in algebra",
    "블랙홀은 어떻게 생기나": "how black holes form",
    "세종대왕이 만든 글자": "the letters that King Sejong made",
    "연말정산 환급 절차": "how to get a tax refund",
    "광합성의 화학 반응": "the chemistry of photosynthesis",
    "데이터베이스 색인 구조": "how an index of a database is built",
    "반도체 수출 통계": "export statistics of semiconductors",
    "지진의 규모와 진도": "magnitude and intensity of earthquakes",
    "저작권법 위반 처벌": "penalties for violating copyright",
    "퇴직금 계산 방법": "how severance pay is calculated",
    "유전자 가위 기술": "gene editing",
    "미분 방정식의 해": "solutions of differential equations",
    "해시 함수의 충돌": "collisions of hash functions",
    "철학에서 말하는 자유 의지": "free will in philosophy",
    "환율 전망 보고서": "a report on exchange rates",
}
READ = 100  # pictures at once


def found(encoder: ImageEncoder, pictures: Vectors, captions: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the cells of a table: recall at each cut in per cent, and the median rank."""
    vectors = encoder.encode_texts([text for own in captions for text in own])
    figures = evaluate_captions(Captioned("", [], captions), pictures, vectors)["modes"]["text_to_image"]
    return (*(f"{figures[f'recall@{cut}']:.1%}" for cut in CUTS), f"{figures['median_rank']:.0f}")


def shown(folder: Path, queries: Sequence[str], right: Sequence[str] | None = None) -> str:
    """Return how often a search for pictures shows something, or the right one where there is one."""
    with Library(folder) as library:
        found = [library.search(text, kinds=("image",), min_relevance="meant", limit=10).hits for text in queries]
    if right is None:
        return f"{np.mean([bool(hits) for hits in found]):.1%}"
    names = [[Path(hit.document.uri).name for hit in hits] for hits in found]
    return f"{np.mean([name in own for name, own in zip(right, names, strict=True)]):.1%}"


def main() -> None:
    """Print both tables."""
    source = corpus.data_folder() / "flickr8k"
    rows = [row for line in (source / "captions.jsonl").open("rb") if (row := json.loads(line))["split"] == "test"]
    korean = {row["image"]: row["caption"] for row in map(json.loads, KOREAN.open("rb"))}
    own = load_image_encoder()
    english, many = load_text_encoder(DEFAULT_TEXT_MODEL), load_text_encoder(MULTILINGUAL_TEXT_MODEL, prepare=True)
    every = InEveryLanguage(own, lambda: english, lambda: many)
    pixels = [np.asarray(Image.open(source / row["image"]).convert("RGB")) for row in rows]
    pictures = np.concatenate([own.encode_pictures(pixels[at : at + READ]) for at in range(0, len(pixels), READ)])
    there = [row["image"] in korean for row in rows]
    theirs = [row["captions"] if is_there else [] for row, is_there in zip(rows, there, strict=True)]
    everyone = [row["captions"] for row in rows]
    in_korean = [[korean[row["image"]]] if is_there else [] for row, is_there in zip(rows, there, strict=True)]
    table = [
        ("200 in Korean", *found(every, pictures, in_korean)),
        ("1,000 in English of the same photos", *found(own, pictures, theirs)),
        ("5,000 in English", *found(own, pictures, everyone)),
        ("the same, where Korean is known", *found(every, pictures, everyone)),
    ]
    print(machine.description())
    print(machine.table(("captions", *(f"R@{cut}" for cut in CUTS), "median rank"), table))
    with tempfile.TemporaryDirectory(prefix="quarry-languages-") as temporary:
        photos = Path(temporary, "photos")
        photos.mkdir()
        for row in rows:
            shutil.copy(source / row["image"], photos)
        with Library(Path(temporary, "library")) as library:
            library.index(photos)
        folder = Path(temporary, "library")
        named = [Path(row["image"]).name for row, is_there in zip(rows, there, strict=True) if is_there]
        table = [
            ("Korean", shown(folder, [own[0] for own in in_korean if own], named), shown(folder, list(ABSENT))),
            ("English", shown(folder, [own[0] for own in theirs if own], named), shown(folder, list(ABSENT.values()))),
        ]
    print(machine.table(("queries", "right photo among 10 shown", "nothing there, and something shown"), table))


if __name__ == "__main__":
    main()
