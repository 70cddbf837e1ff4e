"""Zero-shot labels: how often the apt one is told, how often none, and whether chances are what they say.

    python -m benchmarks.labels          texts, Korean texts and pictures that nothing was fitted on
    python -m benchmarks.labels --fit    fit the constants of `search.alike.labels`, on other texts and labels

Each text is labelled twice: by all labels, and by all but its own, of which none is apt.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import machine
from benchmarks.corpus import COLLECTIONS, data_folder
from quarry.search.alike.labels import APT, Labeller, read_labels
from quarry.search.language.analysis import query_terms
from quarry.search.models.live import NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL
from quarry.search.relevance import PRIORS, UNKNOWN
from quarry.search.types import Vectors

SUBJECTS = {
    "medline": "medicine",
    "cacm": "computer science",
    "cisi": "library science",
    "cranfield": "aerodynamics",
    "npl": "electronics",
}
NEWS = {"business": "business", "entertainment": "entertainment", "politics": "politics", "sport": "sport"}
EACH = 250  # texts of a subject
PIECE, PIECES = 900, 4  # characters of a text that are embedded at once, and how many times
# Of the captions of Flickr8k; a picture shows what two of its five captions name.
THINGS = (
    "dog|man|woman|child|boy|girl|grass|water|snow|beach|ball|bicycle|horse|car|street|mountain|tree|field|pool|football"
    "|sand|rock|ocean|crowd|bench|hat|helmet|skateboard|motorcycle|fence|bird|lake|river|surfboard|swing|sunglasses|baby"
    "|guitar|tent|bridge|stick|frisbee|basketball|train|flower"
)
Texts = list[tuple[str, str]]  # (label, text)


def collections() -> Texts:
    """Return abstracts and what each is about."""
    return [(SUBJECTS[name], text) for name in COLLECTIONS for text in spread(corpus_of(f"retrieval/{name}"), EACH)]


def news() -> Texts:
    """Return news and reviews with what each is about: other texts and labels, to fit on."""
    found: Texts = []
    with gzip.open(data_folder() / "summarization" / "bbc_news.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.append((NEWS.get(row["id"].split("-")[1], "technology"), f"{row['title']}\n{row['document']}"))
    for name, label in (("fairytaleqa-test", "fairy tales"), ("policyqa-test", "privacy of personal data")):
        with gzip.open(data_folder() / "qa" / "dev" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
            texts = dict.fromkeys(json.loads(line)["context"] for line in lines)
        found += [(label, text) for text in spread(list(texts), 120)]
    return found


def articles(part: int) -> Texts:
    """Return paragraphs of the Korean Wikipedia with the titles of their articles: one half of them, or the other."""
    rows = [json.loads(line) for line in (data_folder() / "korean" / "korquad" / "corpus.jsonl").open("rb")]
    titles = sorted({row["title"] for row in rows})
    half = set(np.random.default_rng(3).permutation(titles)[part::2].tolist())
    return [(row["title"].replace("_", " "), row["text"]) for row in rows if row["title"] in half]


def corpus_of(name: str) -> list[str]:
    rows = [json.loads(line) for line in (data_folder() / name / "corpus.jsonl").open("rb")]
    return [f"{row['title']}\n{row['text']}".strip() for row in rows if len(row["text"]) > 40]


def spread(items: Sequence[Any], count: int) -> list[Any]:
    """Return about `count` of the items, evenly."""
    return list(items[:: max(1, len(items) // count)])[:count]


def embedded(encode: Any, texts: Sequence[str]) -> Vectors:
    """Return the vectors of whole texts."""
    pieces = [
        (place, text[at : at + PIECE])
        for place, text in enumerate(texts)
        for at in range(0, min(len(text), PIECE * PIECES), PIECE)
    ]
    whole = None
    for at in range(0, len(pieces), 64):
        vectors = np.asarray(encode([text for _, text in pieces[at : at + 64]]), np.float32)
        whole = np.zeros((len(texts), vectors.shape[1]), np.float32) if whole is None else whole
        np.add.at(whole, [place for place, _ in pieces[at : at + 64]], vectors)
    assert whole is not None
    return np.asarray(whole / np.linalg.norm(whole, axis=1, keepdims=True), np.float32)


def judged(encoder: Any, vectors: Vectors, own: Sequence[str]) -> Iterator[tuple[bool, float, bool]]:
    """Yield whether a text's own label is among the labels, how likely the first one is, and whether it is right."""
    names = list(dict.fromkeys(own))
    null = PRIORS.get(encoder.card.name, UNKNOWN)
    for found, label in zip(Labeller(encoder, "text", read_labels(names), null).shares(vectors), own, strict=True):
        first, share = next(iter(found.items()))
        yield True, share, first == label
    for left in names:
        rows = [place for place, label in enumerate(own) if label == left]
        others = read_labels(name for name in names if name != left)
        for found in Labeller(encoder, "text", others, null).shares(vectors[rows]):
            yield False, next(iter(found.values())), False


def figures(rows: Sequence[tuple[bool, float, bool]]) -> list[str]:
    """Return accuracy, precision and share of what is said, precision and recall of none, calibration error."""
    has, share, right = (np.array(column) for column in zip(*rows, strict=True))
    said = share >= APT
    none = ~said
    return [
        f"{right[has].mean():.1%}",
        f"{right[said & has].mean():.1%} of {said[has].mean():.0%}",
        f"{right[said].mean():.1%}",
        f"{(~has[none]).mean():.1%}",
        f"{none[~has].mean():.1%}",
        f"{calibration_error(share, right):.3f}",
    ]


