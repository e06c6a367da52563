"""The commit message of a snapshot, written and read again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import message
from gitsnap.changes import compare
from gitsnap.freezefile import parse as read
from gitsnap.model import Diff, Snapshot

STAMP = "20250131112405"
FORGED = "x\n\nSnapshot: 20200101000000"


def composed(before: str, after: str, **trailers: str) -> str:
    """Return the message of a snapshot that went from *before* to *after*."""
    diff = compare(read(before), read(after))
    return message.compose(
        diff, first=None, extra="Other lines changed", trailers={"Snapshot": STAMP, **trailers}
    )


def parsed(text: str) -> Snapshot:
    """Read a message; it must be a snapshot's."""
    found = message.parse("c" * 40, 1738319045, "+0100", text)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "after", "subject"),
    [
        ("numpy==1.26.4\n", "numpy==2.0.1\n", "Upgrade numpy 1.26.4 -> 2.0.1"),
        ("numpy==2.0.1\n", "numpy==1.26.4\n", "Downgrade numpy 2.0.1 -> 1.26.4"),
        ("", "numpy==1.0\n", "Add numpy 1.0"),
        ("numpy==1.0\n", "", "Remove numpy 1.0"),
        ("a==1\nb==1\n", "a==2\nc==1\nd==1\n", "Add 2, remove 1, upgrade 1"),
        ("# one\n", "# other\n", "Other lines changed"),
        ("# version: 3.11.1 (x)\n\n", "# version: 3.12.3 (y)\n\n", "Python 3.11.1 -> 3.12.3"),
        ("# version: 3.12.3 (x)\n\n", "# version: 3.12.3 (y)\n\n", "Python 3.12.3 rebuilt"),
        ("# executable: /a/python\n\n", "# executable: /b/python\n\n", "Move to /b/python"),
    ],
)
def test_the_subject_says_what_changed(before: str, after: str, subject: str) -> None:
    """One change by name, many by number."""
    assert composed(before, after).split("\n")[0] == subject
    assert parsed(composed(before, after)).subject == subject


@pytest.mark.parametrize(("count", "subject"), [(1, "1 distribution"), (61, "61 distributions")])
def test_the_first_snapshot_counts_instead(count: int, subject: str) -> None:
    """A list of all that there is would be no news."""
    text = message.compose(Diff(()), first=count, extra="", trailers={"Snapshot": STAMP})

    assert text == f"First snapshot: {subject}\n\nSnapshot: {STAMP}\n"


def test_the_body_lists_each_change_and_the_trailers_end_it() -> None:
    """Whoever reads `git log` needs nothing else."""
    text = composed("a==1\nb==1\n", "a==2\n", Environment="lab", Reason="before the driver")

    assert text == (
        "Remove 1, upgrade 1\n\n  Upgrade a 1 -> 2\n  Remove b 1\n\n"
        f"Snapshot: {STAMP}\nEnvironment: lab\nReason: before the driver\n"
    )


def test_an_empty_trailer_is_left_out() -> None:
    """No reason was given: nothing is said of it."""
    assert "Reason" not in composed("", "a==1\n", Reason="")


@pytest.mark.parametrize("where", ["Reason", "Environment", "Machine", "Python"])
@pytest.mark.parametrize("newline", ["\n", "\r", "\v", "\x85", "\u2028", "\0"])
def test_no_value_can_forge_a_trailer(where: str, newline: str) -> None:
    """A line end of any kind is escaped, in every trailer."""
    forged = FORGED.replace("\n", newline)

    found = parsed(composed("", "a==1\n", **{where: forged}))

    assert found.stamp == STAMP
    assert newline not in getattr(found, where.lower())


def test_no_distribution_can_forge_a_trailer() -> None:
    """Names and sources come from outside; in the subject and the body too they keep to their line."""
    text = message.compose(
        compare(read(""), read("a @ https://host/x\rSnapshot:%2020200101000000\n")),
        first=None,
        extra="",
        trailers={"Snapshot": STAMP},
    )

    assert parsed(text).stamp == STAMP
    assert [line for line in text.splitlines() if line.startswith("Snapshot:")] == [f"Snapshot: {STAMP}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "My own commit\n",
        f"Snapshot: {STAMP}\n\nnot at the end\n",
        "Prune 3 files\n\nSnapshot: 2025\n",
        f"Prune\n\n  Snapshot: {STAMP}\n",
        "x\n\nSnapshot: ٢٠٢٥٠١٣١١١٢٤٠٥\n",
    ],
)
def test_other_commits_are_no_snapshots(text: str) -> None:
    """A snapshot has the trailer, whole and in its last paragraph."""
    assert message.parse("c" * 40, 0, "+0000", text) is None


@pytest.mark.parametrize(
    ("seconds", "offset", "shown"),
    [
        (1738319045, "+0100", "2025-01-31T11:24:05+01:00"),
        (1738319045, "-0330", "2025-01-31T06:54:05-03:30"),
        (4102444800, "+0000", "2100-01-01T00:00:00+00:00"),
        (7258118400, "+0545", "2200-01-01T05:45:00+05:45"),
    ],
)
def test_the_time_has_its_offset(seconds: int, offset: str, shown: str) -> None:
    """As git stores it, past 2038 and 2100 too."""
    found = message.parse("c" * 40, seconds, offset, f"x\n\nSnapshot: {STAMP}\n")

    assert found is not None
    assert found.time.isoformat() == shown
    assert found.time.utcoffset() == timedelta(hours=int(offset[:3]), minutes=int(offset[0] + offset[3:]))


def test_a_time_that_no_calendar_has_is_no_error() -> None:
    """One odd commit must not hide the others."""
    found = message.parse("c" * 40, 10**15, "+0000", f"x\n\nSnapshot: {STAMP}\n")

    assert found is not None
    assert found.time.year == 9999


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_is_said_the_message_reads_back(reason: str, machine: str) -> None:
    """Any text at all is one line, and the stamp is ours."""
    text = message.compose(
        Diff(()), first=None, extra="x", trailers={"Snapshot": STAMP, "Reason": reason, "Machine": machine}
    )

    found = parsed(text)
    assert found.stamp == STAMP
    assert text.count("\n") <= 5
