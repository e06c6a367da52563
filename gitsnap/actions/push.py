"""Push: send what is not on the remote yet; by hand, or by itself after a snapshot."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import address, config, files, plumbing, remote, store, tries, verdict
from gitsnap.actions import remote as remotes
from gitsnap.actions import target as targets
from gitsnap.actions.pending import file_of
from gitsnap.config import Config
from gitsnap.errors import GitsnapError, LockedError, NoRepositoryError
from gitsnap.remote import Pushed, Remote
from gitsnap.store import Store
from gitsnap.transfer import Surroundings, unheard
from gitsnap.verdict import Verdict

_PATIENCE = 5.0
_TURN_PATIENCE = 45.0


@dataclass(frozen=True)
class Result:
    """What a push did for one environment."""

    store: Store
    pushed: Pushed


@dataclass(frozen=True)
class Report:
    """What a push did."""

    url: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> int:
        """How many environments could not be sent."""
        return sum(not one.pushed.verdict.is_good for one in self.results)


def push(
    *,
    env: str | None = None,
    may_ask: bool = False,
    tell: Callable[[str, str], None] = unheard,
) -> Report:
    """Send every environment's snapshots and tags, or those of *env*; each result has its verdict.

    Raises UsageError where no remote is set, NoRepositoryError where there is nothing to send, LockedError where
    another push is at work. *tell* is called with an environment and git's words on its progress.
    """
    settings = config.load(os.environ)
    remotes.address_of(settings)
    chosen = [targets.called(settings, env)] if env else store.all_known(settings)
    if not chosen:
        raise NoRepositoryError(
            "there is nothing to send yet", hint="`gitsnap save` takes the first snapshot"
        )
    with files.locked(_lock(settings), patience=_PATIENCE, what=_what(settings)):
        return Report(settings.remote, _push_all(settings, chosen, may_ask=may_ask, tell=tell))


def push_in_background() -> None:
    """Send what is not on the remote yet and whose time has come; says nothing, keeps failures for `status`.

    One is at work at a time and one may wait for it: that one sends what came meanwhile, so others need not.
    """
    settings = config.load(os.environ)
    if not settings.remote or settings.push != "auto":
        return
    lock = _lock(settings)
    with contextlib.ExitStack() as stack:
        try:
            with files.locked(lock.with_suffix(".turn"), patience=0, what=_what(settings)):
                stack.enter_context(files.locked(lock, patience=_TURN_PATIENCE, what=_what(settings)))
        except LockedError:
            return
        # A snapshot that is taken while we are at work is not left to the next launch.
        while _push_due(settings):
            pass


def _push_due(settings: Config) -> bool:
    """Send all environments that have something to send and are not to wait; tell whether all of it went."""
    due = [one for one in store.all_known(settings) if _is_due(settings, one)]
    results = _push_all(settings, due)
    return bool(results) and all(one.pushed.verdict.is_good for one in results)


def _is_due(settings: Config, one: Store) -> bool:
    if tries.is_waiting(file_of(settings, one), datetime.now().astimezone() + tries.GRACE):
        return False
    try:
        return remote.standing(remotes.of(settings, one)).unsent > 0
    except GitsnapError:
        return False


def _push_all(
    settings: Config,
    chosen: Sequence[Store],
    *,
    may_ask: bool = False,
    tell: Callable[[str, str], None] = unheard,
) -> tuple[Result, ...]:
    """Send one environment after the other; a server that cannot be reached is not tried for each of them."""
    results: list[Result] = []
    dead: dict[str, Verdict] = {}
    for one in chosen:
        where = remotes.of(settings, one)
        around = remotes.surroundings(may_ask=may_ask, tell=lambda line, name=one.name: tell(name, line))  # type: ignore[misc]
        if where.place.server in dead:
            pushed = Pushed(where.usual, dead[where.place.server])
        else:
            pushed = _push(settings, where, around)
        if pushed.verdict.code == verdict.UNREACHABLE:
            dead[where.place.server] = pushed.verdict
        _note(settings, one, pushed.verdict)
        results.append(Result(one, pushed))
    return tuple(results)


def _push(settings: Config, where: Remote, around: Surroundings) -> Pushed:
    try:
        _make_missing(settings, where)
        return remote.push(where, around)
    except GitsnapError as error:
        return Pushed(where.usual, Verdict("failed", error.message, error.hint))


def _make_missing(settings: Config, where: Remote) -> None:
    """Make the repository of one environment in a folder of many; the folder itself is there, or the disk is not."""
    there = address.parse(settings.remote)
    if there.is_path and there.is_template and os.path.isdir(there.root) and not os.path.exists(where.url):
        plumbing.make_bare(Path(where.url))


def _note(settings: Config, one: Store, found: Verdict) -> None:
    file = file_of(settings, one)
    if found.is_good:
        tries.done(file)
    else:
        tries.failed(file, one.name, found, datetime.now().astimezone())


def _lock(settings: Config) -> Path:
    key = hashlib.sha256(settings.remote.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return settings.state_path / "locks" / f"push-{key}.lock"


def _what(settings: Config) -> str:
    return f"a push to `{settings.remote}`"


@dataclass(frozen=True)
class Waiting:
    """What of one environment is not on the remote yet."""

    unsent: int
    branch: str
    since: str
    """Since when, ISO 8601 with offset; empty where no push was tried yet."""
    code: str
    message: str
    """Why not; empty where no push was tried yet."""
    hint: str


def waiting(settings: Config, one: Store) -> Waiting | None:
    """Return what of an environment is not on the remote, as far as is known here; None without a remote."""
    if not settings.remote or not one.exists:
        return None
    where = remotes.of(settings, one)
    stands = remote.standing(where)
    known = tries.read(file_of(settings, one)) or tries.Try(one.name, "")
    return Waiting(stands.unsent, stands.branch, known.since, known.code, known.message, known.hint)
