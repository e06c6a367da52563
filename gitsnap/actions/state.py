"""A state: whatever a SNAP names, read as text: a snapshot, a file, or the environment now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitsnap import files, mirror, snap, stamp, store
from gitsnap.actions import fetch as fetching
from gitsnap.actions import target as targets
from gitsnap.actions.target import Target
from gitsnap.config import Config
from gitsnap.errors import NotFoundError
from gitsnap.model import CONDA, Freeze, Snapshot, printable
from gitsnap.store import Store


@dataclass(frozen=True)
class State:
    """One state that can be shown and compared."""

    label: str
    """How to call it in a sentence or as a file name."""
    text: bytes
    snapshot: Snapshot | None = None
    conda: bytes | None = None
    """Conda's explicit list of it, where there is one."""
    fetched: str = ""
    """When it was fetched from the remote, ISO 8601 with offset; empty for what is of this computer."""

    @property
    def freeze(self) -> Freeze:
        """The text, read."""
        return store.freeze_of(self.text, self.conda)


def resolve(target: Target, wanted: snap.Snap) -> State:
    """Return what *wanted* names; nothing is changed. Raises NotFoundError, NoRepositoryError, GitsnapError."""
    match wanted:
        case snap.File(path):
            return _file(path)
        case snap.Now():
            look = targets.look_at(targets.environment_of(target))
            return State("now", look.text, conda=look.conda)
        case snap.Elsewhere(machine, name, rest):
            return _elsewhere(target, machine, name, rest)
        case snap.Latest() | snap.Good() | snap.Until() | snap.Name():
            return of_store(targets.store_of(target), wanted)


def of_store(found: Store, wanted: snap.Latest | snap.Good | snap.Until | snap.Name) -> State:
    """Return the snapshot of *found* that *wanted* names."""
    with store.reading(found) as repo:
        snapshot = store.tagged(repo, [store.find(repo, wanted)])[0]
        label = f"{found.name} of {stamp.shown(snapshot.stamp)}"
        text, explicit = store.text_of(repo, snapshot), repo.read(snapshot.commit, CONDA)
        return State(label, text, snapshot, explicit)


def _file(path: Path) -> State:
    data = files.read(path)
    if data is None:
        raise NotFoundError(
            f"there is no file `{path}`", hint="a SNAP with a path separator or the ending `.txt` is a file"
        )
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return State(printable(path.name), text.encode("utf-8"))


def _elsewhere(target: Target, machine: str | None, name: str, rest: str) -> State:
    wanted = snap.parse(rest)
    if machine is not None and fetching.is_remote(target.config, machine, name):
        return _of_remote(target.config, machine, name, _inner(wanted, f"{machine}/{name}", rest))
    found = targets.called(target.config, name)
    if isinstance(wanted, snap.Now):
        return resolve(targets.find(None, found.name, target.config), wanted)
    return of_store(found, _inner(wanted, found.name, rest))


def _inner(wanted: snap.Snap, name: str, rest: str) -> snap.Latest | snap.Good | snap.Until | snap.Name:
    """Return *wanted* if it can name a snapshot of another environment; else NotFoundError."""
    if isinstance(wanted, (snap.File, snap.Elsewhere, snap.Now)):
        raise NotFoundError(
            f"`{printable(rest)}` names no snapshot of `{printable(name)}`", hint="`gitsnap log` lists them"
        )
    return wanted


def _of_remote(
    config: Config, machine: str, name: str, wanted: snap.Latest | snap.Good | snap.Until | snap.Name
) -> State:
    """Return a snapshot of another machine, as it was last fetched."""
    place, found = fetching.single(config, machine, name)
    history = mirror.opened(place, found)
    snapshot = store.tagged(history, [store.find(history, wanted)])[0]
    when = found.fetched[:16].replace("T", " ")
    label = f"{found.branch} of {stamp.shown(snapshot.stamp)} (fetched {when})"
    text, explicit = store.text_of(history, snapshot), history.read(snapshot.commit, CONDA)
    return State(label, text, snapshot, explicit, found.fetched)
