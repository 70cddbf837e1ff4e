"""Written dates -> ISO 8601, and the time that one covers.

Read is what has one meaning only: ISO 8601 in all its forms (basic, week dates, with or without a colon in the zone),
other spellings that begin with the year (`2021/3/3`, `2021. 3. 3.`, `2021:03:03 10:00:00`), RFC 2822 and its relatives
(`Wed, 03 Mar 2021 10:00:00 +0100`, `Wed Mar  3 10:00:00 2021`), dates with the name of the month (`3 March 2021`,
`March 3rd, 2021`, `3. März 2021`, `3 de marzo de 2021`) and Korean, Japanese and Chinese ones (`2021년 3월 3일`).

Of three numbers that end with the year, dots stand for day, month, year, as they do wherever dots are written. With
slashes or hyphens the order is the country's: `25/12/2021` and `3/3/2021` have one meaning, `03/04/2021` has two, and
is no date here (`is_ambiguous`).
"""

from __future__ import annotations

import calendar
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, lru_cache

_SHORTEST, _LONGEST = 8, 80  # characters of a written date

# As dates have them, month by month; no name stands for two (`listopada` is October in Croatian, November in Polish).
_MONTHS = """
    january jan januar janvier janv enero ene gennaio gen janeiro januari jän janner feber
        stycznia ledna januara januarie ianuarie ocak tammikuuta tammikuu января січня ιανουαριου
    february feb februar fevrier fevr fev febrero febbraio fevereiro februari
        lutego unora februara februarie subat helmikuuta helmikuu февраля лютого φεβρουαριου
    march mar marz marts mars marzo março maart mrt maerz
        marca brezna martie mart maaliskuuta maaliskuu марта березня μαρτιου
    april apr avril avr abril abr aprile
        kwietnia dubna aprila aprilie nisan huhtikuuta huhtikuu апреля квітня απριλιου
    may mai mayo maggio mag maio mei maj
        maja kvetna mayis mayıs toukokuuta toukokuu мая травня μαιου
    june jun juni juin junio giugno giu junho
        czerwca cervna juna iunie haziran kesakuuta kesakuu июня червня ιουνιου
    july jul juli juillet juil julio luglio lug julho
        lipca cervence jula iulie temmuz heinakuuta heinakuu июля липня ιουλιου
    august aug aout agosto ago augustus augusti
        sierpnia srpna augusta agustos elokuuta elokuu августа серпня αυγουστου
    september sep sept septembre septiembre settembre set setembro
        wrzesnia zari septembra septembrie eylul syyskuuta syyskuu сентября вересня σεπτεμβριου
    october oct oktober okt octobre octubre ottobre ott outubro out
        pazdziernika rijna oktobra octombrie ekim lokakuuta lokakuu октября жовтня οκτωβριου
    november nov novembre noviembre novembro
        listopadu novembra noiembrie kasim kasım marraskuuta marraskuu ноября листопада νοεμβριου
    december dec dezember dez decembre diciembre dic dicembre dezembro desember
        grudnia prosince decembra decembrie aralik aralık joulukuuta joulukuu декабря грудня δεκεμβριου
"""
_DAYS = """
    monday mon montag mo lundi lun lunes lunedi segunda maandag ma mandag tuesday tue tues dienstag di mardi martes
    martedi dinsdag tirsdag tisdag wednesday wed mittwoch mi mercredi mer miercoles mie mercoledi woensdag onsdag
    thursday thu thur thurs donnerstag do jeudi jeu jueves jue giovedi donderdag torsdag friday fri freitag fr vendredi
    ven viernes vie venerdi vrijdag fredag saturday sat samstag sa sonnabend samedi sam sabado sab sabato zaterdag
    lordag sunday sun sonntag so dimanche dim domingo dom domenica zondag sondag
"""
# RFC 2822, 4.3, and those of Central and Eastern Europe, Korea and Japan; others stand for several places.
_ZONES = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "KST": 9, "JST": 9,
}  # fmt: skip


def _plain(text: str) -> str:
    """Return a text in lower case, without accents."""
    return "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))


