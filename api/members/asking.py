"""What a library is asked for beyond hits: answers, choices, texts that a model writes."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quarry.api.members.searching import search
from quarry.api.opened import OpenLibrary
from quarry.search.answers.answering import READ
from quarry.search.answers.choosing import Choice
from quarry.search.errors import InvalidRequest
from quarry.search.queries import arguments
from quarry.search.queries.query import Response
from quarry.search.types import Hit

if TYPE_CHECKING:
    from quarry.search.generation.answers import Event
    from quarry.search.tasks.natural_language_inference import Judged


MOST_CHECKED = 100  # passages


@dataclass(frozen=True, slots=True)
class Checked:
    """What passages say of a claim: those that support or contradict it first, the surest before all."""

    response: Response
    judged: tuple[Judged, ...]


def ask(library: OpenLibrary, question: str, *, limit: int = 5, filter: Mapping[str, Any] | None = None) -> Response:
    """Answer a question by exact spans of documents: `answers`, best first, and the nearest passages as `hits`.

    Where no answer is likely enough, `answers` is empty: the library holds none.

    Raises:
        ModelMissing, ModelDamaged: the reader can't be used.
        InvalidRequest: the question is empty, or longer than the reader takes.
    """
    library.searcher.models.reader()
    return search(library, question, limit=limit, filter=filter, answer=True)


def choose(
    library: OpenLibrary, question: str, choices: Sequence[str], *, filter: Mapping[str, Any] | None = None
) -> tuple[Choice, ...]:
    """Weigh given answers by what the documents say; the likeliest comes first.

    Raises:
        InvalidRequest: there are not 2 to 20 choices, or two are the same.
    """

    def find(text: str) -> Sequence[Hit]:
        return search(library, text, limit=READ, filter=filter).hits

    question, choices = arguments.text(question, "question"), arguments.texts(choices, "choices")
    return library.searcher.models.choose(question, choices, find)


def check(library: OpenLibrary, claim: str, *, limit: int = READ, filter: Mapping[str, Any] | None = None) -> Checked:
    """Have a model say of the nearest passages whether they support a claim, contradict it, or do neither.

    Args:
        claim: a statement, such as "the ferry runs on Sundays".
        limit: how many passages are looked at, 1 to 100.

    Raises:
        InvalidRequest: the claim is empty, or longer than the model takes; no checker was chosen.
        ModelError: it can't be used.
    """
    from quarry.search.tasks.natural_language_inference import check

    if not 1 <= arguments.whole(limit, "limit") <= MOST_CHECKED:
        raise InvalidRequest(f"limit is {limit}; it can be 1 to {MOST_CHECKED}.")
    inference = library.searcher.models.inference()
    response = search(library, claim, limit=limit, filter=filter, kinds=("text",))
    return Checked(response, tuple(check(response.query.text, response.hits, inference)))


def write(
    library: OpenLibrary, question: str, *, limit: int = READ, filter: Mapping[str, Any] | None = None
) -> tuple[Response, Generator[Event, None, None]]:
    """Have the generator write an answer from the hits: pieces as they come, then the whole with its sources.

    Where the evidence is too weak, the only event is a refusal, and nothing is written. Closing the generator stops
    the model.

    Raises:
        InvalidRequest: no generator was chosen.
        ModelError: it can't be used.
    """
    models = library.searcher.models
    models.generator()
    response = ask(library, question, limit=limit, filter=filter)
    return response, models.write(question, response.hits, response.answers)
