"""Time zones from the `tzdata` package alone, so that the answer is the same on every system."""

from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo


@cache
def zone_names() -> frozenset[str]:
    """All names of the IANA database that the package knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text(encoding="utf-8").split())


@lru_cache(maxsize=128)
def load_zone(name: str) -> ZoneInfo | None:
    """Load one zone; None where the database does not have it. Never reads the system's database."""
    if name not in zone_names():
        return None
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as source:
        return ZoneInfo.from_file(source, key=name)


def _seconds(delta: timedelta | None) -> int:
    return int((delta or timedelta()).total_seconds())


def at_local(local: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """Resolve a local time: in a gap it moves forward, in an overlap the earlier offset counts.

    Returns:
        The local time in the zone and its offset in seconds.

    """
    offset = local.replace(tzinfo=zone, fold=0).utcoffset() or timedelta()
    return at_instant(local - offset, zone)


def at_instant(utc: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """Turn an instant (naive, in UTC) into local time and offset in seconds."""
    there = utc.replace(tzinfo=zone)
    there = zone.fromutc(there)
    return there.replace(tzinfo=None, fold=0), _seconds(there.utcoffset())


def standard_offset(zone: ZoneInfo) -> int:
    """Give the zone's offset outside daylight saving time, in seconds: that of a time without a date."""
    moment = datetime(2020, 1, 1, tzinfo=zone)
    return _seconds(moment.utcoffset()) - _seconds(moment.dst())
