"""What is still to be sent: a file for each environment, whose time of modification says when to try.

It holds tries and reasons alone; what was sent is read from git. It may be deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gitsnap import files
from gitsnap.errors import GitsnapError

if TYPE_CHECKING:
    from gitsnap.verdict import Verdict

GRACE = timedelta(seconds=60)
"""How long a push that was started is given before another launch starts one.

What is put off longer than this was put off by a failure.
"""
_FIRST = 2 * GRACE
_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Try:
    """An environment with snapshots that are not on the remote yet."""

    environment: str
    since: str
    """When the first of them was taken or the first try failed, ISO 8601 with offset."""
    tries: int = 0
    code: str = ""
    message: str = ""
    """How the last try failed; empty before the first."""
    hint: str = ""


def file_of(folder: Path, repository: Path, url: str) -> Path:
    """Return the file about the repository at *repository* and the remote *url*."""
    key = f"{os.path.normcase(repository.absolute())}\0{url}".encode("utf-8", "surrogateescape")
    return folder / f"{repository.name}-{hashlib.sha256(key).hexdigest()[:16]}.json"


def wait(path: Path, environment: str, now: datetime) -> None:
    """Note that there is something to send and that a push was started; a failure before it is kept."""
    known = read(path) or Try(environment, now.isoformat(timespec="seconds"))
    _write(path, known, now + GRACE)


def failed(path: Path, environment: str, verdict: Verdict, now: datetime) -> None:
    """Note a push that failed; the longer it fails, the longer the next one waits, a day at most."""
    known = read(path) or Try(environment, now.isoformat(timespec="seconds"))
    pause = min(_FIRST * 2 ** min(known.tries, 16), _LONGEST)
    new = Try(environment, known.since, known.tries + 1, verdict.code, verdict.message, verdict.hint)
    _write(path, new, now + pause)


def done(path: Path) -> None:
    """Note that all was sent."""
    with suppress(GitsnapError):
        files.remove(path)


def is_waiting(path: Path, now: datetime) -> bool:
    """Tell whether the next try is not due yet."""
    try:
        due = path.stat().st_mtime
    except OSError:
        return False
    # A clock that was set back must not put it off for ever.
    return now.timestamp() < due <= (now + _LONGEST + GRACE).timestamp()


def read(path: Path) -> Try | None:
    """Return what is kept in a file; None where there is none, or it is garbled."""
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        content = json.loads(path.read_text(encoding="utf-8"))
        tries = content.pop("tries")
        if isinstance(tries, int) and all(isinstance(value, str) for value in content.values()):
            return Try(**content, tries=tries)
    return None


def _write(path: Path, one: Try, when: datetime) -> None:
    """Write a file and its time; where that cannot be done, the next launch looks again.

    A launch waits for it, so it is not forced to the disk: what is garbled after a power cut counts as none.
    """
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(one)), encoding="utf-8")
        os.utime(path, (when.timestamp(), when.timestamp()))
