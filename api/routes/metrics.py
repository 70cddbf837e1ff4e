"""`GET /metrics`, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from quarry.api.server.metrics import MEDIA_TYPE, Metrics

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Metrics for Prometheus",
)
def metrics(request: Request) -> Response:
    """Get what Prometheus collects: times of requests and of stages of searches, the queue, the cache, sizes."""
    shown: Metrics = request.app.state.metrics
    return Response(shown.render(), media_type=MEDIA_TYPE)