_MONTH_OF = {
    _plain(name): number
    for number, names in enumerate(re.split(r"\n {4}(?! )", _MONTHS.rstrip())[1:], 1)
    for name in names.split()
}
_TIME = (
    r"(?:[T ,]+(?:at |um |kl\.? |à )?)(?P<hour>\d{1,2}):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
_ZONE = r"\s*(?P<zone>Z|(?:UTC|GMT)?[+-]\d\d(?::?\d\d)?|[A-Z]{2,4})?(?:\s*\([^()]*\))?"
_AT = f"(?:{_TIME}{_ZONE})?"
_WEEKDAY = rf"(?:(?:{'|'.join(sorted({_plain(day) for day in _DAYS.split()}, key=len, reverse=True))})\.?,?\s+)?"
_MONTH = rf"(?P<name>{'|'.join(sorted(_MONTH_OF, key=len, reverse=True))})(?![a-zıά-ώа-яі])\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|o)?"
_YEAR = r"(?P<year>\d{4})"
_OF = r"(?:\s*[.,/-]?\s*(?:(?:of|de|del|d')\s+)?)"
_CLOCK = (
    r"(?:\s*(?P<half>오전|오후|午前|午後|上午|下午)?\s*(?P<hour>\d{1,2})\s*[시時时点點:]"
    r"(?:\s*(?P<minute>\d{1,2})\s*[분分]?(?:[:\s]*(?P<second>\d{1,2})\s*[초秒]?)?)?)?"
)

_ISO = re.compile(
    rf"{_YEAR}-(?P<month>\d\d)(?:-(?P<day>\d\d)(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)"
    r"(?::(?P<second>\d\d)(?:[.,](?P<part>\d+))?)?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?)?",
    re.ASCII,
)
# Compiled when the first date is read that is not ISO 8601: a search needs few of them.
_NUMBERS = (
    _YEAR,
    rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d){_AT}",
    rf"{_YEAR}-(?P<month>\d\d?)",
    rf"{_YEAR}\s?(?P<sign>[-/.:])\s?(?P<month>\d\d?)\s?(?P=sign)\s?(?P<day>\d\d?)\.?(?:\s*\([^()]+\))?{_AT}",
    rf"{_YEAR}-?W(?P<week>\d\d)-?(?P<weekday>[1-7]){_AT}",
    rf"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?{_YEAR}{_AT}",
)
_NAMES = (
    rf"{_WEEKDAY}{_DAY}{_OF}{_MONTH}{_OF}{_YEAR}(?:\s?[гr]\.)?{_AT}",
    rf"{_WEEKDAY}{_MONTH}\s*-?{_DAY}(?:,\s*|\s+|-){_YEAR}{_AT}",
    rf"{_MONTH}{_OF}{_YEAR}",
    rf"{_YEAR}[\s,-]\s*{_MONTH}[\s-]+{_DAY}{_AT}",
    rf"{_WEEKDAY}{_MONTH}\s+{_DAY}{_TIME}(?:\s+(?P<zone>[A-Z]{{1,4}}|[+-]\d{{4}}))?\s+{_YEAR}",
)
_CHARACTERS = re.compile(
    rf"{_YEAR}\s*[년年](?:\s*(?P<month>\d\d?)\s*[월月](?:\s*(?P<day>\d\d?)\s*[일日](?:\s*\(?\w요일\)?|\s*\(\w\))?{_CLOCK})?)?"
)
_EITHER = re.compile(rf"(?P<one>\d\d?)(?P<sign>[/-])(?P<two>\d\d?)(?P=sign){_YEAR}{_AT}", re.ASCII)
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d\d):?(\d\d)?")
_FOUR = re.compile(r"\d{4}")  # every date has a year


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as it was written: `iso` says it in ISO 8601, as finely and in the zone that was given, if one was.

    It covers the time from `start` to `end`, exclusive, in UTC, without a zone; a moment has no length. Where no zone
    was given, it is taken for UTC.
    """

    iso: str
    start: datetime
    end: datetime


def read(text: str) -> WrittenDate | None:
    """Read a date, of whatever spelling; None where the text as a whole is none, or could be two."""
    if len(text) > _LONGEST or not (found := _found(text)):
        return None
    try:
        return _written(found)
    except (ValueError, OverflowError):
        return None


@lru_cache(4096)
def start_of(text: str, coarse: bool = True) -> str | None:
    """Return when a date begins as a text that sorts as time does; None where it is none.

    Args:
        coarse: whether a year, a month and bare digits (`20210303`) are dates, too, as they are in a field of dates.
    """
    if not coarse and (len(text) < _SHORTEST or text.isdigit()):
        return None
    if _ISO.fullmatch(text) and len(text) >= len("2021-03-03"):
        try:
            start = datetime.fromisoformat(text)
            return sortable(start if start.tzinfo is None else start.astimezone(UTC))
        except (ValueError, OverflowError):
            pass  # a leap second, or no such day
    written = read(text)
    if written is None or (not coarse and len(written.iso) < len("2021-03-03")):
        return None
    return sortable(written.start)


def sortable(moment: datetime) -> str:
    """Return a moment in UTC as a text that sorts as time does: `2021-03-03 10:00:00.000`, as SQLite writes it."""
    return moment.replace(tzinfo=None).isoformat(" ", "milliseconds")


def is_ambiguous(text: str) -> bool:
    """Whether a text is a date that could be one of two days, such as 03/04/2021."""
    return len(text) <= _LONGEST and len(meanings(text)) == 2


def meanings(text: str) -> list[str]:
    """Return the days, in ISO 8601, that a date of two numbers and a year can mean; none where it is no such date."""
    match = _EITHER.fullmatch(" ".join(text.split()))
    if match is None:
        return []
    found = set()
    for day, month in (("one", "two"), ("two", "one")):
        try:
            found.add(date(int(match["year"]), int(match[month]), int(match[day])).isoformat())
        except ValueError:
            continue
    return sorted(found)


def _found(text: str) -> dict[str, str]:
    """Return the parts of a date by name, {} where it is none."""
    if match := _ISO.fullmatch(text):  # most dates are
        return _parts(match)
    if not _FOUR.search(text):
        return {}
    text = " ".join(unicodedata.normalize("NFKC", text).split())
    if match := _first(_NUMBERS, re.ASCII, text):
        return _parts(match)
    if match := _CHARACTERS.fullmatch(text):
        return _parts(match)
    if match := _EITHER.fullmatch(text):
        days = meanings(text)
        if len(days) != 1:
            return {}
        year, month, day = days[0].split("-")
        return _parts(match) | {"year": year, "month": month, "day": day}
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return _parts(match) if (match := _first(_NAMES, re.IGNORECASE, plain)) else {}


def _first(patterns: tuple[str, ...], flags: re.RegexFlag, text: str) -> re.Match[str] | None:
    return next((match for pattern in _compiled(patterns, flags) if (match := pattern.fullmatch(text))), None)


@cache
def _compiled(patterns: tuple[str, ...], flags: re.RegexFlag) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, flags) for pattern in patterns)


def _parts(match: re.Match[str]) -> dict[str, str]:
    return {name: part for name, part in match.groupdict().items() if part is not None}


def _written(found: dict[str, str]) -> WrittenDate:
    """Build a date of its parts.

    Raises:
        ValueError: there is no such day or time, or its zone is not known.
    """
    year = int(found["year"])
    if "week" in found:
        day = date.fromisocalendar(year, int(found["week"]), int(found["weekday"]))
    else:
        month = _MONTH_OF[found["name"].lower()] if "name" in found else int(found.get("month", 1))
        day = date(year, month, int(found.get("day", 1)))
    start = datetime(day.year, day.month, day.day)
    if "hour" not in found:
        if "day" in found or "week" in found:
            return WrittenDate(day.isoformat(), start, _after(start, 1))
        if "month" in found or "name" in found:
            return WrittenDate(day.isoformat()[:7], start, _after(start, calendar.monthrange(year, day.month)[1]))
        return WrittenDate(day.isoformat()[:4], start, _after(start, 365 + calendar.isleap(year)))
    start = start.replace(
        hour=_hour(int(found["hour"]), found.get("half", "").lower()),
        minute=int(found.get("minute", 0)),
        second=int(found.get("second", "0").replace("60", "59")),  # a leap second, which Python has not
        microsecond=int(found.get("part", "")[:6].ljust(6, "0")),
    )
    zone = _zone(found["zone"]) if "zone" in found else None
    iso = start.replace(tzinfo=zone).isoformat()
    if zone is not None:
        start = start.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
    return WrittenDate(iso, start, start)


def _hour(hour: int, half: str) -> int:
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half in ("p", "오후", "午後", "下午") else 0)


def _zone(name: str) -> timezone:
    if match := _OFFSET.fullmatch(name.upper()):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        return timezone(-offset if match[1] == "-" else offset)
    if name.upper() not in _ZONES:
        raise ValueError(name)
    return timezone(timedelta(hours=_ZONES[name.upper()]))


def _after(start: datetime, days: int) -> datetime:
    try:
        return start + timedelta(days=days)
    except OverflowError:  # the end of the year 9999
        return datetime.max
