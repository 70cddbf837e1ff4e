"""Several libraries, asked as if they were one."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack, cast

from quarry.api.federation import adding, likeness
from quarry.api.federation.fan_out import FanOut, Searched, ServedElsewhere
from quarry.api.federation.merging import Contribution, Merged, merged, placed
from quarry.search.answers.answering import READ, best_of
from quarry.search.answers.choosing import Choice
from quarry.search.config import read_settings
from quarry.search.errors import InvalidRequest, ModelError, ModelMissing, QuarryError
from quarry.search.fields import facets as counts
from quarry.search.fields.held import Field
from quarry.search.hits.models import HitModels
from quarry.search.queries.query import Query, Response, SearchOptions, checked
from quarry.search.types import MAX_LIMIT, Facet
from quarry.search.values.notes import Note, once

if TYPE_CHECKING:
    from quarry.api.library import Library
    from quarry.search.generation.answers import Event

TOGETHER = "Quarry-Together"  # a header: one server that answers for several libraries asks another


Wanted = Mapping[str, tuple[str, SearchOptions]]  # what each library is asked, by its name


class Federation:
    """Libraries that are searched as one: `Federation({"notes": Library("~/notes"), "mail": Library("~/mail")})`.

    Each is asked at the same time as the others. What is found names its library (`hit.document.library`), and the ids
    of hits begin with it: `notes/44`. Where one can't be searched, the others answer, and a note says so. Thread-safe;
    who opened the libraries closes them.

    Args:
        libraries: by their names, in the order of which those come that are found equally relevant.
    """

    def __init__(self, libraries: Mapping[str, Searched]) -> None:
        if not libraries:
            raise InvalidRequest("There is no library; name one.")
        self.libraries = dict(libraries)
        self._fan_out = FanOut(self.libraries)

    @property
    def here(self) -> Sequence[Library]:
        """The libraries of this machine."""
        return self._fan_out.here

    @property
    def elsewhere(self) -> Mapping[str, ServedElsewhere]:
        """The libraries of other servers, by their names."""
        return self._fan_out.elsewhere

    def search(self, text: str = "", **options: Unpack[SearchOptions]) -> Response:
        """Find passages and pictures of all libraries, in one list by relevance; the options are the fields of `Query`.

        `offset + limit` is at most 1,000.

        Raises:
            InvalidRequest, InvalidFilter: the message names what is wrong.
            NotFound: what hits are to be like is in no library.
            LibraryError: none can be searched; the message says why the first can't.
        """
        started = time.perf_counter()
        query = checked(Query(text, **options))
        reach = query.offset + query.limit
        if reach > MAX_LIMIT:
            raise InvalidRequest(
                f"offset + limit is {reach:,}; of several libraries together the first {MAX_LIMIT:,} hits can be seen."
            )
        wanted, told = self._wanted(query, text, options)
        response, found = self._parts(query, wanted, reach)
        list = merged(query, found)
        asked = reach
        while len(list.hits) < reach and not list.is_whole and asked < MAX_LIMIT:  # what was folded leaves room
            asked = min(2 * asked, MAX_LIMIT)
            rest: SearchOptions = {"answer": False, "facets": ()}
            _, found = self._parts(
                query, {name: (said, {**own, **rest}) for name, (said, own) in wanted.items()}, asked
            )
            list = merged(query, found)
        page = list.hits[query.offset : reach]
        summary, lost = self._summary(query, list) if query.summarize else (None, ())
        return replace(
            response,
            hits=page,
            summary=summary,
            notes=once((*response.notes, *told, *lost)),
            took_ms=(time.perf_counter() - started) * 1e3,
        )

    def ask(self, question: str, *, limit: int = 5, filter: Mapping[str, Any] | None = None) -> Response:
        """Answer a question by exact spans of documents of all libraries, the surest first, as `Library.ask` does."""
        return self.search(question, limit=limit, filter=filter, answer=True)

    def choose(
        self, question: str, choices: Sequence[str], *, filter: Mapping[str, Any] | None = None
    ) -> tuple[Choice, ...]:
        """Weigh given answers by what the documents say, as `Library.choose` does."""
        return self.models.choose(question, choices, lambda text: self.search(text, limit=READ, filter=filter).hits)

    def write(
        self, question: str, *, limit: int = READ, filter: Mapping[str, Any] | None = None
    ) -> tuple[Response, Generator[Event, None, None]]:
        """Have the generator write an answer from the hits of all libraries, as `Library.write` does."""
        models = self.models
        models.generator()
        response = self.ask(question, limit=limit, filter=filter)
        return response, models.write(question, response.hits, response.answers)

    def facets(
        self, fields: Sequence[str], *, query: str = "", filter: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Facet], tuple[Note, ...]]:
        """Count values of fields over all libraries, added up, as `Library.facets` does; and say which are left out.

        What stands in two libraries counts twice.
        """
        if isinstance(fields, str) or not fields:
            raise InvalidRequest("facets counts no field; give a list of some, such as type, language or date.")
        counts.fields(fields)
        found = self._fan_out.each(lambda _, library: library.facets(fields, query=query, filter=filter))
        every = [one for one in self.filter_notes(filter) if one.code in adding.OF_ALL]
        return adding.facets(list(found.given.values())), (*every, *found.notes)

    def fields(self) -> list[Field]:
        """Return what filters can name in any library, with the counts of all."""
        found: dict[str, list[Field]] = {}
        for own in self._fan_out.each(lambda _, library: library.fields()).given.values():
            for field in own:
                found.setdefault(field.name, []).append(field)
        return [adding.field(same) for same in found.values()]

    def filter_notes(self, filter: Mapping[str, Any] | None) -> tuple[Note, ...]:
        """Say what a filter may have been meant as, where no library of this machine knows it as it is."""
        own = [one.filter_notes(filter) for one in self.here]
        shared = set.intersection(*({note.code for note in notes} for notes in own)) if own else set()
        return once(note for notes in own for note in notes if note.code in shared)

    def warm(self) -> None:
        """Load what searching the libraries of this machine needs; raise the first cause why none can be searched."""
        causes = []
        for library in self.here:
            try:
                library.warm()
            except QuarryError as error:
                causes.append(error)
        if causes and len(causes) == len(self.here):
            raise causes[0]

    @property
    def models(self) -> HitModels:
        """The models that look at hits: those of the first library of this machine."""
        for library in self.here:
            return library.searcher.models
        return HitModels(read_settings(), _no_encoder)

    def _wanted(self, query: Query, text: str, options: SearchOptions) -> tuple[Wanted, tuple[Note, ...]]:
        """Return what each library is asked: words and options, but for how many hits; and notes on what is not."""
        plain: SearchOptions = {**options, "offset": 0, "min_relevance": query.min_relevance}
        plain.pop("summarize", None)
        if not query.like and not query.unlike:
            return dict.fromkeys(self.libraries, (text, plain)), ()
        named = likeness.references(query, self.libraries)
        examples = [
            likeness.example_of(self.libraries[library], one.id)
            for library, (liked, _) in named.items()
            for one in liked
        ]
        wanted = {}
        for library in self.libraries:
            own = likeness.elsewhere(query, text, library, named, examples)
            if own is not None:
                wanted[library] = own[0], cast(SearchOptions, {**plain, **own[1]})
        return wanted, likeness.told(named, examples) if len(self.libraries) > 1 else ()

    def _parts(self, query: Query, wanted: Wanted, limit: int) -> tuple[Response, list[Contribution]]:
        """Ask each library for its first hits; return what they say beside these, and the hits."""

        def search(name: str, library: Searched) -> Response:
            text, options = wanted[name]
            return library.search(text, **cast(SearchOptions, {**options, "limit": limit}))

        found = self._fan_out.each(search, wanted)
        parts = [
            Contribution(name, replace(given, hits=[placed(hit, name) for hit in given.hits]), limit)
            for name, given in found.given.items()
        ]
        responses = list(found.given.values())
        answers = (adding.placed_answer(one, name) for name, given in found.given.items() for one in given.answers)
        response = Response(
            query,
            (),
            sum(one.generation for one in responses),
            0.0,
            (*adding.notes(found.given), *found.notes),
            best_of(answers),
            None,
            sum(one.left_out for one in responses),
            adding.facets([one.facets for one in responses]),
            {name: given.took_ms for name, given in found.given.items()},
        )
        return response, parts

    def _summary(self, query: Query, list: Merged) -> tuple[Any, tuple[Note, ...]]:
        try:
            return self.models.summarize(query.text, list.hits[:READ]), ()
        except ModelError as error:
            return None, (Note.of_error("model_missing_summary", error, "There is no summary."),)

    def close(self) -> None:
        """Take no more searches; the libraries stay open."""
        self._fan_out.close()

    def __enter__(self) -> Federation:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _no_encoder(text: str) -> Any:
    raise ModelMissing("No library of this machine is searched.")
