"""The plan of a rollback: tables of two states and the steps between them."""

from __future__ import annotations

import pytest

from gitsnap import requirement
from gitsnap.errors import UsageError
from gitsnap.plan import Plan, differences, plan_rollback, without
from gitsnap.requirement import Requirement

GONE = "# not restorable (its folder is gone): {}"
SHA = ("a" * 40, "b" * 40)


def read(text: str) -> tuple[Requirement, ...]:
    """Read a state written as `a==1 b==2`, or lines."""
    lines = (
        text.split("\n") if "\n" in text or " " not in text or "#" in text or "@" in text else text.split()
    )
    return requirement.parse("# version: 3.12.3\n" + "\n".join(lines)).requirements


def shown(plan: Plan) -> tuple[str, str, str]:
    """Return installs, removals and the end as text."""
    return tuple(" ".join(one.line for one in part) for part in (plan.install, plan.remove, plan.end))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("now", "wanted", "install", "remove", "end"),
    [
        ("a==1", "a==1", "", "", "a==1"),
        ("a==1", "a==2", "a==2", "", "a==2"),
        ("a==2 b==1", "a==1", "a==1", "b==1", "a==1"),
        ("a==1", "a==1 b==1", "b==1", "", "a==1 b==1"),
        ("A_B==1.0", "a-b==1.0.0", "", "", "A_B==1.0"),
        ("a==1", "a @ file:///a.whl", "a @ file:///a.whl", "", "a @ file:///a.whl"),
        ("a==1 b==2", "", "", "a==1 b==2", ""),
    ],
)
def test_steps_lead_from_one_state_to_the_other(
    now: str, wanted: str, install: str, remove: str, end: str
) -> None:
    """Nothing is touched that does not differ."""
    plan = plan_rollback(read(now), read(wanted))

    assert shown(plan) == (install, remove, end)
    assert bool(plan) == bool(install or remove)


def test_only_and_except_choose_projects() -> None:
    """In any spelling; the rest stays."""
    now, wanted = read("a-b==1 b==1 c==1"), read("a-b==2 b==2")

    assert shown(plan_rollback(now, wanted, only=["A.B"])) == ("a-b==2", "", "a-b==2 b==1 c==1")
    assert shown(plan_rollback(now, wanted, except_=["a_b", "C"])) == ("b==2", "", "a-b==1 b==2 c==1")


def test_a_name_in_neither_state_is_a_mistake() -> None:
    """With what may have been meant."""
    with pytest.raises(UsageError) as caught:
        plan_rollback(read("numpy==1"), read("numpy==2"), only=["numpi"])

    assert caught.value.candidates == ("numpy",)


def test_what_gitsnap_needs_is_kept_and_what_cannot_be_touched_left() -> None:
    """Each with its reason, and the end says what stays."""
    plan = plan_rollback(
        read("a==1 b==1 c==1"), read("a==2 b==2"), protected={"a"}, untouchable={"b": "outside"}
    )

    assert shown(plan) == ("", "c==1", "a==1 b==1")
    assert [one.name for one in plan.kept] == ["a"]
    assert [(one.name, one.reason) for one in plan.left] == [("b", "outside")]


def test_what_nobody_can_get_is_blocked_and_stays() -> None:
    """A line that the snapshot itself calls not restorable, and a checkout at another commit."""
    now = read("a==1\n-e git+https://h/b@" + SHA[0] + "#egg=b")
    wanted = read(
        GONE.format("a @ file:///x") + "\n-e git+https://h/b@" + SHA[1] + "#egg=b\n" + GONE.format("c==1")
    )

    plan = plan_rollback(now, wanted)

    assert [one.name for one in plan.blocked] == ["a", "b", "c"]
    assert f"git checkout {SHA[1][:12]}" in plan.blocked[1].reason
    assert plan.end == tuple(sorted(now, key=lambda one: one.key))
    assert not plan


def test_the_same_line_that_cannot_be_restored_is_no_difference() -> None:
    """It is there, now as then."""
    lost = GONE.format("a @ file:///x") + "\nb==1"

    assert not plan_rollback(read(lost), read(lost))
    assert not plan_rollback(read(lost), read(lost)).blocked


def test_without_leaves_what_could_not_be_had_as_it_is() -> None:
    """The rest of the plan stays."""
    plan = plan_rollback(read("a==1 c==1"), read("a==2 b==2 c==2"))

    reduced = without(plan, {"a": "gone", "b": "gone too"})

    assert shown(reduced) == ("c==2", "", "a==1 c==2")
    assert [(one.name, one.reason) for one in reduced.blocked] == [("a", "gone"), ("b", "gone too")]


def test_differences_are_by_identity() -> None:
    """The spelling of a name is none."""
    assert not differences(read("A==1.0"), read("a==1"))
    assert [c.kind.value for c in differences(read("a==1 b==1"), read("a==2 c==1")).changes] == [
        "upgraded",
        "removed",
        "added",
    ]
