"""Prune: apply the limit now."""

from __future__ import annotations

from datetime import datetime

from gitsnap import store
from gitsnap.actions import target as targets
from gitsnap.store import Pruned


def prune(*, python: str | None = None, env: str | None = None) -> Pruned:
    """Remove the files past the configured limit from the folder; the history keeps every snapshot."""
    target = targets.find(python, env)
    return store.prune(targets.store_of(target), limit=target.config.limit, now=datetime.now().astimezone())
