"""The tools: what a model can ask of a library. Each reply keeps to its budget of tokens, and says what it left out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar

from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ImageContent
from pydantic import Field

from quarry.api.library import Library
from quarry.api.mcp import bodies
from quarry.api.mcp.budget import LEAST, MOST, PICTURE_AREA, USUAL, fitting, json_tokens
from quarry.api.mcp.citing import passage_id, resolve, url_of
from quarry.api.mcp.replies import (
    AnswerReply,
    ExactAnswer,
    FetchReply,
    FoundPicture,
    KeptFolder,
    NamedField,
    PicturesReply,
    SearchReply,
    StatusReply,
)
from quarry.search.errors import NotFound, QuarryError
from quarry.search.queries.query import Response
from quarry.search.requests import deadline
from quarry.search.types import KINDS, Document, Fold, Kind

_FOLDERS, _FIELDS, _VALUES, _VALUE = 10, 20, 3, 50  # that the status names; values of a field, characters of one

Asked = Annotated[
    str,
    Field(description='A question, a phrase or words; -word and -"a phrase" leave out what holds them.'),
]
Sort = Annotated[
    str, Field(description="`relevance`, or a field: `date` for the oldest first, `-date` for the newest, `title`.")
]
Limit = Annotated[int, Field(ge=1, le=20, description="How many results.")]
Offset = Annotated[int, Field(ge=0, le=1_000, description="How many results to pass by: `more` of the reply before.")]
Filter = Annotated[
    dict[str, Any] | None,
    Field(
        description='Only documents that match, such as {"path": "notes/", "type": "pdf", "date": {"$gte": "2024"}}; '
        "`status` lists the fields."
    ),
]
Kinds = Annotated[tuple[Kind, ...], Field(description="What results may be: passages (text), pictures (image).")]
Least = Annotated[
    float | Literal["meant"],
    Field(description='Leave out what is less relevant, 0 to 1; "meant" leaves out what is not likely to be meant.'),
]
Folds = Annotated[Fold, Field(description="One result for each text; `near` for those of nearly the same text, too.")]
Budget = Annotated[int, Field(ge=LEAST, le=MOST, description="The most tokens that the reply may have.")]
Named = Annotated[str, Field(description="The id or path of a document, or the id of a result.")]

_DEADLINE_S = 30.0  # for a call, where the library has none of its own
P = ParamSpec("P")
R = TypeVar("R")


def _told(tool: Callable[Concatenate[Tools, P], R]) -> Callable[Concatenate[Tools, P], R]:
    """Have a tool end in time, and its errors told to the model, which can mend what it asked for."""

    @wraps(tool)
    def called(self: Tools, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with deadline.within(self.deadline_s):
                return tool(self, *args, **kwargs)
        except QuarryError as error:
            raise ToolError(str(error)) from error

    return called


class Tools:
    """The tools over one library.

    Args:
        library: is read, never written.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self.deadline_s = library.deadline_s or _DEADLINE_S

    @_told
    def search(
        self,
        query: Asked,
        limit: Limit = 5,
        offset: Offset = 0,
        filter: Filter = None,
        kinds: Kinds = KINDS,
        sort: Sort = "relevance",
        min_relevance: Least = "meant",
        fold: Folds = "same",
        max_tokens: Budget = USUAL,
    ) -> Annotated[CallToolResult, SearchReply]:
        """Find passages and pictures in the user's library by meaning and by words, best first.

        Begin here. Each result has a passage of about 300 tokens; `fetch` its id to read on, and cite its url.
        """
        response = self._library.search(
            query,
            limit=limit,
            offset=offset,
            filter=filter,
            kinds=kinds,
            sort=sort,
            min_relevance=min_relevance,
            fold=fold,
        )
        return _found(response, max_tokens)

    @_told
    def fetch(
        self,
        id: Named,
        start: Annotated[int | None, Field(ge=0, description="The character to begin at.")] = None,
        end: Annotated[int | None, Field(ge=0, description="The character to end before.")] = None,
        max_tokens: Budget = USUAL,
    ) -> Annotated[CallToolResult, FetchReply]:
        """Read a document, whole where it fits; else a range: the one that is asked for, or around a result's passage.

        What is longer than the reply may be is cut, and `more` is the id that goes on from there.
        """
        with self._library.catalog().snapshot():
            meant = resolve(self._library, id)
            document, text = meant.document, self._library.text(meant.document.id)
        title, url = bodies.line(document.title), url_of(document)
        known, notes = bodies.metadata(document, max_tokens // 4)
        room = max_tokens - bodies.ENVELOPE - json_tokens([title, url, known])
        first = min(meant.start or 0 if start is None else start, len(text))
        if start is None and meant.end is not None:  # a passage, which is read in its context
            first = 0 if fitting(text, room) == len(text) else bodies.window(text, first, room)
        wanted = text[first : len(text) if end is None else max(end, first)]
        last = first + bodies.end_of(wanted, room)
        if last - first < len(text):
            notes.append(f"Characters {first:,} to {last:,} of {len(text):,}; give start and end for others.")
        if document.kind == "image":
            notes.append("A picture; its text is what is said about it. `find_pictures` shows it.")
        reply = FetchReply(
            id=document.id,
            title=title,
            text=text[first:last],
            url=url,
            metadata=known,
            start=first,
            end=last,
            characters=len(text),
            more=passage_id(document, last) if last < len(text) else None,
            notes=notes,
        )
        return bodies.reply(reply)

    @_told
    def answer(
        self,
        question: Annotated[str, Field(description="A question, in words.")],
        limit: Limit = 3,
        filter: Filter = None,
        max_tokens: Budget = USUAL,
    ) -> Annotated[CallToolResult, AnswerReply]:
        """Find the exact span of a document that answers a question of fact, with its source.

        No answers means that the library holds none that is likely enough: say so, and look at the nearest passages.
        """
        response = self._library.ask(question, limit=limit, filter=filter)
        budget = max_tokens - bodies.ENVELOPE
        answers: list[ExactAnswer] = []
        for body in map(bodies.answer, response.answers[:limit]):
            if answers and json_tokens(bodies.written(body)) > budget // 2:
                break
            budget -= json_tokens(bodies.written(body))
            answers.append(body)
        nearest = bodies.passages(response.hits, budget)
        notes = bodies.notes(response.degraded)
        if not answers:
            notes.append("The library holds no answer that is likely enough.")
        if len(nearest) < len(response.hits):
            notes.append(
                f"{len(response.hits) - len(nearest)} of the nearest passages are left out; `search` has them."
            )
        return bodies.reply(AnswerReply(answers=answers, nearest=nearest, notes=notes))

    @_told
    def find_pictures(
        self,
        query: Annotated[str, Field(description="What the picture shows, or what is said about it.")],
        limit: Limit = 4,
        offset: Offset = 0,
        filter: Filter = None,
        min_relevance: Least = "meant",
        max_tokens: Budget = USUAL,
    ) -> Annotated[CallToolResult, PicturesReply]:
        """Find pictures by what they show, best first, and see their thumbnails."""
        response = self._library.search(
            query, limit=limit, offset=offset, filter=filter, kinds=("image",), min_relevance=min_relevance
        )
        budget = max_tokens - bodies.ENVELOPE
        results: list[FoundPicture] = []
        images: list[ImageContent] = []
        for hit in response.hits:
            image, cost = self._thumbnail(hit.document)
            body = FoundPicture(
                id=hit.document.id,
                title=bodies.line(hit.document.title),
                url=url_of(hit.document),
                text=hit.text[: fitting(hit.text, bodies.PASSAGE // 2)],
                relevance=round(hit.relevance, 3),
                picture=len(images) if image else None,
            )
            budget -= json_tokens(bodies.written(body)) + cost
            if results and budget < 0:
                break
            results.append(body)
            images += [image] if image else []
        more, notes = bodies.rest(response, len(results))
        return bodies.reply(PicturesReply(results=results, more=more, notes=notes), images)

    @_told
    def similar(
        self,
        id: Named,
        limit: Limit = 5,
        offset: Offset = 0,
        filter: Filter = None,
        max_tokens: Budget = USUAL,
    ) -> Annotated[CallToolResult, SearchReply]:
        """Find what is like a document: passages like those of a text, or pictures like a picture."""
        document = resolve(self._library, id).document
        response = self._library.search(like=document.id, limit=limit, offset=offset, filter=filter)
        return _found(response, max_tokens)

    @_told
    def status(self) -> Annotated[CallToolResult, StatusReply]:
        """Tell what the library holds: counts, folders, and the fields that a filter can name."""
        status, fields = self._library.status(), self._library.fields()
        degraded = [note for part in (*status["spaces"], status["lexical"]) for note in part["degraded"]]
        said = bodies.notes(degraded)
        folders = [KeptFolder(**{name: root[name] for name in KeptFolder.model_fields}) for root in status["roots"]]
        named = [
            NamedField(
                name=one.name, documents=one.documents, values=[_short(value) for value, _ in one.values[:_VALUES]]
            )
            for one in fields
        ]
        if len(folders) > _FOLDERS or len(named) > _FIELDS:
            said.append(
                f"{len(folders)} folders and {len(named)} fields in all; `quarry status` and `fields` list them."
            )
        reply = StatusReply(
            documents=status["documents"],
            passages=status["passages"],
            kinds=status["kinds"],
            types=dict(list(status["types"].items())[:_FIELDS]),
            folders=folders[:_FOLDERS],
            fields=named[:_FIELDS],
            generation=status["generation"],
            notes=said,
        )
        return bodies.reply(reply)

    def _thumbnail(self, document: Document) -> tuple[ImageContent | None, int]:
        """Return a picture's thumbnail, None where there is none, and how many tokens it takes."""
        from PIL import Image

        try:
            content = self._library.thumbnail(document.id)
        except NotFound:
            return None, 0
        with Image.open(BytesIO(content)) as picture:
            cost = -(-picture.width * picture.height // PICTURE_AREA)
        return ImageContent(type="image", data=b64encode(content).decode(), mime_type="image/jpeg"), cost


def _found(response: Response, max_tokens: int) -> CallToolResult:
    results = bodies.passages(response.hits, max_tokens - bodies.ENVELOPE)
    more, notes = bodies.rest(response, len(results))
    return bodies.reply(SearchReply(results=results, more=more, notes=notes))


def _short(value: object) -> object:
    return value[:_VALUE] if isinstance(value, str) else value
