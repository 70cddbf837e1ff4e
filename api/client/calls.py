"""What a client can ask a server: a function for each route, which says what is sent and what the answer is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Unpack
from urllib.parse import quote

from pydantic import BaseModel

from quarry.api.client.call import Call
from quarry.api.members.duplicates import ALIKE, By
from quarry.api.members.mapping import MOST
from quarry.api.members.outliers import LEAST
from quarry.api.routes.answer import AnswerResponse
from quarry.api.routes.check import CheckResponse
from quarry.api.routes.documents import ContentBody, DocumentAnswersBody, DocumentList, DocumentWithText, PassagesBody
from quarry.api.routes.duplicates import DuplicatesBody
from quarry.api.routes.enrichments import EnrichmentList
from quarry.api.routes.facets import FacetsBody
from quarry.api.routes.fields import FieldList
from quarry.api.routes.images import PictureAnswersBody
from quarry.api.routes.jobs import JobBody, JobList
from quarry.api.routes.labels import LabelList
from quarry.api.routes.libraries import LibraryList, StatusBody
from quarry.api.routes.map import MapBody
from quarry.api.routes.models import EmbeddingsResponse, ModelList
from quarry.api.routes.outliers import OutliersBody
from quarry.api.routes.results import CitationBody, SearchResponse
from quarry.api.routes.roots import ForgetResponse, RootList
from quarry.api.routes.search import BatchResponse
from quarry.api.routes.verify import VerifyResponse
from quarry.api.routes.writing import AddResponse, DeleteResponse
from quarry.indexer.texts import Text
from quarry.search.queries.query import Liked, SearchOptions, liked
from quarry.search.types import THUMBNAIL, Kind

Model = TypeVar("Model", bound=BaseModel)
Filter = Mapping[str, Any]


def _read(model: type[Model]) -> Callable[[bytes], Model]:
    return model.model_validate_json


def _document(id: str, rest: str = "") -> str:
    return f"/documents/{quote(id, safe='')}{rest}"


def _json(value: Filter | None) -> str | None:
    return None if value is None else json.dumps(value)


# --- searching ------------------------------------------------------------------------------------------------------


def search(query: str = "", **options: Unpack[SearchOptions]) -> Call[SearchResponse]:
    """Find passages and pictures; the options are the fields of `Query`, of a `picture` the path or the content."""
    return _search(query, dict(options))


def search_batch(searches: Sequence[Mapping[str, Any]]) -> Call[BatchResponse]:
    """Answer several searches at once, each as `search` takes it: `[{"query": "stars", "limit": 3}, ...]`."""
    return Call("POST", "/search/batch", _read(BatchResponse), body={"searches": list(map(dict, searches))})


def search_by_picture(picture: bytes, /, text: str = "", **options: Unpack[SearchOptions]) -> Call[SearchResponse]:
    """Find what is like a picture, and passages about what it shows; the options are those of `search`."""
    return _search(text, {**options, "picture": picture})


def similar(id: str, text: str = "", **options: Unpack[SearchOptions]) -> Call[SearchResponse]:
    """Find what is like a document or a hit; the options are those of `search`."""
    return _search(text, {**options, "like": [Liked(id), *liked(options.get("like", ()), "like")]})


def _search(text: str, options: dict[str, Any]) -> Call[SearchResponse]:
    body = {"query": text, **options}
    for name in ("like", "unlike"):
        if name in body:
            body[name] = [{"id": one.id, "strength": one.strength} for one in liked(body[name], name)]
    picture = body.pop("picture", None)
    if picture is None:
        return Call("POST", "/search", _read(SearchResponse), body=body)
    content = picture if isinstance(picture, bytes) else Path(picture).read_bytes()
    form = {"options": json.dumps(body)}
    return Call("POST", "/search/image", _read(SearchResponse), content=content, form=form)


def answer(
    question: str, *, limit: int = 5, filter: Filter | None = None, choices: Sequence[str] = (), write: bool = False
) -> Call[AnswerResponse]:
    """Answer a question by exact spans of documents."""
    body = {"query": question, "limit": limit, "filter": filter, "choices": list(choices), "write": write}
    return Call("POST", "/answer", _read(AnswerResponse), body=body)


def check(claim: str, *, limit: int = 10, filter: Filter | None = None) -> Call[CheckResponse]:
    """Say what the nearest passages say of a claim, by the server's checker."""
    return Call("POST", "/check", _read(CheckResponse), body={"claim": claim, "limit": limit, "filter": filter})


def ask_picture(question: str, id: str) -> Call[PictureAnswersBody]:
    """Answer a question about a picture, by the id of its document, by the server's picture reader."""
    path = f"/images/{quote(id, safe='')}/answer"
    return Call("POST", path, _read(PictureAnswersBody), body={"question": question})


