"""Stamps: the order of history, whatever the clock does."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import stamp

NOON = datetime(2025, 1, 31, 12, 0, 0, tzinfo=timezone.utc)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9990, 1, 1)).map(lambda one: one.replace(microsecond=0))  # noqa: DTZ001 - wall clocks have no zone


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        (None, "20250131120000"),
        ("20250131115959", "20250131120000"),
        ("20250131120000", "20250131120001"),
        ("20250131125959", "20250131130000"),
        ("20250201115959", "20250201120000"),
        ("20250201120000", "20250131120000"),
        ("20260131120000", "20250131120000"),
        ("20990101000000", "20250131120000"),
        ("20259999999999", "20250131120000"),
    ],
    ids=[
        "first",
        "later",
        "same second",
        "clock an hour back",
        "almost a day back",
        "a day back",
        "a year back",
        "from the future",
        "no time at all",
    ],
)
def test_a_stamp_follows_the_newest_while_that_is_within_a_day(newest: str | None, expected: str) -> None:
    """Beyond a day the clock is believed: history's order holds, not the names'."""
    assert stamp.following(NOON, newest, ()) == expected


def test_a_taken_stamp_is_never_given_again() -> None:
    """Two files cannot have one name."""
    taken = {"20250131120000", "20250131120001"}

    assert stamp.following(NOON, None, taken) == "20250131120002"


def test_a_stamp_is_the_clock_on_the_wall() -> None:
    """The zone is in the commit's date, not in the name."""
    assert stamp.of(NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))) == "20250131174500"


@given(MOMENTS)
def test_a_stamp_gives_its_moment_back(moment: datetime) -> None:
    """Reading is the inverse of writing, for every year that four digits hold."""
    assert stamp.moment(stamp.of(moment)) == moment


@given(MOMENTS, st.timedeltas(timedelta(days=-2), timedelta(days=2)), st.integers(0, 3))
def test_within_a_day_names_sort_as_history_does(moment: datetime, drift: timedelta, taken: int) -> None:
    """Whatever the clock does by less than a day, the next name sorts after the newest and is free."""
    now = (moment + drift).replace(microsecond=0, tzinfo=timezone.utc)
    newest = stamp.of(moment)
    used = {stamp.of(moment + timedelta(seconds=number)) for number in range(taken + 1)}

    following = stamp.following(now, newest, used)

    assert following not in used
    if now.replace(tzinfo=None) > moment - timedelta(days=1):
        assert following > newest


@pytest.mark.parametrize("text", ["", "2025013111240", "20251331112405", "20250132000000", "٢٠٢٥٠١٣١١١٢٤٠٥"])
def test_what_is_no_time_has_no_moment(text: str) -> None:
    """Fourteen digits that no calendar has are no stamp of ours."""
    assert stamp.moment(text) is None


def test_a_stamp_is_shown_as_people_read_it() -> None:
    """What is no stamp is shown as it is."""
    assert stamp.shown("20250131112405") == "2025-01-31 11:24:05"
    assert stamp.shown("latest") == "latest"
