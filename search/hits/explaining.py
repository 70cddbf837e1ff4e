"""Which words of a hit, or which parts of a picture, its scores add up from.

*By meaning*: a model that takes the mean of its tokens makes a vector that is a sum, and so is its cosine to the query:
each token's part of the vector, times the query's. What belongs to a word of the passage is its share, with its sign;
the title that was embedded with it, the marks that a model puts around a text and what the vector lost when it was
stored as float16 have shares of their own, and all together are the cosine. *By words*: BM25 adds up over the words of
the query. *Pictures*: see `search.models.image.patches`.

It is worked out for the first `MOST` hits of a page where it is asked for: each takes the model as long as it took to
embed the passage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from quarry.search.errors import QuarryError
from quarry.search.language import analysis
from quarry.search.media.base import medium
from quarry.search.models.contracts import Encoder, ImageEncoder, TextEncoder
from quarry.search.models.embedded_texts import stood_for
from quarry.search.models.runtime import available_cores, each
from quarry.search.queries.query import Query
from quarry.search.ranking.discounting import Discount
from quarry.search.ranking.merging import Ranking
from quarry.search.ranking.retrievers import Dense, InSpace, Together
from quarry.search.stores.lookups import vector_rows
from quarry.search.types import Hit
from quarry.search.views import LibraryView

MOST = 50
_DECIMALS = 6
_WORD = re.compile(r"\S+")
_LONGEST = 40  # characters of a word; what is written without spaces goes by its tokens
_OTHER = 0.02  # how far a number of a stored vector may lie from that of the text: further off, it is of another text


def explained(query: Query, view: LibraryView, hits: Sequence[Hit], ranking: Ranking) -> list[Hit]:
    """Return hits whose explanations tell as well what their scores add up from."""
    origins = {int(id): origin for id, origin in zip(ranking.candidates.ids, ranking.origins, strict=True)}
    told = list(hits)
    ids = [int(hit.id) for hit in hits[:MOST]]
    words = _words(query, view, ids)
    # What the catalog and the files know is read first, since a connection is for one thread; models take any number.
    meanings = [
        [_meaning(query, view, hit, id, member) for member in _members(origins[id][0].dense)]
        for id, hit in zip(ids, hits, strict=False)
    ]

    def tell(place: int) -> None:
        more = dict(next(filter(None, (meaning() for meaning in meanings[place])), {}))
        if words.get(ids[place]):
            more["words"] = words[ids[place]]
        if repeated := _boilerplate(view, hits[place]):
            more["boilerplate"] = repeated
        told[place] = replace(hits[place], explanation={**(hits[place].explanation or {}), **more})

    each(len(ids), available_cores(), tell)
    return told


def _boilerplate(view: LibraryView, hit: Hit) -> dict[str, Any]:
    """Return how much of a passage stands in how many documents, and what it counts for; {} where none does."""
    ids = np.array([int(hit.id)], np.int64)
    share = float(view.boilerplate.share_of(ids)[0])
    if not share:
        return {}
    counts = float(Discount(view.boilerplate).factors(ids)[0])
    return {
        "share": round(share, 2),
        "documents": view.boilerplate.repeated_in(hit.text),
        "apart": bool(view.boilerplate.frame_of(ids)[0]),
        "counts": round(counts, 4),
    }


def _members(dense: Dense | None) -> Sequence[InSpace]:
    return dense.members if isinstance(dense, Together) else [dense] if isinstance(dense, InSpace) else []


def _meaning(query: Query, view: LibraryView, hit: Hit, id: int, asked: InSpace) -> Callable[[], dict[str, Any]]:
    """Return what tells the shares of one hit's cosine in one space, {} where they can't be told."""
    stored = asked.space.stored(np.array([id], np.int64))[0]
    encoder: Encoder | None = asked.space.encoder
    if not stored.any() or encoder is None:
        return dict
    cosine = float(stored.astype(np.float64) @ asked.vector)
    if asked.medium == "text":
        key = vector_rows.key_of(view.snapshot.connection, id)
        text = stood_for(hit.document.title, hit.text, key) if key else hit.text
        return partial(_of_text, hit, text, asked, stored, cosine, encoder)  # type: ignore[arg-type]
    if asked.medium != "image" or query.pixels is None:
        return dict
    try:
        pixels = query.pixels(hit.document.id, encoder.preprocessing)  # type: ignore[attr-defined]
    except QuarryError:  # the file is gone or another, and so is its thumbnail
        return dict
    return partial(_of_picture, encoder, pixels, asked, cosine)  # type: ignore[arg-type]


def _of_text(hit: Hit, text: str, asked: InSpace, stored: Any, cosine: float, encoder: TextEncoder) -> dict[str, Any]:
    before = len(text) - len(hit.text)
    offsets, parts, start = [], [], 0
    for window in medium("text").windows(encoder, text):
        states = encoder.token_states(window)
        if states is None:
            return {}
        is_mark = states.offsets[:, 0] == states.offsets[:, 1]
        offsets.append(np.where(is_mark[:, None], -1, states.offsets + start))
        parts.append(states.parts)
        start += len(window)
    mean = np.sum([part.sum(axis=0, dtype=np.float64) for part in parts], axis=0)
    if np.abs(mean / np.linalg.norm(mean) - stored).max() > _OTHER:
        return {}
    shares = np.concatenate(parts).astype(np.float64) @ asked.vector / np.linalg.norm(mean)
    places = np.concatenate(offsets) - before
    spans = list(_spans(hit.text, places))
    owners = np.searchsorted([span[0] for span in spans], places[:, 0], side="right") - 1
    is_mark, is_title = places[:, 0] < -before, (places[:, 0] < 0) & (places[:, 0] >= -before)
    is_own = ~is_mark & ~is_title & (owners >= 0)
    own = np.bincount(owners[is_own], shares[is_own], minlength=len(spans))
    meaning = [
        {"start": start, "end": end, "share": round(float(share), _DECIMALS)}
        for (start, end), share in zip(spans, own, strict=True)
        if share
    ]
    beyond = {"title": float(shares[is_title].sum()), "marks": float(shares[~is_own & ~is_title].sum())}
    return {
        "cosine": round(cosine, _DECIMALS),
        "meaning": meaning,
        "meaning_beyond": _completed(beyond, cosine, meaning),
    }


def _of_picture(encoder: ImageEncoder, pixels: Any, asked: InSpace, cosine: float) -> dict[str, Any]:
    found = encoder.patch_shares(pixels, asked.vector)
    if found is None:
        return {}
    shares = [round(float(share), _DECIMALS) for share in found.shares.ravel()]
    rows, columns = found.shares.shape
    patches = {"rows": rows, "columns": columns, "shares": shares}
    beyond = _completed(found.beyond, cosine, [{"share": share} for share in shares])
    return {"cosine": round(cosine, _DECIMALS), "patches": patches, "patches_beyond": beyond}


def _completed(beyond: Mapping[str, float], cosine: float, own: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return what has shares beyond words or patches, with what is then left of the cosine: of how it was stored."""
    told = {name: round(share, _DECIMALS) for name, share in beyond.items()}
    rest = cosine - sum(told.values()) - sum(one["share"] for one in own)
    return {**told, "stored": round(rest, _DECIMALS)}


def _spans(text: str, places: Any) -> Iterator[tuple[int, int]]:
    """Yield the (start, end) spans of the words of a text; what is long without a space is cut where tokens begin."""
    starts = {int(start) for start, _ in places if start >= 0}
    for match in _WORD.finditer(text):
        start, end = match.span()
        if end - start <= _LONGEST:
            yield start, end
            continue
        cuts = [start, *(at for at in range(start + 1, end) if at in starts), end]
        yield from pairwise(cuts)


def _words(query: Query, view: LibraryView, ids: Sequence[int]) -> Mapping[int, list[dict[str, Any]]]:
    """Return what each word of the query adds to the lexical score of hits, by their ids."""
    index = view.words.index
    if query.mode == "semantic" or not query.text or index is None or not ids:
        return {}
    written = analysis.written(query.text)
    found: dict[int, list[dict[str, Any]]] = {id: [] for id in ids}
    for word, scores in index.shares(query.text, np.array(ids, np.int64), view.words.tail):
        said = written.get(word) or (word[0].terms[0] if word else "the whole field")
        for id, score in zip(ids, scores.tolist(), strict=True):
            if score:
                found[id].append({"word": said, "share": round(score, 4)})
    return found
