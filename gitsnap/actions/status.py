"""Status: how an environment stands to its newest snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from gitsnap import changes, failure, freezefile, store
from gitsnap.actions import target as targets
from gitsnap.config import Config
from gitsnap.errors import GitsnapError
from gitsnap.failure import Failure
from gitsnap.model import Diff, Environment, Snapshot
from gitsnap.store import Store


@dataclass(frozen=True)
class Status:
    """How an environment stands."""

    config: Config
    store: Store
    environment: Environment | None
    """None where its Python does not run any more; `trouble` says why."""
    trouble: GitsnapError | None
    failure: Failure | None
    newest: Snapshot | None
    drift: Diff
    """What changed since the newest snapshot; everything where there is none."""


def status(*, python: str | None = None, env: str | None = None) -> Status:
    """Return the last failure, the newest snapshot and the drift since; writes nothing and takes no lock."""
    target = targets.find(python, env)
    environment, trouble = None, None
    try:
        environment = targets.environment_of(target)
        text = targets.freeze_of(environment)
    except GitsnapError as error:
        trouble, text = error, ""
    found = store.of(target.config, environment) if environment else targets.store_of(target)
    newest, before = _newest(found)
    drift = Diff(()) if trouble else changes.compare(freezefile.parse(before), freezefile.parse(text))
    return Status(target.config, found, environment, trouble, _failure(target), newest, drift)


def _newest(found: Store) -> tuple[Snapshot | None, str]:
    if not found.exists:
        return None, ""
    with store.reading(found) as repo:
        newest = next(iter(store.tagged(repo, repo.snapshots(limit=1))), None)
        text = repo.read(repo.head, "current.txt") if repo.head else None
        return newest, (text or b"").decode("utf-8", "replace")


def _failure(target: targets.Target) -> Failure | None:
    """Return the failure of this environment's launches, however they named it."""
    keys = {target.key, f"env {target.name}", f"python {target.python}"}
    kept = failure.all_in(target.config.state_path / "failures")
    return next((one for one in reversed(kept) if one.key in keys), None)
