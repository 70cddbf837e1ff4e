"""Functions over an open library -> methods of `api.library.Library`."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from quarry.api.opened import OpenLibrary
from quarry.search.requests import deadline

P = ParamSpec("P")
R = TypeVar("R")


class Opened(Protocol):
    """What has a library open."""

    @property
    def opened(self) -> OpenLibrary:
        """What is open of it."""
        ...


def used(function: Callable[Concatenate[OpenLibrary, P], R]) -> Callable[Concatenate[Opened, P], R]:
    """Make a method of a function over an open library: its calls are counted as uses, and end with its deadline."""
    return _method(function, 1)


def used_to_write(function: Callable[Concatenate[OpenLibrary, P], R]) -> Callable[Concatenate[Opened, P], R]:
    """Do as `used`, for what may take longer."""
    return _method(function, deadline.WRITING)


def used_for_any_time(function: Callable[Concatenate[OpenLibrary, P], R]) -> Callable[Concatenate[Opened, P], R]:
    """Do as `used`, however long it takes: a run over folders is stopped by hand."""
    return _method(function, 0)


def _method(function: Callable[Concatenate[OpenLibrary, P], R], times: int) -> Callable[Concatenate[Opened, P], R]:
    @wraps(function)
    def method(self: Opened, /, *args: P.args, **kwargs: P.kwargs) -> R:
        library = self.opened
        with library.used(), deadline.within(library.settings.deadline_s if times else None, times):
            return function(library, *args, **kwargs)

    return method
