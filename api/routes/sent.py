"""A file that a client sends: as the body, or as the one part of a form that is a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Set
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from quarry.api.routes.library import library_of
from quarry.search.errors import Busy, InvalidRequest

T = TypeVar("T")
Body = TypeVar("Body", bound=BaseModel)
Parameters = ParamSpec("Parameters")
AT_ONCE = 4  # requests of one line that are worked on; each waits for a parser, the processor and the writer's lock
WAIT_S = 30.0
FORM = "multipart/form-data"
_MAX_FIELDS = 16


@dataclass(frozen=True, slots=True)
class Sent:
    """The content, and what a form says beside it.

    Args:
        name: the file's name as the form gives it, "" where it does not, and where there is no form.
        fields: the form's other fields.
    """

    content: bytes
    name: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def body_of(
    media_type: str, fields: Mapping[str, Any] | None = None, model: type[BaseModel] | None = None
) -> dict[str, Any]:
    """Describe for OpenAPI a body that is a file of `media_type`, or a form with one, or what `model` is as JSON."""
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "required": ["file"], "properties": {"file": binary, **(fields or {})}}
    content = {media_type: {"schema": binary}, FORM: {"schema": form}}
    if model is not None:
        content = {"application/json": {"schema": model.model_json_schema()}} | content
    return {"requestBody": {"required": True, "content": content}}


async def in_turn(
    request: Request, task: Callable[Parameters, T], *arguments: Parameters.args, **options: Parameters.kwargs
) -> T:
    """Run what parses or reads much in a thread, few at once of a route: those that wait hold up no search.

    Raises:
        Busy: its turn did not come in time.
    """
    return await _in_line(request, request.scope["route"].path, partial(task, *arguments, **options))


async def written(
    request: Request, task: Callable[Parameters, T], *arguments: Parameters.args, **options: Parameters.kwargs
) -> T:
    """Run what writes to the library in a thread, and return when it is committed.

    All that is to be written to a library waits in one line, whichever the route; a few are read and embedded beside
    each other, and committed one after the other.

    Raises:
        Busy: its turn did not come in time.
    """
    return await _in_line(request, library_of(request), partial(task, *arguments, **options))


async def _in_line(request: Request, line: Hashable, task: Callable[[], T]) -> T:
    turns, threads = _limiters(request, line)
    try:
        with fail_after(WAIT_S):
            await turns.acquire()
    except TimeoutError:
        raise Busy(f"Other requests are being worked on; waited {WAIT_S:g} s. Try again later.") from None
    try:
        return await to_thread.run_sync(task, limiter=threads)
    finally:
        turns.release()


def _limiters(request: Request, line: Hashable) -> tuple[CapacityLimiter, CapacityLimiter]:
    """Return what the requests of a line wait for, and what counts their threads, which waits for nothing any more."""
    state = request.app.state
    if not hasattr(state, "limiters"):
        state.limiters = {}
    made: tuple[CapacityLimiter, CapacityLimiter] = state.limiters.setdefault(
        line, (CapacityLimiter(AT_ONCE), CapacityLimiter(AT_ONCE))
    )
    return made


async def sent_file(request: Request, fields: Set[str] = frozenset()) -> Sent:
    """Read what a client sends.

    Args:
        fields: what a form may hold beside the file.

    Raises:
        InvalidRequest: it is a form that can't be read, or that does not hold exactly one file.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return Sent(await request.body())
    try:
        async with request.form(max_files=2, max_fields=_MAX_FIELDS) as form:
            parts = form.multi_items()
            files = [part for _, part in parts if isinstance(part, UploadFile)]
            texts = {name: part for name, part in parts if isinstance(part, str)}
            if len(files) != 1:
                held = "no part with a filename" if not files else "several files"
                raise InvalidRequest(f"The form holds {held}; send one file.")
            for name in texts:
                if name not in fields:
                    raise InvalidRequest(f"The form's {name}: there is no such field.")
            return Sent(await files[0].read(), files[0].filename or "", texts)
    except HTTPException as error:
        if error.status_code != 400:  # such as a body that is too large
            raise
        raise InvalidRequest(f"The form can't be read: {str(error.detail).rstrip('.')}.") from error


async def sent_json(request: Request, model: type[Body]) -> Body | None:
    """Read a body that says it is JSON; return None of any other.

    Raises:
        RequestValidationError: it is not what `model` describes.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        raise _invalid(error, "body") from error


def valid(model: type[Body], value: Any, *place: str) -> Body:
    """Return what JSON that was sent within something else describes.

    Raises:
        RequestValidationError: it is not what `model` describes.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error, "body", *place) from error


def _invalid(error: ValidationError, *place: str) -> RequestValidationError:
    return RequestValidationError([{**one, "loc": (*place, *one["loc"])} for one in error.errors()])


def json_object(text: str | None, name: str) -> dict[str, Any] | None:
    """Read a JSON object that is sent as a text, None for none.

    Raises:
        InvalidRequest: it is none.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"{name} is not JSON.") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"{name} must be a JSON object.")
    return value
