"""Days that are written in running text -> ISO 8601, by `search.language.dates`: those with a year, and one meaning."""

from __future__ import annotations

import re
from collections.abc import Iterator

from quarry.search.language.dates import read

_NUMBER = r"(?:1[0-9]|20)\d\d"
_YEAR = re.compile(rf"(?<![\w.,]){_NUMBER}(?!\d)|(?<=[/.-]){_NUMBER}(?!\w)|(?<=[.] ){_NUMBER}(?!\d)")
_AFTER = re.compile(
    r"\d{4}(?:"
    r"\s?[년年]\s?\d{1,2}\s?[월月]\s?\d{1,2}\s?[일日]"
    r"|(?P<sign>[-/.])\s?\d{1,2}(?P=sign)\s?\d{1,2}(?![\d-]|\.\d)"
    r"|[ -][^\W\d_]{3,12}\.?[ -]\d{1,2}(?!\d))"
)
_BEFORE = re.compile(
    r"(?<![\w.,/-])(?:"
    r"\d{1,2}(?:st|nd|rd|th|er|º|\.)?[ -](?:of |de |d['’])?[^\W\d_]{3,12}\.?,?[ -](?:de |del |of )?"
    r"|[^\W\d_]{3,12}\.? \d{1,2}(?:st|nd|rd|th)?(?:,| |, )"
    r"|\d{1,2}([/.-])\s?\d{1,2}\1\s?"
    r")\Z",
    re.IGNORECASE,
)
_WINDOW = 32  # characters before a year that a day and a month may take


def days(text: str) -> Iterator[str]:
    """Yield the days of a text, such as `2021-03-03`; 03/04/2021 is two days, and so none."""
    for match in _YEAR.finditer(text):
        start, end = match.start(), match.end()
        if (after := _AFTER.match(text, start)) is not None:
            written = after.group()
        elif before := _BEFORE.search(text, max(0, start - _WINDOW), start):
            written = text[before.start() : end]
        else:
            continue
        if (found := read(" ".join(written.split()))) is not None and len(found.iso) == len("2021-03-03"):
            yield found.iso
