"""The routes of the server: a module for each, with what it takes and what it answers, and its row here."""

from __future__ import annotations

from quarry.api.routes import (
    answer,
    check,
    documents,
    duplicates,
    enrichments,
    fields,
    health,
    images,
    jobs,
    labels,
    libraries,
    map,
    metrics,
    models,
    outliers,
    page,
    roots,
    search,
    verify,
    writing,
)

ROUTERS = (
    search.router,
    answer.router,
    check.router,
    verify.router,
    images.router,
    documents.router,
    duplicates.router,
    outliers.router,
    writing.router,
    roots.router,
    jobs.router,
    enrichments.router,
    labels.router,
    fields.router,
    map.router,
    models.router,
    libraries.router,
    health.router,
    page.router,
    metrics.router,
)
