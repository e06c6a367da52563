"""Files: whole or not at all, and one lock of the operating system for each repository."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gitsnap.errors import ForeignOwnerError, GitsnapError, LockedError

PART = ".gitsnap-part"
"""How the name of a file that is being written ends."""
_STEP = 0.05
_WINDOWS_PATIENCE = 2.0


def write(path: Path, data: bytes) -> None:
    """Replace the file at *path* by one with *data*; a reader sees the old bytes or the new, never a part.

    Raises GitsnapError where the disk is full or read-only, or the folder may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        _replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise unwritable(path, error) from error


def _replace(source: Path, target: Path) -> None:
    """Rename over *target*; on Windows a reader or a virus scanner may hold it for a moment."""
    deadline = time.monotonic() + (_WINDOWS_PATIENCE if os.name == "nt" else 0)
    while True:
        try:
            source.replace(target)
            return
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_STEP)


def read(path: Path) -> bytes | None:
    """Return the bytes of the file at *path*, or None when there is none."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise GitsnapError(f"`{path}` cannot be read: {error.strerror}") from error


def remove(path: Path) -> None:
    """Remove the file at *path* if it is there."""
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise unwritable(path, error) from error


def make_folder(path: Path) -> None:
    """Make the folder *path* and those above it."""
    refuse_foreign(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error


def refuse_foreign(path: Path) -> None:
    """Refuse to write, as root, into a folder that another user owns: its owner could not use it any more."""
    if os.name == "nt" or os.geteuid() != 0:
        return
    nearest = next(place for place in (path, *path.parents) if place.exists())
    if nearest.stat().st_uid != 0:
        raise ForeignOwnerError(
            f"`{nearest}` belongs to another user, and gitsnap runs as root",
            hint="run gitsnap as that user, or set GITSNAP_HOME to a folder of root's own",
        )


def unwritable(path: Path, error: OSError) -> GitsnapError:
    """Return the error that says why *path* could not be written."""
    return GitsnapError(
        f"`{path}` cannot be written: {error.strerror or error}",
        hint="make room on the disk, or see who may write there; what was saved before is untouched",
    )


@contextlib.contextmanager
def locked(path: Path, *, patience: float, what: str) -> Iterator[bool]:
    """Hold the lock *path*; tell whether its last holder was killed at work.

    The operating system ends the lock with its process, so nothing can be left over; a mark beside it, cleared at
    the end, tells the next holder that the last one did not come to its end. Waits *patience* seconds, then raises
    LockedError naming *what*.
    """
    mark = path.with_suffix(".busy")
    make_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        try:
            _acquire(handle, patience, what)
        except OSError as error:
            raise GitsnapError(f"`{path}` cannot be locked: {error.strerror or error}") from error
        was_killed = mark.exists()
        write(mark, f"{os.getpid()}\n".encode())
        try:
            yield was_killed
        finally:
            remove(mark)
    finally:
        # Closing ends the lock: on POSIX by the kernel, on Windows too.
        os.close(handle)


def _acquire(handle: int, patience: float, what: str) -> None:
    deadline = time.monotonic() + patience
    while not _try_lock(handle):
        if time.monotonic() >= deadline:
            raise LockedError(
                f"another gitsnap is at work in {what}",
                hint="try again when it has ended; nothing was changed",
            )
        time.sleep(_STEP)


if sys.platform == "win32":

    def _try_lock(handle: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(handle: int) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
