"""Tag: name and pin a snapshot."""

from __future__ import annotations

from gitsnap import snap, store
from gitsnap.actions import target as targets
from gitsnap.errors import UsageError
from gitsnap.model import Snapshot


def tag(name: str, wanted: str = "latest", *, python: str | None = None, env: str | None = None) -> Snapshot:
    """Give the snapshot *wanted* (a SNAP of this environment) the tag *name*; its file stays past the limit."""
    parsed = snap.parse(wanted)
    if isinstance(parsed, (snap.File, snap.Now, snap.Elsewhere)):
        raise UsageError(
            f"`{wanted}` is no snapshot of this environment",
            hint="`gitsnap log` lists those that can be tagged",
        )
    return store.tag(targets.store_of(targets.find(python, env)), snap.checked_tag(name), parsed)


def untag(name: str, *, python: str | None = None, env: str | None = None) -> None:
    """Delete the tag *name*; the snapshot stays."""
    store.untag(targets.store_of(targets.find(python, env)), name)


def tags(*, python: str | None = None, env: str | None = None) -> tuple[Snapshot, ...]:
    """Return the tagged snapshots, newest first."""
    with store.reading(targets.store_of(targets.find(python, env))) as repo:
        if not repo.tags():
            return ()
        return tuple(one for one in store.tagged(repo, repo.snapshots()) if one.tags)
