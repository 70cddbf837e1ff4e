"""Quarry's outside: the Python interface, the command line and the HTTP server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from quarry.api.library import Library, Text
    from quarry.api.members.keeping import restore

__all__ = ["Library", "Text", "restore"]


def __getattr__(name: str) -> Any:
    # `import quarry.api.cli` must not load NumPy and SQLite for `quarry --help`.
    if name in __all__:
        from quarry.api import library
        from quarry.api.members import keeping

        return getattr(keeping if name == "restore" else library, name)
    raise AttributeError(f"module 'api' has no attribute {name!r}")
