"""The last failure of each environment, kept so that a hook that has failed for months is seen."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import files
from gitsnap.errors import GitsnapError


@dataclass(frozen=True)
class Failure:
    """A save that a launch could not make."""

    key: str
    """How the environment was named: `python PATH` or `env NAME`."""
    time: str
    """When it first failed so, ISO 8601 with offset."""
    message: str


def record(folder: Path, name: str, key: str, message: str, now: datetime) -> None:
    """Keep a failure under *name*; the time of the first of a row of equal ones stays."""
    known = _read(folder / f"{name}.json")
    if known and known.message == message:
        return
    failure = Failure(key, now.isoformat(timespec="seconds"), message)
    with suppress(GitsnapError):
        files.write(folder / f"{name}.json", json.dumps(asdict(failure)).encode())


def clear(folder: Path, name: str) -> None:
    """Forget the failure under *name*: a save went well."""
    with suppress(GitsnapError):
        files.remove(folder / f"{name}.json")


def all_in(folder: Path) -> tuple[Failure, ...]:
    """Return every failure that is kept, oldest first."""
    found = (_read(path) for path in folder.glob("*.json"))
    return tuple(sorted((failure for failure in found if failure), key=lambda failure: failure.time))


def _read(path: Path) -> Failure | None:
    with suppress(OSError, ValueError, TypeError):
        return Failure(**json.loads(path.read_text(encoding="utf-8")))
    return None
