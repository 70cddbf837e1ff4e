"""What a server replies, held to the models that describe it."""

from __future__ import annotations

from typing import Any

import httpx
from pydantic import BaseModel

from quarry.api.routes.problems import Problem


def described(response: Any, model: type[BaseModel], status: int = 200) -> dict[str, Any]:
    """Return the body, which must be exactly what `model` describes: no field more, none less."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body: dict[str, Any] = response.json()
    assert model.model_validate_json(response.content).model_dump(mode="json", exclude_unset=True) == body
    return body


def refused(response: httpx.Response, status: int) -> str:
    """Return the problem's detail."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(response.content)
    assert problem.model_dump() == response.json()
    assert problem.status == status
    return problem.detail
