"""The configuration: one frozen value, read in one place, each mistake with its file and key."""

from __future__ import annotations

import contextlib
import difflib
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from gitsnap import address, files, hint, locations
from gitsnap.errors import ConfigError, GitsnapError, UnknownKeyError, UsageError
from gitsnap.line import redact
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
    remote: str
    """The address of the remote as it was given; empty for none."""
    push: str
    """`auto` or `manual`."""
    origins: tuple[Origin, ...]
    seen: str = ""
    """Size and time of the files before they were read; for the hint."""

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
        raise ValueError("must be a whole number, 1 or more")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("must be a text without control characters, and not empty")
    return value


def _remote(value: Any) -> str:
    return "" if value == "" else address.parse(_text(value)).text


def _push(value: Any) -> str:
    if value not in {"auto", "manual"}:
        raise ValueError('must be "auto" or "manual"')
    return str(value)


_KEYS: dict[str, tuple[Callable[[Any], Any], Callable[[], Any]]] = {
    "backup.keep_backup": (_boolean, lambda: True),
    "backup.folder": (_text, lambda: "environments"),
    "backup.limit": (_limit, lambda: 25),
    "remote.url": (_remote, lambda: ""),
    "remote.push": (_push, lambda: "auto"),
    "remote.machine": (_text, lambda: socket.gethostname() or "machine"),
}
_SECTIONS = sorted({key.partition(".")[0] for key in _KEYS})
_LAST_GOOD = "last-good-config.json"
_VARIABLES = {f"GITSNAP_{key.replace('.', '_').upper()}": key for key in _KEYS}
_SEE = "see the configuration section of the README"


def load(variables: Mapping[str, str], *, forgive_unknown: Callable[[str], None] | None = None) -> Config:
    """Read the configuration: `GITSNAP_*` variables over the user's file over the system's over defaults.

    Raises ConfigError. *forgive_unknown* is called with the message of an unknown key instead, the known ones
    staying in force: a launch goes on with them.
    """
    places = locations.config_files(variables)
    seen = hint.stats(map(str, places))
    found: dict[str, Origin] = {key: Origin(key, default(), "default") for key, (_, default) in _KEYS.items()}
    for file in places:
        for key, value in _read(file, forgive_unknown).items():
            found[key] = _origin(key, value, str(file))
    for name, key in _settings_in(variables, forgive_unknown):
        found[key] = _origin(key, variables[name], name)
    return _effective(variables, tuple(found.values()), seen)


def _settings_in(
    variables: Mapping[str, str], forgive_unknown: Callable[[str], None] | None
) -> list[tuple[str, str]]:
    """Return the variables that set a key, and which one; one that looks so and sets none is a mistake."""
    prefixes = tuple(f"GITSNAP_{section.upper()}_" for section in _SECTIONS)
    for name in sorted(variables):
        if name.startswith(prefixes) and name not in _VARIABLES:
            _unknown("the environment variables", name, list(_VARIABLES), forgive_unknown)
    return [(name, key) for name, key in _VARIABLES.items() if name in variables]


def _effective(variables: Mapping[str, str], origins: tuple[Origin, ...], seen: str = "") -> Config:
    value = {origin.key: origin.value for origin in origins}
    config_path = locations.config_path(variables)
    return Config(
        config_path=config_path,
        state_path=locations.state_path(variables),
        files=locations.config_files(variables),
        keep_backup=bool(value["backup.keep_backup"]),
        folder=config_path / _expanded(str(value["backup.folder"])),
        limit=int(value["backup.limit"]),
        machine=str(value["remote.machine"]),
        remote=str(value["remote.url"]),
        push=str(value["remote.push"]),
        origins=origins,
        seen=seen,
    )


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError:
        raise ConfigError(
            f"`backup.folder` names a home folder that cannot be told: {printable(folder, 60)!r}"
        ) from None


def remember(config: Config) -> None:
    """Keep *config* in the state path, for a launch that finds the files broken."""
    path = config.state_path / _LAST_GOOD
    data = json.dumps({origin.key: origin.value for origin in config.origins}, indent=1).encode()
    with contextlib.suppress(GitsnapError):
        if files.read(path) != data:
            files.write(path, data)


def remembered(variables: Mapping[str, str]) -> Config | None:
    """Return the configuration that was last good, or None when there was none."""
    try:
        path = locations.state_path(variables) / _LAST_GOOD
        values = json.loads(path.read_text(encoding="utf-8"))
        # An older gitsnap may not have known every key.
        known = {key: values.get(key, default()) for key, (_, default) in _KEYS.items()}
        return _effective(variables, tuple(_origin(key, known[key], str(path)) for key in _KEYS))
    except (OSError, ValueError, AttributeError, RecursionError, ConfigError):
        return None


def _origin(key: str, value: Any, source: str) -> Origin:
    check, _ = _KEYS[key]
    try:
        return Origin(key, check(value), source)
    except ValueError as error:
        shown = printable(redact(repr(value)), 60)
        raise ConfigError(f"{source}: `{key}` {error}, not {shown}", hint=_SEE) from None
    except UsageError as error:
        raise ConfigError(f"{source}: `{key}`: {error.message}", hint=error.hint) from None


def _read(file: Path, forgive_unknown: Callable[[str], None] | None) -> dict[str, Any]:
    """Return the values of *file* by `section.key`."""
    try:
        tables = tomli.loads(file.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{file}: is not UTF-8 text (byte {error.start})", hint="save it as UTF-8"
        ) from error
    except (ValueError, RecursionError) as error:
        # Beside what TOML forbids: a number of thousands of digits, brackets nested by the thousand.
        raise ConfigError(f"{file}: {printable(str(error))}", hint=_SEE) from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    values: dict[str, Any] = {}
    for section, table in tables.items():
        for key, value in _named(file, section, table).items():
            if key in _KEYS:
                values[key] = value
            else:
                _unknown(str(file), key, list(_KEYS), forgive_unknown)
    return values


def _named(file: Path, section: str, table: Any) -> dict[str, Any]:
    """Return the values of one section by `section.key`; what is no section goes by its own name."""
    if section in _SECTIONS:
        if not isinstance(table, dict):
            raise ConfigError(f"{file}: `{section}` must be a section, `[{section}]`", hint=_SEE)
        return {f"{section}.{key}": value for key, value in table.items()}
    if isinstance(table, dict) and table:
        return {f"{section}.{key}": value for key, value in table.items()}
    return {section: table}


def _unknown(
    place: str, key: str, known: Sequence[str], forgive_unknown: Callable[[str], None] | None
) -> None:
    """Refuse a key or a variable, naming the nearest known one."""
    message = f"{place}: `{printable(key)}` is no key that gitsnap knows"
    if forgive_unknown:
        forgive_unknown(message)
        return
    near = _same_ending(key) or difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    every = ", ".join(f"`{one}`" for one in known)
    raise UnknownKeyError(message, hint=f"did you mean `{near[0]}`?" if near else f"the keys are {every}")


def _same_ending(key: str) -> list[str]:
    return [known for known in _KEYS if known.rpartition(".")[2] == key.rpartition(".")[2]]
