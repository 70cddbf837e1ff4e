"""Function words, which stand in almost any question: by them its language is told, and without them it is looked up.

That takes microseconds and no model. What tells nothing (names, a word or two) is in no language; what tells several
alike may be in any of them. So it is good for what does no harm where nobody knows. A name is in another language than
the question that it stands in ("El Niño in Peru"): it adds to what the other words tell, and tells nothing alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache, lru_cache

ENGLISH = "en"
_LEAST = 2  # words that must speak for a language: one may be part of a name
_SHARE = 0.3  # of all words, that speak for it
_WORD = re.compile(r"[^\W\d_]+")
_NAME_PARTS = frozenset(("de", "da", "do", "dos", "del", "di", "du", "la", "las", "los", "le", "les", "y", "e"))

# The list of the Snowball project, without the words that also name things ("will", "can", "own", "second").
_STOPS = """
a about above after again against all am an and any are aren't as at be because been before being below between
both but by can't cannot could couldn't did didn't do does doesn't doing don't down during each few for from
further had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers herself him himself his
how how's i i'd i'll i'm i've if in into is isn't it it's its itself let's me more most mustn't my myself no nor
not of off on once only or other ought our ours ourselves out over same shan't she she'd she'll she's should
shouldn't so some such than that that's the their theirs them themselves then there there's these they they'd
they'll they're they've this those through to too under until up very was wasn't we we'd we'll we're we've were
weren't what what's when when's where where's which while who who's whom why why's with won't would wouldn't you
you'd you'll you're you've your yours yourself yourselves
"""
STOP_WORDS = frozenset(_STOPS.split())

# Those of other languages, but for some that are English words, too.
_WORDS = {
    "cs": "který která které jaký jaká jaké kdo kdy kde jak proč kolik je jsou byl byla bylo se si na ve pro při před "
    "od nebo ale když jsem není může má mají podle své ze mezi",
    "da": "hvad hvem hvor hvornår hvordan hvorfor hvilken hvilket er og ikke det den en et på til med af som var har "
    "kan jeg der fra ved eller mange sig bliver",
    "de": "der die das den dem des ein eine einen einem einer eines und ist sind war waren wer wie wo wann warum "
    "welche welcher welches welchen woher wohin wozu wird werden wurde wurden hat haben kann können darf dürfen muss "
    "nicht auf mit von zu zum zur im am bei für über nach aus ich sich es er sie wir gibt gegen ohne wenn oder "
    "auch mein meine ab viel viele als dass ob tun noch beim vom seit unter bis durch ihr sein seine was",
    "es": "el la los las un una unos unas y es son qué quién quiénes cómo dónde cuándo cuál cuáles cuánto cuánta "
    "cuántos cuántas de del al en que se no con por para como más su sus fue era hay está están tiene puede mi lo "
    "desde sobre entre cuando donde porqué sin hasta",
    "fi": "mikä mitä missä milloin miten miksi kuka kuinka ja on ovat oli ei se että kun voi mihin mistä monta paljon "
    "minun olla joka tai myös sen",
    "fr": "le la les un une des du de et est sont était qui que quoi quel quelle quels quelles où quand comment à "
    "pourquoi combien dans sur avec pour par au aux en ne pas plus ce cette ces mon ma mes son sa ses il elle ils "
    "je se peut fait faire ou a y depuis sans sous chez faut été",
    "hu": "a az és mi ki hol mikor hogyan miért melyik mennyi hány van nem egy is volt hogy lehet kell mit meg vagy ez",
    "id": "apa siapa dimana mana kapan bagaimana mengapa berapa yang di ke dari dan adalah untuk dengan pada dalam ini "
    "itu tidak saya apakah oleh akan bisa atau kenapa cara",
    "it": "il lo la i gli le un uno una di del della dei delle dello degli da dal dalla in nel nella e è sono era chi "
    "che cosa quale quali quando perché quanto quanta quanti quante dove come con per su sul sulla non si ha "
    "hanno può mio mia al alla ai più tra fra anche cui",
    "nl": "de het een en is zijn was waren wie wat waar wanneer waarom hoe welke welk hoeveel van voor met op te naar "
    "niet ik mijn bij uit aan er ze je wordt worden heeft hebben kan kunnen dat deze dit om ook door over tot als "
    "nog moet mag",
    "pl": "kto co gdzie kiedy jak dlaczego ile który która które czy jest są był była było się na w z do nie i od po "
    "dla przez jaki jaka jakie może ma ze za przy oraz lub",
    "pt": "o a os as um uma uns umas e é são foi era quem que qual quais quando onde como quanto quanta quantos "
    "quantas por porque de do da dos das em no na nos nas com para não se seu sua mais ao à pelo pela está tem pode "
    "meu minha há sem sobre até",
    "ro": "cine ce unde când cum care cât câte câți este sunt era a fost și în din la de pe cu pentru nu se un o mai "
    "sau prin ale lui fi poate",
    "sv": "vad vem var när hur varför vilken vilket vilka är och inte det den en ett på till med av som har kan jag "
    "från vid eller för många sig blir i att om",
    "tr": "ne kim nerede nasıl niçin neden kaç hangi bir ve mi mı mu mü ile için bu da de var yok olan olarak ya gibi "
    "çok daha kadar nedir midir mıdır sonra en",
    "vi": "là gì ai ở đâu khi nào thế sao bao nhiêu và của có không được cho trong với các một những này để tại người "
    "như từ vì",
}  # fmt: skip

# Letters beyond those of English: a word that has one speaks for the languages that write it.
_LETTERS = {
    "cs": "áčďéěíňóřšťúůýž",
    "da": "æøå",
    "de": "äöüß",
    "es": "áéíñóúü",
    "fi": "äö",
    "fr": "àâçéèêëîïôùûœ",
    "hu": "áéíóöőúüű",
    "it": "àèéìòù",
    "nl": "ëï",
    "pl": "ąćęłńóśźż",
    "pt": "àáâãçéêíóôõú",
    "ro": "ăâîșşțţ",
    "sv": "åäö",
    "tr": "çğıöşü",
    "vi": "ăâđêôơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ",
}


@cache
def _speaking_for() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {word: [ENGLISH] for word in STOP_WORDS if "'" not in word}
    for language, words in _WORDS.items():
        for word in set(words.split()):
            found.setdefault(word, []).append(language)
    return {word: tuple(languages) for word, languages in found.items()}


def _writing(word: str) -> tuple[str, ...]:
    """Return the languages that have all letters of a word, if it has one that English lacks."""
    beyond = {letter for letter in word if not letter.isascii()}
    return tuple(language for language, letters in _LETTERS.items() if beyond.issubset(letters)) if beyond else ()


def _names(words: Sequence[str]) -> list[bool]:
    """Say of each word whether it is part of a name: of several capitalized words in a row, and what joins them."""
    found, start = [False] * len(words), 0
    while start < len(words):
        end = start
        while end < len(words) and (words[end][0].isupper() or (end > start and words[end] in _NAME_PARTS)):
            end += 1
        last = next((at for at in range(end - 1, start - 1, -1) if words[at][0].isupper()), start)
        if last > start:
            found[start : last + 1] = [True] * (last + 1 - start)
        start = max(end, start + 1)
    return found


@lru_cache(maxsize=256)
def languages_of(text: str) -> frozenset[str]:
    """Return the ISO 639 codes of languages that a text in Latin script may be in; none where nothing tells.

    English is among them unless twice as many words speak for another one.
    """
    words = _WORD.findall(text.lower() if text.isupper() else text)
    counts, written, named = Counter[str](), Counter[str](), set[str]()
    for before, word, is_named in zip(["", *words], words, _names(words), strict=False):
        if word.casefold() == before.casefold():  # la la land
            continue
        spoken = _speaking_for().get(word.casefold(), ())
        if is_named and ENGLISH not in spoken:
            named.update(spoken or _writing(word.casefold()))
        elif spoken:
            counts.update(spoken)
        else:
            written.update(_writing(word.casefold()))
    english = counts[ENGLISH]
    for language, count in written.items():  # in "recipe for crème brûlée" a dish is French
        counts[language] += count if counts[language] or not english else 0
    for language in named:
        counts[language] += counts[language] > english
    most = max(counts.values(), default=0)
    if most < max(_LEAST, _SHARE * len(words)):
        return frozenset()
    if 2 * counts.get(ENGLISH, 0) > most:
        return frozenset({ENGLISH})
    return frozenset(language for language, count in counts.items() if count == most)


def function_words(text: str) -> frozenset[str]:
    """Return those of the languages, other than English, that a text may be in, casefolded."""
    return frozenset(word for language in languages_of(text) for word in _WORDS.get(language, "").split())
