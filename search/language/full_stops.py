"""Whether a full stop ends a sentence: abbreviations, initials, ordinals ("am 3. Mai 2021") and dates don't.

German, its neighbours to the north and east, and Turkish write "the 3rd" as "3."; English, the Romance languages and
Korean do not. Which kind a text is of is told by its commonest words. After an ordinal there is a noun or a name, after
the end of a sentence often a word that has a capital letter nowhere else.
"""

from __future__ import annotations

import re

_ABBREVIATED = (
    "adm al approx apr art assn ave aug bros ca capt cf ch co col corp dec dept dr ed eds eq eqs est et etc feb "
    "fig figs gen gov hon inc ino jan jr jul jun lt ltd mar messrs mr mrs ms mt nos nov oct op pp prof pt ref "
    "refs rep rev sec sen sep sept sgt sr st tab univ viz vol vols vs e.g i.e a.m p.m u.s u.k ph.d no p "
    # German, Dutch, Danish and Norwegian
    "abb abs allg aufl bd bspw bzgl bzw chr d.h dipl dr.-ing evtl exkl frl geb gem gest ggf hr hrsg inkl insb jh "
    "jhd kap lfd max med min mind mio mrd mwst nr o.a o.g phil rd s.o s.u sog st.-nr std str tel u.a u.ä usf uvm "
    "v.a v.chr n.chr vgl vorm z.b z.t z.zt zit zzgl bijv d.w.z dhr mevr m.b.t bl.a dvs f.eks kl mht pga vha "
    # French, Spanish, Italian, Portuguese
    "av boul env mlle mme p.ex avda dra núm pág sra srta ud uds dott ing prof.ssa sig sig.ra exmo "
    # Czech, Slovak, Polish
    "čl mgr mudr např odst resp tj tzv tzn ul č godz np rys"
)
_ABBREVIATIONS = frozenset(_ABBREVIATED.split())
_NEEDING_NUMBER = "no p mar sec fig art max min med"  # words too: abbreviations before a number only
_NEEDS_NUMBER = frozenset(_NEEDING_NUMBER.split())
# These end sentences, too: where a word follows that has a capital letter only at the beginning of one.
_ENDING = "a.m al ave chr co corp etc inc jh jhd jr ltd mio mrd n.chr p.m ph.d sr std str u.k u.s v.chr"
_MAY_END = frozenset(_ENDING.split())
_OPENERS = (
    "the a an it he she they we i you this that these those there in on at by for from with but and or so then "
    "when while after before if as to of his her its their our my no yes all some many most each every however "
    "also der die das den dem des ein eine einen einem einer eines er sie es wir ihr ich man dies diese dieser "
    "dieses dann da danach damit dort hier und oder aber denn doch wenn als ob weil nach vor bei mit von zu zum "
    "zur im am auf aus für über unter durch um ohne gegen seit bis auch nur nicht kein keine wie was wer wo wann "
    "warum alle viele jede jeder jedes bitte seine ihre unser unsere det han hun vi og men hvis når efter som le "
    "la les un une il elle ils elles nous vous ce cette ces et mais el los las y pero lo gli ma ten ta to ale "
    "jsou dne"
)
_OPENING = frozenset(_OPENERS.split())
_OF_ENGLISH = "the of and is to at by on from are it he she you we have be with that for this which or not"
_OF_ORDINALS = (
    "der die das und ist nicht mit von dem den des ein eine im zu zum zur am vom sich auf für wird "
    "werden og det til af som på ikke je se na že jsou ve ze pro ja ei että oli bir ve bu ile w z się nie jest az "
    "és egy nem hogy"
)
_ENGLISH, _ORDINALS = frozenset(_OF_ENGLISH.split()), frozenset(_OF_ORDINALS.split())
_LEADING = (
    "am im der die das den dem des zum zur vom beim ab bis seit jeden jedem jeder ein eine einen einem einer "
    "eines ihrem seinem dieser diese diesem und oder d dne od do"
)
_LEADS = frozenset(_LEADING.split())  # what stands before an ordinal, even where a German phrase is quoted

