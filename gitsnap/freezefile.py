"""The text of a snapshot file: two header lines, an empty line, one requirement line a distribution."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gitsnap.model import Distribution, Freeze

_EXECUTABLE = "# executable: "
_VERSION = "# version: "
UNKNOWN = "unknown"
"""Stands in a header line of an imported file that had none."""
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*===?\s*(?P<version>\S+)\Z")
_DIRECT = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*@\s*(?P<source>\S.*)\Z")
_EGG = re.compile(r"[#&]egg=(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)")
_EDITABLE_NOTE = re.compile(r"# Editable .*?\((?P<line>[^()]+)\)")
_LOST = re.compile(r"# not restorable \([^)]*\): (?P<line>.*)\Z")


def header(executable: str, version: str) -> str:
    """Return the two header lines and the empty line below them."""
    return f"{_EXECUTABLE}{_one_line(executable)}\n{_VERSION}{_one_line(version)}\n\n"


def compose(head: str, lines: Iterable[str]) -> str:
    """Return the whole text of a snapshot file."""
    return head + "".join(line + "\n" for line in lines)


def parse(text: str) -> Freeze:
    """Read a snapshot file, or any requirements file with pinned lines; what is no distribution is passed over.

    pip writes the name of an editable without version control into the comment above its `-e` line.
    """
    executable = version = ""
    found: list[Distribution] = []
    note: Distribution | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith(_EXECUTABLE) and not executable:
            executable = line[len(_EXECUTABLE) :]
        elif line.startswith(_VERSION) and not version:
            version = line[len(_VERSION) :]
        elif line.startswith("#"):
            note = _noted(line) or note
            if lost := _LOST.match(line):
                found.extend(_lost(lost["line"]))
                note = None
        elif line:
            found.extend(_distribution(line, note))
            note = None
    # What was imported from a plain list says that it does not know.
    executable, version = ("" if value == UNKNOWN else value for value in (executable, version))
    return Freeze(executable, version, tuple(found))


def has_header(text: str) -> bool:
    """Tell whether *text* has gitsnap's header, even one that knows nothing."""
    return any(line.startswith(_VERSION) for line in text.splitlines())


def _noted(line: str) -> Distribution | None:
    match = _EDITABLE_NOTE.match(line)
    return next(iter(_distribution(match["line"], None)), None) if match else None


def _lost(line: str) -> list[Distribution]:
    return [Distribution(d.name, d.version, d.source, restorable=False) for d in _distribution(line, None)]


def _distribution(line: str, note: Distribution | None) -> list[Distribution]:
    """Return the distribution that *line* names, if it is a requirement line."""
    if line.startswith("-e "):
        source = line[3:].strip()
        egg = _EGG.search(source)
        if egg:
            return [Distribution(egg["name"], None, source)]
        if note:
            return [Distribution(note.name, note.version, source)]
        name = re.sub(
            r"[^A-Za-z0-9._-]+", "-", source.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
        ).strip("-._")
        return [Distribution(name, None, source)] if name else []
    if pinned := _PINNED.match(line):
        return [Distribution(pinned["name"], pinned["version"], None)]
    if direct := _DIRECT.match(line):
        return [Distribution(direct["name"], None, direct["source"])]
    return []


def _one_line(text: str) -> str:
    """Collapse white space and escape control characters, which would break the header."""
    collapsed = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in collapsed)
