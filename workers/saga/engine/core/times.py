"""Times as diagrams give them: durations, dates and cycles of ISO 8601."""

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_DURATION = re.compile(
    r"(?P<sign>-)?P(?=.)(?:(?P<years>\d{1,18})Y)?(?:(?P<months>\d{1,18})M)?(?:(?P<weeks>\d{1,18})W)?"
    r"(?:(?P<days>\d{1,18})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,18})H)?(?:(?P<minutes>\d{1,18})M)?(?:(?P<seconds>\d{1,18}(?:\.\d{1,18})?)S)?)?"
)
_CYCLE = re.compile(r"R(?P<times>-?\d{1,9})?/(?:(?P<start>[^/P]+)/)?(?P<interval>-?P[^/]+)")
_ZONE_NAME = re.compile(r"\[[^]]+\]$")
_MONTHS = 12
FAR = 253_402_300_799_000
"""The last second that a date can say, in milliseconds; what is later is as good as never."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """Something that happens again and again."""

    repetitions: int
    """How often; -1 for without end."""
    start: int | None
    """The first time, in milliseconds since 1970; None for one interval from now on."""
    interval: str


def check_static(kind: str, text: str) -> None:
    """Do nothing where the text is a `duration`, a `date` or a `cycle`, as `kind` says.

    Raises:
        ValueError: It is not.
    """
    if kind == "duration":
        after(text, 0)
    elif kind == "date":
        date(text)
    else:
        cycle(text)


def after(text: str, now: int) -> int:
    """Return the time that lies a duration after another, both in milliseconds since 1970; months are counted in UTC.

    Raises:
        ValueError: The text is not a duration.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        message = f"Invalid duration format '{text}'"
        raise ValueError(message)
    part = {name: float(value) for name, value in found.groupdict().items() if value and name != "sign"}
    sign = -1 if found["sign"] else 1
    months = sign * int(part.get("years", 0) * _MONTHS + part.get("months", 0))
    days = part.get("weeks", 0) * 7 + part.get("days", 0)
    seconds = ((days * 24 + part.get("hours", 0)) * 60 + part.get("minutes", 0)) * 60 + part.get("seconds", 0)
    if seconds >= FAR:
        return FAR if sign > 0 else 0
    return min(_add_months(now, months) + sign * round(seconds * 1000), FAR)


def until(now: int, milliseconds: int) -> int:
    """Return the time that lies so many milliseconds after another: no date before 1970, and none that cannot be."""
    return max(0, min(now + milliseconds, FAR))


def _add_months(now: int, months: int) -> int:
    if not months:
        return now
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=now)
    year, month = divmod(moment.year * _MONTHS + moment.month - 1 + months, _MONTHS)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - what a date can say
        return FAR if months > 0 else 0
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return to_milliseconds(moment.replace(year=year, month=month + 1, day=day))


def to_milliseconds(moment: datetime) -> int:
    """Return a date with an offset as milliseconds since 1970."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def date(text: str) -> int:
    """Return a date and time with its offset as milliseconds since 1970.

    Raises:
        ValueError: The text is not a date and time, or has no offset.
    """
    try:
        moment = datetime.fromisoformat(_ZONE_NAME.sub("", text.strip()))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"Invalid date-time format '{text}'"
        raise ValueError(message)
    return to_milliseconds(moment)


def cycle(text: str) -> Cycle:
    """Return what a cycle such as `R3/PT10S` says.

    Raises:
        ValueError: The text is not a cycle; cron expressions are none here.
    """
    found = _CYCLE.fullmatch(text.strip())
    if found is None:
        message = f"Invalid cycle format '{text}'"
        raise ValueError(message)
    if after(found["interval"], 0) <= 0:
        message = f"Invalid cycle format '{text}': its interval must be longer than zero"
        raise ValueError(message)
    start = date(found["start"]) if found["start"] else None
    return Cycle(int(found["times"] or -1), start, found["interval"])