def ask_document(question: str, id: str, *, page: int | None = None) -> Call[DocumentAnswersBody]:
    """Answer a question about a document as it looks, or a table, by the server's page reader or table reader."""
    path = f"/documents/{quote(id, safe='')}/answer"
    return Call("POST", path, _read(DocumentAnswersBody), body={"question": question, "page": page})


def verify(citations: Sequence[CitationBody], quotes: Sequence[str] = ()) -> Call[VerifyResponse]:
    """Say whether what was cited still stands; `quotes` are the words of each, where they are at hand."""
    words = [*quotes, *[""] * (len(citations) - len(quotes))]
    given = [{**one.model_dump(), "quote": said} for one, said in zip(citations, words, strict=True)]
    return Call("POST", "/verify", _read(VerifyResponse), body={"citations": given})


# --- documents ------------------------------------------------------------------------------------------------------


def documents(
    *,
    filter: Filter | None = None,
    path: str | None = None,
    type: str | None = None,
    sort: str = "added",
    limit: int = 100,
    cursor: str | None = None,
) -> Call[DocumentList]:
    """List documents; `next` of a page is the `cursor` of the one after it."""
    parameters = {
        "filter": _json(filter),
        "path": path,
        "type": type,
        "sort": sort,
        "limit": limit,
        "cursor": cursor,
    }
    return Call("GET", "/documents", _read(DocumentList), parameters)


def duplicates(
    *, filter: Filter | None = None, by: By = "copies", alike: float = ALIKE, limit: int = 100, offset: int = 0
) -> Call[DuplicatesBody]:
    """List documents that are the same or nearly the same, in groups: the one to keep, and its copies."""
    parameters = {"filter": _json(filter), "by": by, "alike": alike, "limit": limit, "offset": offset}
    return Call("GET", "/duplicates", _read(DuplicatesBody), parameters)


def outliers(
    *, filter: Filter | None = None, kind: Kind | None = None, least: float = LEAST, limit: int = 20, offset: int = 0
) -> Call[OutliersBody]:
    """List documents that are like nothing else in the library, per kind, the strangest first."""
    parameters = {"filter": _json(filter), "kind": kind, "least": least, "limit": limit, "offset": offset}
    return Call("GET", "/outliers", _read(OutliersBody), parameters)


def get(id: str) -> Call[DocumentWithText]:
    """Return a document with its text."""
    return Call("GET", _document(id), _read(DocumentWithText))


def content(id: str, start: int = 0, end: int | None = None) -> Call[ContentBody]:
    """Return a range of a document's text."""
    return Call("GET", _document(id, "/content"), _read(ContentBody), {"start": start, "end": end})


def passages(id: str, *, around: int | None = None, page: int | None = None, count: int = 20) -> Call[PassagesBody]:
    """Return passages of a document around a place, or from a page on."""
    parameters = {"around": around, "page": page, "count": count}
    return Call("GET", _document(id, "/passages"), _read(PassagesBody), parameters)


def thumbnail(id: str, *, size: int = THUMBNAIL) -> Call[bytes]:
    """Return a small JPEG of a picture, its longer side at most `size` pixels."""
    return Call("GET", _document(id, "/thumbnail"), bytes, {"size": size})


def original(id: str) -> Call[bytes]:
    """Return the content of a document's file."""
    return Call("GET", _document(id, "/original"), bytes)


def add(texts: Sequence[Text] | Text) -> Call[AddResponse]:
    """Add texts, or replace those with their ids or URIs."""
    given = [texts] if isinstance(texts, Text) else texts
    body = [{**_text_body(one), "id": one.id} for one in given]
    return Call("POST", "/documents", _read(AddResponse), body={"documents": body})


def add_file(content: bytes, name: str, metadata: Mapping[str, Any] | None = None) -> Call[AddResponse]:
    """Add the documents of a file, which is read as its name says."""
    parameters = {"name": name, "metadata": _json(metadata)}
    return Call("POST", "/documents/file", _read(AddResponse), parameters, content=content)


def put(id: str, text: Text) -> Call[AddResponse]:
    """Put a text under an id."""
    return Call("PUT", _document(id), _read(AddResponse), body=_text_body(text))


def put_file(id: str, content: bytes, name: str, metadata: Mapping[str, Any] | None = None) -> Call[AddResponse]:
    """Put the document of a file under an id."""
    parameters = {"name": name, "metadata": _json(metadata)}
    return Call("PUT", _document(id), _read(AddResponse), parameters, content=content)


def _text_body(text: Text) -> dict[str, Any]:
    return {"text": text.text, "title": text.title, "uri": text.uri, "metadata": dict(text.metadata)}


def delete(id: str) -> Call[DeleteResponse]:
    """Delete a document."""
    return Call("DELETE", _document(id), _read(DeleteResponse))


def delete_matching(
    *, filter: Filter | None = None, path: str | None = None, type: str | None = None, dry_run: bool = False
) -> Call[DeleteResponse]:
    """Delete all documents that match, or say how many there are."""
    parameters = {"filter": _json(filter), "path": path, "type": type, "dry_run": dry_run}
    return Call("DELETE", "/documents", _read(DeleteResponse), parameters)


