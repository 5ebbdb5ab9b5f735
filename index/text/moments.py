"""Read a date that a source states, in any form that can mean only one day.

"3 November 2026", "Nov. 3, 2026, 9:24 p.m. EST" and "13/11/2026" are read. "01/04/63", which can
mean several days, and "November 2026", which names no day, are not. Nothing depends on a locale or
a clock.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from index.text.dates import MONTHS, WEEKDAYS

_MAX_CHARS = 100
_YEARS = range(1501, 2200)  # plausible for a report
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # with a time, it is a program's zero and not a date
# Names of time zones with a single offset, in hours. The first line is from RFC 5322. Other names,
# such as IST, mean different offsets in different countries.
_ZONES = {
    name: timezone(timedelta(hours=float(hours)))
    for name, hours in (
        zone.split("=")
        for zone in """
        UT=0 UTC=0 GMT=0 Z=0 EST=-5 EDT=-4 CST=-6 CDT=-5 MST=-7 MDT=-6 PST=-8 PDT=-7
        WET=0 WEST=1 BST=1 CET=1 CEST=2 EET=2 EEST=3 MSK=3 SAST=2 PKT=5 HKT=8 JST=9 KST=9
        NST=-3.5 NDT=-2.5 AKST=-9 AKDT=-8 HST=-10
        AWST=8 ACST=9.5 ACDT=10.5 AEST=10 AEDT=11 NZST=12 NZDT=13
        """.split()
    )
}
_NAMES = [*MONTHS, *WEEKDAYS]
_WEEKDAY = re.compile(
    rf"\b(?:{'|'.join(f'{d}|{d[:3]}' for d in WEEKDAYS)}|Tues|Thurs?)\b\.?", re.IGNORECASE
)
_NO_ZONE = "|".join(name[:3].upper() for name in _NAMES)  # "21:24 TUE 3 NOV"
_TIME = re.compile(  # "21:24", "9.24 p.m. EST", "9pm", "21:24:10.5 -0500 (EST)"
    rf"""
    (?<![\d:.]) (?P<hour>\d\d?)
    (?: : (?P<minute>\d\d) (?: : (?P<second>\d\d) (?:[.,]\d+)? )? (?:\s*(?P<half>[AP])\.?M\b\.?)?
      | (?: \. (?P<minutes>\d\d))? \s* (?P<halfday>[AP]) \.?M\b\.?
    )
    (?: \s* (?: (?:GMT|UTC)? (?P<offset>[+-]\d\d? (?: :?[0-5]\d)?) \b (?: \s*\([\w ]+\))?
      | \(? (?-i: (?P<zone>(?!(?:{_NO_ZONE})\b) [A-Z]{{1,5}})) \b \)?
    ))?
    """,
    re.IGNORECASE | re.VERBOSE,
)
_M = rf"(?P<month>(?:{'|'.join(f'{m}|{m[:3]}' for m in MONTHS)}|Sept)\b\.?)"
_D = r"(?P<day>\d\d?)(?:st|nd|rd|th|\.)?"
_Y = r"(?P<year>\d{4})"
_GAP = r"[\s,/-]\s*"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_D}(?: of)?{_GAP}{_M}{_GAP}{_Y}",  # "3rd of November, 2026", "03-Nov-2026"
        rf"{_M}{_GAP}{_D},?\s+{_Y}",  # "Nov. 3, 2026"
        rf"{_Y}{_GAP}{_M}{_GAP}{_D}",  # "2026 Nov 3"
        rf"{_Y}([-/.])(?P<mm>\d\d?)\2{_D}",  # "2026/11/3"
        rf"{_D}([-/.])(?P<mm>\d\d?)\2{_Y}",  # "13/11/2026"
        rf"(?P<mm>\d\d?)([-/.]){_D}\2{_Y}",  # "11/13/2026"
    )
]
_SHORT_YEAR = re.compile(rf"{_D}\s{_M}\s(?P<year>\d\d)", re.IGNORECASE)  # of RFC 822: "03 Nov 26"
_ISO = re.compile(r"\d{4}(?:\d{4}|-\d\d-\d\d|-?W\d\d-?\d)(?:[Tt ]\d\d.*)?")
_SECONDS = re.compile(r"(\d{10})(?:\d{3})?(?:\.\d+)?")  # since 1970, or thousandths of them
_HOUR = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])(?:[01]\d|2[0-3])")
_HOURS = re.compile(r"\d\d?:\d\d-\d\d?(?::\d\d)?")  # "10:00-11:00": until, or a zone


def read_moment(written: str) -> datetime | None:
    """Return the moment that a date means, aware, on the clock it was written for.

    A date without a zone is in UTC. A day without a time is its midnight, and so is a day with a
    time in an ambiguous zone: of "3 Nov 2026 21:24 IST", only the day is certain. None if it can
    mean several days or no day, or is implausible as the date of a report.
    """
    written = " ".join(written[: _MAX_CHARS + 1].split())
    if len(written) > _MAX_CHARS:
        return None
    for read in (_iso, _seconds, _worded):
        with suppress(ValueError, OverflowError):
            if moment := read(written):
                moment = moment.replace(microsecond=0)  # the store keeps seconds
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                is_zero = moment == _EPOCH and ":" in written
                return None if is_zero or moment.year not in _YEARS else moment
    return None


def _iso(written: str) -> datetime | None:
    # Python also takes a week for its Monday, and any sign or digit for the T before the time.
    return datetime.fromisoformat(written) if _ISO.fullmatch(written) else None


def _seconds(written: str) -> datetime | None:
    match = None if _HOUR.fullmatch(written) else _SECONDS.fullmatch(written)
    return datetime.fromtimestamp(int(match[1]), UTC) if match else None


def _worded(written: str) -> datetime | None:
    """Read a date in words or numbers, perhaps with a weekday and a time.

    Raises ValueError if there is no such time.
    """
    time = _TIME.search(written)
    rest = written.replace(time.group(), " ", 1) if time else written
    weekday = _WEEKDAY.search(rest)
    rest = " ".join(_WEEKDAY.sub(" ", rest, count=1).split())
    rest = re.sub(r"^(?:[\s,T|·–-]|(?:at|on)\b)+|(?:[\s,T|·–-]|\bat)+$", "", rest)
    days = {day for form in _FORMS if (day := _day(form.fullmatch(rest)))}
    if not days and time:
        days = {day for day in [_day(_SHORT_YEAR.fullmatch(rest))] if day}
    if len(days) != 1:
        return None
    (day,) = days
    if weekday and not WEEKDAYS[day.weekday()].startswith(weekday.group()[:3].capitalize()):
        return None
    return _at(day, time) if time else day


def _day(match: re.Match[str] | None) -> datetime | None:
    """Return the day that a match names; None if there is no such day."""
    if not match:
        return None
    parts = match.groupdict()
    name = (parts.get("month") or "")[:3].capitalize()
    month = [m[:3] for m in MONTHS].index(name) + 1 if name else int(parts["mm"])
    year = int(parts["year"])
    if len(parts["year"]) == 2:  # noqa: PLR2004 - by RFC 5322
        year += 2000 if year < 50 else 1900  # noqa: PLR2004
    with suppress(ValueError):
        return datetime(year, month, int(parts["day"]))  # noqa: DTZ001 - its zone follows
    return None


def _at(day: datetime, time: re.Match[str]) -> datetime:
    """Return a day at a time, in its zone. Raises ValueError if there is no such time."""
    hour, half = int(time["hour"]), time["half"] or time["halfday"]
    if half:
        if not 1 <= hour <= 12:  # noqa: PLR2004
            raise ValueError(hour)
        hour = hour % 12 + 12 * (half in "Pp")
    minute, second = int(time["minute"] or time["minutes"] or 0), int(time["second"] or 0)
    moment = day.replace(hour=hour, minute=minute, second=min(second, 59))  # 60: a leap second
    if _HOURS.fullmatch(time.group()):
        return day
    if time["offset"]:
        digits = time["offset"].lstrip("+-").replace(":", "")
        hours, minutes = (digits, "0") if len(digits) <= 2 else (digits[:-2], digits[-2:])  # noqa: PLR2004
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return moment.replace(tzinfo=timezone(-offset if time["offset"][0] == "-" else offset))
    if time["zone"] is None:
        return moment
    zone = _ZONES.get(time["zone"])
    return moment.replace(tzinfo=zone) if zone else day
