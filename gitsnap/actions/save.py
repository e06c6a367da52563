"""Save: freeze an environment and commit it if it changed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import config, failure, files, freezefile, glance, good, hint, locations, repository, store
from gitsnap.actions import pending
from gitsnap.actions import target as targets
from gitsnap.actions.target import Target
from gitsnap.config import Config
from gitsnap.errors import ConfigError, ForeignOwnerError, GitLockedError, GitsnapError, LockedError
from gitsnap.model import Environment
from gitsnap.store import Saved, Store

_HOOK_PATIENCE = 5.0
_HOOK_ANSWER = 8.0


@dataclass(frozen=True)
class Switched:
    """Nothing was saved, because `backup.keep_backup` is false."""

    source: str
    """The file or variable that says so."""


def save(*, python: str | None = None, env: str | None = None, reason: str = "") -> Saved | Switched:
    """Save the environment that *python* or *env* names, else the one that the rules choose.

    Returns what was done; Switched where the configuration says that nothing is kept. Raises GitsnapError.
    """
    found = targets.find(python, env)
    if not found.config.keep_backup:
        return Switched(next(o.source for o in found.config.origins if o.key == "backup.keep_backup"))
    saved = save_target(found, reason, patience=store.PATIENCE)
    config.remember(found.config)
    return saved


def freeze(*, python: str | None = None, env: str | None = None) -> str:
    """Return exactly the text that `save` would commit; saves nothing."""
    return targets.freeze_of(targets.environment_of(targets.find(python, env)))


def save_target(
    found: Target, reason: str, *, patience: float, answer: float = 30.0, hint_wanted: bool = True
) -> Saved:
    """Save the environment that was found, whatever the configuration says of keeping; leave the hint."""
    # What the hint says of the environment is read before the freeze: a change in between must be seen again.
    executable = _executable(found)
    environment = targets.environment_of(found, patience=answer)
    seen = {
        "executable": executable,
        "witness": glance.witness(str(environment.prefix), environment.folders),
        "glance": _glance(environment),
        "conda": hint.conda_names(str(environment.prefix)),
    }

    def look() -> store.Look:
        found = targets.look_at(environment)
        seen["current"] = glance.digest(found.text)
        seen["good"] = good.blob_of(found.text)
        return found

    plan = store.Plan(
        environment=environment,
        look=look,
        now=datetime.now().astimezone(),
        limit=found.config.limit,
        machine=found.config.machine,
        reason=reason,
    )
    saved = store.save(found.config, plan, patience=patience)
    forget_failures(found, saved.store)
    seen["push"], is_due = pending.note(found.config, saved.store, is_new=saved.is_new)
    seen["good"] = "yes" if seen["good"] in good.known(saved.store.path / ".git") else ""
    if hint_wanted and hint.split(executable)[1:2] == [str(environment.real_executable)]:
        _leave_hint(found, environment, seen, saved)
    if is_due:
        pending.start(found.config)
    return saved


def forget_failures(found: Target, about: Store) -> None:
    """Forget the failures of an environment's launches: all is well again."""
    failure.clear(_failures(), found.key, about.name, store.remembered(about))


def _glance(environment: Environment) -> str:
    with suppress(OSError):
        return glance.glance(environment.paths)
    return ""


def _executable(found: Target) -> str:
    """Return the target's Python as it was named, without links, and the size and time of that file."""
    if found.python is None:
        return ""
    real = os.path.realpath(found.python)
    return hint.joined([found.python, real, hint.stats([real])])


def _failures() -> Path:
    return locations.state_path(os.environ) / "failures"


def _leave_hint(found: Target, environment: Environment, seen: dict[str, str], saved: Saved) -> None:
    """Leave the hint for the next launch; not through a shim, behind which the Python may change unseen."""
    new = {
        **_configuration(found.config),
        **seen,
        "prefix": str(environment.prefix),
        "python": f"{environment.python[0]}.{environment.python[1]}",
        "header": freezefile.header(str(environment.executable), environment.version),
        "paths": hint.joined(environment.paths),
        "folders": hint.joined(environment.folders),
        "repository": str(saved.store.path),
        "commit": saved.commit,
    }
    _write_hint(found.key, new)


