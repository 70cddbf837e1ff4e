"""When a picture was taken, in each spelling that cameras, programs and services write it in -> ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime

EARLIEST = 1826  # the year of the first photograph

_WRITTEN = re.compile(  # 2013:07:12 16:54:27.25+02:00, 2013-07-12T16:54, 20130712T165427Z, 2013/7/12
    r"(?P<year>\d{4})(?P<mark>[:./-]?)(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"(?:[T\s_]\s*(?P<hour>\d{1,2})[:.]?(?P<minute>\d{2})(?:[:.]?(?P<second>\d{2})(?:[.,:]\d*)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?)?",
    re.I,
)
_ZONE = re.compile(r"([+-])(\d{1,2})(?::?(\d{2}))?")
_NAMED = re.compile(  # IMG_20130712_165427, PXL_20210304_121314567, Screenshot_2024-05-31-10-00-00, 2013-07-12 16.54.27
    r"(?:^|[^\d])((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])"
    r"(?:[-_ T.](?:at )?([01]\d|2[0-3])[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?=\D|\d{2,3}(?:\D|$)|$)|(?=\D|$))"
)


def moment(text: str, zone: str = "") -> str:
    """Return a date with its time and, where it is known, its zone: `2013-07-12T16:54:27+02:00`; "" where it is none.

    Fractions of a second are left out. A date without a time stays one.

    Args:
        zone: as it stands elsewhere, for a date that has none of its own.
    """
    match = _WRITTEN.fullmatch(text.strip("\0 \t\r\n"))
    if match is None or (not match["mark"] and len(match["month"] + match["day"]) != 4):
        return ""
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    if half := (match["half"] or "").lower():
        hour = hour % 12 + (12 if half.startswith("p") else 0)
    try:
        written = datetime(year, month, day, hour, minute, min(second, 59))  # 60 is a leap second
    except ValueError:
        return ""
    if year < EARLIEST:
        return ""
    if match["hour"] is None:
        return written.date().isoformat()
    return written.isoformat() + offset(match["zone"] or zone)


def offset(text: str) -> str:
    """Return a zone as `+02:00`; "" where it is none."""
    text = text.strip("\0 ").upper()
    if text in ("Z", "UTC", "GMT"):
        return "+00:00"
    match = _ZONE.fullmatch(text)
    if match is None or int(match[2]) > 14 or int(match[3] or 0) > 59:
        return ""
    return f"{match[1]}{int(match[2]):02}:{match[3] or '00'}"


def timestamp(seconds: str | float) -> str:
    """Return the moment of so many seconds since 1970, in UTC; "" where that is none."""
    try:
        written = datetime.fromtimestamp(float(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return written.replace(microsecond=0).isoformat() if written.year >= EARLIEST else ""


def named(stem: str) -> str:
    """Return the moment or the day that a file is named after, as cameras and messengers do; "" where it is none."""
    for year, _, month, day, hour, minute, second in _NAMED.findall(stem):
        time = f" {hour}:{minute}:{second}" if hour else ""
        if found := moment(f"{year}-{month}-{day}{time}"):
            return found
    return ""
