"""What a token of a text is: patterns that find words, names, telephone numbers, runs without spaces and emoji."""

from __future__ import annotations

import re

from quarry.search.language.letters import INVISIBLE

# Han, Hangul, kana with their marks, and the scripts of South-East Asia that put no spaces between words.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u3096\u3099-\u309a\u309d-\u309f"
    "\u30a1-\u30fa\u30fc-\u318e\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Marks that `\w` leaves out and without which words of Indic and Semitic scripts, and decomposed Latin, would
# break, and units that are one character (㎏).
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u0816-\u082d"
    "\u08d3-\u08e1\u08e3-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963\u0981-\u0983"
    "\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a70\u0a71\u0a81-\u0a83\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b4d\u0b82"
    "\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c4d\u0c81-\u0c83\u0cbc-\u0ccd\u0d00-\u0d03\u0d3b-\u0d4d\u0d81-\u0d83"
    "\u0dca-\u0ddf\u0f18\u0f19\u0f35\u0f37\u0f39\u0f71-\u0f84\u0f90-\u0fbc\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20dc"
    "\u2103\u2109\u2116\u3380-\u33df\ufe20-\ufe2f"
)
_LETTER = rf"[^\W{UNSPACED}]"
_WORD = (
    rf"(?:[A-Za-z0-9_]++|{_LETTER}|[{_MARKS}]|(?<=[^\W{UNSPACED}]|[{_MARKS}])[{INVISIBLE}]+(?={_LETTER}|[{_MARKS}]))++"
)
# What a name may end with: C++, C++17, F#, A* (where it is no emphasis of Markdown), LGBTQ+.
_SYMBOL = r"(?:[+＋]{2}(?:\d\d(?!\w))?(?![+\w])|[#＃♯](?![#\w])|(?<![\w*][A-Z])(?<=[A-Z])\*(?![*\w])|[+＋](?![+\w]))"
_PIECE = rf"{_WORD}(?:['’](?:[stdmSTDM]|re|ve|ll|RE|VE|LL)(?!\w))?{_SYMBOL}?"
_MARK = "(?:[-‐‑－./．／&＆@＠:'’$!*\u05f3\u05f4]|(?<=\\d)[,，](?=\\d)|(?<=[א-ת])\"(?=[א-ת]))"
_OPENED = r"(?<![^\s(\[\"'“„«/,;:])"
_SHORT_STOPS = "(?!(?i:a|i|am|an|as|at|be|by|do|he|if|in|is|it|me|my|no|of|on|or|so|to|up|we)(?!\\w))"
_L = rf"[^\W\d_{UNSPACED}]"
_EMOJI = "[\u2600-\u27bf\u2b50\u2b55\u231a\u231b\u23e9-\u23fa\u20a0-\u20bf\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
TONES = "[\ufe0e\ufe0f\U0001f3fb-\U0001f3ff\u20e3]*"
TOKEN = re.compile(
    # Most words, found fast: the rest is for what is not plain.
    r"(?![\s,;)])(?:(?P<plain>(?:[A-Za-z]{3,}+|a[nst]?|i[fnst]|o[fnr]|to|b[ey]|we|he)(?=[ \n,;)]|[.!?][ \n)]))|"
    # A telephone number, its groups apart: +49 (0)30 1234567, (030) 123 45 67.
    r"(?P<phone>(?=[+(0])(?<!\w)(?:\+\d{1,4}|\(?0\d{1,5}\)?|\(\d{2,5}\))"
    r"(?:[-/ \u00a0\u202f]?\(?\d+\)?){1,6}(?!\w|[.,:]\d))"
    # Two words so short that they are rather one: wi fi, e mail, x ray.
    rf"|(?P<near>(?<!\w){_SHORT_STOPS}(?:{_L}[ \u00a0]{_SHORT_STOPS}{_L}+|{_L}{_L}[ \u00a0]{_SHORT_STOPS}{_L}{{1,2}})"
    rf"(?![\w+#*'’{INVISIBLE}-]))"
    rf"|(?P<word>(?:{_OPENED}[.．](?=[^\W\d_]{{2}}))?{_PIECE}(?:{_MARK}{_PIECE}){{0,7}})"
    rf"|(?P<unspaced>[{UNSPACED}]+(?:[{INVISIBLE}]+[{UNSPACED}]+)*)"
    rf"|(?P<emoji>[\U0001f1e6-\U0001f1ff]{{2}}|{_EMOJI}{TONES}(?:\u200d{_EMOJI}{TONES})*))"
)
# What may go on after a space: a telephone number, or a word so short that it may be one with the next.
GOES_ON = re.compile(rf"(?:\d\)?|(?<!\w){_SHORT_STOPS}{_L}{{1,2}})\Z")
ONE = re.compile(_PIECE)
RUN = re.compile(rf"[{UNSPACED}]+(?:[{INVISIBLE}]+[{UNSPACED}]+)*")
