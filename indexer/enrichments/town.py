"""The town and the country that coordinates lie in, from the gazetteer that comes with the package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from quarry.indexer.enrichments.base import Enrichment, Own, OwnFields, Rendition, Result, Said
from quarry.indexer.gazetteer import Gazetteer, Town
from quarry.search.types import WORDS, Metadata

_NAMES = (("latitude", "lat"), ("longitude", "lon", "lng", "long"))


class NearestTown(Enrichment):
    """Finds `town`, `country` and `place` of what has coordinates; a picture is found by their names, too."""

    name = "town"
    rendition: ClassVar[Rendition] = OwnFields()
    identity = "town 1"  # raised with what the gazetteer holds, and how a town is told

    def __init__(self) -> None:
        self._gazetteer = Gazetteer()

    def enrich(self, items: Sequence[Own]) -> list[Result]:
        """Tell the town of each."""
        return [self._told(item) for item in items]

    def _told(self, item: Own) -> Result:
        latitude, longitude = (_number(item.fields, names) for names in _NAMES)
        if latitude is None or longitude is None or not (latitude or longitude):
            return Result()
        town = self._gazetteer.town(latitude, longitude)
        if town is None:
            return Result()
        place = _in_words(town)
        fields = {"town": town.name, "country": town.country, "place": place}
        return Result(fields, () if item.kind == WORDS else (Said(place),))


def _in_words(town: Town) -> str:
    """Return where it is in English and in Korean: one value of a facet, and words to be found by in either."""
    korean = ", ".join(filter(None, (town.korean, town.korean_country)))
    return f"{town.name}, {town.country} ({korean})"


def _number(fields: Metadata, names: Sequence[str]) -> float | None:
    for name in names:
        try:
            return float(fields[name])
        except (KeyError, TypeError, ValueError):
            continue
    return None
