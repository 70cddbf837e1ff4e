"""A request to a server: what is sent, and how what comes back is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and how its answer is read.

    Args:
        path: below that of the library.
        parameters: those that are None are not sent.
        body: is sent as JSON, None for none.
        form: the fields that `content` is sent beside, as the file of a form.
    """

    method: str
    path: str
    result: Callable[[bytes], T]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    content: bytes | None = None
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> dict[str, Any]:
        """What httpx is to send."""
        given = {name: value for name, value in self.parameters.items() if value is not None}
        if self.body is not None:
            content = json.dumps(self.body, ensure_ascii=False).encode()
            headers = {"Content-Type": "application/json", **self.headers}
            return {"params": given, "content": content, "headers": headers}
        if self.form is not None:
            return {"params": given, "data": dict(self.form), "files": {"file": ("file", self.content)}}
        return {"params": given, "content": self.content, "headers": dict(self.headers)}
