"""Show: one snapshot, whole."""

from __future__ import annotations

from gitsnap import snap
from gitsnap.actions import target as targets
from gitsnap.actions.state import State, resolve


def show(name: str = "latest", *, python: str | None = None, env: str | None = None) -> State:
    """Return the state that *name* (a SNAP) names, with its exact text."""
    wanted = snap.parse(name)
    return resolve(targets.find_for([wanted], python, env), wanted)
