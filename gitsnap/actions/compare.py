"""Compare two states: snapshots, environments, files, or the environment now."""

from __future__ import annotations

from dataclasses import dataclass

from gitsnap import changes, repository, snap
from gitsnap.actions import target as targets
from gitsnap.actions.state import State, resolve
from gitsnap.model import Diff


@dataclass(frozen=True)
class Comparison:
    """Two states and what changed from the first to the second."""

    before: State
    after: State
    diff: Diff


def compare(
    before: str = "latest", after: str = "now", *, python: str | None = None, env: str | None = None
) -> Comparison:
    """Return what changed from SNAP *before* to SNAP *after*; both are found before anything is compared."""
    pair = (snap.parse(before), snap.parse(after))
    target = targets.find_for(pair, python, env)
    first, second = (resolve(target, wanted) for wanted in pair)
    return Comparison(first, second, changes.compare(first.freeze, second.freeze))


def patch(comparison: Comparison, *, colour: bool = False) -> str:
    """Return git's own unified diff of the two states."""
    sides = [(_file_name(state), state.text) for state in (comparison.before, comparison.after)]
    return repository.patch(sides[0], sides[1], colour=colour)


def _file_name(state: State) -> str:
    if state.snapshot:
        return state.snapshot.file_name
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in state.label).strip(".-")
    return plain or "file"
