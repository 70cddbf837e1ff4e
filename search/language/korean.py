"""Korean words of a query: which of them only ask, and where a particle or an ending begins in the others; and lines
that are sentences by how they end.

"지원금을 어떻게 신청하나요?" asks for 지원금 and 신청. What follows a noun or the stem of a verb is told by a list; a
noun may end like that, too (경기도), so that it should count for less, and not for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from quarry.search.language.pairs import pairs_of

_LONGEST = 10  # syllables of what only asks, or ends a word
_ONLY_ASKING = re.compile(
    # who, what, where, when, how much, with what follows them
    r"(?:무엇|무어|뭐|어디|언제|누구|얼마|것)"
    r"(?:[이은는을를에의로나만]|에서|서|부터|까지|에게|만큼|[이인일]?(?:가|가요|며|지|까|까요|고|죠|야)|입니까|이?[예에]요)*"
    r"|뭘|뭔|무슨|어떤|어떻게|어떠한|어때요?|어떤가요?|누가|왜|몇|어느|인가요?|인지|입니까|일까요?"
    # about, for, by way of; and, or
    r"|[대관]해서?|[대관][한하]여?|위해서?|위한|통해서?|따라|따른|및|등의?|또는|혹은|그리고|제가|저는"
    # there is, there is not, do, become
    r"|[있없](?:는|을|나요?|습니까|는지|는가요?|을까요?|어요?|으며|다면?|는데)"
    r"|하(?:는|나요|는가|는지|려면|면|고|며|여)|합니까|해야|해요|할까요?|한다|했나요?|했는가|하였(?:나|는가)"
    r"|되(?:는|나요?|는가|는지|면|고|며|어|었나요?|었는가)|됩니까|될까요?|된다|됐나요?"
    # I want to know; tell me
    r"|싶(?:어요?|습니다|은데요?|다면?|으면|은)|궁금(?:해요?|합니다|한데요?|하다)"
    r"|(?:알려|말해|설명해?|가르쳐)?(?:주세요|주시오|주십시오|주실|줘요?)|알려|설명하[시라]오?|설명해|가르쳐"
)
_ENDING = re.compile(
    r"(?:"
    # of questions and requests
    r"(?:[이하되있없받였했됐었]|하였)?(?:나요|는가요?|는지요?|을까요?|습니까)|[합됩입십]니까|[인한]가요?|[된할될일]까?요?"
    r"|인지|까요|은가요?|[가세예에해줘]요|이에요|시오|해주세요|하시오|하십시오|[이하되]죠|지요|해야|[하되으]?려면"
    # of verbs, most of them made of a noun by 하다, 되다, 시키다, 받다, 이다
    r"|[하되](?:[는고며여면기지어었였던려다]|거나|도록|면서|려고|는데|여야)|[한해돼했됐함됨]|[한된했됐]다|[합됩입]니다"
    r"|[했됐]던|[하되]?[였었]던?다?|해[서도]|돼야|시[키킨킬]는?|받[은는을]|이다|이라?[는고란]|이란|라[는고]"
    # of nouns, of which two syllables are left
    r"|(?<=..)(?:"
    r"(?:으로|에)?(?:부터|까지|만큼|보다|처럼|마다|조차|마저|밖에|대로)[는도의]?"
    r"|(?:으?로|에서|에게서?|한테서?|께서?|에|으?로[서써])[는도의만]?"
    r"|하고|[라이]도|이?나|이?며|이?랑|이야|[와과](?:의|는)?|들(?:[은이을의도만]|에게)?|[은는이가을를의만도야])"
    r")$"
)
_SAID = re.compile(r"[니이]다|[어아여해워려가세네예죠지까]요")
_CONSONANTS = 28  # that a syllable may end with, none of them the first


def says(line: str) -> bool:
    """Whether a line ends as a sentence in Korean does, of which many are written without a full stop."""
    end = line[-2:]
    closed = end.endswith("다") and "가" <= end[0] <= "힣" and (ord(end[0]) - ord("가")) % _CONSONANTS > 0
    return closed or _SAID.fullmatch(end) is not None


def only_asks(word: str) -> bool:
    """Whether a word of Hangul says nothing of what is asked for."""
    return len(word) <= _LONGEST and _ONLY_ASKING.fullmatch(word) is not None


def endings(words: Iterable[str]) -> set[str]:
    """Return the pairs of syllables that reach into the particle or the ending of a word, and stand nowhere else."""
    light: set[str] = set()
    others: set[str] = set()
    for word in words:
        pairs, border = pairs_of(word), max(1, stem_length(word) - 1)
        others.update(pairs[:border])
        light.update(pairs[border:])
    return light - others


def stem_length(word: str) -> int:
    """Return how many syllables of a word of Hangul stand before its particle or ending, all where it has none."""
    found = _ENDING.search(word, max(1, len(word) - _LONGEST))
    return len(word) if found is None else found.start()
