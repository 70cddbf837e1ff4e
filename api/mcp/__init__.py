"""What an assistant's host is given of a library, by the Model Context Protocol: tools and resources that only read."""

from __future__ import annotations

from quarry.search.errors import MissingExtra


def require_mcp() -> None:
    """Raise `MissingExtra` where the protocol's SDK is not installed."""
    try:
        import quarry.api.mcp.server  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("quarry"):
            raise
        raise MissingExtra("An MCP server needs mcp: `pip install 'quarry-search[mcp]'`.") from error
