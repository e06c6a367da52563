"""The journal of a rollback: written before anything is touched, so that a killed one can be ended either way."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from gitsnap import files, swap
from gitsnap.errors import GitsnapError, UnfinishedError
from gitsnap.swap import Swap
from gitsnap.unfinished import HINT, MESSAGE, journal_of, unfinished

FORWARD, BACK = "forward", "back"
_FORMAT = 1


@dataclass(frozen=True)
class Journal:
    """A rollback under way."""

    python: str
    """The interpreter of the environment."""
    prefix: str
    folder: str
    """Where what goes is kept and what comes lies ready."""
    target: str
    """The state that was asked for, as people call it."""
    safety: str
    """The stamp of the snapshot that was taken first."""
    begin: str
    """What a freeze said before, as `requirement.compose` writes it."""
    end: str
    """What a freeze must say after."""
    changed: tuple[str, ...]
    """The canonical names of the projects that are touched."""
    old: tuple[str, ...]
    new: tuple[tuple[str, str], ...]
    stops: tuple[str, ...]
    incomplete: bool = False
    """Whether something of the state asked for could not be had."""
    direction: str = FORWARD
    format: int = _FORMAT

    @property
    def swap(self) -> Swap:
        """The files that go and come."""
        folder = Path(self.folder)
        new = {name: folder / place for name, place in self.new}
        return Swap(Path(self.prefix), folder / "kept", self.old, new, frozenset(self.stops))


def workplace(repository: Path) -> Path:
    """Return the folder in which rollbacks of an environment keep their files."""
    return repository / ".git" / "gitsnap" / "rollback"


def write(repository: Path, journal: Journal) -> None:
    """Write the journal; from now on the rollback is unfinished."""
    place = Path(journal_of(str(repository)))
    files.write(place, json.dumps(asdict(journal), indent=1).encode("ascii"))
    _settle(place.parent)


def read(repository: Path) -> Journal | None:
    """Return the journal of an unfinished rollback, or None when there is none."""
    place = Path(journal_of(str(repository)))
    data = files.read(place)
    if data is None:
        return None
    try:
        fields = json.loads(data)
        if fields["format"] != _FORMAT:
            raise UnfinishedError(
                f"{MESSAGE} by another version of gitsnap", hint="bring it to its end with that version"
            )
        lists = {name: tuple(fields[name]) for name in ("changed", "old", "stops")}
        new = tuple((name, source) for name, source in fields["new"])
        return Journal(**{**fields, **lists, "new": new})
    except (ValueError, KeyError, TypeError) as error:
        raise GitsnapError(
            f"the journal `{place}` cannot be read",
            hint="see whether the disk is well; the files that were kept aside are beside it",
        ) from error


def apply(repository: Path, journal: Journal) -> None:
    """Bring the environment to the journal's end, from wherever a kill left it."""
    write(repository, replace(journal, direction=FORWARD))
    swap.forward(journal.swap)


def undo(repository: Path, journal: Journal) -> None:
    """Bring the environment to the journal's beginning, from wherever a kill left it; needs no network."""
    write(repository, replace(journal, direction=BACK))
    swap.back(journal.swap)


def close(repository: Path) -> None:
    """Forget the journal: the environment is in one of its two states; then remove what was kept aside."""
    place = Path(journal_of(str(repository)))
    if hasattr(os, "sync"):
        # After a power cut the journal may only be gone if all that it was about is on the disk.
        os.sync()
    files.remove(place)
    _settle(place.parent)
    clear(repository)


def _settle(folder: Path) -> None:
    """Force to the disk which files *folder* has; Windows does so by itself."""
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def clear(repository: Path) -> None:
    """Remove what ended rollbacks left."""
    shutil.rmtree(workplace(repository), ignore_errors=True)


def exists(repository: Path) -> bool:
    """Tell whether a rollback is under way or was interrupted."""
    return unfinished(str(repository))


def refuse_unfinished(repository: Path) -> None:
    """Raise UnfinishedError where a rollback was interrupted."""
    if exists(repository):
        raise UnfinishedError(f"{MESSAGE} in this environment", hint=HINT)
