"""What is said about a picture, wherever it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(slots=True)
class PictureWords:
    """What is said about a picture, as it stands there, in the order in which it was found.

    Args:
        moments: when it was taken, in ISO 8601, what is most to be believed first.
        places: (latitude, longitude) in degrees.
        trees: keywords with those above them, as `Places|Norway|Bergen`.
    """

    titles: list[str] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    keywords: list[str] = field(default_factory=list)
    moments: list[str] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    towns: list[str] = field(default_factory=list)
    countries: list[str] = field(default_factory=list)
    trees: list[str] = field(default_factory=list)

    def add(self, other: PictureWords) -> None:
        """Add what is said elsewhere."""
        self.titles += other.titles
        self.captions += other.captions
        self.keywords += other.keywords
        self.moments += other.moments
        self.places += other.places
        self.authors += other.authors
        self.towns += other.towns
        self.countries += other.countries
        self.trees += other.trees


def listed(text: str) -> list[str]:
    """Take keywords apart."""
    return re.split("[;,]", text)
