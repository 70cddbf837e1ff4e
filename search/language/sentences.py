"""Where sentences begin and end: one small rule for English and its like, Korean, Japanese and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from quarry.search.language.full_stops import LABELS, ends_sentence, writes_ordinals
from quarry.search.language.letters import border

LONGEST = 1_000  # characters; what is longer (a table, a log, minified code) is cut at white space

_END = re.compile(
    r"[。！？｡︒]+(?:[」』）】〉》〕］”’\"')\]]++[。｡．]?+)*+\s*"  # East Asian: no space need follow
    r"|(?<=[\u3040-\u30ff\u4e00-\u9fff가-힣])．(?![\d．])[」』）】”’]*\s*"
    r"|(?<=[…‥])[」』”’]++(?=[\u3040-\u30ff\u4e00-\u9fff])"  # nor after what was left unsaid
    r"|[।॥؟۔።։။។][।॥؟۔።։။។.!?…]*+[\"'”’»)\]]*+\s*"  # of Indic, Arabic, Ethiopic, Armenian, Burmese and Khmer
    r"|(?<=[다요까죠네])[.!?]++[\"'”’)\]」』]*+(?=[가-힣\"'“‘(\[「『])"  # nor in Korean, after what ends its sentences
    r"|(?<![.!?…])[.!?…]++[\"'”’“‘»«)\]」』）]*+\s++(?:»(?:\s++|\Z))?+"  # « Déjà ? »
    r"|(?<=[요죠])[~∼～^ㅋㅎㅠㅜ]++\s+"  # as is written in chats: 부탁드려요~ 이따 봐요ㅎㅎ
    r"|\n[^\S\n]*\n\s*"
)
# What was said goes on after a closing quotation mark: 라고 했다, と言った.
_GOES_ON = re.compile(
    r"(?<=[\"'”’」』])(?:[가-힣]|\s+(?:이?라[고는며면]|하[고는며였]|했|이?란\s))|(?<=[」』）])(?:と|って|など|なん|[のをが])"
)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_INK = re.compile(r"\S")
_BLANK = re.compile(r"\n[^\S\n]*\n\s*")
# A list's item, a heading, a quotation, a table's row, or a label ("Name: ") at the beginning of a line.
_OPENS = re.compile(
    rf"[^\S\n]*(?:[-*+•‣◦·–—>○●◯□■◇◆▶▷※☞ㅇ]\s|[#|]|\(?(?:\d{{1,3}}|[A-Za-z{LABELS}])[.)][^\S\n]"
    r"|[①-⑳㉠-㉭㈀-㈍・]|\d{1,3}[．、](?!\d)|（?[一二三四五六七八九十]{1,3}[、）]|제\d+[조장절항]|第[\d一二三四五六七八九十百]+[条章節节項]"
    r"|(?:[^\s:]+ ){0,2}[^\s:]{1,30}:\s|[^\s：。]{1,10}：)"
)
_STANDS_ALONE = re.compile(  # a heading, or a table's row
    r"[^\S\n]*(?:#{1,6}\s|\|)|[^\n]*(?:\t|\s\|\s|\S {3,}\S|\.{5,}|(?: \.){4,})"
)
_ITEM = 4  # characters; a number of fewer opens an item of a list
_LEADER = 5  # full stops that lead to a number, and end nothing
_FILLED = 0.7  # share of a paragraph's width, from which a line with its neighbour's first word counts as filled


def sentences(text: str) -> list[tuple[int, int]]:
    """Find the (start, end) spans of the sentences of `text`, in order, without white space around them.

    They cover everything that is not white space. A blank line ends a sentence; so does a newline before a list's item,
    around a heading or a table's row, and after a line that was not filled: not one at which a paragraph was wrapped.
    """
    starts = sorted({*sentence_starts(text), *_line_starts(text)})
    found = []
    for start, following in pairwise([*starts, len(text)]):
        end = start + len(text[start:following].rstrip())
        while end - start > LONGEST:
            cut = max(text.rfind(space, start + LONGEST // 2, start + LONGEST) for space in " \n\t")
            cut = cut if cut > start else border(text, start + LONGEST, start)
            if piece := text[start:cut].rstrip():
                found.append((start, start + len(piece)))
            start = next(_INK.finditer(text, cut, end)).start()
        found.append((start, end))
    return found


def _line_starts(text: str) -> Iterator[int]:
    """Yield the offsets of the lines that a paragraph wasn't wrapped at, but begun anew."""
    begin = 0
    for blank in [*(match.span() for match in _BLANK.finditer(text)), (len(text), len(text))]:
        lines = text[begin : blank[0]].split("\n")
        width = max(map(len, lines))
        place = begin
        for line, following in pairwise(lines):
            place += len(line) + 1
            word = following.split(None, 1)[:1]
            fits = 1 if word and _UNSPACED.match(word[0]) else len("".join(word))  # what the line had no room for
            if word and (
                _OPENS.match(following)
                or _STANDS_ALONE.match(following)
                or _STANDS_ALONE.match(line)
                or len(line) + 1 + fits < _FILLED * width
            ):
                yield place + len(following) - len(following.lstrip())
        begin = blank[1]


def sentence_starts(text: str) -> list[int]:
    """Find the offsets at which sentences begin; a blank line ends one too, a single newline doesn't.

    Nor does a full stop after an abbreviation, an initial, an ordinal or a number at the beginning of a line, nor any
    mark before a lower-case letter.
    """
    length = len(text)
    first = length - len(text.lstrip())
    starts = [first] if first < length else []
    ordinals = writes_ordinals(text)
    for match in _END.finditer(text, first):
        start, end = match.span()
        if text.startswith("." * _LEADER, start):
            continue
        if start - starts[-1] < _ITEM and text[starts[-1] : start].isdecimal() and text[start] == ".":
            continue  # "2. Pour water."
        if start - starts[-1] == 1 and text[starts[-1]] in LABELS and text[start] == ".":
            continue  # "가. 신청서"
        if _GOES_ON.match(text, start + len(text[start:end].rstrip())):
            continue
        if end < length and (text[start] not in ".!?…" or ends_sentence(text, start, end, ordinals)):
            starts.append(end)
    return starts
