"""What a rollback would do: the environment now and the state wanted, as steps. Nothing is changed here."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gitsnap import changes, requirement
from gitsnap.errors import UsageError
from gitsnap.model import Diff, canonical, printable
from gitsnap.requirement import Requirement


@dataclass(frozen=True)
class Left:
    """A project that differs from the state wanted and is left as it is, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """The steps from one state to another; empty (false) when there is nothing to do."""

    now: tuple[Requirement, ...]
    end: tuple[Requirement, ...]
    """What a freeze must say when all is done."""
    install: tuple[Requirement, ...]
    """What is put in, whether new or in the place of another version."""
    remove: tuple[Requirement, ...]
    """What is taken out and not replaced."""
    kept: tuple[Left, ...] = ()
    """What gitsnap itself needs."""
    left: tuple[Left, ...] = ()
    """What the state wanted has otherwise and gitsnap cannot or must not touch."""
    blocked: tuple[Left, ...] = ()
    """What the state wanted has otherwise and nobody can get."""

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.install or self.remove)

    @property
    def changes(self) -> Diff:
        """The changes from now to the end."""
        return changes.compare(requirement.freeze_of(self.now), requirement.freeze_of(self.end))

    @property
    def changed(self) -> frozenset[str]:
        """The canonical names of all that is touched."""
        return frozenset(one.key for one in (*self.install, *self.remove))


def plan_rollback(
    now: Sequence[Requirement],
    wanted: Sequence[Requirement],
    *,
    only: Collection[str] = (),
    except_: Collection[str] = (),
    protected: Collection[str] = (),
    untouchable: Mapping[str, str] | None = None,
) -> Plan:
    """Return the steps from *now* to *wanted*.

    Of *only* these projects, or of all but *except_*. *protected* projects stay as they are and are listed as
    kept; *untouchable* ones, each with its reason, as left. Raises UsageError for a name that is in neither state.
    """
    present, target = requirement.by_key(now), requirement.by_key(wanted)
    chosen = _chosen(present.keys() | target.keys(), only, except_)
    untouchable = untouchable or {}
    end: dict[str, Requirement] = dict(present)
    install: list[Requirement] = []
    remove: list[Requirement] = []
    kept: list[Left] = []
    left: list[Left] = []
    blocked: list[Left] = []
    for key in sorted(chosen):
        before, after = present.get(key), target.get(key)
        if (before and before.identity) == (after and after.identity):
            continue
        name = (before or after or now[0]).distribution.name
        if key in protected:
            kept.append(Left(name, "gitsnap needs it"))
        elif key in untouchable:
            left.append(Left(name, untouchable[key]))
        elif after is None and before:
            remove.append(before)
            del end[key]
        elif after and (reason := _obstacle(before, after)):
            blocked.append(Left(name, reason))
        elif after:
            install.append(after)
            end[key] = after
    return Plan(
        tuple(now),
        tuple(end[key] for key in sorted(end)),
        tuple(install),
        tuple(remove),
        tuple(kept),
        tuple(left),
        tuple(blocked),
    )


def without(plan: Plan, missing: Mapping[str, str]) -> Plan:
    """Return *plan* without the installs of the projects in *missing*, which stay as they are, with the reasons."""
    present = requirement.by_key(plan.now)
    end = {key: one for key, one in requirement.by_key(plan.end).items() if key not in missing}
    end |= {key: present[key] for key in missing if key in present}
    names = requirement.by_key(plan.install)
    return Plan(
        plan.now,
        tuple(end[key] for key in sorted(end)),
        tuple(one for one in plan.install if one.key not in missing),
        plan.remove,
        plan.kept,
        plan.left,
        (*plan.blocked, *(Left(names[key].distribution.name, reason) for key, reason in missing.items())),
    )


def differences(end: Sequence[Requirement], found: Sequence[Requirement]) -> Diff:
    """Return what *found* has otherwise than *end* wants, by identity."""
    wanted, have = requirement.by_key(end), requirement.by_key(found)
    keys = [
        key
        for key in sorted(wanted.keys() | have.keys())
        if (wanted[key].identity if key in wanted else None) != (have[key].identity if key in have else None)
    ]
    sides = [[side[key] for key in keys if key in side] for side in (wanted, have)]
    return changes.compare(requirement.freeze_of(sides[0]), requirement.freeze_of(sides[1]))


def _obstacle(before: Requirement | None, after: Requirement) -> str:
    """Return why no installer can be asked for *after*; empty when one can."""
    if not after.is_obtainable:
        return after.reason
    here, there = before.checkout if before else None, after.checkout
    if here and there and (here[0], here[2]) == (there[0], there[2]):
        return f"its folder is a checkout at another commit, which is yours to move: `git checkout {there[1][:12]}`"
    return ""


def _chosen(keys: Collection[str], only: Collection[str], except_: Collection[str]) -> set[str]:
    wanted, unwanted = ({canonical(name): name for name in names} for names in (only, except_))
    for key, name in {**wanted, **unwanted}.items():
        if key not in keys:
            raise UsageError(
                f"`{printable(name)}` is neither in the environment nor in the snapshot",
                hint="`gitsnap diff SNAP` lists what differs",
                candidates=difflib.get_close_matches(key, keys, n=3),
            )
    return {key for key in keys if (not wanted or key in wanted) and key not in unwanted}
