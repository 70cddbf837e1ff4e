"""Translation: what a text says in another language, as passages beside its own, each with what it translates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from quarry.indexer.enrichments.base import Result, Said
from quarry.indexer.enrichments.tasks.base import ModelEnrichment
from quarry.search.models.auto.card import AutoCard
from quarry.search.models.auto.serving import AutoModel
from quarry.search.stores.rows.tasks import ChosenModel
from quarry.search.tasks import translation
from quarry.search.tasks.translation import TranslatedPiece, Translator
from quarry.search.values.places import Place

TASK = replace(
    translation.TASK,
    command="quarry enrich translation=MODEL --translate-to en",
    option="any `MarianMTModel`, M2M100 or NLLB, mBART or T5",
    seen="passages in that language, marked as the model's, shown with what they translate (`original`)",
    takes_language=True,
)
_PASSAGE = 800  # characters of a text that are translated together, at whose end a sentence ends


class Translation(ModelEnrichment[str]):
    """Says what a text says in another language, unless it is in that already.

    How sure it is of a passage is the mean probability of its tokens, by sentence.
    """

    task = TASK
    at_once = 1  # a page takes a minute

    @classmethod
    def check(cls, card: AutoCard, chosen: ChosenModel) -> None:
        """Refuse a model that does not write the language that is wanted."""
        translation.check(card, chosen.language)

    def look(self, model: AutoModel, items: Sequence[str]) -> list[Result]:
        """Translate texts."""
        translator = Translator(model, self.chosen.language)
        return [Result(said=tuple(_said(text, translator.translate(text)))) for text in items]


def _said(text: str, pieces: Sequence[TranslatedPiece]) -> Iterator[Said]:
    """Yield passages of some sentences; a paragraph that begins stays one."""
    for own in _passages(pieces):
        written = ""
        for before, one in zip([None, *own], own, strict=False):
            between = " " if before is None or "\n" not in text[before.end : one.start] else "\n"
            written = f"{written}{between}{one.written.text}"
        if written := written.strip():
            weight = sum(one.end - one.start for one in own)
            sure = sum(one.written.mean * (one.end - one.start) for one in own) / weight
            yield Said(written, Place(characters=(own[0].start, own[-1].end)), round(sure, 3))


def _passages(pieces: Sequence[TranslatedPiece]) -> Iterator[list[TranslatedPiece]]:
    held: list[TranslatedPiece] = []
    for one in pieces:
        if held and one.end - held[0].start > _PASSAGE:
            yield held
            held = []
        held.append(one)
    if held:
        yield held
