"""The enrichments that every document gets, a row for each; of a field that two of them find, the last one's counts."""

from __future__ import annotations

from quarry.indexer.enrichments.base import Enrichment
from quarry.indexer.enrichments.language import Language
from quarry.indexer.enrichments.looks import Looks
from quarry.indexer.enrichments.minhashes import MinHashes
from quarry.indexer.enrichments.town import NearestTown

ENRICHMENTS: tuple[Enrichment, ...] = (Language(), NearestTown(), MinHashes(), Looks())
