"""`POST /v1/search`, and searching with a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from quarry.api.bodies.responses import response_body
from quarry.api.federation.federation import Federation
from quarry.api.library import Library
from quarry.api.routes.library import SearchedDependency
from quarry.api.routes.problems import INVALID, NO_LOADER, TOO_LARGE
from quarry.api.routes.request_body import RequestBody
from quarry.api.routes.results import SearchResponse
from quarry.api.routes.sent import body_of, in_turn, json_object, sent_file, valid
from quarry.search.types import KINDS, Kind

router = APIRouter(prefix="/v1", tags=["search"])
MAX_SEARCHES = 32  # in one request

Limit = Annotated[int, Field(description="How many hits, 1 to 1,000.")]
Offset = Annotated[int, Field(description="How many hits to pass by; offset + limit is at most 10,000.")]
Least = Annotated[
    float | Literal["meant"],
    Field(
        description='Leave out hits that are less relevant, 0 to 1; "meant" leaves out those that are not likely to be '
        "meant."
    ),
]


Ground = Annotated[
    bool, Field(description="Tell of the first 50 pictures where in them what `query` says is seen: in `grounding`.")
]


class LikedBody(RequestBody):
    """A document, by its id or URI, or a hit, by its id, and how much hits are to be like it."""

    id: str
    strength: float = Field(1.0, description="0 to 1.")


class SearchRequest(RequestBody):
    """What to find."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"query": "how do stars form"},
                {
                    "query": "price of bread",
                    "mode": "lexical",
                    "limit": 5,
                    "filter": {"type": "text/csv", "year": {"$gte": 1990}},
                    "explain": True,
                },
                {"query": "a red bicycle", "kinds": ["image"], "min_relevance": 0.5},
                {"query": "jaguar -concert", "exclude": ["car makers"]},
                {"query": "tides", "facets": ["type", "date", "language"], "sort": "-date", "fold": "near"},
                {"query": "when was the Panama Canal opened", "rerank": "reader", "answer": True, "summarize": True},
            ]
        }
    )

    query: str = Field(
        "",
        description="A question, a phrase or words; 1 to 10,000 characters, unless `like` is given. What holds a word "
        'with a minus before it (`-word`, `-"a phrase"`) is left out.',
    )
    mode: Literal["semantic", "lexical", "hybrid"] = Field("hybrid", description="How passages are found.")
    limit: Limit = 10
    offset: Offset = 0
    filter: dict[str, Any] | None = Field(
        None,
        description="Only documents that match: fields path, type, title, date or any metadata (`GET /v1/fields` lists "
        "them); operators $eq $ne $in $nin $gt $gte $lt $lte $exists $contains $and $or $not. `path` takes a file, a "
        "folder or a pattern, `type` also `markdown` or `md`.",
    )
    explain: bool = Field(False, description="Tell for each hit how it was found.")
    kinds: list[Kind] = Field(list(KINDS), description="What hits may be: passages, pictures.")
    min_relevance: Least = 0.0
    like: list[str | LikedBody] = Field(
        [],
        description="What hits are to be like, instead of words or beside them: ids of documents or hits.",
        examples=[["44", {"id": "f34c15be6e5836bc", "strength": 0.5}]],
    )
    unlike: list[str | LikedBody] = Field([], description="What hits are not to be like, in the same form.")
    exclude: list[str] = Field(
        [],
        description="What hits are not to be about, in words: what is nearer to these than to what is asked is left "
        "out.",
        examples=[["car makers"]],
    )
    rerank: Literal["reader", "cross-encoder"] | None = Field(
        None, description="Put the first 20 hits in order once more: by how well they answer, or by a cross-encoder."
    )
    answer: bool = Field(False, description="Look for exact answers in the first 10 hits.")
    summarize: bool = Field(False, description="Say in a few sentences what the first 10 hits hold on the query.")
    group: Literal["document"] | None = Field(
        None, description="One hit a document, its further passages in `more`; limit and offset count documents."
    )
    fold: Literal["same", "near"] = Field(
        "same",
        description="One hit for each text, its other places in `also`; `near` for those of nearly the same, too.",
    )
    sort: str = Field(
        "relevance",
        description="`relevance`, or a field as filters name it: `date` for the oldest first, `-date` for the newest. "
        "Only what is likely to be meant is sorted, unless `min_relevance` is above 0.",
        examples=["-date"],
    )
    facets: list[str] = Field(
        [],
        description="Fields, as filters name them, whose values are counted over all hits that are likely to be meant, "
        "or that pass `min_relevance` where that is above 0; at most 20.",
        examples=[["type", "date", "path"]],
    )
    translate_to: str = Field(
        "",
        description="The language that `query` is put into before it is looked for; a note tells what was looked for. "
        "The server is started with `--translator`.",
        examples=["en"],
    )
    ground: Ground = False


