"""The state that a restore or a rollback is asked for: its text, strictly read, and whether it is our own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitsnap import config, requirement, snap
from gitsnap.actions import target as targets
from gitsnap.actions.state import State, resolve
from gitsnap.actions.target import Target
from gitsnap.errors import NotFoundError, UsageError
from gitsnap.requirement import Requirement, Text


@dataclass(frozen=True)
class Wanted:
    """A state to be put into an environment."""

    state: State
    text: Text
    is_own: bool
    """Whether this machine took the snapshot; another's text may hold lines that run another's code."""

    @property
    def label(self) -> str:
        """How to call it: the stamp of a snapshot, the name of a file."""
        return self.state.snapshot.stamp if self.state.snapshot else self.state.label


def target_of(name: str, python: str | None, env: str | None) -> Target:
    """Return the target; a file, and a snapshot of an environment that is named, need none that is active."""
    try:
        return targets.find(python, env)
    except NotFoundError:
        if python or env or not isinstance(snap.parse(name), (snap.File, snap.Elsewhere)):
            raise
        return Target(config.load(os.environ), "", None, None)


def wanted(target: Target, name: str) -> Wanted:
    """Return the state that *name* (a SNAP) names; nothing is changed."""
    parsed = snap.parse(name)
    if isinstance(parsed, snap.Now):
        raise UsageError("`now` is no snapshot to go back to", hint="`gitsnap log` lists the snapshots")
    return of_state(target, resolve(target, parsed), elsewhere=_machine(parsed) or target.config.machine)


def of_state(target: Target, state: State, *, elsewhere: str | None = None) -> Wanted:
    """Return *state*, taken on the machine *elsewhere*, strictly read."""
    own = target.config.machine
    is_own = (
        state.snapshot is not None
        and not state.fetched
        and state.snapshot.machine == own
        and elsewhere in {None, own}
    )
    return Wanted(state, requirement.parse(state.text.decode("utf-8", "replace")), is_own)


def _machine(parsed: snap.Snap) -> str | None:
    return parsed.machine if isinstance(parsed, snap.Elsewhere) else None


def conda_list(goal: Wanted) -> str:
    """Return the explicit list that conda's part of a snapshot has; empty where it has none."""
    return (goal.state.conda or b"").decode("utf-8", "replace")


def refuse_source(lines: Sequence[str]) -> None:
    """Raise UsageError for *lines* that can run code and are not permitted to."""
    if lines:
        raise UsageError(
            f"{len(lines)} line{'s' if len(lines) > 1 else ''} of the snapshot can run code, and another machine wrote them",
            hint="read them; `--allow-source` permits them (`--yes` does not)",
            candidates=lines,
        )


def source_lines(risky: Iterable[Requirement]) -> list[str]:
    """Return each line with its number and the variables that are put into it."""
    return [
        f"line {one.number}: {one.shown}"
        + (f"  (takes the value of {', '.join(one.variables)})" if one.variables else "")
        for one in risky
    ]
