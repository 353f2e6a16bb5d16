"""FEEL's date, time, date and time and the two kinds of duration, with their texts."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from . import zones

SECOND = 1_000_000
"""Microseconds of a second."""
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
_MAX_SECONDS = 1 << 63
_MAX_MONTHS = 1 << 31

_ZONE = r"(Z|[+-]\d\d:\d\d(?::\d\d)?)?(?:@([\w/+-]+)|\[([\w/+-]+)\])?"
_TIME = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
_DATE_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME_TEXT = re.compile(rf"T?{_TIME}{_ZONE}", re.ASCII)
_DATE_TIME_TEXT = re.compile(rf"(\d{{4}}-\d\d-\d\d)T({_TIME}{_ZONE})", re.ASCII)
_MONTHS_TEXT = re.compile(r"(-)?P(?=\d)(?:(\d{1,10})Y)?(?:(\d{1,10})M)?", re.ASCII)
_DAYS_TEXT = re.compile(
    r"(-)?P(?=\d|T\d)(?:(\d{1,18})D)?(?:T(?=\d)(?:(\d{1,18})H)?(?:(\d{1,18})M)?(?:(\d{1,18})(?:\.(\d{1,9}))?S)?)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Date:
    """A day of the calendar."""

    day: date

    def __str__(self) -> str:
        """Write it as 2026-03-14."""
        return self.day.isoformat()


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day: local, or with an offset in seconds and perhaps the zone that it comes from."""

    clock: time
    offset: int | None = None
    zone: str | None = None

    def __str__(self) -> str:
        """Write it as 10:30:00, 10:30:00+02:00 or 10:30:00@Europe/Berlin."""
        return clock_text(self.clock) + _zone_text(self.offset, self.zone)

    def microseconds(self) -> int:
        """Count from midnight, of UTC where there is an offset."""
        clock = self.clock
        seconds = clock.hour * _HOUR + clock.minute * _MINUTE + clock.second - (self.offset or 0)
        return seconds * SECOND + clock.microsecond


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date with a time: local, or with an offset in seconds and perhaps the zone that it comes from."""

    local: datetime
    offset: int | None = None
    zone: str | None = None

    def __str__(self) -> str:
        """Write it as FEEL does: 2026-03-14T15:09:26@Europe/Berlin."""
        return self._text(_zone_text(self.offset, self.zone))

    def _text(self, suffix: str) -> str:
        return f"{self.local.date().isoformat()}T{clock_text(self.local.time())}{suffix}"

    def iso(self) -> str:
        """Write it as Zeebe stores it: with the offset, without the zone."""
        return self._text(_zone_text(self.offset, None))

    def iso_with_zone(self) -> str:
        """Write it as `to json` does: 2026-03-14T15:09:26+01:00[Europe/Berlin]."""
        return self.iso() + (f"[{self.zone}]" if self.zone else "")

    def instant(self) -> datetime:
        """Give the naive UTC time; the local time itself where there is no offset."""
        return self.local - timedelta(seconds=self.offset or 0)

    def in_zone(self, offset: int | None, zone: str | None) -> "DateTime":
        """Give the same instant elsewhere, by a name of a zone or else by an offset."""
        if zone is not None and (found := zones.load_zone(zone)):
            return DateTime(*zones.at_instant(self.instant(), found), zone)
        seconds = offset or 0
        return DateTime(self.instant() + timedelta(seconds=seconds), seconds)

    def at(self, local: datetime) -> "DateTime":
        """Give another local time in the same zone or with the same offset."""
        if self.zone is not None and (found := zones.load_zone(self.zone)):
            return DateTime(*zones.at_local(local, found), self.zone)
        return DateTime(local, self.offset)


@dataclass(frozen=True, slots=True)
class DayTimeDuration:
    """A days and time duration, in microseconds."""

    microseconds: int

    def __post_init__(self) -> None:
        """Refuse what is longer than Java's Duration can be."""
        if abs(self.microseconds) >= _MAX_SECONDS * SECOND:
            message = "duration overflow"
            raise OverflowError(message)

    def seconds(self) -> int:
        """Give whole seconds, without the fraction."""
        return abs(self.microseconds) // SECOND * (-1 if self.microseconds < 0 else 1)

    def __str__(self) -> str:
        """Write it as P1DT2H3M4S. Fractions of a second are left out."""
        seconds = abs(self.seconds())
        days, rest = divmod(seconds, _DAY)
        parts = ((rest // _HOUR, "H"), (rest % _HOUR // _MINUTE, "M"), (rest % _MINUTE, "S"))
        clock = "".join(f"{value}{unit}" for value, unit in parts if value)
        text = (f"{days}D" if days else "") + (f"T{clock}" if clock else "")
        return f"{'-' if self.microseconds < 0 and text else ''}P{text or '0D'}"


@dataclass(frozen=True, slots=True)
class YearMonthDuration:
    """A years and months duration, in months."""

    months: int

    def __post_init__(self) -> None:
        """Refuse what is longer than Java's Period can be."""
        if abs(self.months) >= _MAX_MONTHS:
            message = "duration overflow"
            raise OverflowError(message)

    def __str__(self) -> str:
        """Write it as P1Y2M."""
        years, months = divmod(abs(self.months), 12)
        text = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
        return f"{'-' if self.months < 0 else ''}P{text or '0Y'}"


def clock_text(clock: time) -> str:
    """Write a time of day with seconds, and with a fraction only where there is one."""
    text = clock.strftime("%H:%M:%S")
    return text + f".{clock.microsecond:06d}".rstrip("0") if clock.microsecond else text


def _zone_text(offset: int | None, zone: str | None) -> str:
    if zone is not None:
        return f"@{zone}"
    if offset is None:
        return ""
    if offset == 0:
        return "Z"
    hours, rest = divmod(abs(offset), _HOUR)
    minutes, seconds = divmod(rest, _MINUTE)
    return f"{'-' if offset < 0 else '+'}{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")


def make_date(year: int, month: int, day: int) -> Date | None:
    """Make a date; None where the calendar has no such day."""
    try:
        return Date(date(year, month, day))
    except (ValueError, OverflowError):
        return None


def parse_date(text: str) -> Date | None:
    """Read 2026-03-14."""
    match = _DATE_TEXT.fullmatch(text)
    return make_date(*map(int, match.groups())) if match else None


def parse_offset(text: str) -> int | None:
    """Read Z or +01:00; None for anything else."""
    if text == "Z":
        return 0
    match = re.fullmatch(r"([+-])(\d\d):([0-5]\d)(?::([0-5]\d))?", text, re.ASCII)
    if match is None:
        return None
    seconds = int(match[2]) * _HOUR + int(match[3]) * _MINUTE + int(match[4] or 0)
    return None if seconds > 18 * _HOUR else seconds * (-1 if match[1] == "-" else 1)


def parse_time(text: str) -> Time | None:
    """Read 10:30, 10:30:00+02:00, T10:30:00 or 10:30:00@Europe/Berlin."""
    match = _TIME_TEXT.fullmatch(text)
    if match is None:
        return None
    hour, minute, second, fraction, offset_text, at_zone, in_brackets = match.groups()
    try:
        clock = time(int(hour), int(minute), int(second or 0), int((fraction or "0")[:6].ljust(6, "0")))
    except ValueError:
        return None
    offset = parse_offset(offset_text) if offset_text else None
    if offset_text and offset is None:
        return None
    zone = at_zone or in_brackets
    if zone is None:
        return Time(clock, offset)
    found = zones.load_zone(zone)
    return Time(clock, zones.standard_offset(found), zone) if found else None


def parse_date_time(text: str) -> DateTime | None:
    """Read 2026-03-14T15:09:26 with an offset, a zone (@ or brackets) or neither; a date alone is its midnight."""
    match = _DATE_TIME_TEXT.fullmatch(text)
    if match is None:
        day = parse_date(text)
        return DateTime(datetime.combine(day.day, time())) if day else None
    day, clock = parse_date(match[1]), parse_time(match[2])
    return combine(day, clock) if day and clock else None


def combine(day: Date, clock: Time) -> DateTime:
    """Put a date and a time together."""
    return DateTime(datetime.combine(day.day, time()), clock.offset, clock.zone).at(
        datetime.combine(day.day, clock.clock)
    )


def parse_duration(text: str) -> DayTimeDuration | YearMonthDuration | None:
    """Read a duration of either kind; None for weeks and for a mixture of months and days."""
    if match := _MONTHS_TEXT.fullmatch(text):
        months = int(match[2] or 0) * 12 + int(match[3] or 0)
        return YearMonthDuration(-months if match[1] else months) if months < _MAX_MONTHS else None
    match = _DAYS_TEXT.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:5])
    total = days * _DAY + hours * _HOUR + minutes * _MINUTE + seconds
    if total >= _MAX_SECONDS:
        return None
    microseconds = total * SECOND + int((match[6] or "0")[:6].ljust(6, "0"))
    return DayTimeDuration(-microseconds if match[1] else microseconds)


def parse_temporal(text: str) -> Date | Time | DateTime | DayTimeDuration | YearMonthDuration | None:
    """Read the text behind an @."""
    return parse_duration(text) or parse_date(text) or parse_time(text) or parse_date_time(text)