def _configuration(settings: Config) -> dict[str, str]:
    return {
        "variables": hint.variables_seen(os.environ),
        "configs": hint.joined(map(str, settings.files)),
        "config_stats": settings.seen,
        "keep": "yes" if settings.keep_backup else "no",
    }


def _write_hint(key: str, fields: dict[str, str]) -> None:
    """Write a hint; where that cannot be done, the next launch takes the long way again."""
    place = hint.file_of(key, os.environ)
    if place is None:
        return
    empty = dict.fromkeys(hint.Hint.__slots__, "")
    with suppress(GitsnapError, ValueError):
        data = hint.dump(hint.Hint(**{**empty, **fields, "format": hint.FORMAT, "key": key}))
        if files.read(Path(place)) != data:
            files.write(Path(place), data)


def save_for_launch(python: str | None, name: str | None) -> str:
    """Save before a launch; returns the one line that is worth saying, empty when all went well. Never raises.

    The process is gitsnap's own: git's variables are taken out of it.
    """
    try:
        repository.isolate_process()
        files.refuse_foreign(locations.state_path(os.environ))
        settings, warning = _settings()
        if settings.keep_backup:
            found = targets.find(python, name, settings)
            save_target(
                found, "launch", patience=_HOOK_PATIENCE, answer=_HOOK_ANSWER, hint_wanted=not warning
            )
        elif not warning:
            # Later launches see at once that nothing is to be saved.
            _write_hint(hint.key_of(python, name, os.environ), _configuration(settings))
        return warning
    except Exception as error:  # noqa: BLE001 - a launch must not fail; status tells what went wrong
        if _is_no_failure(error):
            return ""
        words = error.message if isinstance(error, GitsnapError) else f"{type(error).__name__}: {error}"
        record_failure(python, name, words)
        return f"nothing was saved: {words}"


def _is_no_failure(error: Exception) -> bool:
    """Tell whether a save was left out as it should: another gitsnap is saving, or root must not touch the folder."""
    if isinstance(error, ForeignOwnerError):
        return os.name != "nt" and os.geteuid() == 0
    return isinstance(error, LockedError) and not isinstance(error, GitLockedError)


def _settings() -> tuple[Config, str]:
    """Return the configuration in force for a launch, and the warning that it calls for."""
    unknown: list[str] = []
    try:
        settings = config.load(os.environ, forgive_unknown=unknown.append)
    except ConfigError as error:
        last = config.remembered(os.environ)
        if last is None:
            raise
        return last, f"the last good configuration is used: {error.message}"
    if not unknown:
        config.remember(settings)
    return settings, f"{unknown[0]}; the other keys are in force" if unknown else ""


def record_failure(python: str | None, name: str | None, words: str) -> None:
    """Keep a launch's failure for `gitsnap status`, and see that the next launch looks again. Never raises."""
    with suppress(Exception):
        key = _key(python, name)
        failure.record(_failures(), key, words, datetime.now().astimezone())
        if place := hint.file_of(key, os.environ):
            Path(place).unlink(missing_ok=True)


def _key(python: str | None, name: str | None) -> str:
    """Return the key of what a launch asked for, even where that cannot be found."""
    with suppress(GitsnapError):
        return hint.key_of(python, name, os.environ)
    return f"python {Path(python).expanduser().absolute()}" if python else failure.UNKNOWN


def mark_good(found: hint.Hint) -> None:
    """Remember that a launch went well with the packages that *found* tells of. Raises GitsnapError."""
    repository_ = Path(found.repository)
    data = files.read(repository_ / "current.txt")
    if data is not None:
        good.mark(repository_ / ".git", good.blob_of(data))
        fields = {name: getattr(found, name) for name in hint.Hint.__slots__}
        _write_hint(found.key, {**fields, "good": "yes"})
