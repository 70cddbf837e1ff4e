"""What writers are: models that are asked in words and answer in words, piece by piece."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Protocol

from quarry.search.models.cards import scripts_in


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked to write; how its parts are put together is the model's affair.

    Args:
        instruction: what to do.
        text: what to do it with. It comes from documents: what would end the model's turn in it is taken apart.
        cue: what a causal model that knows no conversation goes on from, such as `Answer:`.
        stops: where such a model is cut off, since it would go on with a text of its own.
        task: as models name what they were made for, such as `summarization`. A sequence-to-sequence model is then
            given the text after its own prefix for the task, without the instruction, which it would take for text.
    """

    instruction: str
    text: str
    cue: str = ""
    stops: tuple[str, ...] = ()
    task: str = ""


class Writer(Protocol):
    """Prompt -> text, the same at every time. Many threads may share a writer; it writes one text at a time."""

    name: str

    def room(self, max_tokens: int) -> int:
        """Return how many tokens a prompt may have where `max_tokens` are to be written, below 1 where none may."""
        ...

    def count(self, prompt: Prompt) -> int:
        """Return how many tokens the whole of `prompt` is to this model."""
        ...

    def write(self, prompt: Prompt, max_tokens: int) -> Generator[str, None, None]:
        """Write at most `max_tokens` tokens, piece by piece; closing the generator ends the writing.

        Raises:
            InvalidRequest: the prompt has more tokens than `room(max_tokens)`; nothing is cut.
            ModelError: the model fails while it writes.
        """
        ...


def in_language_of(text: str, called: str) -> str:
    """Say in which language to write: that of `text`, which the prompt calls `called`."""
    if scripts_in(text)[:1] == ("Hangul",):
        return "Write in Korean. 한국어로 쓰세요."
    return f"Write in the language of the {called}."
