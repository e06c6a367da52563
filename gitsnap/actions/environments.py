"""Environments: all that are known here."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gitsnap import config, failure, mirror, selection, store
from gitsnap.actions import remote as remotes
from gitsnap.actions.fetch import is_remote
from gitsnap.config import Config
from gitsnap.errors import GitsnapError
from gitsnap.failure import Failure
from gitsnap.mirror import Found
from gitsnap.model import Snapshot
from gitsnap.store import Store


@dataclass(frozen=True)
class Known:
    """One environment that has snapshots here."""

    store: Store
    prefix: str | None
    is_gone: bool
    """Whether there is no Python at its prefix any more."""
    newest: Snapshot | None
    trouble: str
    """Why its repository cannot be read; empty when it can."""


@dataclass(frozen=True)
class Environments:
    """What is known here."""

    known: tuple[Known, ...]
    failures: tuple[Failure, ...]
    fetched: tuple[Found, ...]
    """Those on the remote that are not of this computer, as they were last fetched."""


def environments() -> Environments:
    """Return every environment that has a repository here, by name, and the failures of launches."""
    settings = config.load(os.environ)
    known = tuple(_known(one) for one in store.all_known(settings))
    return Environments(known, failure.all_in(settings.state_path / "failures"), _fetched(settings))


def _fetched(settings: Config) -> tuple[Found, ...]:
    if not settings.remote:
        return ()
    found, _ = mirror.branches(remotes.mirror_of(settings))
    return tuple(one for one in found if is_remote(settings, one.machine, one.environment))


def _known(one: Store) -> Known:
    prefix = store.remembered(one)
    newest, trouble = None, ""
    try:
        newest = next(iter(store.snapshots(one, limit=1)), None)
    except GitsnapError as error:
        trouble = error.message
    return Known(one, prefix, prefix is None or selection.interpreter(prefix) is None, newest, trouble)
