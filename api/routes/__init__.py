"""The routes of the server: a module for each, with what it takes and what it answers, and its row here."""

from __future__ import annotations

from quarry.api.routes import (
    answer,
    documents,
    duplicates,
    enrichments,
    fields,
    health,
    images,
    jobs,
    libraries,
    map,
    metrics,
    models,
    page,
    roots,
    search,
    verify,
    writing,
)

ROUTERS = (
    search.router,
    answer.router,
    verify.router,
    images.router,
    documents.router,
    duplicates.router,
    writing.router,
    roots.router,
    jobs.router,
    enrichments.router,
    fields.router,
    map.router,
    models.router,
    libraries.router,
    health.router,
    page.router,
    metrics.router,
)
