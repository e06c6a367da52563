"""Save: freeze an environment and commit it if it changed."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import config, failure, files, freezefile, hint, locations, repository, scan, store
from gitsnap.actions import target as targets
from gitsnap.actions.target import Target
from gitsnap.config import Config
from gitsnap.errors import ConfigError, ForeignOwnerError, GitLockedError, GitsnapError, LockedError
from gitsnap.model import Environment
from gitsnap.store import Saved

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
    return _save(found, reason, patience=store.PATIENCE)


def freeze(*, python: str | None = None, env: str | None = None) -> str:
    """Return exactly the text that `save` would commit; saves nothing."""
    return targets.freeze_of(targets.environment_of(targets.find(python, env)))


def _save(
    found: Target, reason: str, *, patience: float, answer: float = 30.0, hint_wanted: bool = True
) -> Saved:
    environment = targets.environment_of(found, patience=answer)
    witness = scan.witness(str(environment.prefix), environment.folders)
    plan = store.Plan(
        environment=environment,
        look=lambda: targets.freeze_of(environment),
        now=datetime.now().astimezone(),
        limit=found.config.limit,
        machine=found.config.machine,
        reason=reason,
    )
    saved = store.save(found.config, plan, patience=patience)
    failure.clear(found.config.state_path / "failures", _file_name(found.key))
    if hint_wanted:
        _leave_hint(found, environment, witness, saved)
    return saved


def _file_name(key: str) -> str:
    return Path(hint.file_of(key, os.environ) or "unknown").name


def _leave_hint(found: Target, environment: Environment, witness: str, saved: Saved) -> None:
    """Leave the hint for the next launch; not through a shim, behind which the Python may change unseen."""
    place = hint.file_of(found.key, os.environ)
    if (
        place is None
        or found.python is None
        or os.path.realpath(found.python) != str(environment.real_executable)
    ):
        return
    new = hint.Hint(
        format=hint.FORMAT,
        key=found.key,
        executable=hint.joined(
            [str(environment.real_executable), hint.stats([str(environment.real_executable)])]
        ),
        prefix=str(environment.prefix),
        python=f"{environment.python[0]}.{environment.python[1]}",
        header=freezefile.header(str(environment.executable), environment.version),
        paths=hint.joined(environment.paths),
        folders=hint.joined(environment.folders),
        witness=witness,
        conda=hint.conda_names(str(environment.prefix)),
        repository=str(saved.store.path),
        commit=saved.commit,
        **_configuration(found.config),
    )
    _write_hint(Path(place), new)


def _configuration(settings: Config) -> dict[str, str]:
    paths = [str(file) for file in settings.files]
    return {
        "variables": hint.variables_seen(os.environ),
        "configs": hint.joined(paths),
        "config_stats": hint.stats(paths),
        "keep": "yes" if settings.keep_backup else "no",
    }


def _write_hint(place: Path, new: hint.Hint) -> None:
    data = hint.dump(new)
    with suppress(GitsnapError):
        if files.read(place) != data:
            files.write(place, data)


def save_for_launch(python: str | None, name: str | None) -> str:
    """Save before a launch; returns the one line that is worth saying, empty when all went well. Never raises.

    The process is gitsnap's own: git's variables are taken out of it.
    """
    key = f"{python or name or 'launch'}"
    try:
        repository.isolate_process()
        settings, warning = _settings()
        if settings is None:
            return warning
        key = hint.key_of(python, name, os.environ)
        if not settings.keep_backup:
            _leave_silence(key, settings)
            return warning
        found = targets.find(python, name, settings)
        _save(found, "launch", patience=_HOOK_PATIENCE, answer=_HOOK_ANSWER, hint_wanted=not warning)
        return warning
    except (LockedError, ForeignOwnerError) as error:
        # A gitsnap at work saves for us; root in a user's folder must not touch it. Neither is worth a word.
        return f"nothing was saved: {error.message}" if isinstance(error, GitLockedError) else ""
    except Exception as error:  # noqa: BLE001 - a launch must not fail; status tells what went wrong
        words = error.message if isinstance(error, GitsnapError) else f"{type(error).__name__}: {error}"
        _record(key, words)
        return f"nothing was saved: {words}"


def _settings() -> tuple[Config | None, str]:
    """Return the configuration in force for a launch, and the warning that it calls for."""
    unknown: list[str] = []
    try:
        settings = config.load(os.environ, forgive_unknown=unknown.append)
    except ConfigError as error:
        last = config.remembered(os.environ)
        action = "the last good configuration is used" if last else "nothing was saved"
        return last, f"{action}: {error.message}"
    if not unknown:
        config.remember(settings)
    return settings, "".join(unknown[:1])


def _leave_silence(key: str, settings: Config) -> None:
    """Leave a hint that lets later launches see at once that nothing is to be saved."""
    place = hint.file_of(key, os.environ)
    if place is not None:
        empty = dict.fromkeys(hint.Hint.__slots__, "")
        fields = {**empty, "format": hint.FORMAT, "key": key, **_configuration(settings)}
        _write_hint(Path(place), hint.Hint(**fields))


def _record(key: str, words: str) -> None:
    """Keep a launch's failure for `gitsnap status`, and see that the next launch looks again."""
    with suppress(Exception):
        folder = locations.state_path(os.environ)
        failure.record(folder / "failures", _file_name(key), key, words, datetime.now().astimezone())
        (folder / "hints" / _file_name(key)).unlink(missing_ok=True)
