"""Dated freeze files that others wrote: PyMoDAQ's backups, `pip freeze` into a file with a date in its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from gitsnap import freezefile, requirement, stamp
from gitsnap.errors import UntrustedTextError
from gitsnap.line import lost, redact
from gitsnap.model import printable

"""Stands in the header for what a file does not say."""
LARGEST = 1 << 20
"""What is larger is no freeze; measurements are often named by a date too."""
_EXECUTABLE = "# executable:"
_VERSION = "# version:"
_LOST = "# not restorable ("
_DATE = re.compile(
    r"(?<!\d)(\d{4})([-_.]?)(\d\d)\2(\d\d)(?:[-_.T ]?(\d\d)[-_.:h]?(\d\d)(?:[-_.:m]?(\d\d))?)?(?!\d)",
    re.ASCII,
)
_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)"
_PINNED = re.compile(_NAME + r"\s*(?P<form>===?)\s*(?P<value>[^\s=]\S*)")
_DIRECT = re.compile(_NAME + r"\s*@\s*(?P<value>\S.*)")
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_USUAL = {".venv", "venv", "env"}


@dataclass(frozen=True)
class Dated:
    """What a dated file says, in gitsnap's words."""

    executable: str
    version: str
    lines: tuple[str, ...]
    """The requirement lines in pip's order, each below its comments; credentials taken out."""

    def text(self, executable: str = "") -> bytes:
        """Return the text of the snapshot; *executable* is the Python's path where that is known better."""
        head = freezefile.header(executable or self.executable, self.version)
        return freezefile.compose(head, self.lines).encode("utf-8")


@dataclass(frozen=True)
class Unreadable:
    """Why a file is not taken for a freeze."""

    reason: str


@dataclass(frozen=True)
class _Entry:
    """One requirement with its comments, and what it is sorted by."""

    key: str
    lines: tuple[str, ...]


def stamp_in(file_name: str) -> str | None:
    """Return the stamp that a file is named by: 14 digits, or a date with or without a time; else None."""
    for found in _DATE.finditer(file_name):
        year, _, month, day, *time = found.groups()
        mark = "".join([year, month, day, *(part or "00" for part in time)])
        if stamp.moment(mark):
            return mark
    return None


def prefix_of(executable: str) -> str:
    """Return the prefix of the environment whose Python is at *executable*, on whichever system; empty if unknown."""
    is_windows = "\\" in executable or executable[1:2] == ":"
    path = PureWindowsPath(executable) if is_windows else PurePosixPath(executable)
    if not path.is_absolute():
        return ""
    inner = path.parent.name.lower() if is_windows else path.parent.name
    return str(path.parent.parent if inner in {"bin", "scripts"} else path.parent)


def name_of(prefix: str) -> str:
    """Return what the environment at *prefix* is called: its folder, the project's where that is a usual one."""
    path = PureWindowsPath(prefix) if "\\" in prefix else PurePosixPath(prefix)
    return path.parent.name if path.name in _USUAL else path.name


class Reader:
    """Reads many files, most of whose lines are the same."""

    def __init__(self, is_there: Callable[[str], bool]) -> None:
        """Take what tells whether a folder or file is still there: a line that names a lost one becomes a comment."""
        self._is_there = is_there
        self._known: dict[tuple[str, ...], _Entry | None] = {}

    def read(self, data: bytes) -> Dated | Unreadable:
        """Return what the file with the bytes *data* says, or why it is no freeze."""
        if not data.strip(b"\0 \t\r\n"):
            return Unreadable("it is empty")
        text = _decoded(data)
        if text is None:
            return Unreadable("it is not text")
        lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ").split("\n")
        executable, version, start = _header(lines)
        if executable and version and lines[-1]:
            return Unreadable("it ends in the middle of a line")
        found = self._entries(lines[start:], start)
        if isinstance(found, Unreadable):
            return found
        if not found:
            return Unreadable("it names no package: its freeze had failed")
        ordered = sorted(found, key=lambda entry: entry.key)
        every = tuple(line for entry in ordered for line in entry.lines)
        return Dated(executable or freezefile.UNKNOWN, version or freezefile.UNKNOWN, every)

    def _entries(self, lines: Sequence[str], start: int) -> list[_Entry] | Unreadable:
        found: dict[str, _Entry] = {}
        comments: list[str] = []
        for number, raw in enumerate(lines, start + 1):
            line = raw.strip()
            if line.startswith("#") and not line.startswith(_LOST):
                comments.append(redact(line))
            elif line:
                entry = self._entry((*comments, line))
                comments = []
                if entry is None:
                    return Unreadable(f"line {number} is not of a freeze: {printable(redact(line), 60)}")
                if found.setdefault(entry.key, entry) != entry:
                    return Unreadable(f"line {number} is the second about {printable(entry.key, 60)}")
        return list(found.values())

    def _entry(self, lines: tuple[str, ...]) -> _Entry | None:
        if lines not in self._known:
            self._known[lines] = _entry(lines[:-1], lines[-1], self._is_there)
        return self._known[lines]


