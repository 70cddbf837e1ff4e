"""How a hit was found, as pydantic models.

`search.hits.explaining` and the lists of `search.ranking.merging` tell it.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Retrieved(BaseModel):
    """What one retriever made of a hit."""

    rank: int | None = Field(description="Its place among the first hundred, from 1; null beyond them.")
    score: float = Field(description="A cosine, of the lexical retriever BM25.")
    share_of_words: float | None = Field(None, description="Of the query's words, weighed by how rare they are.")


class FusionBody(BaseModel):
    """How meaning and words were weighed together."""

    semantic_weight: float | None = Field(None, description="What meaning counts for, 0 to 1.")
    own: float | None = Field(None, description="The evidence of the passage itself.")
    with_neighbours: float | None = Field(None, description="What its neighbours made of it: its score.")
    singled_out: bool | None = Field(None, description="Whether words put it first, such as an error number.")
    beyond: str | None = Field(None, description="Of what lies so far down that it was not weighed exactly.")


class CalibrationBody(BaseModel):
    """What a cosine means."""

    chance: float = Field(description="Cosines of texts that have nothing to do with the query: their mean.")
    spread: float = Field(description="Their standard deviation.")
    spreads_above_chance: float | None = Field(description="How far above chance the hit is; null without a vector.")
    share_of_words: float | None = Field(None, description="What counts beside it in hybrid search.")


class SpanShare(BaseModel):
    """What a word of the passage adds to its cosine."""

    start: int = Field(description="Offset in `text`.")
    end: int
    share: float = Field(description="With its sign: what speaks against the hit is below 0.")


class WordShare(BaseModel):
    """What a word of the query adds to the lexical score."""

    word: str
    share: float


class PatchesBody(BaseModel):
    """What the patches of a picture add to its cosine: a heat map."""

    rows: int
    columns: int
    shares: list[float] = Field(description="Row by row, from the upper left.")


class BoilerplateBody(BaseModel):
    """What a passage holds that stands in many documents, such as a licence, for which it counts for less."""

    share: float = Field(description="Of the passage, 0 to 1.")
    documents: int = Field(description="About how many documents it stands in, copies counted once.")
    apart: bool = Field(description="Whether the passage is found by the rest of it alone.")
    counts: float = Field(description="What the passage counts for, of what it would without.")


class RerankedBody(BaseModel):
    """What a model that put the first hits in order once more made of a hit."""

    rank_before: int = Field(description="Its place among the hits until then, from 1.")
    score: float | None = Field(description="The model's; null where it was not read.")


class ExplanationBody(BaseModel):
    """How a hit was found, and what its scores add up from; a part that there is none of is left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "semantic": {"rank": 1, "score": 0.7193},
                    "lexical": {"rank": 1, "score": 8.6334, "share_of_words": 1.0},
                    "fusion": {"semantic_weight": 0.5, "own": 1.2685, "with_neighbours": 1.2685, "singled_out": False},
                    "calibration": {
                        "chance": 0.006,
                        "spread": 0.066,
                        "spreads_above_chance": 10.8,
                        "share_of_words": 1,
                    },
                    "relevance": 0.7834,
                    "cosine": 0.0921,
                    "meaning": [{"start": 0, "end": 5, "share": 0.0412}, {"start": 6, "end": 10, "share": 0.0353}],
                    "meaning_beyond": {"title": 0.012, "marks": 0.0035, "stored": 0.0001},
                    "words": [{"word": "stars", "share": 5.59}, {"word": "form", "share": 3.0434}],
                }
            ]
        }
    )

    semantic: Retrieved | None = None
    lexical: Retrieved | None = None
    image: Retrieved | None = None
    fusion: FusionBody | None = None
    calibration: CalibrationBody | None = None
    relevance: float
    cosine: float | None = Field(None, description="What `meaning` or `patches`, and what is beyond them, add up to.")
    meaning: list[SpanShare] | None = None
    meaning_beyond: dict[str, float] | None = Field(
        None, description="Shares of what is no word of the passage: its `title`, `marks` of the model, and `stored`."
    )
    words: list[WordShare] | None = Field(None, description="They add up to the lexical score.")
    boilerplate: BoilerplateBody | None = None
    patches: PatchesBody | None = None
    reader: RerankedBody | None = None
    cross_encoder: RerankedBody | None = None
    patches_beyond: dict[str, float] | None = Field(
        None, description="Shares of no patch: what is `seen` in all together, `classes`, `hub`, and `stored`."
    )