def calibration_error(share: Any, right: Any, bins: int = 10) -> float:
    """Return the expected calibration error: what chances say and what is, apart by so much on average."""
    place = np.minimum((share * bins).astype(int), bins - 1)
    return float(sum(abs((share[place == one] - right[place == one]).sum()) for one in range(bins)) / len(share))


def texts() -> None:
    """Print the table of texts, beside the nearest label by plain cosine."""
    from sentence_transformers import SentenceTransformer

    from quarry.search.models.text.embedded import embedded_folder

    live = NamedModels()
    english, many = live.text(DEFAULT_TEXT_MODEL, prepare=True), live.text(MULTILINGUAL_TEXT_MODEL, prepare=True)
    plain = SentenceTransformer(str(embedded_folder()), device="cpu")
    header = ("texts", "labels", "plain cosine: right", "right", "where said", "said, half without their own",
              "none: precision", "none: recall", "ECE")  # fmt: skip
    rows = []
    for name, encoder, sample, reference in (
        ("abstracts", english, collections(), lambda some: plain.encode(some, normalize_embeddings=True)),
        ("Korean articles", many, articles(1), None),
    ):
        own = [label for label, _ in sample]
        names = list(dict.fromkeys(own))
        vectors = embedded(encoder.encode_documents, [text for _, text in sample])
        by, asked = (
            (embedded(reference, [text for _, text in sample]), reference(names))
            if reference
            else (
                vectors,
                encoder.encode_queries(names),
            )
        )
        nearest = (np.asarray(by) @ np.asarray(asked).T).argmax(axis=1)
        cosine = np.mean([names[place] == label for place, label in zip(nearest, own, strict=True)])
        rows.append(
            [f"{len(sample)} {name}", len(names), f"{cosine:.1%}", *figures(list(judged(encoder, vectors, own)))]
        )
    print(machine.table(header, rows), flush=True)


def pictures(split: str = "test") -> None:
    """Print the table of pictures: each of some things, shown or not, beside CLIP's way, the nearest label alone."""
    rows = [json.loads(line) for line in (data_folder() / "flickr8k" / "captions.jsonl").open("rb")]
    rows = [row for row in rows if row["split"] == split]
    live = NamedModels()
    encoder = live.image(DEFAULT_IMAGE_MODEL, prepare=True)
    things = THINGS.split("|")
    terms = [query_terms(thing)[0] for thing in things]
    said = np.array([[sum(term in query_terms(c) for c in row["captions"]) for term in terms] for row in rows])
    vectors = np.concatenate([encoder.encode_pictures([pixels_of(row["image"])]) for row in rows])
    found = Labeller(encoder, "image", read_labels(things), UNKNOWN).shares(vectors)
    share = np.array([[one.get(thing, 0.0) for thing in things] for one in found])
    sure = said != 1  # what one caption of five names may or may not be there
    shown = said >= 2
    given = share >= APT
    nearest = share.argmax(axis=1)
    first = shown[np.arange(len(rows)), nearest]
    none = ~given.any(axis=1)
    header = ("pictures", "things", "nearest is shown", "given: precision", "given: recall", "none given", "ECE")
    print(machine.table(header, [(
        len(rows), len(things), f"{first.mean():.1%}", f"{shown[given & sure].mean():.1%}",
        f"{given[shown].mean():.1%}", f"{none.mean():.1%}, of which {1 - shown[none].any(axis=1).mean():.0%} show none",
        f"{calibration_error(share[sure], shown[sure]):.3f}",
    )]))  # fmt: skip


def pixels_of(name: str) -> Any:
    picture = Image.open(data_folder() / "flickr8k" / name).convert("RGB")
    return np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC))


def fit() -> None:
    """Print the constants that fit other texts best, by logistic regression over random sets of labels."""
    from sklearn.linear_model import LogisticRegression

    live = NamedModels()
    chance = np.random.default_rng(0)
    for name, sample in ((DEFAULT_TEXT_MODEL, news()), (MULTILINGUAL_TEXT_MODEL, articles(0))):
        encoder = live.text(name, prepare=True)
        vectors = embedded(encoder.encode_documents, [text for _, text in sample])
        own = [label for label, _ in sample]
        names = list(dict.fromkeys(own))
        evidence, right = [], []
        for _ in range(60):
            some = chance.permutation(names)[: chance.integers(1, len(names) + 1)].tolist()
            rows = chance.permutation(len(own))[:100]
            labeller = Labeller(encoder, "text", read_labels(some), UNKNOWN)
            for place, found in zip(rows, labeller.evidence(vectors[rows]), strict=True):
                for label, pair in found.items():
                    evidence.append(pair)
                    right.append(label == own[place])
        model = LogisticRegression(C=10).fit(np.array(evidence), np.array(right))
        print(name, model.intercept_.round(2), model.coef_.round(2))


def main() -> None:
    """Fit, or measure."""
    print(machine.description(), file=sys.stderr)
    if "--fit" in sys.argv:
        fit()
    else:
        texts()
        pictures()


if __name__ == "__main__":
    main()
