"""One examination: the catalog, what is derived from it, and what is around."""

from __future__ import annotations

from quarry.indexer.derived.all import derived
from quarry.indexer.doctor.catalog import look_at_catalog
from quarry.indexer.doctor.findings import Finding
from quarry.indexer.doctor.lost import look_at_length, look_at_remains, look_for_losses
from quarry.indexer.doctor.repair import repair_catalog
from quarry.indexer.doctor.surroundings import look_around
from quarry.indexer.doctor.vectors import look_for_vectors
from quarry.search.config import Settings
from quarry.search.engines.opened import OpenedVectors
from quarry.search.errors import CatalogLost, LibraryDamaged, NoLibrary
from quarry.search.stores.catalog import FILE, Catalog
from quarry.search.wiring import open_vectors


def examine(settings: Settings, *, repair: bool = False) -> list[Finding]:
    """Look at everything; with `repair`, mend what is damaged, and look again.

    Raises:
        NoLibrary, LibraryFormat: there is nothing to look at.
    """
    try:
        catalog = Catalog(settings.library, wait_s=settings.wait_s)
    except CatalogLost as error:
        return [Finding("damage", "catalog", str(error))]
    except LibraryDamaged as error:
        return [Finding("damage", "catalog", str(error)), *look_at_remains(settings.library)]
    except NoLibrary:
        if not (settings.library / FILE).exists():
            raise
        return [Finding("ok", "catalog", "nothing is indexed yet: a first run ended before it had stored anything")]
    try:
        if repair:
            catalog.lock.require()
        findings = _look_at_catalog(catalog, settings)
        if repair and _has_damage(findings):
            findings = [*repair_catalog(catalog, settings), *_look_at_catalog(catalog, settings)]
        findings += look_at_length(catalog)
        if _has_damage(findings):
            return [*findings, *look_at_remains(settings.library)]
        findings += look_for_losses(catalog, repair=repair)
        return [
            *findings,
            *_look_at_derived(open_vectors(catalog, settings.engines), repair=repair),
            *look_around(catalog, settings),
        ]
    finally:
        catalog.close()


def _look_at_catalog(catalog: Catalog, settings: Settings) -> list[Finding]:
    findings = look_at_catalog(catalog)
    return findings if _has_damage(findings) else [*findings, *look_for_vectors(catalog, settings)]


def _look_at_derived(vectors: OpenedVectors, *, repair: bool) -> list[Finding]:
    if not vectors.catalog.spaces():
        return [Finding("ok", "indexes", "nothing is indexed yet")]
    every = derived(vectors)
    found = [finding for one in every for finding in one.verify()]
    if not repair or not _has_damage(found):
        return found
    for one in every:
        one.repair()
    now = [finding for one in every for finding in one.verify()]
    if not _has_damage(now):
        before = [finding for finding in found if finding.level == "damage"]
        now += [Finding("repaired", one.part, f"rebuilt from the catalog; it was: {one.text}") for one in before]
    return now


def _has_damage(findings: list[Finding]) -> bool:
    return any(finding.level == "damage" for finding in findings)
