"""Retention: what is past the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap.retention import expired

STAMPS = st.lists(st.integers(1, 10**6).map("{:014d}".format), unique=True, max_size=40)


@pytest.mark.parametrize(
    ("pinned", "limit", "expected"),
    [
        ([], 5, []),
        ([], 4, []),
        ([], 2, ["b", "a"]),
        (["d"], 2, ["a"]),
        (["a"], 3, []),
        (["a", "b", "c", "d"], 1, []),
    ],
)
def test_the_limit_counts_what_is_not_pinned(pinned: list[str], limit: int, expected: list[str]) -> None:
    """A pinned file neither goes nor takes the place of another."""
    assert expired(["d", "c", "b", "a"], pinned, limit) == expected


def test_history_decides_what_is_old_not_the_name() -> None:
    """After the clock was set back the newest snapshot has an old name, and stays."""
    assert expired(["2024", "2026", "2025"], [], 1) == ["2026", "2025"]


@pytest.mark.parametrize("limit", [0, -3])
def test_no_limit_means_delete_all(limit: int) -> None:
    """Nought is a mistake, wherever it comes from."""
    with pytest.raises(ValueError, match="at least 1"):
        expired(["a"], [], limit)


@given(STAMPS, st.integers(1, 50), st.data())
def test_the_newest_always_stays(stamps: list[str], limit: int, data: st.DataObject) -> None:
    """Whatever is pinned: nothing pinned goes, what stays is the limit's newest, nothing else is named."""
    pinned = data.draw(st.sets(st.sampled_from(stamps))) if stamps else set()

    gone = expired(stamps, pinned, limit)

    free = [one for one in stamps if one not in pinned]
    assert [one for one in free if one not in gone] == free[:limit]
    assert not pinned & {*gone}
