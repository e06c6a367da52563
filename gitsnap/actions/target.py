"""Which environment and which repository a verb is about."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gitsnap import conda, environment, hint, scan, selection, snap, store
from gitsnap import config as configuration
from gitsnap.config import Config
from gitsnap.errors import GitsnapError, NotFoundError
from gitsnap.freezefile import compose, header
from gitsnap.model import Environment, printable
from gitsnap.snap import Snap
from gitsnap.store import Look, Store


@dataclass(frozen=True)
class Target:
    """What the user named, or what the rules chose: a Python, or the name of an environment known here."""

    config: Config
    key: str
    """How it was named; the key of its hint and of its failures."""
    python: str | None
    name: str | None


def find(python: str | None, env: str | None, config: Config | None = None) -> Target:
    """Return the target that `--python` *python* or `--env` *env* names, else what the rules choose.

    Nothing is run. Raises NotFoundError where there is none.
    """
    config = config or configuration.load(os.environ)
    key = hint.key_of(python, env, os.environ)
    if env is None:
        return Target(config, key, key.partition(" ")[2], None)
    found = called(config, env)
    prefix = store.remembered(found)
    return Target(config, key, selection.interpreter(prefix) if prefix else None, found.name)


def find_for(wanted: Iterable[Snap], python: str | None, env: str | None) -> Target:
    """Return the target of a verb that is about states; none need be chosen where each names its own place."""
    if python is None and env is None and all(isinstance(one, (snap.File, snap.Elsewhere)) for one in wanted):
        return Target(configuration.load(os.environ), "", None, None)
    return find(python, env)


def called(config: Config, name: str) -> Store:
    """Return the store of the environment called *name*, in any case; else NotFoundError with near names."""
    known = store.all_known(config)
    for one in known:
        if one.name.casefold() == name.casefold():
            return one
    import difflib

    near = difflib.get_close_matches(name, [one.name for one in known], n=5, cutoff=0.4)
    raise NotFoundError(
        f"no environment called `{printable(name)}` is known here",
        hint="`gitsnap environments` lists those that are; an environment is known after its first save",
        candidates=near,
    )


def environment_of(target: Target, *, patience: float = 30.0) -> Environment:
    """Ask the target's Python what it is; raises InterpreterError or NotFoundError."""
    if target.python is None:
        raise NotFoundError(
            f"the environment `{target.name}` is gone: there is no Python at its prefix",
            hint="its snapshots are still there: `gitsnap log`, `show` and `diff A B` work without it",
        )
    return environment.ask(target.python, patience=patience)


def store_of(target: Target) -> Store:
    """Return the target's store, asking its Python only where no repository remembers its prefix."""
    if target.name is not None:
        return called(target.config, target.name)
    if target.python is not None:
        prefix = (
            Path(target.python).parent.parent if os.name != "nt" else _windows_prefix(Path(target.python))
        )
        if own := store.with_prefix(target.config, str(prefix)):
            return own
    return store.of(target.config, environment_of(target))


def _windows_prefix(python: Path) -> Path:
    return python.parent.parent if python.parent.name.lower() == "scripts" else python.parent


def look_at(found: Environment) -> Look:
    """Return what a save of *found* would commit; raises GitsnapError where it cannot be read."""
    explicit = conda.explicit(str(found.prefix))
    return Look(freeze_of(found).encode("utf-8"), explicit.encode("utf-8") if explicit is not None else None)


def freeze_of(found: Environment) -> str:
    """Return the text that a save of *found* would commit; raises GitsnapError where it cannot be read."""
    try:
        lines = scan.freeze(found.paths, found.python[:2], str(found.prefix))
    except OSError as error:
        raise GitsnapError(
            f"the packages of `{found.prefix}` cannot be read: {error.strerror}: `{error.filename}`",
            hint="see who may read that folder; nothing was saved",
        ) from error
    return compose(header(str(found.executable), found.version), lines)
