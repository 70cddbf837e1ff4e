"""What a library is asked for beyond hits: answers, choices, texts that a model writes."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quarry.api.opened import OpenLibrary
from quarry.api.searching import search
from quarry.search import arguments
from quarry.search.answers.answering import READ
from quarry.search.answers.choosing import Choice
from quarry.search.queries import Response
from quarry.search.types import Hit

if TYPE_CHECKING:
    from quarry.search.generation.answers import Event


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
