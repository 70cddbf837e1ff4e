from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarry.search.language.dates import is_ambiguous, meanings, read, start_of

DAY = """
2021-03-03; 2021-3-3; 2021/03/03; 2021.03.03; 2021. 3. 3.; 2021. 3. 3. (수); 20210303; 2021-W09-3; 2021W093;
3 March 2021; March 3, 2021; March 3rd, 2021; Mar 3 2021; 3-Mar-2021; 3rd of March 2021; 2021 March 3; 2021-Mar-03;
Wednesday, March 3, 2021; Wed 3 Mar 2021; 3. März 2021; 3. MÄRZ 2021; 3. Maerz 2021; Mittwoch, 3. März 2021;
3 mars 2021; 3 de marzo de 2021; 3 marzo 2021; 3 de março de 2021; 3 maart 2021;
3 марта 2021; 3 МАРТА 2021 г.; 3 березня 2021; 3 marca 2021 r.; 3. března 2021; 3. marca 2021; 3 Mart 2021;
3. maaliskuuta 2021; 3 martie 2021; 3 Μαρτίου 2021;
2021년 3월 3일; 2021년 3월 3일 수요일; 2021年3月3日;
２０２１年３月３日; 3.3.2021; 03.03.2021; 3/3/2021; 3. Ma\u0308rz 2021
"""
MOMENT = """
2021-03-03T10:00:00Z; 2021-03-03T10:00:00+0000; 2021-03-03T19:00:00+09; 2021-03-03T11:00:00+01:00;
2021-03-03T11:00:00+0100; 20210303T100000Z; 2021-03-03 11:00:00 +0100; 2021-03-03 10:00 UTC; 2021:03:03 10:00:00;
2021:03:03 19:00:00+09:00; Wed, 03 Mar 2021 11:00:00 +0100; Wed, 3 Mar 2021 10:00:00 GMT;
Wed, 03 Mar 2021 05:00:00 EST; Wed, 03 Mar 2021 11:00:00 +0100 (CET); Wed Mar  3 10:00:00 2021;
Wed Mar  3 19:00:00 KST 2021; Wed Mar 03 2021 11:00:00 GMT+0100 (Central European Standard Time);
March 3, 2021 at 10:00 am; 3 March 2021, 10:00; Mittwoch, 3. März 2021 um 10:00; 03.03.2021 10:00;
2021년 3월 3일 오전 10시; 2021年3月3日 10時00分; 2021-03-03T10:00:00.000; 2021-03-03T10:00:00,0Z
"""
COARSE = {
    "2021": ("2021", 365),
    "2021년": ("2021", 365),
    "2020": ("2020", 366),
    "2021-02": ("2021-02", 28),
    "February 2020": ("2020-02", 29),
    "Februar 2021": ("2021-02", 28),
    "febrero de 2021": ("2021-02", 28),
    "2021년 2월": ("2021-02", 28),
}
NO_DATE = [
    "", "soon", "03/04/2021", "03-04-2021", "13/13/2021", "2021-02-30", "2021-13-01", "3 March", "3 Mar 21", "12:30",
    "1.2.3.4", "12345", "99999999", "2021-03-03 or so", "2021-03-03T25:00", "2021-03-03 13:00 pm", "Mark 3 2021",
    "2021-03-03 10:00 XYZ", "on 3 March 2021", "٣ March 2021 !", "3 March 2021 " + "x" * 100, "2021-W60-1",
]  # fmt: skip


@pytest.mark.parametrize("text", [text.strip() for text in DAY.split(";")])
def test_days(text: str) -> None:
    written = read(text)
    assert written is not None
    assert (written.iso, written.end - written.start) == ("2021-03-03", timedelta(days=1))
    assert start_of(text) == "2021-03-03 00:00:00.000"


@pytest.mark.parametrize("text", [text.strip() for text in MOMENT.split(";")])
def test_moments_in_any_zone(text: str) -> None:
    written = read(text)
    assert written is not None
    assert written.start == written.end == datetime(2021, 3, 3, 10)
    moment = datetime.fromisoformat(written.iso)
    assert (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) == datetime(2021, 3, 3, 10, tzinfo=UTC)
    assert start_of(text) == start_of(text, coarse=False) == "2021-03-03 10:00:00.000"


@pytest.mark.parametrize("text", COARSE)
def test_months_and_years_cover_all_their_days(text: str) -> None:
    written = read(text)
    assert written is not None
    assert (written.iso, (written.end - written.start).days) == COARSE[text]
    assert start_of(text, coarse=False) is None


@pytest.mark.parametrize("text", NO_DATE)
def test_anything_else_is_no_date(text: str) -> None:
    assert read(text) is None
    assert start_of(text) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("03/04/2021", ["2021-03-04", "2021-04-03"]),
        ("3-4-2021", ["2021-03-04", "2021-04-03"]),
        ("12/11/2021 10:00", ["2021-11-12", "2021-12-11"]),
        ("25/12/2021", ["2021-12-25"]),
        ("3/3/2021", ["2021-03-03"]),
        ("31/31/2021", []),
        ("3 March 2021", []),
    ],
)
def test_what_could_be_two_days_is_told(text: str, days: list[str]) -> None:
    assert meanings(text) == days
    assert is_ambiguous(text) == (len(days) == 2)
    assert (read(text) is not None) == (len(days) == 1 or text == "3 March 2021")


zones = st.sampled_from([UTC, *(timezone(timedelta(minutes=minutes)) for minutes in (-570, -300, 60, 345, 840))])


@given(st.datetimes(datetime(1000, 1, 1), datetime(9000, 1, 1), timezones=zones))
def test_reads_what_the_standard_library_writes(moment: datetime) -> None:
    second = moment.replace(microsecond=0)
    utc = second.astimezone(UTC).replace(tzinfo=None)
    for text in (second.isoformat(), format_datetime(second), second.strftime("%a %b %d %H:%M:%S %Y%z")[:-5]):
        written = read(text)
        assert written is not None, text
        assert written.start == (utc if "+" in text or "-" in text else second.replace(tzinfo=None))
    assert read(moment.isoformat()) is not None


@given(st.dates(date(1000, 1, 1)))
def test_days_in_every_iso_form(day: date) -> None:
    week = day.isocalendar()
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{week.year}-W{week.week:02}-{week.weekday}", f"{day:%d %B %Y}"):
        written = read(text)
        assert written is not None
        assert written.iso == day.isoformat()


@given(st.text(st.characters(codec="utf-8"), max_size=90) | st.from_regex(r"[0-9/.:TWZ+ -]{4,30}"))
def test_no_text_is_too_odd(text: str) -> None:
    written = read(text)
    assert written is None or written.start <= written.end
    assert (start_of(text) is None) == (written is None)
