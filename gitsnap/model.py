"""The values that pass between modules: frozen, without behaviour beyond their own meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A Python installation whose packages are recorded, as its interpreter describes itself."""

    name: str
    prefix: Path
    executable: Path
    """Where the Python is inside the prefix, not resolved; the first header line."""
    real_executable: Path
    version: str
    """`sys.version` with its white space collapsed; the second header line."""
    python: tuple[int, int, int]
    paths: tuple[str, ...]
    """`sys.path` after `site` ran, without PYTHONPATH and the current folder."""
    folders: tuple[str, ...]
    """The site folders whose `.pth` files decide `paths`; some may not exist."""


@dataclass(frozen=True)
class Distribution:
    """One installed project at one version, as one requirement line names it."""

    name: str
    version: str | None
    """None where the line names a source alone."""
    source: str | None
    """The direct URL or editable location; None when it came from an index."""
    restorable: bool = True

    @property
    def key(self) -> str:
        """The name in its canonical form (PEP 503): what makes two names the same project."""
        return canonical(self.name)

    def __str__(self) -> str:
        """Show version and source, whichever there is."""
        return " from ".join(part for part in (self.version, self.source) if part)


@dataclass(frozen=True)
class Freeze:
    """What an environment holds, read from the text of a snapshot file."""

    executable: str
    version: str
    distributions: tuple[Distribution, ...]
    conda: tuple[Distribution, ...] = ()
    """The packages that conda installed, Python's and others; none where conda did not make the environment."""

    @property
    def python(self) -> str:
        """The version number alone, such as `3.12.3`; empty where the header is missing."""
        return self.version.split(" ", 1)[0]


class Kind(Enum):
    """What happened to a distribution."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    RESOURCED = "resourced"


@dataclass(frozen=True)
class Change:
    """One distribution before and after; either may be None, never both."""

    kind: Kind
    name: str
    before: Distribution | None
    after: Distribution | None


@dataclass(frozen=True)
class Diff:
    """What differs between two freezes; empty (false) when nothing does."""

    changes: tuple[Change, ...]
    python: tuple[str, str] | None = None
    """`sys.version` before and after, where it differs."""
    executable: tuple[str, str] | None = None
    conda: tuple[Change, ...] = ()
    """Conda packages that `changes` does not name: libraries, programs, other builds."""

    def __bool__(self) -> bool:
        """Tell whether anything differs."""
        return bool(self.changes or self.python or self.executable or self.conda)


@dataclass(frozen=True)
class Snapshot:
    """A freeze that was committed: one commit with a `Snapshot:` trailer."""

    commit: str
    stamp: str
    time: datetime
    subject: str
    environment: str
    machine: str
    python: str
    reason: str
    tags: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of the snapshot's file."""
        return stamped_name(self.stamp)


CURRENT = "current.txt"
CONDA = "conda-explicit.txt"
_STAMPED = re.compile(r"\A(\d{14})_environment\.txt\Z", re.ASCII)


def stamped_name(stamp: str) -> str:
    """Return the file name of the snapshot with *stamp*."""
    return f"{stamp}_environment.txt"


def stamp_of(file_name: str) -> str | None:
    """Return the stamp in the name of a snapshot file, or None when it is another file."""
    match = _STAMPED.match(file_name)
    return match[1] if match else None


def canonical(name: str) -> str:
    """Return *name* in canonical form: runs of `-`, `_` and `.` become one `-`, lower case (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def printable(text: str, limit: int = 200) -> str:
    """Return text from outside on one line: control characters escaped, cut at *limit* characters.

    Direction marks and other invisible characters are escaped too, as they can disguise what is shown.
    """
    shown = "".join(letter if letter.isprintable() else _escape(letter) for letter in text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
