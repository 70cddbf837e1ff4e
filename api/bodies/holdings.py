"""What a library holds: lists of documents, copies, labels, outliers, fields; and the report of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quarry.api.bodies.hits import document_body
from quarry.search.fields.held import Field

if TYPE_CHECKING:
    from quarry.api.members.duplicates import Copy, Duplicates
    from quarry.api.members.labelling import Labelled
    from quarry.api.members.listing import Listing
    from quarry.api.members.outliers import Outliers
    from quarry.indexer.report import Report


def documents_body(found: Listing, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/documents` answers."""
    return {
        "documents": [document_body(document) for document in found.documents],
        "total": found.total,
        "limit": limit,
        "offset": offset,
        "next": found.next,
    }


def duplicates_body(found: Duplicates, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/duplicates` answers."""
    groups = [
        {"keep": _copy_body(group.keep), "copies": list(map(_copy_body, group.copies)), "total": group.total}
        for group in found.groups
    ]
    told = {"total": found.total, "copies": found.copies, "unseen": found.unseen}
    return {"groups": groups, **told, "limit": limit, "offset": offset}


def _copy_body(copy: Copy) -> dict[str, Any]:
    document = document_body(copy.document)
    return {"alike": round(copy.alike, 4), "same": copy.same, "bytes": copy.bytes, "document": document}


def labelled_body(found: Labelled) -> dict[str, Any]:
    """Return a set of labels as `GET /v1/labels` lists it."""
    return {
        "field": found.field,
        "kind": found.kind,
        "labels": dict(found.labels),
        "documents": found.documents,
        "could": found.could,
        "none": found.none,
        "unread": list(found.unread),
    }


def outliers_body(found: Outliers, limit: int, offset: int) -> dict[str, Any]:
    """Return what `GET /v1/outliers` answers."""
    outliers = [
        {
            "kind": one.document.kind,
            "spreads": round(one.spreads, 3),
            "distance": round(one.distance, 4),
            "document": document_body(one.document),
            "nearest": document_body(one.nearest),
        }
        for one in found.outliers
    ]
    told = {"total": found.total, "compared": found.compared, "left_out": found.left_out}
    return {"outliers": outliers, **told, "limit": limit, "offset": offset}


def report_body(report: Report) -> dict[str, Any]:
    """Return a report as `--json` prints it, and a job has it."""
    return {
        "added": report.added,
        "changed": report.changed,
        "moved": report.moved,
        "dropped": report.dropped,
        "unchanged_files": report.unchanged_files,
        "files_read": report.files_read,
        "passages": report.passages,
        "embedded": report.embedded,
        "failed": report.failed,
        "warnings": report.warnings,
        "skipped": dict(report.skipped),
        "skipped_files": report.skipped_files,
        "enriched": report.enriched,
        "unable": report.unable,
        "held_back": report.held_back,
        "dry_run": report.dry_run,
        "seconds": round(report.seconds, 3),
    }


def fields_body(fields: Sequence[Field]) -> dict[str, Any]:
    """Return what `GET /v1/fields` answers."""
    return {
        "fields": [
            {
                "name": field.name,
                "documents": field.documents,
                "types": dict(field.types),
                "distinct": field.distinct,
                "values": [{"value": value, "count": count} for value, count in field.values],
                "unclear": list(field.unclear),
            }
            for field in fields
        ]
    }
