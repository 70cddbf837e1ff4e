"""How the embedded readers were trained: how much of which source, in what steps, at what rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quarry.indexer.training.questions import Share
from quarry.search.models.names import DEFAULT_READER, MULTILINGUAL_READER

FIRST = {"squadshifts-reddit": Share(0.7), "squadshifts-amazon": Share(0.7), "subjqa": Share(0.7, 0.1), "": Share()}
SECOND = {
    "qed-nq": Share(1.4, 0.4),
    "squadshifts-new_wiki": Share(0.8, 0.4),
    "squadshifts": Share(0.15),
    "qamr": Share(0.1),
    "": Share(0.08),
}
MIXED = {
    "korquad": Share(2.5, 0.4),
    "qed-nq": Share(1.0, 0.4),
    "squadshifts-new_wiki": Share(0.6, 0.35),
    "squadshifts": Share(0.12),
    "qamr": Share(0.25, 0.2),
    "subjqa": Share(0.15, 0.1),
    "bipar": Share(0.3),
    "fairytaleqa": Share(0.25),
    "policyqa": Share(0.2),
    "": Share(0.2),
}
KOREAN = {
    "korquad": Share(1.6, 0.35),
    "qed-nq": Share(0.3, 0.4),
    "squadshifts-new_wiki": Share(0.15, 0.35),
    "squadshifts": Share(0.03),
    "subjqa": Share(0.04, 0.1),
    "fairytaleqa": Share(0.04),
    "policyqa": Share(0.04),
    "qamr": Share(0.05, 0.2),
    "": Share(0.05),
}
FURTHER = {
    "korquad": Share(4.0, 0.35),
    "qed-nq": Share(1.4, 0.4),
    "squadshifts-new_wiki": Share(1.0, 0.35),
    "squadshifts": Share(0.3, 0.25),
    "subjqa": Share(0.3, 0.1),
    "qamr": Share(0.15, 0.2),
    "": Share(0.4),
}


@dataclass(frozen=True, slots=True)
class ReaderRecipe:
    """How an embedded reader was trained.

    Args:
        reader: its name.
        passes: what each pass over the rows takes of every source.
        windows: tokens of a passage.
        batch: tokens of a batch, padding included.
        steps: how many batches are taken of each pass; all where there are no numbers.
        rate: peak learning rate; it rises over the first `warmup` of the steps, and falls in a straight line over the
            last `cooldown` of them.
        average, slow: decay of the moving average, a step, and steps after which it begins to be that slow.
        half: compute with bfloat16 copies of the weights.
        dropout: leave out a tenth of what the layers hand on, for rows that are seen often.
        rows: of the training set; None for all.
        held: articles of the Korean rows that are held out.
    """

    reader: str = DEFAULT_READER
    passes: tuple[Mapping[str, Share], ...] = (FIRST, SECOND)
    windows: tuple[int, ...] = (128, 256)
    batch: int = 6144
    steps: tuple[int, ...] = ()
    rate: float = 2.5e-4
    warmup: float = 0.06
    cooldown: float = 0.94
    average: float = 0.998
    slow: int = 60
    half: bool = True
    dropout: bool = False
    seed: int = 0
    rows: int | None = None
    sets: tuple[str, ...] = ("qed-nq-dev", "subjqa-test", "policyqa-test", "bipar-en-test", "fairytaleqa-test")
    held: int = 26


MULTILINGUAL = ReaderRecipe(
    reader=MULTILINGUAL_READER,
    passes=(MIXED, KOREAN),
    windows=(112, 224),
    batch=4096,
    steps=(450, 340),
    rate=1.5e-4,
    warmup=60 / 790,
    cooldown=200 / 790,
    average=0.996,
    slow=30,
    half=False,
    seed=7,
)
FURTHER_MULTILINGUAL = ReaderRecipe(
    reader=MULTILINGUAL_READER,
    passes=(FURTHER,),
    windows=(112, 224),
    batch=4096,
    steps=(1500,),
    rate=2e-4,
    warmup=0.03,
    cooldown=0.97,
    dropout=True,
    seed=11,
)
