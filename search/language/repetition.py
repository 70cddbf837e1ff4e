"""Texts that repeat themselves, as models write them that don't find an end."""

from __future__ import annotations

_LONGEST = 16  # words that come again
_MARKS = " ,;:-"


def unrepeated(text: str) -> str:
    """Return a text up to where it begins to say again what it has just said, with single spaces.

    Two words or more need to come twice, a word alone three times: "very very old" says it once.
    """
    words = text.split()
    plain = [word.strip(".,;:!?").casefold() for word in words]
    for end in range(1, len(words)):
        for length in range(1, min(_LONGEST, end, len(words) - end) + 1):
            before, after = plain[end - length : end], plain[end : end + length]
            again = plain[end + 1 : end + 2]
            if before == after and (len(set(before)) > 1 or (length == 1 and again == before)):
                return " ".join(words[:end]).rstrip(_MARKS)
    return " ".join(words)
