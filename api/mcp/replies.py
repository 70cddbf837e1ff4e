"""What the tools reply, as pydantic models: what is published as their output schemas. What is null is left out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from quarry.search.types import Kind

NOTES = "What was cut or is missing, and how to get more."


def _untitled(schema: dict[str, Any]) -> None:
    """Take the titles out, which say names once more: every host reads each schema into its model's context."""
    for one in (schema, *schema["properties"].values()):
        one.pop("title", None)


class Reply(BaseModel):
    """What all replies and their parts have in common."""

    model_config = ConfigDict(json_schema_extra=_untitled)


class FoundPassage(Reply):
    """A passage or a picture."""

    id: str = Field(description="What `fetch` takes: the document's id, and the characters that the passage is.")
    title: str
    url: str = Field(description="Where the document is, to be cited.")
    text: str = Field(description="The passage; of a picture, what is said about it.")
    cut: bool = Field(default=False, description="Whether `text` is a part of the passage; `fetch` gives the whole.")
    kind: Kind = "text"
    relevance: float = Field(description="How likely it is to be relevant, 0 to 1.")
    heading: str | None = None
    page: int | None = None
    lines: tuple[int, int] | None = None
    modified: str | None = Field(None, description="When the file was changed last.")
    equal: int = Field(0, description="How many other places have this very text.")
    near: int = Field(0, description="How many results of nearly the same text it stands for.")


class SearchReply(Reply):
    """What was found, best first."""

    results: list[FoundPassage]
    more: int | None = Field(None, description="The `offset` that goes on from here, where there is more.")
    notes: list[str] = Field([], description=NOTES)


class FetchReply(Reply):
    """A document, or a range of it."""

    id: str
    title: str
    text: str
    url: str
    metadata: dict[str, Any]
    start: int = Field(description="The first of its characters in `text`.")
    end: int
    characters: int = Field(description="How many the whole document has.")
    more: str | None = Field(None, description="The `id` to fetch what comes next, where there is more.")
    notes: list[str] = Field([], description=NOTES)


class ExactAnswer(Reply):
    """An exact answer: the documents' own words."""

    text: str
    confidence: float = Field(description="How likely it is to be right, 0 to 1.")
    sentence: str = Field(description="The sentence around it.")
    id: str = Field(description="What `fetch` takes to read it in its context.")
    title: str
    url: str
    page: int | None = None


class AnswerReply(Reply):
    """Exact answers, best first; none where the library holds none that is likely enough."""

    answers: list[ExactAnswer]
    nearest: list[FoundPassage] = Field(description="The passages nearest to the question.")
    notes: list[str] = Field([], description=NOTES)


class FoundPicture(Reply):
    """A picture."""

    id: str
    title: str
    url: str
    text: str = Field(description="What is said about it.")
    relevance: float
    picture: int | None = Field(None, description="Which of the pictures that follow it is, from 0; null for none.")


class PicturesReply(Reply):
    """What was found, best first; their thumbnails follow as images."""

    results: list[FoundPicture]
    more: int | None = Field(None, description="The `offset` that goes on from here, where there is more.")
    notes: list[str] = Field([], description=NOTES)


class KeptFolder(Reply):
    """A folder or file that is kept in sync."""

    path: str
    documents: int
    synced: str | None


class NamedField(Reply):
    """What a filter can name."""

    name: str
    documents: int = Field(description="How many have it.")
    values: list[Any] = Field(description="The most frequent.")


class StatusReply(Reply):
    """What the library holds."""

    documents: int
    passages: int
    kinds: dict[str, int]
    types: dict[str, int]
    folders: list[KeptFolder]
    fields: list[NamedField]
    generation: int = Field(description="The number of its last commit.")
    notes: list[str] = Field([], description=NOTES)
