"""The last failure of each environment, kept so that a hook that has failed for months is seen."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import files, hint
from gitsnap.errors import GitsnapError

UNKNOWN = "launch"
"""The key of a launch that could not even tell which environment is meant."""


@dataclass(frozen=True)
class Failure:
    """A save that a launch could not make."""

    key: str
    """How the environment was named: `python PATH`, `env NAME`, or UNKNOWN."""
    time: str
    """When it first failed so, ISO 8601 with offset."""
    message: str

    def concerns(self, key: str, name: str, prefix: str | None) -> bool:
        """Tell whether it is about the environment called *name* at *prefix*, however the launch named that."""
        how, _, what = self.key.partition(" ")
        if self.key in {key, UNKNOWN}:
            return True
        if how == "env":
            return what.casefold() == name.casefold()
        place = os.path.normcase(os.path.dirname(what))
        inside = (os.path.join(prefix, *inner) for inner in ((), ("bin",), ("Scripts",))) if prefix else ()
        return place in map(os.path.normcase, inside)


def record(folder: Path, key: str, message: str, now: datetime) -> None:
    """Keep a failure; the time of the first of a row of equal ones stays."""
    path = folder / f"{hint.file_name(key)}.json"
    known = _read(path)
    if known and known.message == message:
        return
    failure = Failure(key, now.isoformat(timespec="seconds"), message)
    with suppress(GitsnapError):
        files.write(path, json.dumps(asdict(failure)).encode())


def clear(folder: Path, key: str, name: str, prefix: str | None) -> None:
    """Forget every failure of the environment: a save went well."""
    for failure in all_in(folder):
        if failure.concerns(key, name, prefix):
            with suppress(GitsnapError):
                files.remove(folder / f"{hint.file_name(failure.key)}.json")


def all_in(folder: Path) -> tuple[Failure, ...]:
    """Return every failure that is kept, oldest first."""
    found = (_read(path) for path in folder.glob("*.json"))
    return tuple(sorted((failure for failure in found if failure), key=lambda failure: failure.time))


def _read(path: Path) -> Failure | None:
    """Return the failure kept in a file, None where it is garbled."""
    with suppress(OSError, ValueError, TypeError, RecursionError):
        failure = Failure(**json.loads(path.read_text(encoding="utf-8")))
        if all(isinstance(value, str) for value in asdict(failure).values()):
            return failure
    return None
