"""Options are spelled once: what takes some of them by name takes what the value has that they are fields of."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

import click
import pytest

from quarry.api import Library
from quarry.api.cli import COMMANDS, cli
from quarry.api.routes.search import SearchRequest
from quarry.search.config import ModelNames, ModelOptions
from quarry.search.errors import InvalidRequest
from quarry.search.models.fake import FakeModels
from quarry.search.queries.query import Query, SearchOptions

NOT_OVER_HTTP = {"picture"}  # a picture is sent as a body, to a route of its own


@pytest.mark.parametrize(
    ("options", "value", "apart"),
    [
        (SearchOptions, Query, {"text", "without", "example", "pull", "away", "apart", "pixels", "thumbnail"}),
        (ModelOptions, ModelNames, set()),
    ],
)
def test_options_are_the_fields_of_their_value(options: type, value: type, apart: set[str]) -> None:
    fields = {name: hint for name, hint in get_type_hints(value).items() if name not in apart}
    assert get_type_hints(options) == fields


def test_a_request_takes_what_a_query_has() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Query)}
    wanted = {name: defaults[name] for name in SearchOptions.__annotations__ if name not in NOT_OVER_HTTP}
    taken = {name: field.default for name, field in SearchRequest.model_fields.items() if name != "query"}
    assert {name: tuple(value) if isinstance(value, list) else value for name, value in taken.items()} == wanted


def test_the_command_line_takes_what_a_query_has() -> None:
    command = cli.get_command(click.Context(cli), "search")
    assert command is not None
    parent = click.Context(cli, help_option_names=["-h", "--help"])  # click keeps the names of the first call
    given = command.make_context("search", ["stars"], parent).params
    wanted = {field.name: field.default for field in dataclasses.fields(Query)}
    wanted["min_relevance"] = wanted["fold"] = None  # they depend on who looks
    assert {name: given[name] for name in SearchOptions.__annotations__ if name not in NOT_OVER_HTTP} == {
        name: wanted[name] for name in SearchOptions.__annotations__ if name not in NOT_OVER_HTTP
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_options_of_one_name_are_one_option(name: str) -> None:
    """Those of a search and those that name a model; what is said of a model depends on what it is for."""
    search, served = _options("search"), _options("serve") | _options("eval")
    for option in _options(name).values():
        if option.name in SearchOptions.__annotations__ and option.name != "limit":
            assert option.opts == search[option.name].opts
            assert option.type.to_info_dict() == search[option.name].type.to_info_dict()
        elif option.name in ModelOptions.__annotations__:
            assert option.opts == served[option.name].opts


def _options(name: str) -> dict[str | None, click.Parameter]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {one.name: one for one in command.params if isinstance(one, click.Option)}


@pytest.mark.parametrize("given", [{"limit": 2}, {"kinds": ("text",), "mode": "lexical"}, {"min_relevance": "meant"}])
def test_a_query_is_searched_as_its_fields_are(tmp_path: Any, models: FakeModels, given: dict[str, Any]) -> None:
    from quarry.api import Text

    with Library(tmp_path / "library", models=models) as library:
        library.add([Text(f"Star number {number}.") for number in range(5)])
        by_fields, by_query = library.search("star", **given), library.search(Query("star", **given))
        assert by_fields.hits == by_query.hits
        assert by_fields.query == by_query.query
        assert library.search(Query("star", limit=1), **given).query == by_query.query or "limit" not in given
        with pytest.raises(InvalidRequest, match="not both"):
            library.search(Query("star", picture=b"x", like="1"))
        with pytest.raises(TypeError, match="limitt"):
            library.search("star", limitt=1)  # type: ignore[call-arg]
