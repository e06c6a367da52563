"""Pending: after a save, a push is started in the background; a launch comes by here, so little is loaded."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from gitsnap import address, detached, repository, tries
from gitsnap.config import Config
from gitsnap.errors import GitsnapError
from gitsnap.store import Store


def file_of(settings: Config, one: Store) -> Path:
    """Return the file that says when *one* is to be pushed, and why it could not be."""
    url = address.parse(settings.remote).url(settings.machine, one.name)
    return tries.file_of(settings.state_path / "push", one.path, url)


def note(settings: Config, one: Store, *, is_new: bool) -> tuple[str, bool]:
    """Note what *one* has to send; returns the file that later launches look at, and whether to `start` a push now.

    The file is empty where nothing is pushed by itself. Never raises: a snapshot is safe without it.
    """
    if not settings.remote or settings.push != "auto":
        return "", False
    try:
        file = file_of(settings, one)
        now = datetime.now().astimezone()
        is_due = is_new or (not tries.is_waiting(file, now) and _has_unsent(settings, one))
        if is_due:
            tries.wait(file, one.name, now)
    except GitsnapError:
        return "", False
    return str(file), is_due


def start(settings: Config) -> None:
    """Start a push in the background; it outlives this process and holds none of its pipes. Never raises."""
    with suppress(OSError):
        command = detached.gitsnap("push", "--background")
        detached.start(command, repository.original_variables(), str(settings.state_path))


def _has_unsent(settings: Config, one: Store) -> bool:
    from gitsnap import remote
    from gitsnap.actions import remote as remotes

    return remote.standing(remotes.of(settings, one)).unsent > 0
