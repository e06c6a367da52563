"""A state: whatever a SNAP names, read as text: a snapshot, a file, or the environment now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitsnap import files, freezefile, snap, stamp, store
from gitsnap.actions import target as targets
from gitsnap.actions.target import Target
from gitsnap.errors import NotFoundError
from gitsnap.model import Freeze, Snapshot, printable
from gitsnap.store import Store


@dataclass(frozen=True)
class State:
    """One state that can be shown and compared."""

    label: str
    """How to call it in a sentence or as a file name."""
    text: bytes
    snapshot: Snapshot | None = None

    @property
    def freeze(self) -> Freeze:
        """The text, read."""
        return freezefile.parse(self.text.decode("utf-8", "replace"))


def resolve(target: Target, wanted: snap.Snap) -> State:
    """Return what *wanted* names; nothing is changed. Raises NotFoundError, NoRepositoryError, GitsnapError."""
    match wanted:
        case snap.File(path):
            return _file(path)
        case snap.Now():
            return State("now", targets.freeze_of(targets.environment_of(target)).encode("utf-8"))
        case snap.Elsewhere(machine, name, rest):
            return _elsewhere(target, machine, name, rest)
        case snap.Latest() | snap.Good() | snap.Until() | snap.Name():
            return of_store(targets.store_of(target), wanted)


def of_store(found: Store, wanted: snap.Latest | snap.Good | snap.Until | snap.Name) -> State:
    """Return the snapshot of *found* that *wanted* names."""
    with store.reading(found) as repo:
        snapshot = store.tagged(repo, [store.find(repo, wanted)])[0]
        return State(
            f"{found.name} of {stamp.shown(snapshot.stamp)}", store.text_of(repo, snapshot), snapshot
        )


def _file(path: Path) -> State:
    data = files.read(path)
    if data is None:
        raise NotFoundError(
            f"there is no file `{path}`", hint="a SNAP with a path separator or the ending `.txt` is a file"
        )
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return State(printable(path.name), text.encode("utf-8"))


def _elsewhere(target: Target, machine: str | None, name: str, rest: str) -> State:
    if machine is not None and machine != target.config.machine:
        raise NotFoundError(
            f"nothing is known here of machine `{printable(machine)}`",
            hint=f"this machine is called `{target.config.machine}`",
        )
    found = targets.called(target.config, name)
    wanted = snap.parse(rest)
    if isinstance(wanted, snap.Now):
        return resolve(targets.find(None, found.name, target.config), wanted)
    if isinstance(wanted, (snap.File, snap.Elsewhere)):
        raise NotFoundError(
            f"`{printable(rest)}` names no snapshot of `{found.name}`", hint="`gitsnap log` lists them"
        )
    return of_store(found, wanted)
