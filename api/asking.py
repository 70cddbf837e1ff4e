"""What a library is asked for beyond hits: answers, choices, texts that a model writes, summaries."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from quarry.api.reading import Reading
from quarry.search import arguments
from quarry.search.answers.answering import READ
from quarry.search.answers.choosing import Choice
from quarry.search.types import Hit, Response, Summary
from quarry.search.uses import used, used_to_write

if TYPE_CHECKING:
    from quarry.search.generation.answers import Event


class Asking(Reading):
    """The part of `api.library.Library` that asks."""

    @abstractmethod
    def search(
        self, text: str = "", *, limit: int = 10, filter: Mapping[str, Any] | None = None, answer: bool = False
    ) -> Response:
        """Find passages and pictures."""

    @used
    def ask(self, question: str, *, limit: int = 5, filter: Mapping[str, Any] | None = None) -> Response:
        """Answer a question by exact spans of documents: `answers`, best first, and the nearest passages as `hits`.

        Where no answer is likely enough, `answers` is empty: the library holds none.

        Raises:
            ModelMissing, ModelDamaged: the reader can't be used.
            InvalidRequest: the question is empty, or longer than the reader takes.
        """
        self.searcher.models.reader()
        return self.search(question, limit=limit, filter=filter, answer=True)

    @used
    def choose(
        self, question: str, choices: Sequence[str], *, filter: Mapping[str, Any] | None = None
    ) -> tuple[Choice, ...]:
        """Weigh given answers by what the documents say; the likeliest comes first.

        Raises:
            InvalidRequest: there are not 2 to 20 choices, or two are the same.
        """

        def find(text: str) -> Sequence[Hit]:
            return self.search(text, limit=READ, filter=filter).hits

        question, choices = arguments.text(question, "question"), arguments.texts(choices, "choices")
        return self.searcher.models.choose(question, choices, find)

    @used_to_write
    def write(
        self, question: str, *, limit: int = READ, filter: Mapping[str, Any] | None = None
    ) -> tuple[Response, Generator[Event, None, None]]:
        """Have the generator write an answer from the hits: pieces as they come, then the whole with its sources.

        Where the evidence is too weak, the only event is a refusal, and nothing is written. Closing the generator stops
        the model.

        Raises:
            InvalidRequest: no generator was chosen.
            ModelError: it can't be used.
        """
        models = self.searcher.models
        models.generator()
        response = self.ask(question, limit=limit, filter=filter)
        return response, models.write(question, response.hits, response.answers)

    @used_to_write
    def summarize(self, reference: str | os.PathLike[str]) -> Summary:
        """Summarize a document of the library by its id or URI, or a file that need not be in it.

        Raises:
            NotFound: there is no such document or file.
            LoadError: the file can't be read.
            InvalidRequest: there is no text in it.
        """
        from quarry.api.summarizing import summarize

        return summarize(self, arguments.path(reference, "reference"))
