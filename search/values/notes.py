"""Notes on what was found: which part was missing and what that cost, or what a filter may have been meant as.

Each says so in English, and has a code and values by which a program can tell it from others, or say it in another
language. Codes stay what they are; there may be further ones. Some notes have no value where another of the same code
has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Value = str | int | float | bool | Sequence[str]
CODES: Mapping[str, str] = {
    "vectors_damaged": "Vectors or a file of theirs are damaged. `space`.",
    "engine_unavailable": "The engine that keeps a space's vectors can't be used; the catalog was searched. `space`.",
    "words_behind": "The lexical index lacks passages, which were searched one by one. `count`.",
    "words_missing": "The lexical index can't be used; it was searched by meaning only. `cause`, `reason`.",
    "model_missing_words_only": "No model of texts can be used; it was searched by words only. `cause`, `reason`.",
    "model_missing_space": "A space's model can't be used; others were searched. `space`, `cause`, `reason`.",
    "model_missing_pictures": "No model of pictures can be used; none were searched. `cause`, `reason`.",
    "model_missing_pictures_by_words": "Pictures were found by what is said about them only. `cause`, `reason`.",
    "model_missing_passages": "Passages were not searched by what is given. `cause`, `reason`.",
    "no_passages_by_picture": "A model can't find passages by a picture. `model`.",
    "no_pictures_by_text": "Only passages are found by a text.",
    "script_unknown_words_only": "No model knows the query's script; it was searched by words only. `models`.",
    "script_unknown_by_chance": "No model knows the query's script; what was found is by chance. `models`.",
    "script_unknown_picture_only": "No model knows the script of the words; only the picture counted.",
    "script_reached_by_words": "Texts in another script were found by words only; they can be embedded for it.",
    "script_model_missing": "The multilingual model, which knows more scripts, is not on this machine. `model`.",
    "script_unknown_answers": "The reader does not know the question's script; words alone found answers. `model`.",
    "passages_unread": "Passages are in a script that the reader does not know. `count`, `model`.",
    "translated": "A model put the query into another language. `text`, `original`, `model`.",
    "not_excluded": "No model knows what was to be excluded. `text`.",
    "not_left_out": "The words to leave out could not be looked up. `words`, `cause`, `reason`.",
    "hits_damaged": "Hits are left out that the catalog does not hold as they were written. `count`.",
    "model_missing_reranking": "Hits are in the order they were found in. `cause`, `reason`.",
    "model_missing_answers": "Answers were not looked for. `cause`, `reason`.",
    "model_missing_summary": "There is no summary. `cause`, `reason`.",
    "model_missing_grounding": "Where pictures show what is asked for is not told. `cause`, `reason`.",
    "grounding_unknown": "A model does not tell where in a picture something is. `model`.",
    "grounding_needs_words": "Where pictures show it is told by words that a model of pictures knows.",
    "field_unknown": "No document has a field. `field`, `near` (names it may be meant for).",
    "filter_unmet": "No document meets a condition of the filter. `field`, `sign`, `values`, `near`.",
    "filter_unmet_together": "Each condition of the filter is met by some documents, all together by none.",
    "library_left_out": "One of several libraries did not answer, and is left out. `library`, `cause`, `reason`.",
    "like_by_words": "What is like something of another library was looked for by its words. `library`, `id`.",
    "like_elsewhere": "What something is like of another library is not known here. `library`, `id`.",
    "dates_unclear": "Dates could be two days; the time of the file counts. `example`.",
}


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be known of a response, as `text`; `code` is one of `CODES`, which tells its `values`."""

    code: str
    text: str
    values: Mapping[str, Value] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        assert self.code in CODES, self.code

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of_error(cls, code: str, error: Exception, cost: str, **values: Value) -> Note:
        """Return the note that something can't be used: why, and what that cost; `cause` is the kind of error."""
        cause = {"cause": type(error).__name__, "reason": str(error)}
        return cls(code, f"{error} {cost}".rstrip(), {**values, **cause})

    def of_library(self, name: str) -> Note:
        """Return what it says of one of several libraries, which it names."""
        return Note(self.code, f"{name}: {self.text}", {**self.values, "library": name})


def once(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Return each note once; of those that say the same, the first."""
    return tuple({note.text: note for note in reversed(list(notes))}.values())[::-1]
