"""States of a repository that gitsnap must not touch, each with the command that mends it; files alone are read."""

from __future__ import annotations

import os
import re
from pathlib import Path

from gitsnap.errors import RepositoryError
from gitsnap.model import printable

BRANCH = "refs/heads/main"
_REPAIR = "`gitsnap check --repair` mends what can be mended and keeps the rest aside"
_MOVE = "move" if os.name == "nt" else "mv"
_UNFINISHED = {
    "MERGE_HEAD": ("a merge", "merge --abort"),
    "rebase-merge": ("a rebase", "rebase --abort"),
    "rebase-apply": ("a rebase", "rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "revert --abort"),
}


class DamagedError(RepositoryError):
    """A repository that git cannot read, and that a repair may mend."""


def damaged(path: Path, reason: str) -> DamagedError:
    """Return the error that says what is wrong, and how it may be mended."""
    return DamagedError(f"the repository `{path}` is damaged: {printable(reason)}", hint=_REPAIR)


def quoted(place: Path | str) -> str:
    """Return a path as every shell takes it."""
    return f'"{place}"' if " " in str(place) else str(place)


def _moving(place: Path, ending: str) -> str:
    """Return the command that moves *place* away."""
    return f"{_MOVE} {quoted(place)} {quoted(f'{place}{ending}')}"


def refuse_place(path: Path) -> None:
    """Raise RepositoryError where something else is than a repository with files, or room for one."""
    git = path / ".git"
    if path.exists() and not path.is_dir():
        raise RepositoryError(
            f"`{path}` is a file, not a repository", hint=f"`{_moving(path, '.old')}`, then `gitsnap save`"
        )
    if git.exists() and not git.is_dir():
        raise RepositoryError(
            f"`{git}` is a file, not a folder", hint=f"`{_moving(git, '.old')}`, then `gitsnap save`"
        )
    if not git.exists() and (path / "HEAD").exists() and (path / "objects").is_dir():
        raise RepositoryError(
            f"`{path}` is a bare repository, and gitsnap needs a folder with files",
            hint=f"`{_moving(path, '.git')}`, then `git clone {quoted(str(path) + '.git')} {quoted(path)}`",
        )


def refuse(path: Path) -> None:
    """Raise RepositoryError where gitsnap would have to guess; the hint is the command that mends it."""
    git = path / ".git"
    refuse_place(path)
    if not git.is_dir():
        raise RepositoryError(f"`{path}` is no repository", hint="`gitsnap save` makes one")
    for name, (what, command) in _UNFINISHED.items():
        if (git / name).exists():
            raise RepositoryError(
                f"{what} is half done in `{path}`", hint=f"`git -C {quoted(path)} {command}`"
            )
    _refuse_other_branch(path, git)


def _refuse_other_branch(path: Path, git: Path) -> None:
    try:
        head = (git / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        head = ""
    if head == f"ref: {BRANCH}":
        return
    if head.startswith("ref: refs/heads/"):
        branch = printable(head.removeprefix("ref: refs/heads/"))
        raise RepositoryError(
            f"branch `{branch}` is checked out in `{path}`", hint=f"`git -C {quoted(path)} switch main`"
        )
    if re.fullmatch(r"[0-9a-f]{40}", head):
        raise RepositoryError(
            f"a single commit is checked out in `{path}`", hint=f"`git -C {quoted(path)} switch main`"
        )
    raise damaged(path, "`.git/HEAD` cannot be read")
