"""What is known to be good: contents of `current.txt` that a launch went well with.

Each is a ref `refs/gitsnap/good/<blob>` at that very blob, so it can be pushed and fetched, never has to move, and
holds for every snapshot with the same content. Refs are read and written as files: a launch has no time for git.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

from gitsnap import files

PREFIX = "refs/gitsnap/good/"
_BLOB = re.compile("[0-9a-f]{40}")
_PACKED = re.compile(rf"^[0-9a-f]{{40}} {PREFIX}([0-9a-f]{{40}})$", re.MULTILINE)


def blob_of(data: bytes) -> str:
    """Return the id that git gives to a file with the bytes *data*."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def known(git: Path) -> frozenset[str]:
    """Return the blobs that are known to be good in the repository whose git folder is *git*."""
    found: set[str] = set()
    with suppress(OSError):
        found.update(one.name for one in (git / PREFIX).iterdir() if _BLOB.fullmatch(one.name))
    with suppress(OSError):
        found.update(_PACKED.findall((git / "packed-refs").read_text(encoding="utf-8", errors="replace")))
    return frozenset(found)


def mark(git: Path, blob: str) -> None:
    """Remember that *blob* is good; a mark that is there stays as it is. Raises GitsnapError."""
    if blob not in known(git):
        files.write(git / PREFIX / blob, f"{blob}\n".encode("ascii"))
