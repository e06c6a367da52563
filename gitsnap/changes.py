"""Two freezes and what changed between them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version

from gitsnap.model import Change, Diff, Distribution, Freeze, Kind


def compare(before: Freeze, after: Freeze) -> Diff:
    """Return what changed from *before* to *after*, sorted by name.

    A project is the same when its canonical names are (PEP 503); versions are ordered as PEP 440 says, other
    versions by their numbers, then letters.
    """
    changes = _changes(before.distributions, after.distributions)
    named = {_key(change) for change in changes}
    # Where one side has no list, as a plain file has none, nothing is known to have changed.
    conda = _changes(before.conda, after.conda) if before.conda and after.conda else ()
    python = _moved(before.version, after.version)
    executable = _moved(before.executable, after.executable)
    return Diff(changes, python, executable, tuple(one for one in conda if _key(one) not in named))


def _changes(before: Iterable[Distribution], after: Iterable[Distribution]) -> tuple[Change, ...]:
    old = {item.key: item for item in before}
    new = {item.key: item for item in after}
    pairs = ((old.get(key), new.get(key)) for key in sorted(old.keys() | new.keys()))
    return tuple(change for pair in pairs if (change := _change(*pair)))


def _moved(before: str, after: str) -> tuple[str, str] | None:
    """Return both values if they are known and differ."""
    return (before, after) if before and after and before != after else None


def only(diff: Diff, name: str) -> Diff:
    """Return the part of *diff* that is about the distribution with canonical *name*."""
    return Diff(tuple(change for change in diff.changes if _key(change) == name))


def _key(change: Change) -> str:
    return (change.after or change.before or Distribution("", None, None)).key


def _change(before: Distribution | None, after: Distribution | None) -> Change | None:
    if before is None:
        return Change(Kind.ADDED, after.name, None, after) if after else None
    if after is None:
        return Change(Kind.REMOVED, before.name, before, None)
    if (before.version, before.source, before.restorable) == (after.version, after.source, after.restorable):
        return None
    return Change(_kind(before.version, after.version), after.name, before, after)


def _kind(before: str | None, after: str | None) -> Kind:
    if before is None or after is None or _order(before) == _order(after):
        return Kind.RESOURCED
    return Kind.UPGRADED if _order(before) < _order(after) else Kind.DOWNGRADED


def _order(version: str) -> tuple[int, Version | tuple[tuple[int, int, str], ...]]:
    """Return what orders versions: those that PEP 440 knows come after those that it refuses."""
    try:
        return (1, Version(version))
    except InvalidVersion:
        parts = re.findall(r"\d+|[a-z]+", version.lower())
        return (0, tuple((1, int(part[:18]), "") if part.isdigit() else (0, 0, part) for part in parts))
