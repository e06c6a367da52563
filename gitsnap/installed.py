"""The door to what is installed: whose files are whose (RECORD), and whether all of them are there."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitsnap.model import canonical


@dataclass(frozen=True)
class Row:
    """One file of a distribution, as its RECORD says."""

    path: Path
    """Absolute, without `..`; symbolic links are not followed."""
    size: int | None


@dataclass(frozen=True)
class Installed:
    """One installed distribution: its metadata folder."""

    key: str
    version: str
    info: Path

    @property
    def root(self) -> Path:
        """The folder that it is installed in."""
        return self.info.parent

    @property
    def installer(self) -> str:
        """Who installed it: pip, uv, conda; empty where nobody says."""
        return _text(self.info / "INSTALLER").strip()

    @property
    def rows(self) -> tuple[Row, ...] | None:
        """Its files; None where no RECORD says which."""
        text = _text(self.info / "RECORD")
        if not text:
            return None
        rows = csv.reader(text.splitlines())
        return tuple(_row(self.root, row) for row in rows if row and row[0])


def _row(root: Path, row: Sequence[str]) -> Row:
    size = row[2] if len(row) > 2 else ""  # noqa: PLR2004 - path, hash, size (PEP 376)
    path = Path(os.path.normpath(os.path.join(root, row[0])))
    return Row(path, int(size) if size.isdigit() else None)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def find(paths: Iterable[str]) -> dict[str, list[Installed]]:
    """Return what is installed in *paths* by canonical name; the first of a name is the one that Python imports.

    More than one in the same folder is what a broken installation leaves.
    """
    found: dict[str, list[Installed]] = {}
    for path in dict.fromkeys(filter(None, paths)):
        for one in _in_folder(Path(path)):
            known = found.setdefault(one.key, [])
            if not known or known[0].root == one.root:
                known.append(one)
    return found


def _in_folder(folder: Path) -> Iterator[Installed]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.lower().endswith((".dist-info", ".egg-info")):
            project, _, version = name.rpartition(".")[0].partition("-")
            yield Installed(canonical(project), version, folder / name)


def is_inside(path: Path, prefix: Path) -> bool:
    """Tell whether *path* lies below *prefix*, as both are written."""
    one, other = (os.path.normcase(place) for place in (path, prefix))
    return one.startswith(other.rstrip(os.sep) + os.sep)


def obstacles(
    found: Mapping[str, Sequence[Installed]], keys: Iterable[str], prefix: Path, conda: Collection[str]
) -> dict[str, str]:
    """Return why the files of some projects must not be touched, by canonical name."""
    reasons = {}
    for key in keys:
        for one in found.get(key, ()):
            if not is_inside(one.info, prefix):
                reasons[key] = f"it lies outside the environment, in `{one.root}`"
            elif key in conda or one.installer == "conda":
                reasons[key] = CONDA
            elif one.rows is None:
                reasons[key] = (
                    "nothing says which files are its own (no RECORD); remove it with what installed it"
                )
    return reasons


CONDA = "conda installed it"


def conda_names(prefix: Path) -> set[str]:
    """Return the canonical names of what conda's records in *prefix* name."""
    try:
        names = os.listdir(prefix / "conda-meta")
    except OSError:
        return set()
    # NAME-VERSION-BUILD.json; a name may have dashes of its own.
    return {canonical(name.rsplit("-", 2)[0]) for name in names if name.endswith(".json")}


def files_of(distributions: Iterable[Installed], prefix: Path) -> set[str]:
    """Return the files of *distributions* that lie in *prefix*, relative to it; those that are not there too."""
    found = set()
    for one in distributions:
        for row in one.rows or ():
            if is_inside(row.path, prefix):
                found.add(os.path.relpath(row.path, prefix))
    return found


def also_in(distributions: Iterable[Installed], names: Collection[str], prefix: Path) -> set[str]:
    """Return those of *names* (relative to *prefix*) that a RECORD of *distributions* lists too.

    A hundred thousand rows are nothing unusual, so that they are compared as they stand.
    """
    found = set()
    spelled: dict[Path, dict[str, str]] = {}
    for one in distributions:
        if one.root not in spelled:
            rows = ((os.path.relpath(prefix / name, one.root), name) for name in names)
            spelled[one.root] = {row.replace(os.sep, "/"): name for row, name in rows}
        wanted = spelled[one.root]
        for row in _text(one.info / "RECORD").splitlines():
            path = next(csv.reader([row]))[0] if row.startswith('"') else row.partition(",")[0]
            if path in wanted:
                found.add(wanted[path])
    return found


def damage(distributions: Iterable[Installed]) -> list[str]:
    """Return a line for each file that is missing or has another size than its RECORD says.

    What Python compiled is nobody's; RECORD itself and what its installer writes later has no size.
    """
    lines = []
    for one in distributions:
        for row in one.rows or ():
            if row.path.suffix == ".pyc":
                continue
            try:
                size = os.stat(row.path).st_size
            except OSError:
                lines.append(f"{one.key}: `{row.path}` is missing")
                continue
            if row.size is not None and size != row.size:
                lines.append(f"{one.key}: `{row.path}` has {size} bytes, not {row.size}")
    return lines


def needed_by_gitsnap() -> frozenset[str]:
    """Return the canonical names of gitsnap, of pip and of all that gitsnap needs, where it is installed."""
    from importlib import metadata

    from packaging.requirements import InvalidRequirement, Requirement

    needed = {"pip", "gitsnap"}
    ahead = [("gitsnap", frozenset({"uv"}))]
    while ahead:
        name, extras = ahead.pop()
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            try:
                one = Requirement(line)
            except InvalidRequirement:
                continue
            wanted = not one.marker or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
            if wanted and canonical(one.name) not in needed:
                needed.add(canonical(one.name))
                ahead.append((one.name, frozenset(one.extras)))
    return frozenset(needed)