def _decoded(data: bytes) -> str | None:
    """Return the text of a file; Windows writes UTF-16, byte order marks, and the code page of its language."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded_as(data[len(mark) :], encoding)
    if b"\0" in data[:2]:
        return _decoded_as(data, "utf-16-be" if data[0] == 0 else "utf-16-le")
    return _decoded_as(data, "utf-8") or _decoded_as(data, "cp1252")


def _decoded_as(data: bytes, encoding: str) -> str | None:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return text if all(line.isprintable() for line in re.split(r"[\r\n\t]", text)) else None


def _header(lines: Sequence[str]) -> tuple[str, str, int]:
    """Return executable, version and the number of lines they take.

    `sys.version` of a Python before 3.10 has two lines: the second names the compiler, in brackets.
    """
    executable = version = ""
    number = 0
    for number, raw in enumerate(lines):  # noqa: B007 - the number of the first line that is no header
        line = raw.strip()
        if line.startswith(_EXECUTABLE) and not executable:
            executable = line[len(_EXECUTABLE) :].strip()
        elif line.startswith(_VERSION) and not version:
            version = line[len(_VERSION) :].strip()
        elif line.startswith("[") and version:
            version = f"{version} {line}"
        elif line:
            break
    return executable, version, number


def _entry(comments: tuple[str, ...], line: str, is_there: Callable[[str], bool]) -> _Entry | None:
    """Return a line in the form that restores; a comment in its place where there is none, None if it is no line."""
    if line.startswith(_LOST):
        named = freezefile.parse("\n".join([*comments, line])).distributions
        return _Entry(named[0].name.lower() if named else line, (*comments, redact(line)))
    plain = _plain(line)
    if plain is None:
        return None
    clean = redact(plain)
    said = [*comments, *(["# without its credentials:"] if clean != plain else [])]
    named = freezefile.parse("\n".join([*comments, clean])).distributions
    key = named[0].name.lower() if named else clean
    if not named or not _is_known(comments, clean):
        return _Entry(key, (*said, lost("its form is not known", clean)))
    path = _path(named[0].source or "")
    if path and not is_there(path):
        return _Entry(key, (*said, lost("its folder or file is gone", clean)))
    return _Entry(key, (*said, clean))


def _plain(line: str) -> str | None:
    """Return a line of a freeze without needless spaces, a folder as a URL where it cannot stand bare; else None."""
    if line.startswith("-e "):
        source = line[3:].strip()
        return f"-e {_bare(source)}" if source else None
    if pinned := _PINNED.fullmatch(line):
        return f"{pinned['name']}{pinned['form']}{pinned['value']}"
    direct = _DIRECT.fullmatch(line)
    return f"{direct['name']} @ {direct['value']}" if direct else None


def _bare(source: str) -> str:
    """Return the source of an editable project; a folder as a URL where pip would not read it as it stands."""
    try:
        if re.match(r"[A-Za-z]:\\|\\\\", source):
            return PureWindowsPath(source).as_uri()
        if source.startswith("/") and re.search(r"[\s#$\[\]{};'\"\\]", source):
            return PurePosixPath(source).as_uri()
    except ValueError:
        pass
    return source


def _is_known(comments: Iterable[str], line: str) -> bool:
    try:
        return bool(requirement.parse("\n".join([*comments, line])).requirements)
    except UntrustedTextError:
        return False


def _path(source: str) -> str:
    """Return the path that a source names on this machine; empty for what lies elsewhere."""
    if not source.startswith("file:"):
        return source if source.startswith("/") or re.match(r"[A-Za-z]:/", source) else ""
    try:
        path = unquote(urlsplit(source).path)
    except ValueError:
        return ""
    return path[1:] if re.match(r"/[A-Za-z]:", path) else path


def distinct(states: Sequence[Dated]) -> list[int]:
    """Return the positions of the states that differ from the one before them."""
    return [at for at, one in enumerate(states) if at == 0 or set(one.lines) != set(states[at - 1].lines)]
