"""INTERNALDATE to and from seconds since the epoch. Pure, and without the locale (RFC 9051 section 9, `date-time`)."""

import re
import time
from functools import lru_cache

from syncer.later import later

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
_DATE = later(rb" ?(\d{1,2})-(\w{3})-(\d{4})", re.ASCII)
_TIME = later(rb"(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_LONGEST = 40
"""Octets of a date; longer ones are not looked at, nor remembered."""
_LAST = 253402300799
"""The last second of the year 9999: the format has four digits for the year."""


def parse_date(text: bytes) -> int | None:
    """Seconds since the epoch, or None where `text` is not a date."""
    if len(text) > _LONGEST:
        return None
    day, _, rest = text.lstrip(b" ").partition(b" ")
    midnight = _midnight(day)
    match = _TIME.fullmatch(rest)
    if midnight is None or match is None:
        return None
    hours, minutes, seconds, sign, zone_hours, zone_minutes = match.groups()
    offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
    if int(hours) > 23 or int(minutes) > 59 or int(seconds) > 60 or int(zone_hours) > 23 or int(zone_minutes) > 59:
        return None
    clock = int(hours) * 3600 + int(minutes) * 60 + int(seconds)
    return midnight + clock - (offset if sign == b"+" else -offset)


def format_date(seconds: int) -> bytes:
    """`17-Jul-1996 02:44:25 +0000`; what the format cannot say becomes the nearest that it can."""
    year, month, day, hour, minute, second = time.gmtime(min(max(seconds, 0), _LAST))[:6]
    return b"%02d-%s-%04d %02d:%02d:%02d +0000" % (day, _MONTHS[month - 1].encode(), year, hour, minute, second)


@lru_cache(maxsize=4096)
def _midnight(day: bytes) -> int | None:
    match = _DATE.fullmatch(day)
    if match is None:
        return None
    import calendar  # noqa: PLC0415 - slow to load, and only who describes messages needs it

    month = _NUMBERS.get(match[2].lower())
    year, number = int(match[3]), int(match[1])
    if month is None or year < 1 or not 1 <= number <= calendar.monthrange(year, month)[1]:
        return None
    return calendar.timegm((year, month, number, 0, 0, 0))