def undelete(ids: Sequence[str] = ()) -> Call[AddResponse]:
    """Bring deleted documents back, or what was deleted last."""
    return Call("POST", "/documents/undelete", _read(AddResponse), body={"ids": list(ids)})


# --- roots and jobs -------------------------------------------------------------------------------------------------


def roots() -> Call[RootList]:
    """List the folders and files that are kept in sync."""
    return Call("GET", "/roots", _read(RootList))


def add_root(
    path: str,
    *,
    text_fields: Sequence[str] = (),
    title_field: str = "",
    id_field: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Call[JobBody]:
    """Have a folder or file read, and kept in sync."""
    body = {
        "path": path,
        "text_fields": list(text_fields),
        "title_field": title_field,
        "id_field": id_field,
        "metadata": metadata,
    }
    return Call("POST", "/roots", _read(JobBody), body=body)


def sync(
    paths: Sequence[str] = (),
    *,
    prune: bool = False,
    verify: bool = False,
    dry_run: bool = False,
    cross_lingual: bool = False,
    ocr: str | None = None,
    transcribe: str | None = None,
) -> Call[JobBody]:
    """Have roots brought in sync, all of them where none is named."""
    body = {
        "paths": list(paths),
        "prune": prune,
        "verify": verify,
        "dry_run": dry_run,
        "cross_lingual": cross_lingual,
        "ocr": ocr,
        "transcribe": transcribe,
    }
    return Call("POST", "/roots/sync", _read(JobBody), body=body)


def forget(path: str) -> Call[ForgetResponse]:
    """Stop keeping a root in sync, and drop its documents."""
    return Call("DELETE", "/roots", _read(ForgetResponse), {"path": path})


def label_sets() -> Call[LabelList]:
    """List the sets of labels, with how many documents have which."""
    return Call("GET", "/labels", _read(LabelList))


def label(
    labels: Sequence[str] = (), *, kind: Kind | None = None, field: str = "label", remove: Sequence[str] = ()
) -> Call[JobBody]:
    """Give documents those labels that are apt, now and from now on; answers with the job that does it."""
    body = {"labels": list(labels), "kind": kind, "field": field, "remove": list(remove)}
    return Call("POST", "/labels", _read(JobBody), body=body)


def enrichments() -> Call[EnrichmentList]:
    """List the models that find something out about documents, each with how far it is."""
    return Call("GET", "/enrichments", _read(EnrichmentList))


def enrich(*, redo: Sequence[str] = ()) -> Call[JobBody]:
    """Have models look at what they have not looked at; those of `redo`, by name, at everything: a job."""
    return Call("POST", "/enrichments", _read(JobBody), body={"redo": list(redo)})


def jobs() -> Call[JobList]:
    """List jobs, the latest first."""
    return Call("GET", "/jobs", _read(JobList))


def job(id: str) -> Call[JobBody]:
    """Return a job, and how far it is."""
    return Call("GET", f"/jobs/{quote(id, safe='')}", _read(JobBody))


def cancel(id: str) -> Call[JobBody]:
    """Have a job end; what it has committed stays."""
    return Call("DELETE", f"/jobs/{quote(id, safe='')}", _read(JobBody))


# --- what there is --------------------------------------------------------------------------------------------------


def embed(
    texts: Sequence[str] | str, *, model: str = "text", input_type: Literal["document", "query"] = "document"
) -> Call[EmbeddingsResponse]:
    """Return the vectors of texts."""
    body = {"input": texts if isinstance(texts, str) else list(texts), "model": model, "input_type": input_type}
    return Call("POST", "/embeddings", _read(EmbeddingsResponse), body=body)


def models() -> Call[ModelList]:
    """List the models that the library works with."""
    return Call("GET", "/models", _read(ModelList))


def library_map(*, filter: Filter | None = None, limit: int = MOST) -> Call[MapBody]:
    """Get a sample of passages and pictures with their vectors in few dimensions."""
    return Call("GET", "/map", _read(MapBody), {"filter": _json(filter), "limit": limit})


def fields() -> Call[FieldList]:
    """List what a filter can name."""
    return Call("GET", "/fields", _read(FieldList))


def facets(fields: Sequence[str], *, query: str = "", filter: Filter | None = None) -> Call[FacetsBody]:
    """Count how many documents, or hits of a query, have which value of a field."""
    return Call("GET", "/facets", _read(FacetsBody), {"field": list(fields), "q": query, "filter": _json(filter)})


def status() -> Call[StatusBody]:
    """Say what the library holds."""
    return Call("GET", "/status", _read(StatusBody))


def libraries() -> Call[LibraryList]:
    """List the libraries that are served."""
    return Call("GET", "/libraries", _read(LibraryList))
