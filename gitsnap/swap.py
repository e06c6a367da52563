"""Files of an environment, exchanged: every step can be repeated, so that a kill between any two is harmless.

What goes is kept aside before anything is touched; what comes lies ready in a folder of its own. Each file is
put in place by one rename.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitsnap.errors import GitsnapError

_PART = ".gitsnap-part"


@dataclass(frozen=True)
class Swap:
    """What goes and what comes, each file by its path relative to the prefix."""

    prefix: Path
    kept: Path
    """The folder that holds what is taken out or overwritten."""
    old: tuple[str, ...]
    """What was there before: every one of them is in *kept*."""
    new: Mapping[str, Path]
    """What shall be there after, and where it lies ready."""
    stops: frozenset[str]
    """Folders that stay even when they become empty."""


def keep(prefix: Path, kept: Path, names: Iterable[str]) -> None:
    """Keep the files *names* of *prefix* aside, by hard link where the disk allows it, else by copy."""
    with _translated():
        for name in names:
            _put(prefix / name, kept / name)


def forward(swap: Swap) -> None:
    """Take out what is no more, then put what is new in place."""
    with _translated():
        _take_out(swap, [name for name in swap.old if name not in swap.new])
        for name, source in swap.new.items():
            _put(source, swap.prefix / name)
        _forget_compiled(swap, [*swap.old, *swap.new], swap.new)


def back(swap: Swap) -> None:
    """Put everything back as it was."""
    before = set(swap.old)
    with _translated():
        _take_out(swap, [name for name in swap.new if name not in before])
        for name in swap.old:
            _put(swap.kept / name, swap.prefix / name)
        _forget_compiled(swap, [*swap.old, *swap.new], before)


def files_in(folder: Path) -> list[str]:
    """Return every file below *folder*, relative to it."""
    found = []
    for place, folders, names in os.walk(folder):
        linked = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found += [os.path.relpath(os.path.join(place, name), folder) for name in (*names, *linked)]
    return sorted(found)


def in_use(prefix: Path, names: Iterable[str]) -> list[str]:
    """Return the files that a running program holds, so that they cannot be replaced: only on Windows."""
    if os.name != "nt":
        return []
    return [
        name for name in names if name.lower().endswith((".pyd", ".dll", ".exe")) and _is_held(prefix / name)
    ]


def _is_held(path: Path) -> bool:
    try:
        with path.open("r+b"):
            return False
    except FileNotFoundError:
        return False
    except PermissionError:
        return True


def _put(source: Path, target: Path) -> None:
    """Let *target* be the file *source*, which stays; by one rename, whatever was there."""
    part = target.with_name(target.name + _PART)
    with contextlib.suppress(FileNotFoundError):
        part.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, part, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(source, part, follow_symlinks=False)
    part.replace(target)
    # Renaming one name of a file over another of the same file does nothing (POSIX).
    part.unlink(missing_ok=True)


def _take_out(swap: Swap, names: Iterable[str]) -> None:
    for name in names:
        path = swap.prefix / name
        for place in (path, path.with_name(path.name + _PART)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                place.unlink()
        _prune(swap, path.parent)


def _prune(swap: Swap, folder: Path) -> None:
    """Remove *folder* and those above it that have become empty."""
    while folder != swap.prefix and os.path.relpath(folder, swap.prefix) not in swap.stops:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _forget_compiled(swap: Swap, names: Iterable[str], staying: Collection[str]) -> None:
    """Remove what Python compiled from files that changed: it trusts time and size alone."""
    stems: dict[Path, set[str]] = {}
    for name in names:
        if name.endswith(".py"):
            path = swap.prefix / name
            stems.setdefault(path.parent / "__pycache__", set()).add(path.stem)
    for cache, changed in stems.items():
        try:
            compiled = os.listdir(cache)
        except OSError:
            continue
        for name in compiled:
            relative = os.path.relpath(cache / name, swap.prefix)
            if name.partition(".")[0] in changed and name.endswith(".pyc") and relative not in staying:
                (cache / name).unlink(missing_ok=True)
        _prune(swap, cache)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GitsnapError(
            f"`{error.filename}` cannot be replaced: {error.strerror or error}",
            hint="close what uses this environment, and see who may write there",
        ) from error
