"""Which encoding a short text is in, where statistics have too little to go by: by what could be written in it.

A text is taken to be in the first encoding in which each sign stands where it may, and all letters that are no ASCII
belong to one language, or at least those of each word do. Windows-1252 comes first. Texts of other scripts are told by
how many of their signs are among the most usual ones.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

# The letters beyond ASCII of the languages that an encoding was made for, and what they can't be followed by
_WESTERN = {
    "German": "äöüßé", "French": "éèêëàâçîïôùûüœÿ", "Spanish": "áéíóúüñ", "Portuguese": "áâãàçéêíóôõúü",
    "Italian": "àèéìòùí", "Swedish": "åäöé", "Danish": "æøåé", "Dutch": "éëïöüèáó", "Catalan": "àèéíïòóúüç",
    "Icelandic": "áéíóúýðþæö",
}  # fmt: skip
_CENTRAL = {
    "Polish": "ąćęłńóśźż", "Czech": "áčďéěíňóřšťúůýž", "Hungarian": "áéíóöőúüű", "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Croatian": "čćđšž", "Romanian": "ăâîşţ", "German": "äöüß",
}  # fmt: skip
_BALTIC = {"Lithuanian": "ąčęėįšųūž", "Latvian": "āčēģīķļņšūž", "Estonian": "äõöüšž"}
_LATIN = (
    ("cp1252", _WESTERN),
    ("cp1250", _CENTRAL),
    ("iso8859-2", _CENTRAL),
    ("cp1254", {"Turkish": "çğıöşüâîû"}),
    ("cp1257", _BALTIC),
)
_OLD = (("iso8859-15", _WESTERN), ("mac-roman", _WESTERN), ("cp850", _WESTERN))
_UNLIKELY = {
    "Spanish": re.compile(r"ñ(?![aeiouáéíóú])"),
    "Portuguese": re.compile(r"õ(?!e)|ã(?![oes]|\b)"),
    "French": re.compile(r"œ(?![ucins])|\b[ùÿ]|[aeéíý]è|è(?![bcdfglmnpqrstvz])"),
    "Catalan": re.compile(r"\bè|è[aeoií]|[aeéí]è(?!r)|ò\b(?<!\b[aç]ò)"),
    "Dutch": re.compile(r"\bè|[ae]è|è[aeijouy]"),
    "Icelandic": re.compile(r"\bð|\bý(?!mi|mu|ta|sa|su|fi|li)"),
    "Italian": re.compile(r"[àèìòù][a-zí]|\b[ìòù]"),
    "Danish": re.compile(r"[æø][æøå]"),
    "Czech": re.compile(r"\b[ýůě]"),
    "Slovak": re.compile(r"\b[ýôĺŕ]"),
    "Romanian": re.compile(r"\bţ\b"),
}
_IN_WORDS = frozenset("’‘'´·\xad\u2013")  # signs that may stand between letters
_BEFORE = {"°": r"[\d\s(]", "ª": r"[\d\s]", "º": r"[\d\s]", "’": r"[\w\s.,!?)(\"-]", "”": r"\S", "²": r"\w", "³": r"\w"}
_SIGNS = frozenset("“”‘’„‚…–—•€£§°±×÷½¼¾²³¹µ·«»®©™¿¡ªº¥¢¶†‡‰‹›¬´\xa0\xad")
_SIGNS_IN_A_ROW = re.compile(r"[°±×÷½¼¾²³¹µ§©®ªº¥¢¶¬£]{4}|([±×÷½¼¾µ¬¶¢])\1")
_OWN_LANGUAGE = {"¿": "?", "¡": "!"}
_OPENING = {"“": "„", "‘": "‚"}  # what they close in German and its neighbours
_BEFORE_OPENING = {"“": r"[\s\"'(\[{<>\-–—=:,;/|‘]", "‘": r"[\s\"'(\[{<>\-–—=:,;/|“a-zA-Z]"}  # Hawai‘i
_KEYS = frozenset("äöüßæøå")
_WORD = re.compile(r"[^\W\d_]+")
_FOREIGN_BYTE = re.compile(rb"[\x80-\xff]")
_FOREIGN_WORD = re.compile(rb"(?<![\x21-\xff])[\x21-\x7f]*+[\x80-\xff][\x21-\xff]*")
_MOST = 4_000  # bytes of words

# The most usual signs of texts, in no order
_SIMPLIFIED = (
    "的一是不了在人有我他这中大来上个国说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主"
    "行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被"
    "走电四第门相次东政海口使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市民记录议测试件价格台湾京上网络系统数据文档章报告计划项目版权使用设置选择京区淀元"
)
_TRADITIONAL = (
    "的一是不了在人有我他這中大來上個國說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手十用主"
    "行方又如前所本見經頭面公同三已老從動兩長知民樣現分將外但身些與高意進把法此實回二理美點月明其種聲全工己話者向情部正名定女問力機給等幾很業最間新什打便位因重被"
    "走電四第門相次東政海口使教西再平真聽世氣信北少關並內加化由卻代軍產入先山五太水萬市民記錄議測試檔案價格台灣臺北網路系統資料文件章報告計畫項目版權使用設定選擇圖書館"
)
_HANGUL = (
    "이다는가을의에고하지도사리은서한기로어자인를시나대과일정아수제그라부해보주들니만전스게오상조장여원관공연구성소비동우마있었것국민울안녕세요회록설글파메모트업용법학문"
    "무모미방생선신실안야약양역영위유음입작적점조종중진질차참책처천체초최추출치토통투포표품필합항행향현형호화활황후강남북특별광역시군읍면금격습니까"
)
_KANJI = (
    "日一国会人年大十二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定今回新場金員九入選立開手米力学問高代明実円関決子動京全目表"
    "戦経通外最言氏現理調体化田当八六約主題下首意法不来作性的要用制治度務強気小七成期公野協取都和統以機平総加山思家話世受区領多県続進正安設保改数記院女初北午指"
    "権心界支第産結百派点教報済書府活原先共得解名交資予川向際査勝面委告軍文反元重近千考判認画海参売利組知案道信策集在件団別物側任引使求所次水半品昨論計死官増係"
    "感特情投示変打男基私各始島直両朝革価式確村提運終挙果西勢減台広容必応演電歳住争談能無再位置企真流格有疑口過局少放税検藤町常校料沢裁状工建語球営空職証土与急止"
)
_EASTERN = (
    ("cp949", frozenset(_HANGUL)),
    ("cp932", frozenset(_KANJI)),
    ("euc-jp", frozenset(_KANJI)),
    ("gb18030", frozenset(_SIMPLIFIED)),
    ("big5", frozenset(_TRADITIONAL)),
)
_FINAL = frozenset("ךםןףץ")
_PUNCTUATION = frozenset("，。、；：？！（）「」『』《》・ー　０１２３４５６７８９")


def latin(data: bytes, *, short: bool, old: bool = False) -> list[str]:
    """Return the encodings that a text in Latin letters fits, the likeliest first; [] of a text in other letters.

    Args:
        short: whether it will do that each word is of one language.
        old: whether it may be from DOS or an old Macintosh.
    """
    words = b" ".join(_FOREIGN_WORD.findall(data)[: _MOST // 4])[:_MOST]
    fitting = []
    for codec, languages in _OLD if old else _LATIN:
        try:
            text = words.decode(codec)
            around = data[: 16 * _MOST].decode(codec, "replace")
        except UnicodeDecodeError:
            continue
        if _signs_fit(text, around):
            fitting.append((codec, text, languages))
    for whole in (True, False) if short else (True,):
        if found := [codec for codec, text, languages in fitting if _letters_fit(text, languages, whole)]:
            older = not whole and found[0] != "cp1252"  # a text in one language is likelier than one in several
            return (latin(data, short=False, old=True) if older else []) or found
    return []


def hebrew(data: bytes) -> bool:
    """Whether a text is in Windows-1255: five letters have a form for the end of a word, and stand nowhere else."""
    words = [word.decode("cp1255") for word in re.findall(rb"[\xe0-\xfa]+", data)]
    if sum(map(len, words)) < len(_FOREIGN_BYTE.findall(data)):
        return False
    is_final = any(word[-1] in _FINAL for word in words if len(word) > 1)
    return is_final and not any(letter in _FINAL for word in words for letter in word[:-1])


def eastern(data: bytes) -> str:
    """Return the encoding of a Korean, Japanese or Chinese text, "" where its signs are not usual in any."""
    words = b"\n".join(_FOREIGN_WORD.findall(data))[:_MOST]
    found = ("", 0.5)
    for codec, usual in _EASTERN:
        try:
            text = words.decode(codec)
        except UnicodeDecodeError:
            continue
        signs = [sign for sign in text if sign > "\x7f" and sign not in _PUNCTUATION]
        if not signs:
            continue
        kana = codec in ("cp932", "euc-jp")  # the Chinese encodings have them at the same places
        share = sum(sign in usual or (kana and "\u3041" <= sign <= "\u30ff") for sign in signs) / len(signs)
        if share > found[1]:
            found = (codec, share)
    return found[0]


def utf16(data: bytes) -> str:
    """Return which UTF-16 a text without a mark is in, "" where in none: all is printable, of two scripts at most."""
    found, best = "", (3, 0)
    for codec in ("utf-16-le", "utf-16-be"):
        try:
            text = data[: len(data) // 2 * 2].decode(codec)
        except UnicodeDecodeError:
            continue
        if not all(sign.isprintable() or sign in "\t\n\r\f\u3000" for sign in text):
            continue
        scripts = {_script(sign) for sign in text if sign.isalpha()}
        plain = sum(sign < "\x80" for sign in text)
        letters = sum(sign.isalpha() for sign in text)
        if 10 * (plain + letters) < 7 * len(text) or (scripts == {"LATIN"} and 2 * plain < len(text)):
            continue  # numbers that happen to be signs
        score = (len(scripts), -plain)
        if score < best and (scripts or text.isascii()):
            found, best = codec, score
    return found


def _signs_fit(text: str, around: str) -> bool:
    if _SIGNS_IN_A_ROW.search(text):
        return False
    for place, sign in enumerate(text):
        if sign < "\x80":
            continue
        before, after = text[place - 1 : place] or " ", text[place + 1 : place + 2] or " "
        if sign.isalpha() and sign not in "ªºµ":
            if not _case_fits(before, sign, after):
                return False
            continue
        if sign not in _SIGNS or (before.isalpha() and after.isalpha() and sign not in _IN_WORDS):
            return False
        if sign in _OPENING and _OPENING[sign] not in around and not re.match(_BEFORE_OPENING[sign], before):
            return False
        if sign in "ªº" and after.isalpha():
            return False
        if sign in "£€¥½¼¾¹§¶" and (before.isalpha() or after.isalpha()):
            return False
        if not re.match(_BEFORE.get(sign, "(?s:.)"), before) or _OWN_LANGUAGE.get(sign, sign) not in around:
            return False
    return True


def _case_fits(before: str, sign: str, after: str) -> bool:
    if sign.isupper():
        return not before.islower() and not (before.isupper() and after.islower())
    return sign == "ß" or not (before.isupper() and after.isupper())


def _letters_fit(text: str, languages: dict[str, str], whole: bool) -> bool:
    lower = text.replace("İ", "i").lower()
    for part in [lower] if whole else _WORD.findall(lower):
        letters = {sign for sign in part if sign > "\x7f" and sign.isalpha() and sign not in "ªºµ"}
        if not letters:
            continue
        if not any(
            letters <= set(known) and not (name in _UNLIKELY and _UNLIKELY[name].search(part))
            for name, known in languages.items()
        ):
            return False
    return all(_mixes(word) for word in _WORD.findall(lower))


def _mixes(word: str) -> bool:
    """Whether a word has enough ASCII letters for one of a Latin script; the rows of keys äöü and æøå need none."""
    foreign = sum(sign > "\x7f" for sign in word)
    return (foreign <= max(3.0, 0.67 * len(word)) and not 3 <= foreign == len(word)) or set(word) <= _KEYS


@cache
def _script(sign: str) -> str:
    return (
        unicodedata.name(sign, "?")
        .split(" ", 1)[0]
        .split("-", 1)[0]
        .replace("KATAKANA", "CJK")
        .replace("HIRAGANA", "CJK")
    )
