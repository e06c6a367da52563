"""Import: the dated files of PyMoDAQ, or of anyone, become the beginning of an environment's history."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from gitsnap import config as configuration
from gitsnap import environment, history, legacy, pymodaq, selection, stamp, store
from gitsnap.actions import target as targets
from gitsnap.config import Config
from gitsnap.errors import GitsnapError, NotFoundError, UsageError
from gitsnap.legacy import Dated, Unreadable
from gitsnap.model import Environment, Snapshot
from gitsnap.store import Store

_NO_NAMES = {".venv", "venv", "env", "unknown"}
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class LeftOut:
    """A file or folder that was not taken in, and why; it stays where it is."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Brought:
    """What came into the history of one environment."""

    store: Store
    added: tuple[Snapshot, ...]
    """Oldest first."""
    known: int
    """How many files were in its history already."""
    repeated: tuple[LeftOut, ...]
    """The files that say the same as the one before them."""
    kept: str = ""
    """The ref that names the old tip, where its snapshots were put on top."""
    refused: GitsnapError | None = None
    """Why nothing of it could be taken in."""


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    folder: Path
    brought: tuple[Brought, ...]
    left_out: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _File:
    """A dated file that can be read."""

    path: Path
    stamp: str
    state: Dated


@dataclass(frozen=True)
class _Group:
    """The files of one interpreter."""

    prefix: str
    """Empty where the files do not say."""
    name: str
    """What the environment is called where it is gone."""
    files: tuple[_File, ...]


def import_files(
    path: str | Path | None = None,
    *,
    name: str | None = None,
    python: str | None = None,
    env: str | None = None,
) -> Imported:
    """Take in the dated files in the folder *path*, or in each folder in it; by default PyMoDAQ's backups.

    The files of each interpreter go to its own environment, or, of one alone, to the one called *name*. *python*
    and *env* pick the files of one environment. The files are only read. Raises NotFoundError where none of them
    can be taken in; then no repository is made.
    """
    settings = configuration.load(os.environ)
    place = Path(path).expanduser() if path else pymodaq.backups(os.environ)
    found, left_out = _read(place, given=path is not None)
    groups = _picked(_grouped(found), settings, python, env)
    if not groups:
        raise NotFoundError(
            f"there is no dated list of packages in `{place}`" + (" of that environment" if found else ""),
            hint="a file such as `20250131112405_environment.txt` or `2025-01-31.txt`, as `pip freeze` writes it",
            candidates=[f"{one.path.name}: {one.reason}" for one in left_out[:10]],
        )
    if name is not None and len(groups) > 1:
        raise UsageError(
            f"`--as` names one environment, and `{place}` has files of {len(groups)}",
            hint="give the folder of one, or pick one with `--python`",
            candidates=[group.prefix or group.name for group in groups],
        )
    taken: dict[Path, str] = {}
    brought = tuple(_bring(group, settings, name, taken) for group in groups)
    return Imported(place, brought, tuple(left_out))


def _read(place: Path, *, given: bool) -> tuple[list[_File], list[LeftOut]]:
    """Return the dated files of a folder, else of the folders in it, and what is left out."""
    if not place.exists():
        raise NotFoundError(
            f"there is no folder `{place}`",
            hint="" if given else "name the folder of the backups: `gitsnap import PATH`",
        )
    reader = legacy.Reader(_is_there)
    found: list[_File] = []
    left_out: list[LeftOut] = []
    for path in _files(place):
        one = _read_file(reader, path)
        if isinstance(one, _File):
            found.append(one)
        else:
            left_out.append(one)
    return found, left_out


def _files(place: Path) -> list[Path]:
    """Return what lies in *place* where dated files do, else what lies in the folders of dated files in it."""
    if place.is_file():
        return [place]
    here = sorted(place.iterdir())
    if any(map(_is_dated, here)):
        return here
    inner = [sorted(path.iterdir()) if path.is_dir() else [] for path in here]
    return [
        one
        for path, content in zip(here, inner, strict=True)
        for one in (content if any(map(_is_dated, content)) else [path])
    ]


def _is_dated(path: Path) -> bool:
    return legacy.stamp_in(path.name) is not None and path.is_file()


def _read_file(reader: legacy.Reader, path: Path) -> _File | LeftOut:
    mark = legacy.stamp_in(path.name)
    if path.is_dir():
        return LeftOut(path, "it is a folder")
    if mark is None:
        return LeftOut(path, "its name has no date")
    moment = stamp.moment(mark)
    if moment is None or moment > datetime.now() + _DAY:  # noqa: DTZ005 - stamps are local time
        return LeftOut(path, "its date is in the future")
    try:
        if path.stat().st_size > legacy.LARGEST:
            return LeftOut(path, "it is too large for a list of packages")
        state = reader.read(path.read_bytes())
    except OSError as error:
        return LeftOut(path, f"it cannot be read: {error.strerror}")
    return LeftOut(path, state.reason) if isinstance(state, Unreadable) else _File(path, mark, state)