class BatchRequest(RequestBody):
    """Several searches at once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"searches": [{"query": "how do stars form"}, {"query": "bread", "limit": 3}]}]}
    )

    searches: list[SearchRequest] = Field(min_length=1, max_length=MAX_SEARCHES)


class BatchResponse(BaseModel):
    """What was found, in the order of the searches."""

    results: list[SearchResponse]


OPTIONS = "All that `POST /v1/search` takes, as JSON; what stands beside it in the URL counts where it says nothing."


class ExampleParameters(BaseModel):
    """What to find by a picture or a document: what is said most often, and `options` for all else."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field("", description="What else is wanted, in words.", examples=["but at night"])
    kind: list[Kind] = Field(list(KINDS), description="What hits may be: passages, pictures.")
    limit: Limit = 10
    offset: Offset = 0
    min_relevance: Least = 0.0
    options: str | None = Field(
        None, description=OPTIONS, examples=['{"filter": {"type": "image/jpeg"}, "facets": ["date"]}']
    )

    def request(self, options: str | None = None) -> SearchRequest:
        """Return the search that is asked for, with what a form's `options` say rather than the URL's."""
        said = {"query": self.text, "kinds": self.kind, "limit": self.limit, "offset": self.offset}
        own = json_object(self.options if options is None else options, "options") or {}
        return valid(SearchRequest, {**said, "min_relevance": self.min_relevance, **own}, "options")


@router.post("/search", response_model=SearchResponse, responses=INVALID | TOO_LARGE, summary="Find passages")
def search(request: SearchRequest, library: SearchedDependency) -> JSONResponse:
    """Find passages by meaning and by words, best first."""
    return JSONResponse(answered(request, library))


@router.post(
    "/search/batch", response_model=BatchResponse, responses=INVALID | TOO_LARGE, summary="Find for several queries"
)
def search_batch(request: BatchRequest, library: SearchedDependency) -> JSONResponse:
    """Answer several searches, one after the other; one that can't be answered refuses all."""
    return JSONResponse({"results": [answered(one, library) for one in request.searches]})


def answered(
    request: SearchRequest, library: Library | Federation, *, picture: bytes | None = None, like: Sequence[str] = ()
) -> dict[str, Any]:
    """Answer a search, also by a picture, or for what is like some documents or hits as well."""
    options = request.model_dump()
    options["like"] = [*like, *options["like"]]
    return response_body(library.search(options.pop("query"), picture=picture, **options))


@router.post(
    "/search/image",
    response_model=SearchResponse,
    responses=INVALID | TOO_LARGE | NO_LOADER,
    summary="Find by a picture",
    openapi_extra=body_of("image/*", {"options": {"type": "string", "description": OPTIONS}}),
)
async def search_by_picture(
    request: Request, parameters: Annotated[ExampleParameters, Query()], library: SearchedDependency
) -> JSONResponse:
    """Find pictures like the one that is sent, and passages about what it shows.

    It is sent as the body, or in a form as `file`, beside which `options` may stand.
    """
    sent = await sent_file(request, {"options"})
    asked = parameters.request(sent.fields.get("options"))
    return JSONResponse(await in_turn(request, answered, asked, library, picture=sent.content))
