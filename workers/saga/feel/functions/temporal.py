"""Functions on dates and times."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

import calendar
from decimal import Decimal

from ..paths import day_of
from ..scope import Run
from ..temporal import Date, DateTime
from .base import Builtin, builtin

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
"""English in every locale."""


def day_of_week(_run: Run, day: Date | DateTime) -> str:
    """Name the day of the week."""
    return _DAYS[day_of(day).weekday()]


def day_of_year(_run: Run, day: Date | DateTime) -> Decimal:
    """Count the day within its year, from 1."""
    return Decimal(day_of(day).timetuple().tm_yday)


def week_of_year(_run: Run, day: Date | DateTime) -> Decimal:
    """Count the week within its year, by ISO 8601."""
    return Decimal(day_of(day).isocalendar().week)


def month_of_year(_run: Run, day: Date | DateTime) -> str:
    """Name the month."""
    return _MONTHS[day_of(day).month - 1]


def last_day_of_month(_run: Run, day: Date | DateTime) -> Date:
    """Give the last day of the same month."""
    found = day_of(day).date()
    return Date(found.replace(day=calendar.monthrange(found.year, found.month)[1]))


_DAY = (Date, DateTime)
FUNCTIONS: tuple[Builtin, ...] = (
    builtin("now", lambda run: run.moment()),
    builtin("today", lambda run: Date(run.moment().local.date())),
    builtin("day of week", day_of_week, date=_DAY),
    builtin("day of year", day_of_year, date=_DAY),
    builtin("week of year", week_of_year, date=_DAY),
    builtin("month of year", month_of_year, date=_DAY),
    builtin("last day of month", last_day_of_month, date=_DAY),
)
