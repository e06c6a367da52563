"""SNAP: each form that a user may type, and what cannot be a tag."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import snap
from gitsnap.errors import UsageError


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("latest", snap.Latest(0)),
        ("latest~2", snap.Latest(2)),
        ("@", snap.Latest(0)),
        ("@~2", snap.Latest(2)),
        ("good", snap.Good()),
        ("@good", snap.Good()),
        ("now", snap.Now()),
        ("2025-01-31", snap.Until("20250131235959", "2025-01-31")),
        ("2025-01-31T11:24", snap.Until("20250131112459", "2025-01-31T11:24")),
        ("2025-01-31 11:24:05", snap.Until("20250131112405", "2025-01-31 11:24:05")),
        ("lab:", snap.Elsewhere(None, "lab", "latest")),
        ("lab:latest~1", snap.Elsewhere(None, "lab", "latest~1")),
        ("pc-two/lab:", snap.Elsewhere("pc-two", "lab", "latest")),
        ("pc-two/lab:2025-01-31 11:24", snap.Elsewhere("pc-two", "lab", "2025-01-31 11:24")),
        ("old.txt", snap.File(Path("old.txt"))),
        ("./old", snap.File(Path("old"))),
        ("backups/old", snap.File(Path("backups/old"))),
        ("../lab:x", snap.File(Path("../lab:x"))),
        ("/tmp/lab:x", snap.File(Path("/tmp/lab:x"))),  # noqa: S108 - a name, no file
        (r"C:\old", snap.File(Path(r"C:\old"))),
        ("worked", snap.Name("worked")),
        ("20250131", snap.Name("20250131")),
        ("3f2a91c", snap.Name("3f2a91c")),
    ],
)
def test_each_form_is_read_as_documented(text: str, form: snap.Snap) -> None:
    """The first form that fits holds."""
    assert snap.parse(text) == form


@given(st.text())
def test_any_text_is_a_form_or_a_usage_error(text: str) -> None:
    """Nothing that a user types ends in another error."""
    if text.strip():
        assert snap.parse(text) is not None
    else:
        with pytest.raises(UsageError):
            snap.parse(text)


@pytest.mark.parametrize(
    "name",
    ["", "good", "latest", "latest~1", "now", "@", "2025", "20250131112405", "2025-01-31", "3f2a91c", "a:b", "a/b", "-d",
     "a b", "a..b", "x.lock", "x.txt", ".x", "x.", "a\nb", "x~1", "a^", "x" * 101, "refs/heads/main", "@{1}", "a\\b"],
)  # fmt: skip
def test_words_stamps_dates_ids_and_odd_names_are_no_tags(name: str) -> None:
    """A tag must not hide another form of SNAP, nor break a git ref or a command line."""
    with pytest.raises(UsageError, match="cannot be a tag"):
        snap.checked_tag(name)


@pytest.mark.parametrize("name", ["worked", "before-update", "paper_2025", "v1.2", "été", "Good"])
def test_plain_names_can_be_tags(name: str) -> None:
    """Letters of any language, digits, dots, dashes and underscores."""
    assert snap.checked_tag(name) == name
