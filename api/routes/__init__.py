"""The routes of the server: a module for each, with what it takes and what it answers, and its row here."""

from __future__ import annotations

from quarry.api.routes import answer, documents, fields, health, images, page, search

ROUTERS = (search.router, answer.router, images.router, documents.router, fields.router, health.router, page.router)
