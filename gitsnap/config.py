"""The configuration: one frozen value, read in one place, each mistake with its file and key."""

from __future__ import annotations

import contextlib
import difflib
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from gitsnap import files, locations
from gitsnap.errors import ConfigError, GitsnapError, UnknownKeyError
from gitsnap.model import printable


@dataclass(frozen=True)
class Origin:
    """One effective value and where it comes from."""

    key: str
    value: bool | int | str
    source: str


@dataclass(frozen=True)
class Config:
    """The effective configuration."""

    config_path: Path
    state_path: Path
    files: tuple[Path, Path]
    """The system's and the user's configuration file, whether they exist or not."""
    keep_backup: bool
    folder: Path
    """The folder of all repositories, absolute."""
    limit: int
    machine: str
    origins: tuple[Origin, ...]

    def repository(self, name: str) -> Path:
        """Return where the repository of the environment called *name* is."""
        return self.folder / name


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    raise ValueError("must be true or false")


def _limit(value: Any) -> int:
    if isinstance(value, str):
        if not value.isascii() or not value.isdigit():
            raise ValueError("must be a whole number, 1 or more")
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be a whole number, 1 or more; snapshots are never all deleted")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be a text without control characters, and not empty")
    return value


_KEYS: dict[str, tuple[Callable[[Any], Any], Callable[[], Any]]] = {
    "backup.keep_backup": (_boolean, lambda: True),
    "backup.folder": (_text, lambda: "environments"),
    "backup.limit": (_limit, lambda: 25),
    "remote.machine": (_text, lambda: socket.gethostname() or "machine"),
}
_LAST_GOOD = "last-good-config.json"
_VARIABLES = {f"GITSNAP_{key.replace('.', '_').upper()}": key for key in _KEYS}


def load(variables: Mapping[str, str], *, forgive_unknown: Callable[[str], None] | None = None) -> Config:
    """Read the configuration: `GITSNAP_*` variables over the user's file over the system's over defaults.

    Raises ConfigError. *forgive_unknown* is called with the message of an unknown key instead, the known ones
    staying in force: a launch goes on with them.
    """
    system, user = locations.config_files(variables)
    found: dict[str, Origin] = {key: Origin(key, default(), "default") for key, (_, default) in _KEYS.items()}
    for file in (system, user):
        for key, value in _read(file, forgive_unknown).items():
            found[key] = _origin(key, value, str(file))
    for name, key in _VARIABLES.items():
        if name in variables:
            found[key] = _origin(key, variables[name], name)
    return _effective(variables, tuple(found.values()))


def _effective(variables: Mapping[str, str], origins: tuple[Origin, ...]) -> Config:
    value = {origin.key: origin.value for origin in origins}
    config_path = locations.config_path(variables)
    return Config(
        config_path=config_path,
        state_path=locations.state_path(variables),
        files=locations.config_files(variables),
        keep_backup=bool(value["backup.keep_backup"]),
        folder=config_path / Path(str(value["backup.folder"])).expanduser(),
        limit=int(value["backup.limit"]),
        machine=str(value["remote.machine"]),
        origins=origins,
    )


def remember(config: Config) -> None:
    """Keep *config* in the state path, for a launch that finds the files broken."""
    path = config.state_path / _LAST_GOOD
    data = json.dumps({origin.key: origin.value for origin in config.origins}, indent=1).encode()
    with contextlib.suppress(GitsnapError):
        if files.read(path) != data:
            files.write(path, data)


def remembered(variables: Mapping[str, str]) -> Config | None:
    """Return the configuration that was last good, or None when there was none."""
    path = locations.state_path(variables) / _LAST_GOOD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _effective(variables, tuple(_origin(key, values[key], str(path)) for key in _KEYS))
    except (OSError, ValueError, KeyError, TypeError, ConfigError):
        return None


def _origin(key: str, value: Any, source: str) -> Origin:
    check, _ = _KEYS[key]
    try:
        return Origin(key, check(value), source)
    except ValueError as error:
        raise ConfigError(f"{source}: `{key}` {error}, not {printable(repr(value), 60)}") from None


def _read(file: Path, forgive_unknown: Callable[[str], None] | None) -> dict[str, Any]:
    """Return the values of *file* by `section.key`."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        tables = tomli.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
        ) from error
    except tomli.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}", hint="see the configuration section of the README") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    values: dict[str, Any] = {}
    for section, table in tables.items():
        for key, value in _named(section, table).items():
            if key in _KEYS:
                values[key] = value
            else:
                _unknown(file, key, forgive_unknown)
    return values


def _named(section: str, table: Any) -> dict[str, Any]:
    if isinstance(table, dict) and table:
        return {f"{section}.{key}": value for key, value in table.items()}
    known = any(key.startswith(section + ".") for key in _KEYS)
    return {} if known and isinstance(table, dict) else {section: table}


def _unknown(file: Path, key: str, forgive_unknown: Callable[[str], None] | None) -> None:
    message = f"{file}: `{printable(key)}` is no key that gitsnap knows"
    if forgive_unknown:
        forgive_unknown(message)
        return
    near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.5) or _same_ending(key)
    hint = (
        f"did you mean `{near[0]}`?" if near else "the keys are " + ", ".join(f"`{known}`" for known in _KEYS)
    )
    raise UnknownKeyError(message, hint=hint)


def _same_ending(key: str) -> list[str]:
    return [known for known in _KEYS if known.rpartition(".")[2] == key.rpartition(".")[2]]
