"""The towns of the world, and which of them a place on the map belongs to: a file of the package, nothing is asked for.

    towns.tsv.gz    name, name in Korean or "", country, latitude, longitude, people; from south to north
    countries.tsv   code, name, name in Korean

Towns are points. A large one reaches further than a small one, so that a suburb's point does not take what lies in the
city: each stands for a disc that holds its people, and a place belongs to the town in whose disc it lies deepest.
"""

from __future__ import annotations

import gzip
import math
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FOLDER = Path(str(files("quarry.data"))) / "gazetteer"
TOWNS, COUNTRIES = "towns.tsv.gz", "countries.tsv"
FARTHEST_KM = 60.0  # from a town; beyond that a place belongs to none
_DEGREE_KM = 111.2
_PEOPLE_PER_KM2 = 14_000.0  # of a city: fewer, and Seoul takes in the towns around it


@dataclass(frozen=True, slots=True)
class Town:
    """A town and its country, in English and, where that is known, in Korean."""

    name: str
    country: str
    korean: str
    korean_country: str


class Gazetteer:
    """The towns; they are read when the first place is looked up."""

    def town(self, latitude: float, longitude: float) -> Town | None:
        """Return the town that a place belongs to; None far from all of them, as at sea, or where it is no place."""
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            return None
        rows, spots, radii = self._towns
        reach = FARTHEST_KM / _DEGREE_KM
        first, end = np.searchsorted(spots[:, 0], (latitude - reach, latitude + reach))
        near = spots[first:end]
        east = (near[:, 1] - longitude) * math.cos(math.radians(latitude))  # no town is near the date line
        away = np.hypot(near[:, 0] - latitude, east) * _DEGREE_KM
        depth = np.where(away <= FARTHEST_KM, away**2 - radii[first:end] ** 2, np.inf)
        if not len(depth) or not np.isfinite(depth.min()):
            return None
        name, korean, code = rows[int(first + depth.argmin())].split("\t")[:3]
        return Town(name, self._countries[code][0], korean, self._countries[code][1])

    @cached_property
    def _towns(self) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
        rows = gzip.decompress((FOLDER / TOWNS).read_bytes()).decode().splitlines()
        numbers = np.array([row.rsplit("\t", 3)[1:] for row in rows], np.float64)
        return rows, numbers[:, :2], np.sqrt(numbers[:, 2] / (math.pi * _PEOPLE_PER_KM2))

    @cached_property
    def _countries(self) -> dict[str, tuple[str, str]]:
        lines = (FOLDER / COUNTRIES).read_text("utf-8").splitlines()
        return {code: (name, korean) for code, name, korean in (line.split("\t") for line in lines)}
