"""Repairs of a damaged repository, one remedy each; what cannot be mended is kept aside, nothing is deleted."""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import tempfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from gitsnap import files, oddstate, repository

_MISSING = re.compile(r"missing blob ([0-9a-f]{40})")
_NAME_LENGTH = 38


def head(path: Path) -> list[str]:
    """Let `.git/HEAD` name `main` again where it is lost or cannot be read; a repair."""
    try:
        oddstate.refuse(path)
    except oddstate.DamagedError:
        files.write(path / ".git" / "HEAD", f"ref: {oddstate.BRANCH}\n".encode("ascii"))
        return ["`.git/HEAD` was broken; it names `main` again"]
    return []


def index(path: Path) -> list[str]:
    """Keep an index aside that git cannot read; a repair, after which a save writes a new one."""
    index = path / ".git" / "index"
    if not index.exists() or repository.runs(path, "ls_files", "--cached"):
        return []
    return [f"git's index was broken; it is kept as `{_put_aside(index)}`"]


def objects(path: Path, contents: Iterable[bytes], problems: Iterable[str]) -> list[str]:
    """Keep unreadable loose objects aside, and store files again that are lost by *problems*; a repair.

    *contents*: those of the files in the folder, which are what most of the objects hold.
    """
    lines = []
    folder = path / ".git" / "gitsnap" / "broken"
    broken = [place for place in (path / ".git" / "objects").glob("??/*") if not _is_readable(place)]
    for place in broken:
        folder.mkdir(parents=True, exist_ok=True)
        place.replace(folder / f"{place.parent.name}{place.name}")
    if broken:
        lines.append(f"{_counted(broken, 'broken object')} kept in `{folder}`")
    wanted = {f"{place.parent.name}{place.name}" for place in broken}
    wanted |= {found[1] for line in problems if (found := _MISSING.match(line))}
    lost = [data for data in contents if repository.blob_id(data) in wanted]
    for data in lost:
        with tempfile.TemporaryFile() as stream:
            stream.write(data)
            stream.seek(0)
            repository.runs(path, "hash_object", "-w", "--stdin", istream=stream)
    if lost:
        lines.append(f"{_counted(lost, 'lost object')} stored again from the folder")
    return lines


def _counted(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def branch(path: Path) -> list[str]:
    """Put `main` back to the newest commit of its log that can be read whole; a repair.

    Where that leaves commits out, a copy of all there was is kept aside, and the logs that name them go with it.
    """
    good = repository.last_good_commit(path)
    if good is None:
        return []
    kept = ""
    if repository.logged(path)[-1] != good:
        copy = _free(path / ".git")
        shutil.copytree(path / ".git", copy, symlinks=True)
        shutil.rmtree(path / ".git" / "logs")
        kept = f"; what there was is kept as `{copy}`"
    repository.reset_branch(path, good)
    return [f"the branch was broken; it is at its last good commit {good[:10]} again{kept}"]


def history(path: Path) -> list[str]:
    """Keep a history aside that cannot be read, so that a new one can begin; the last resort of a repair."""
    return [f"the history could not be read; it is kept as `{_put_aside(path / '.git')}`"]


def _is_readable(place: Path) -> bool:
    """Tell whether a loose object is what its name says."""
    if len(place.name) != _NAME_LENGTH:
        return True
    try:
        data = zlib.decompress(place.read_bytes())
    except (zlib.error, OSError):
        return False
    return hashlib.sha1(data, usedforsecurity=False).hexdigest() == place.parent.name + place.name


def _put_aside(place: Path) -> Path:
    kept = _free(place)
    place.replace(kept)
    return kept


def _free(place: Path) -> Path:
    """Return a name beside *place* that nothing has."""
    names = (place.with_name(f"{place.name}.broken-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
