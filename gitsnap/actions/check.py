"""Check: is every snapshot there and readable? And mend what can be mended."""

from __future__ import annotations

from dataclasses import dataclass

from gitsnap import oddstate, repository, store
from gitsnap.actions import save as saving
from gitsnap.actions import target as targets
from gitsnap.errors import NoRepositoryError
from gitsnap.model import CURRENT, stamped_name
from gitsnap.repository import Repository
from gitsnap.store import Store


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    store: Store
    snapshots: int
    problems: tuple[str, ...]
    """What is wrong; empty when every snapshot is there."""
    strays: tuple[str, ...]
    """Files named like snapshots that the history does not know; left alone."""
    repaired: tuple[str, ...] = ()


def check(*, python: str | None = None, env: str | None = None, repair: bool = False) -> Checked:
    """Read every object of the repository and compare the folder with the newest commit.

    With *repair*, mend first: a broken branch goes back to its last good commit, files are written again, and a
    repository beyond that is kept aside while a new history takes in the stamped files. Nothing is deleted.
    """
    target = targets.find(python, env)
    found = targets.store_of(target)
    done = _repair(target, found) if repair else ()
    if not found.exists and not found.path.is_dir():
        raise NoRepositoryError(
            f"environment `{found.name}` has no snapshots yet", hint="`gitsnap save` takes the first one"
        )
    try:
        with store.reading(found) as repo:
            problems, strays = (
                tuple(repo.problems()) or tuple(_differences(repo)),
                tuple(_strays(found, repo)),
            )
            count = 0 if problems else len(repo.snapshots())
    except oddstate.DamagedError as error:
        problems, strays, count = (error.message,), (), 0
    return Checked(found, count, problems, strays, done)


def _differences(repo: Repository) -> list[str]:
    """Return where the folder, the newest commit and the newest snapshot disagree."""
    newest = next(iter(repo.snapshots(limit=1)), None)
    if repo.head is None or newest is None:
        return ["there is no snapshot in the repository"]
    entries = repo.entries(repo.head)
    lines = []
    if newest.file_name in entries and entries[newest.file_name].blob != entries[CURRENT].blob:
        lines.append(f"`{CURRENT}` is not the newest snapshot, {newest.file_name}")
    for name, entry in entries.items():
        if store.is_ours(name):
            path = repo.path / name
            if not path.is_file():
                lines.append(f"`{name}` is missing in the folder")
            elif repository.blob_id(path.read_bytes()) != entry.blob:
                lines.append(f"`{name}` was edited in the folder")
    return lines


def _strays(found: Store, repo: Repository) -> list[str]:
    return [stamped_name(one) for one in store.strays(found, repo) if not repo.snapshots(stamp=one, limit=1)]


def _repair(target: targets.Target, found: Store) -> tuple[str, ...]:
    """Mend the repository, then save, which heals the rest."""
    lines = store.mend(found)
    saved = saving.save(python=target.python, env=None if target.python else target.name)
    if isinstance(saved, saving.Switched):
        return lines
    return (*lines, *saved.healed)
