"""Remote: where the snapshots go. Shown, set, taken away and tested."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitsnap import address, config, configfile, files, mirror, plumbing, repository, store, transfer, verdict
from gitsnap import remote as remotes
from gitsnap.address import Address
from gitsnap.config import Config
from gitsnap.errors import ConfigError, GitsnapError, UsageError
from gitsnap.mirror import Mirror
from gitsnap.model import printable
from gitsnap.remote import Remote, Standing
from gitsnap.store import Store
from gitsnap.transfer import Outcome, Surroundings, unheard
from gitsnap.verdict import Place, Verdict

NONE = "no remote is set"
_HOW = "`gitsnap remote set URL`: an empty repository on any git server, or a folder on a share or a stick"


@dataclass(frozen=True)
class Sent:
    """How one environment stands to the remote."""

    store: Store
    standing: Standing
    trouble: str = ""
    """Why its repository cannot be read; empty when it can."""


@dataclass(frozen=True)
class Shown:
    """The remote and what is known of it without asking it."""

    url: str
    push: str
    machine: str
    environments: tuple[Sent, ...]
    fetched: str
    """When all was fetched last, ISO 8601 with offset; empty for never."""


@dataclass(frozen=True)
class Set:
    """What setting the remote did."""

    url: str
    file: Path
    made: str
    """The bare repository that was made; empty where there was one, or where it is on a server."""
    unsent: int
    """How many snapshots wait to be sent."""


@dataclass(frozen=True)
class Tested:
    """Whether the remote can be read and written."""

    url: str
    reading: Verdict
    writing: Verdict
    branches: int
    """How many branches it has."""


def address_of(settings: Config) -> Address:
    """Return the configured remote; raises UsageError where there is none."""
    if not settings.remote:
        raise UsageError(NONE, hint=_HOW)
    return address.parse(settings.remote)


def of(settings: Config, one: Store) -> Remote:
    """Return the remote of the environment that *one* belongs to; nothing is asked."""
    where = address_of(settings)
    url = where.url(settings.machine, one.name)
    return Remote(
        one.path, url, address.branch(settings.machine, one.name), Place(printable(url), where.server)
    )


def mirror_of(settings: Config) -> Mirror:
    """Return where the branches of the configured remote are fetched to."""
    key = hashlib.sha256(settings.remote.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return Mirror(
        settings.state_path / "fetched" / key, settings.state_path / "locks" / f"fetched-{key}.lock"
    )


def surroundings(*, may_ask: bool = False, tell: Callable[[str], None] = unheard) -> Surroundings:
    """Return what a transfer may use of the user's: the variables as this process was given them."""
    return Surroundings(repository.original_variables(), may_ask, tell)


def show() -> Shown:
    """Return the remote and how every environment stands to it; no network."""
    settings = config.load(os.environ)
    if not settings.remote:
        return Shown("", settings.push, settings.machine, (), "")
    sent = tuple(_sent(settings, one) for one in store.all_known(settings))
    return Shown(
        settings.remote, settings.push, settings.machine, sent, mirror.fetched_at(mirror_of(settings))
    )


def _sent(settings: Config, one: Store) -> Sent:
    where = of(settings, one)
    try:
        return Sent(one, remotes.standing(where))
    except GitsnapError as error:
        return Sent(one, Standing(where.usual, has_been_sent=False, unsent=0), error.message)


def set_url(text: str) -> Set:
    """Write the remote into the user's configuration; a path that does not exist is made a bare repository."""
    where = address.parse(text)
    settings = config.load(os.environ)
    _refuse_variable()
    made = _make(where) if where.is_path else ""
    file = settings.files[1]
    configfile.set_value(file, "remote", "url", where.text)
    settings = config.load(os.environ)
    waiting = sum(_sent(settings, one).standing.unsent for one in store.all_known(settings))
    return Set(where.text, file, made, waiting)


def _refuse_variable() -> None:
    if os.environ.get("GITSNAP_REMOTE_URL"):
        raise ConfigError(
            "the variable GITSNAP_REMOTE_URL names the remote, and holds over the file",
            hint="unset it, or change it; nothing was written",
        )