LABELS = "가나다라마바사아자차카타파하"  # of Korean lists: 가. 나. 다.
_MONTH = re.compile(
    r"(?:jan(?:uar|uary|ner|eiro)?|jän(?:ner)?|feb(?:ruar|ruary|er)?|mär(?:z)?|mar(?:ch|ts|zo|s)?|apr(?:il)?|ma[iyj]|mei"
    r"|jun[iey]?|jul[iy]?|aug(?:ust|ustus)?|sep(?:t|tember)?|o[kc]t(?:ober)?|nov(?:ember)?|de[zc](?:ember)?)\b\.?(\s+\d)?",
    re.IGNORECASE,
)
# Of a date: a month or a year after a day, a day after a month.
_DATE_GOES_ON = re.compile(r"\d{1,2}\.(?!\d)|(?:19|20)\d\d\b")
_DATE_BEFORE = re.compile(r"(?:\d{4}|\d{1,2})\.\s*(?:\d{1,2}\.\s*)?$")
_WORD = re.compile(r"[^\W\d_]+")
_ROMAN = re.compile(r"[IVXLC]{2,7}")
_LETTER = re.compile(r"[^\W\d_]\.")
_BROKEN = re.compile(r"[(\[「『（［。！？、，]|(?<=[\u3040-\u30ff\u4e00-\u9fff])(?=[A-Za-z])")  # 参照Fig. 3
_QUOTES = "\"'“‘«([„"
_SAMPLE = 4_000  # characters that tell the language
_LOOKED_AT = 40  # characters of what follows
_LONGEST = 12  # characters of what a full stop abbreviates


def writes_ordinals(text: str) -> bool:
    """Say whether a text is in a language that writes "the 3rd" as "3."."""
    sample = text[:_SAMPLE]
    words = [word.lower() for word in _WORD.findall(sample)]
    english, others = sum(word in _ENGLISH for word in words), sum(word in _ORDINALS for word in words)
    return others > english or (others == english and not sample.isascii())


def ends_sentence(text: str, mark: int, following: int, ordinals: bool) -> bool:
    """Say whether the mark (one of `.!?…`) at `mark` ends a sentence, where another word begins at `following`.

    Args:
        ordinals: what `writes_ordinals` says of the text.
    """
    if text[following].islower():
        return False
    if text[mark] != "." or text[mark + 1] == ".":
        return True
    start = mark
    while start and mark - start < _LONGEST and not text[start - 1].isspace():
        start -= 1
    word = _BROKEN.split(text[start:mark])[-1].lstrip(_QUOTES)
    after = text[following : following + _LOOKED_AT].lstrip(_QUOTES)
    if word.isupper() and word.isascii() and all(len(part) == 1 for part in word.split(".")):
        return False  # initials
    opener = _WORD.match(after)
    opens = opener is not None and opener[0].lower() in _OPENING
    first = start == 0 or text[start - 1] == "\n"
    if first and len(word) == 1 and word in LABELS:
        return False
    if word.isdecimal():
        listed = first and len(word) < 4  # a list's number
        return not listed and not _is_ordinal(text[max(0, start - _LONGEST) : start], word, after, ordinals, opens)
    if ordinals and not opens and _ROMAN.fullmatch(word):
        return False  # Friedrich II. von Preußen
    if (
        len(word) == 1
        and word.isalpha()
        and word < "\u1100"
        and (_LETTER.match(after) or _LETTER.match(text, max(0, start - 3), start))
    ):
        return False  # z. B., d. h., u. a.
    return _ends_after(word.lower(), after, opens)


def _ends_after(word: str, after: str, opens: bool) -> bool:
    last = word.rpartition("-")[2]  # Dr.-Ing.
    if word not in _ABBREVIATIONS and last not in _ABBREVIATIONS and not word.endswith("str"):
        return True
    if word in _MAY_END:
        return opens
    return word in _NEEDS_NUMBER and not after[:1].isdecimal()


def _is_ordinal(before: str, number: str, after: str, ordinals: bool, opens: bool) -> bool:
    """Say whether a number with a full stop is an ordinal or a part of a date (3. 5. 2021, 2021. 5. 3. 서울)."""
    if len(number) <= 4 and (_DATE_GOES_ON.match(after) or (_DATE_BEFORE.search(before) and not opens)):
        return True
    if len(number) > 2:
        return False
    if (month := _MONTH.match(after)) and (ordinals or month[1]):
        return True
    last = before.split()[-1:]
    return not opens and after[:1].isalpha() and (ordinals or bool(last and last[0].lower() in _LEADS))
