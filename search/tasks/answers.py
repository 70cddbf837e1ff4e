"""What models answer that are asked about one thing: a picture, a page, a table."""

from __future__ import annotations

from dataclasses import dataclass

from quarry.search.errors import InvalidRequest
from quarry.search.types import MAX_QUERY_CHARACTERS
from quarry.search.values.places import Place


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """What a model says, how sure it is, 0..1, and where that stands: None where it does not say."""

    text: str
    confidence: float
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers, the surest first, and how many pages or rows were looked at for them, of how many there are."""

    answers: tuple[ModelAnswer, ...]
    looked_at: int
    of: int


def asked(question: str) -> str:
    """Return a question as it is asked; raise `InvalidRequest` where it is empty or too long."""
    if len(question) > MAX_QUERY_CHARACTERS:
        raise InvalidRequest(
            f"The question has {len(question):,} characters; the limit is {MAX_QUERY_CHARACTERS:,}. Give a shorter one."
        )
    question = " ".join(question.split())
    if not question:
        raise InvalidRequest("The question is empty; say what to answer.")
    return question


def too_long(count: int, name: str, most: int) -> InvalidRequest:
    """Return the error that a question has more tokens than a model takes."""
    return InvalidRequest(f"The question has {count:,} tokens; {name} takes {most:,}. Give a shorter one.")
