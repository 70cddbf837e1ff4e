"""Titles and names of people as programs write them into a document's properties, without what says nothing."""

from __future__ import annotations

import re

from quarry.indexer.loaders.decoding import one_line

_NO_TITLE = re.compile(  # what programs write where nobody gave a title, and names of files
    r"\W*(?:untitled|unbenannt|sans titre|sin t[ií]tulo|senza titolo|제목 없음|無題|无标题)[\W_]*\d*\W*"
    r"|\W*(?:anonymous|unspecified|unknown|none|null|title|documento?|dokument|presentation|slide|page|image|scan|print|output"
    r"|book|sheet|doc|temp|tmp|draft|test|new|blank|full page photo|scanned document|new document|my document"
    r"|(?:microsoft )?(?:word|excel|powerpoint)(?: document| presentation| worksheet)?|powerpoint[- ]pr.sentation"
    r"|powerpoint 프레젠테이션|프레젠테이션|슬라이드|문서)"
    r"[\W_]*\d*\W*"
    r"|.*\.(?:docx?|docm|dotx?|rtf|odt|ott|pdf|e?ps|dvi|tex|txt|md|x?html?|indd|qx[dp]|fm|p65|pub|pages|wp[ds]|xlsx?|xlsm"
    r"|csv|pptx?|odp|ods|key|jpe?g|png|tiff?|gif|bmp|te?mp|dwg|dxf|vsdx?|cdr|psd|xps|log|xml|php|aspx?|jsp|hwpx?)"
    r"|(?:https?|file):.*|about:blank|[\W_]*",
    re.I,
)
_PROGRAM = re.compile(r"microsoft (?:office )?(?:word|excel|powerpoint|publisher|visio) [-\u2013] ", re.I)
_NOBODY = re.compile(
    r"\W*(?:anonymous|unspecified|unknown|none|null|user|admin|administrator|author|owner|python-docx|openpyxl|poi"
    r"|apache poi|windows ?사용자|사용자|microsoft office .{0,20})?\W*",
    re.I,
)


def title_of(text: str) -> str:
    """Return a document's title, "" where it is none that somebody gave."""
    title = _PROGRAM.sub("", one_line(text)).strip()
    return "" if _NO_TITLE.fullmatch(title) else title


def person(text: str) -> str:
    """Return the name of an author, "" where it names nobody."""
    name = one_line(text)
    return "" if _NOBODY.fullmatch(name) else name


def keywords(text: str) -> str | list[str]:
    """Return a keyword, or a list of several, which are parted by commas or semicolons."""
    words = list(dict.fromkeys(word for each in re.split("[;,]", text) if (word := one_line(each))))
    return words if len(words) > 1 else "".join(words)


def people(*texts: str) -> str | list[str]:
    """Return the name of an author, or a list of several; programs put semicolons between them."""
    names = list(dict.fromkeys(name for text in texts for each in text.split(";") if (name := person(each))))
    return names if len(names) > 1 else "".join(names)
