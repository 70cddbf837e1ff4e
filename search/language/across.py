"""Whether two texts are in different languages, by their scripts and their function words."""

from __future__ import annotations

from quarry.search.language.function_words import ENGLISH, languages_of
from quarry.search.language.scripts import Scripts, is_foreign, scripts_in

_JAPANESE = ("Kana", "Han")


def is_across(question: str, passage: str) -> bool:
    """Whether a passage is in another language than a question, as far as both can be told."""
    scripts = scripts_in(question)[:1]
    own = _JAPANESE if scripts == ("Kana",) else scripts
    if own and is_foreign(Scripts(own), passage):
        return True
    asked, told = languages_of(question), languages_of(passage)
    return bool(asked and told) and not asked & told


def is_not_english(text: str) -> bool:
    """Whether a text in Latin script is plainly in another language than English."""
    told = languages_of(text)
    return bool(told) and ENGLISH not in told
