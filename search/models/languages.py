"""Languages as models call them: `ko`, `__ko__`, `ko_KR`, `kor_Hang`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

# Of those languages of ISO 639-1 that models are trained for, the codes of ISO 639-3 that these use.
_CODES = """
af=afr am=amh ar=arb az=azj be=bel bg=bul bn=ben bs=bos ca=cat cs=ces cy=cym da=dan de=deu el=ell en=eng eo=epo es=spa
et=est eu=eus fa=pes fi=fin fr=fra ga=gle gl=glg gu=guj he=heb hi=hin hr=hrv hu=hun hy=hye id=ind is=isl it=ita ja=jpn
jv=jav ka=kat kk=kaz km=khm kn=kan ko=kor ky=kir lo=lao lt=lit lv=lvs mk=mkd ml=mal mn=khk mr=mar ms=zsm my=mya ne=npi
nl=nld no=nob pa=pan pl=pol ps=pbt pt=por ro=ron ru=rus si=sin sk=slk sl=slv so=som sq=als sr=srp sv=swe sw=swh ta=tam
te=tel th=tha tl=tgl tr=tur uk=ukr ur=urd uz=uzn vi=vie xh=xho yi=ydd yo=yor zh=zho zu=zul
"""
_LONG = dict(re.findall(r"(\w+)=(\w+)", _CODES))
_SHORT = {long: short for short, long in _LONG.items()}
_SURE = 0.7  # as of `indexer.enrichments.language`
_LOCK = threading.Lock()


def code(language: str, known: Iterable[str]) -> str:
    """Return what a model calls a language, of all codes that it knows; "" where it has none for it."""
    codes, short = sorted(known), _SHORT.get(_plain(language), _plain(language))
    long = _LONG.get(short, short)
    exact = [one for one in codes if one.strip("_") in (language, short, long)]
    longer = (f"{short}_", f"{long}_")
    return next((one for one in (*exact, *(one for one in codes if one.startswith(longer)))), "")


def same(one: str, other: str) -> bool:
    """Whether two codes are of one language: `ko` and `kor_Hang` are."""
    short = {_LONG.get(code, code) for code in (_plain(one), _plain(other))}
    return len(short) == 1


def language_of(text: str) -> str:
    """Return the language of a text, as ISO 639-1 has it; "" where that is not sure."""
    with _LOCK:
        found, confidence = _identifier().classify(text[:1_000])
    return str(found) if confidence >= _SURE else ""


@lru_cache(maxsize=1)
def _identifier() -> Any:
    from quarry.search.models.identifier import open_identifier

    return open_identifier()


def _plain(code: str) -> str:
    return code.strip("_").partition("_")[0].casefold()
