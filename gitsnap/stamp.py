"""Stamps: the 14 digits that name a snapshot's file, local wall clock, in the order of history."""

from __future__ import annotations

import re
from collections.abc import Container
from datetime import datetime, timedelta

_FORMAT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_DAY = timedelta(days=1)


def of(moment: datetime) -> str:
    """Return the stamp of *moment*, by its own clock."""
    parts = (moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return f"{moment.year:04d}" + "".join(f"{part:02d}" for part in parts)


def moment(stamp: str) -> datetime | None:
    """Return the wall-clock time of *stamp*, or None when no calendar has it."""
    match = _FORMAT.fullmatch(stamp)
    try:
        return datetime(*map(int, match.groups())) if match else None  # type: ignore[arg-type]  # noqa: DTZ001
    except ValueError:
        return None


def shown(stamp: str) -> str:
    """Return *stamp* as people read it: `2025-01-31 11:24:05`."""
    match = _FORMAT.fullmatch(stamp)
    return "{}-{}-{} {}:{}:{}".format(*match.groups()) if match else stamp


def following(now: datetime, newest: str | None, taken: Container[str]) -> str:
    """Return the stamp of a snapshot taken at *now* (aware, local) after the one with stamp *newest*.

    The clock's own stamp, unless it is taken or would sort before the newest (same second, end of summer time,
    clock set back): then the newest plus one second while that is within a day of the clock, else the clock's.
    """
    clock = now.replace(tzinfo=None, microsecond=0)
    last = moment(newest) if newest else None
    if last and clock <= last < clock + _DAY:
        clock = last + timedelta(seconds=1)
    while of(clock) in taken:
        clock += timedelta(seconds=1)
    return of(clock)
