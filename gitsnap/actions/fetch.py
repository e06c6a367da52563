"""Fetch: bring the branches of all machines here, into a place of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gitsnap import address, adoption, config, mirror, store, verdict
from gitsnap.actions import remote as remotes
from gitsnap.adoption import Adopted
from gitsnap.config import Config
from gitsnap.errors import GitsnapError, NotFoundError
from gitsnap.mirror import Found, Mirror
from gitsnap.model import printable
from gitsnap.transfer import Surroundings, unheard
from gitsnap.verdict import GOOD, Place, Verdict


@dataclass(frozen=True)
class Fetched:
    """What a fetch brought."""

    url: str
    verdict: Verdict
    found: tuple[Found, ...]
    """All environments of all machines that are on the remote."""
    new: tuple[str, ...]
    """The branches of those that came or went on."""
    others: tuple[str, ...]
    """Branches that are no environment of gitsnap's; left alone."""
    adopted: tuple[Adopted, ...] = ()
    """What became of this machine's branches, where they were to be continued."""


def fetch(*, adopt: bool = False, may_ask: bool = False, tell: Callable[[str], None] = unheard) -> Fetched:
    """Bring what is on the remote here; no repository, no environment and no folder changes by it.

    With *adopt*, the branches of this machine are continued: their repositories are made where they are missing,
    and snapshots that were taken here since are put on top. Raises UsageError where no remote is set.
    """
    settings = config.load(os.environ)
    place = remotes.mirror_of(settings)
    before = {one.branch: one.commit for one in mirror.branches(place)[0]}
    around = remotes.surroundings(may_ask=may_ask, tell=tell)
    ended = _fetch_all(settings, place, around)
    found, others = mirror.branches(place)
    new = tuple(one.branch for one in found if before.get(one.branch) != one.commit)
    adopted = _adopted(settings, place) if adopt and ended.is_good else ()
    return Fetched(settings.remote, ended, found, new, others, adopted)


def _adopted(settings: Config, place: Mirror) -> tuple[Adopted, ...]:
    results = []
    for one in adoption.own(settings, place):
        if not adoption.is_known(settings, one):
            where = remotes.of(settings, adoption.store_for(settings, one))
            results.append(adoption.adopt(settings, place, one, where, _now()))
    return tuple(results)


def _fetch_all(settings: Config, place: Mirror, around: Surroundings) -> Verdict:
    """Ask each repository that is known; where each environment has its own, those of the environments known here."""
    where = remotes.address_of(settings)
    names = [one.name for one in store.all_known(settings)] if where.names_environment else [""]
    ended = GOOD
    for name in names:
        url = where.url(settings.machine, name)
        one = Place(printable(url), where.server)
        if where.is_path and not os.path.isdir(url):
            found = verdict.absent(one)
        else:
            found = mirror.fetch(place, url, one, around, _now(), prune=not where.is_template)
        ended = ended if found.is_good else found
        if found.code == verdict.UNREACHABLE:
            break
    return ended


def is_remote(settings: Config, machine: str, environment: str) -> bool:
    """Tell whether an environment is none of this computer; its own are, but for those that are no longer here."""
    if address.part(machine) != address.part(settings.machine):
        return True
    names = {address.part(one.name) for one in store.all_known(settings)}
    return bool(settings.remote) and address.part(environment) not in names


def single(settings: Config, machine: str, environment: str) -> tuple[Mirror, Found]:
    """Return one environment of another machine, fetching it if it was never fetched.

    Raises NotFoundError where the remote has none of that name, GitsnapError where it cannot be asked.
    """
    place = remotes.mirror_of(settings)
    branch = address.branch(machine, environment)
    found = mirror.named(place, branch) if settings.remote else None
    if found is None:
        _fetch_single(settings, place, machine, environment)
        found = mirror.named(place, branch)
    if found is None:
        raise NotFoundError(
            f"`{branch}` is not on the remote", hint="`gitsnap environments` lists what is known"
        )
    return place, found


def _fetch_single(settings: Config, place: Mirror, machine: str, environment: str) -> None:
    branch = address.branch(machine, environment)
    if not settings.remote:
        raise NotFoundError(
            f"nothing is known here of machine `{printable(machine)}`",
            hint=f"this machine is called `{settings.machine}`; {remotes.NONE}: `gitsnap remote set URL`",
        )
    where = remotes.address_of(settings)
    url = where.url(machine, environment)
    one = Place(printable(url), where.server)
    if where.is_path and not os.path.isdir(url):
        gone = verdict.absent(one)
        raise GitsnapError(gone.message, hint=gone.hint)
    ended = mirror.fetch(place, url, one, remotes.surroundings(), _now(), only=branch)
    if not ended.is_good:
        # A server that does not show a repository to everybody says the same of one that is not there.
        kind = NotFoundError if ended.code == verdict.NOT_FOUND else GitsnapError
        raise kind(ended.message, hint=ended.hint, candidates=_near(place, branch))


def _near(place: Mirror, branch: str) -> list[str]:
    import difflib

    known = [one.branch for one in mirror.branches(place)[0]]
    return [f"{name}:" for name in difflib.get_close_matches(branch, known, n=5, cutoff=0.4)]


def _now() -> datetime:
    return datetime.now().astimezone()
