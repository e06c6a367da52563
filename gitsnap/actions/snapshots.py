"""Snapshots: the history of an environment, newest first."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from gitsnap import config, freezefile, mirror, repository, snap, store
from gitsnap.actions import fetch as fetching
from gitsnap.actions import target as targets
from gitsnap.changes import compare, only
from gitsnap.errors import GitsnapError, UsageError
from gitsnap.mirror import Branch
from gitsnap.model import Change, Snapshot, canonical, printable
from gitsnap.store import History


@dataclass(frozen=True)
class Listed:
    """One snapshot in the list."""

    snapshot: Snapshot
    is_now: bool
    """Whether it equals the environment as it is now."""
    in_folder: bool
    """Whether its file is still in the folder; in the history it always is."""
    is_good: bool
    """Whether a launch went well with it."""
    changes: tuple[Change, ...] = ()
    """What it changed of the package that was asked for."""


@dataclass(frozen=True)
class Log:
    """Snapshots of one environment, newest first."""

    environment: str
    """Its name; with its machine where that is another."""
    listed: tuple[Listed, ...]
    more: bool
    """Whether there are older ones that were not asked for."""


def snapshots(
    place: str | None = None,
    *,
    python: str | None = None,
    env: str | None = None,
    limit: int | None = 25,
    since: str | None = None,
    package: str | None = None,
    compare_now: bool = True,
) -> Log:
    """Return the newest *limit* snapshots; only those *since* a date; only those that changed *package*.

    *place* names another environment: `ENVIRONMENT:` or `MACHINE/ENVIRONMENT:`, as in a SNAP. Whether one equals the environment now is told where its Python runs and *compare_now* is set.
    """
    elsewhere = _elsewhere(place) if place else None
    if elsewhere and (branch := _fetched(elsewhere)):
        listed, more = _listed(branch, None, limit, since, package)
        return Log(branch.name, listed, more)
    target = targets.find(python, elsewhere.environment if elsewhere else env)
    found = targets.store_of(target)
    now = _now(target) if compare_now else None
    with store.reading(found) as repo:
        listed, more = _listed(repo, now, limit, since, package)
    return Log(found.name, listed, more)


def _elsewhere(place: str) -> snap.Elsewhere:
    found = snap.parse(place)
    if not isinstance(found, snap.Elsewhere) or found.snap != "latest":
        raise UsageError(
            f"`{printable(place)}` names no environment",
            hint="`gitsnap log MACHINE/ENVIRONMENT:` lists those of another machine; `gitsnap environments` names them",
        )
    return found


def _fetched(elsewhere: snap.Elsewhere) -> Branch | None:
    """Return the fetched history that is meant; None for one of this computer."""
    settings = config.load(os.environ)
    machine, name = elsewhere.machine, elsewhere.environment
    if machine is None or not fetching.is_remote(settings, machine, name):
        return None
    return mirror.opened(*fetching.single(settings, machine, name))


def _listed(
    repo: History, now: str | None, limit: int | None, since: str | None, package: str | None
) -> tuple[tuple[Listed, ...], bool]:
    every, more = _chosen(repo, limit, since, package)
    entries = repo.entries(repo.head) if repo.head else {}
    good = repo.good()
    listed = tuple(
        Listed(one, now == _blob(repo, one), one.file_name in entries, _blob(repo, one) in good, changes)
        for one, changes in _with_tags(repo, every)
    )
    return listed, more


def _now(target: targets.Target) -> str | None:
    """Return the id that git would give to the environment's text, or None where it cannot be had."""
    with suppress(GitsnapError):
        return repository.blob_id(targets.freeze_of(targets.environment_of(target)).encode("utf-8"))
    return None


def _blob(repo: History, one: Snapshot) -> str:
    entry = repo.entries(one.commit).get("current.txt")
    return entry.blob if entry else ""


Found = tuple[Snapshot, tuple[Change, ...]]


def _with_tags(repo: History, found: list[Found]) -> Iterator[Found]:
    return zip(store.tagged(repo, [one for one, _ in found]), [changes for _, changes in found], strict=True)


def _chosen(
    repo: History, limit: int | None, since: str | None, package: str | None
) -> tuple[list[Found], bool]:
    if package is not None:
        found = list(_about(repo, canonical(package)))
    else:
        wanted = None if limit is None or since else limit + 1
        found = [(one, ()) for one in repo.snapshots(limit=wanted)]
    if since:
        first = _first_stamp(since)
        found = [(one, changes) for one, changes in found if one.stamp >= first]
    return (found, False) if limit is None else (found[:limit], len(found) > limit)


def _first_stamp(since: str) -> str:
    wanted = snap.parse(since)
    if not isinstance(wanted, snap.Until):
        raise UsageError(f"`--since` takes a date such as 2025-01-31 or 2025-01-31T11:24, not `{since}`")
    return re.sub(r"[^0-9]", "", since).ljust(14, "0")


def _about(repo: History, name: str) -> Iterator[Found]:
    """Yield the snapshots that changed the distribution *name*, with what they changed of it."""
    spelled = re.sub(r"[^a-z0-9-]", ".", name).replace("-", "[-_.]+")
    for one in repo.commits_touching(f"(^|[=(# ]){spelled}($|[^a-z0-9])"):
        parent = repo.parent(one.commit)
        before = repo.read(parent, "current.txt") if parent else None
        after = repo.read(one.commit, "current.txt")
        pair = [freezefile.parse((text or b"").decode("utf-8", "replace")) for text in (before, after)]
        changes = only(compare(*pair), name).changes
        if changes:
            yield one, changes
