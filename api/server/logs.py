"""What a server tells on standard error, as JSON lines: each request, and what goes wrong."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Any

from quarry.api.server.observed import Exchange

_requests = logging.getLogger("quarry.requests")


def write(exchange: Exchange) -> None:
    """Log a request: how it was answered, in what time, for which key; its query only where that is told."""
    said: dict[str, Any] = {
        "id": exchange.id,
        "method": exchange.method,
        "route": exchange.route or None,
        "status": exchange.status or None,
        "ms": round(exchange.seconds * 1e3, 2),
        "bytes": exchange.bytes,
        "key": exchange.key or None,
    }
    if exchange.query is not None:
        said["query"] = exchange.query
    _requests.info("request", extra={"said": said})


def config() -> dict[str, Any]:
    """Return what uvicorn configures logging by: all of the server's, its faults too, in JSON lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "quarry.api.server.logs.JsonLines"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "quarry": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


class JsonLines(logging.Formatter):
    """One JSON object a line, in ASCII: whatever is quoted in it steers no terminal and ends no line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "event": record.getMessage()}
        line |= getattr(record, "said", {})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