def _make(where: Address) -> str:
    """Make a bare repository where there is none; for several, the folder that they are to be made in."""
    path = Path(where.root)
    files.refuse_foreign(path)
    try:
        if where.is_template:
            path.mkdir(parents=True, exist_ok=True)
            return ""
        if path.is_dir() and any(path.iterdir()):
            _refuse_other_folder(path)
            return ""
        plumbing.make_bare(path)
    except OSError as error:
        raise files.unwritable(path, error) from error
    return str(path)


def _refuse_other_folder(path: Path) -> None:
    if plumbing.run(path, "rev-parse", "--git-dir").status:
        raise UsageError(
            f"`{printable(str(path))}` is a folder with other things in it",
            hint="name a folder that does not exist yet, such as `environments.git` in it",
        )


def unset() -> bool:
    """Take the remote out of the user's configuration and the repositories; tell whether there was one.

    What was sent stays where it is.
    """
    settings = config.load(os.environ)
    _refuse_variable()
    changed = configfile.set_value(settings.files[1], "remote", "url", None)
    for one in store.all_known(settings):
        if (one.path / ".git").is_dir():
            remotes.disconnect(one.path)
    return changed


def probe(*, may_ask: bool = False) -> Tested:
    """Ask the remote whether it can be read and written; nothing is left there."""
    settings = config.load(os.environ)
    where = address_of(settings)
    url = where.url(settings.machine, "gitsnap-test")
    place = Place(printable(url), where.server)
    if where.is_path and where.is_template:
        return _tested_folder(where, place)
    if where.is_path and not os.path.isdir(url):
        absent = verdict.absent(place)
        return Tested(where.text, absent, absent, 0)
    scratch = mirror_of(settings)
    with files.locked(scratch.lock, patience=store.PATIENCE, what=f"`{scratch.path}`"):
        if not scratch.exists:
            files.make_folder(scratch.path)
            plumbing.make_bare(scratch.path)
        return _tested(where, scratch.path, url, place, surroundings(may_ask=may_ask))


def _tested_folder(where: Address, place: Place) -> Tested:
    """Judge the folder that holds a repository for each environment, made when one is pushed first."""
    root = where.root
    found = verdict.GOOD if os.path.isdir(root) else verdict.absent(Place(printable(root), place.server))
    writing = found if not found.is_good or os.access(root, os.W_OK) else verdict.of_words("read-only", place)
    return Tested(where.text, found, writing, 0)


def _tested(where: Address, folder: Path, url: str, place: Place, around: Surroundings) -> Tested:
    listed = transfer.git(folder, ["ls-remote", "--heads", "--", url], around)
    reading = _verdict(listed, place, around)
    if not reading.is_good:
        return Tested(where.text, reading, reading, 0)
    count = len(listed.answer.splitlines())
    if where.is_path and not os.access(Path(url, "objects"), os.W_OK) and not Path(url, ".git").is_dir():
        return Tested(where.text, reading, verdict.of_words("Read-only file system", place), count)
    tree = plumbing.read(folder, "hash-object", "-t", "tree", "-w", "--stdin").lines[0]
    who = ("-c", "user.name=gitsnap", "-c", "user.email=gitsnap@localhost")
    commit = plumbing.read(folder, *who, "commit-tree", "-m", "test", tree).lines[0]
    tried = transfer.git(
        folder,
        ["push", "--dry-run", "--porcelain", "--", url, f"{commit}:refs/heads/gitsnap-test/gitsnap-test"],
        around,
    )
    writing = _verdict(tried, place, around)
    if writing.code == verdict.NOT_FOUND:
        # It was there a moment ago: a git daemon says the same where it takes nothing.
        writing = verdict.of_words("read-only", place)
    return Tested(where.text, reading, writing, count)


def _verdict(outcome: Outcome, place: Place, around: Surroundings) -> Verdict:
    if outcome.was_silent:
        return verdict.silent(place, around.silence)
    return verdict.GOOD if outcome.status == 0 else verdict.of_words(outcome.words, place)
