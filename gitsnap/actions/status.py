"""Status: how an environment stands to its newest snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from gitsnap import changes, failure, store, unfinished
from gitsnap.actions import push as pushing
from gitsnap.actions import target as targets
from gitsnap.actions.push import Waiting
from gitsnap.config import Config
from gitsnap.errors import GitsnapError
from gitsnap.failure import Failure
from gitsnap.model import CONDA, CURRENT, Diff, Environment, Freeze, Snapshot
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
    waiting: Waiting | None
    """What is not on the remote; None where none is set."""
    unfinished: bool
    """Whether a rollback was interrupted."""


def status(*, python: str | None = None, env: str | None = None) -> Status:
    """Return the last failure, the newest snapshot and the drift since; writes nothing and takes no lock."""
    target = targets.find(python, env)
    environment, trouble = None, None
    try:
        environment = targets.environment_of(target)
        look = targets.look_at(environment)
    except GitsnapError as error:
        trouble, look = error, store.Look(b"")
    found = store.of(target.config, environment) if environment else targets.store_of(target)
    newest, before = _newest(found)
    drift = Diff(()) if trouble else changes.compare(before, store.freeze_of(look.text, look.conda))
    return Status(
        target.config,
        found,
        environment,
        trouble,
        _failure(target, found, environment),
        newest,
        drift,
        pushing.waiting(target.config, found),
        unfinished.unfinished(str(found.path)),
    )


def _newest(found: Store) -> tuple[Snapshot | None, Freeze]:
    if not found.exists:
        return None, Freeze("", "", ())
    with store.reading(found) as repo:
        newest = next(iter(store.tagged(repo, repo.snapshots(limit=1))), None)
        texts = [repo.read(repo.head, name) if repo.head else None for name in (CURRENT, CONDA)]
        return newest, store.freeze_of(texts[0] or b"", texts[1])


def _failure(target: targets.Target, found: Store, environment: Environment | None) -> Failure | None:
    """Return the last failure of this environment's launches, however they named it."""
    prefix = str(environment.prefix) if environment else store.remembered(found)
    kept = failure.all_in(target.config.state_path / "failures")
    return next((one for one in reversed(kept) if one.concerns(target.key, found.name, prefix)), None)
