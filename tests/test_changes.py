"""Changes: what differs between two freezes, and in which direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import freezefile
from gitsnap.changes import compare, only
from gitsnap.model import Kind

HEAD = "# executable: /e/bin/python\n# version: 3.12.3 (main)\n\n"


def _kinds(before: str, after: str) -> list[tuple[str, str]]:
    diff = compare(freezefile.parse(HEAD + before), freezefile.parse(HEAD + after))
    return [(change.kind.value, change.name) for change in diff.changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "a==1", [("added", "a")]),
        ("a==1", "", [("removed", "a")]),
        ("a==1.9", "a==1.10", [("upgraded", "a")]),
        ("a==2.0", "a==2.0rc1", [("downgraded", "a")]),
        ("a==1.0", "a==1.0+cu118", [("upgraded", "a")]),
        ("a===1.0-weird", "a==1.0", [("upgraded", "a")]),
        ("a===r9", "a===r10", [("upgraded", "a")]),
        ("a==1", "a @ https://x/a.whl", [("resourced", "a")]),
        ("a @ git+https://x/a@0123", "a @ git+https://x/a@4567", [("resourced", "a")]),
        ("-e git+https://x/a@01#egg=a_b", "-e git+https://x/a@02#egg=a_b", [("resourced", "a_b")]),
        ("PySide6_Addons==1", "pyside6-addons==1", []),
        ("a==1", "# not restorable (its folder is gone): a @ file:///a", [("resourced", "a")]),
        ("b==1\na==1", "a==1\nb==1", []),
    ],
)
def test_each_kind_of_change_is_named(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    """Versions compare as PEP 440 says, names as PEP 503 says."""
    assert _kinds(before, after) == expected


def test_an_editable_without_version_control_has_the_name_in_its_comment() -> None:
    """`pip freeze` writes name and version into the line above."""
    text = "# Editable install with no version control (My.Lib==1.2)\n-e /src/somewhere\n"
    [found] = freezefile.parse(HEAD + text).distributions

    assert (found.name, found.version, found.source) == ("My.Lib", "1.2", "/src/somewhere")


def test_another_python_is_a_change_of_its_own() -> None:
    """The version line of the header tells."""
    diff = compare(freezefile.parse(HEAD), freezefile.parse(HEAD.replace("3.12.3", "3.12.4")))

    assert diff
    assert diff.python == ("3.12.3 (main)", "3.12.4 (main)")
    assert not diff.changes


def test_a_python_that_is_not_known_is_no_change() -> None:
    """A plain list of `pip freeze` that was imported does not say which Python it was of."""
    unknown = freezefile.parse("# executable: unknown\n# version: unknown\n\na==1\n")

    assert unknown.python == ""
    assert not compare(unknown, freezefile.parse(HEAD + "a==1\n"))


def test_one_package_can_be_taken_out_of_a_diff() -> None:
    """The history of one package asks for it by its canonical name."""
    diff = compare(freezefile.parse("A.b==1\nc==1"), freezefile.parse("A.b==2\nc==2"))

    assert [change.name for change in only(diff, "a-b").changes] == ["A.b"]


@given(st.text())
def test_no_text_crashes_the_reader(text: str) -> None:
    """A snapshot file may come from anywhere."""
    freezefile.parse(text)


_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,8}[A-Za-z0-9]", fullmatch=True)
_VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?", fullmatch=True)


@given(st.dictionaries(_NAMES, _VERSIONS), st.dictionaries(_NAMES, _VERSIONS))
def test_the_way_back_mirrors_the_way_there(before: dict[str, str], after: dict[str, str]) -> None:
    """Added and removed swap, upgraded and downgraded swap; nothing else remains."""
    first, second = (freezefile.parse("".join(f"{n}=={v}\n" for n, v in d.items())) for d in (before, after))
    mirror = {
        Kind.ADDED: Kind.REMOVED,
        Kind.REMOVED: Kind.ADDED,
        Kind.UPGRADED: Kind.DOWNGRADED,
        Kind.DOWNGRADED: Kind.UPGRADED,
        Kind.RESOURCED: Kind.RESOURCED,
    }
    there = {_key(change): change for change in compare(first, second).changes}
    back = {_key(change): change for change in compare(second, first).changes}

    assert there.keys() == back.keys()
    for key, change in there.items():
        assert back[key].kind is mirror[change.kind]


def _key(change: object) -> str:
    side = getattr(change, "after", None) or getattr(change, "before", None)
    return str(getattr(side, "key", ""))