def _is_there(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:
        return False


def _grouped(found: Sequence[_File]) -> list[_Group]:
    """Return the files of each interpreter by time; those that do not name theirs go by their folder."""
    groups: dict[tuple[str, str], list[_File]] = {}
    prefixes: dict[Path, set[str]] = {}
    for one in found:
        prefix = legacy.prefix_of(one.state.executable)
        key = os.path.normcase(prefix) if prefix else ""
        groups.setdefault((key, "" if key else str(one.path.parent)), []).append(one)
        prefixes.setdefault(one.path.parent, set()).add(key)
    return [_group(files, alone=len(prefixes[files[0].path.parent]) == 1) for files in groups.values()]


def _group(files: Sequence[_File], *, alone: bool) -> _Group:
    prefix = legacy.prefix_of(files[0].state.executable)
    folder = files[0].path.absolute().parent.name
    name = folder if not prefix or (alone and folder not in _NO_NAMES) else legacy.name_of(prefix)
    return _Group(prefix, name, tuple(_stamped(files)))


def _stamped(files: Sequence[_File]) -> Iterator[_File]:
    """Yield the files by time; of two with one stamp the second gets the next second."""
    last = ""
    for one in sorted(files, key=lambda one: (one.stamp, one.path.name)):
        mark = one.stamp
        if mark <= last and (moment := stamp.moment(last)):
            mark = stamp.of(moment + timedelta(seconds=1))
        last = mark
        yield replace(one, stamp=mark)


def _picked(groups: list[_Group], settings: Config, python: str | None, env: str | None) -> list[_Group]:
    """Return the groups of the environment that *python* or *env* names; all where neither is given."""
    if python is None and env is None:
        return groups
    target = targets.find(python, env, settings)
    prefix = store.remembered(targets.store_of(target)) if env else str(targets.environment_of(target).prefix)
    return [
        group for group in groups if prefix and os.path.normcase(group.prefix) == os.path.normcase(prefix)
    ]


def _bring(group: _Group, settings: Config, name: str | None, taken: dict[Path, str]) -> Brought:
    alive = _alive(group.prefix)
    found = _store(group, alive, settings, name)
    if taken.setdefault(found.path, group.prefix) != group.prefix:
        # Two environments that are gone, of the same name.
        suffix = hashlib.sha256(group.prefix.encode("utf-8", "surrogateescape")).hexdigest()[:6]
        found = store.named(settings, f"{found.name}-{suffix}")
    chosen = legacy.distinct([one.state for one in group.files])
    repeated = tuple(
        LeftOut(one.path, "it says the same as the one before")
        for at, one in enumerate(group.files)
        if at not in set(chosen)
    )
    past = [_past(group.files[at], alive) for at in chosen]
    owner = store.with_prefix(settings, group.prefix) if group.prefix else None
    terms = history.Terms(
        limit=settings.limit,
        machine=settings.machine,
        now=datetime.now().astimezone(),
        prefix="" if owner else group.prefix,
    )
    try:
        grown = history.grow(found, past, terms)
    except history.OverlapError as error:
        refused = GitsnapError(error.message, hint=f"`gitsnap import {group.files[0].path.parent} --as NAME`")
        return Brought(found, (), 0, repeated, refused=refused)
    except GitsnapError as error:
        return Brought(found, (), 0, repeated, refused=error)
    return Brought(found, grown.added, len(grown.known), repeated, grown.kept)


def _alive(prefix: str) -> Environment | None:
    """Return the environment at *prefix* if it still is there and its Python runs."""
    python = selection.interpreter(prefix) if prefix else None
    with suppress(GitsnapError):
        return environment.ask(python) if python else None
    return None


def _store(group: _Group, alive: Environment | None, settings: Config, name: str | None) -> Store:
    if name is not None:
        return store.named(settings, _checked(name))
    if alive is not None:
        return store.of(settings, alive)
    if not group.prefix:
        return store.named(settings, environment.safe_name(group.name))
    gone = Path(group.prefix)
    python = Path(group.files[-1].state.executable)
    return store.of(
        settings, Environment(environment.safe_name(group.name), gone, python, python, "", (0, 0, 0), (), ())
    )


def _checked(name: str) -> str:
    safe = environment.safe_name(name)
    if safe != name:
        raise UsageError(f"`{name}` cannot be the name of an environment", hint=f"`{safe}` can")
    return name


def _past(one: _File, alive: Environment | None) -> history.Past:
    """Return a file as a state; the Python of an environment that is still there goes by its usual name."""
    executable = one.state.executable
    if alive is not None and Path(executable).parent == alive.executable.parent:
        executable = str(alive.executable)
    return history.Past(one.stamp, one.state.text(executable), f"imported from {one.path.name}")
