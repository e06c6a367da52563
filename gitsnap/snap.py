"""SNAP: the words by which a user names a snapshot, read into one of these forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from gitsnap.errors import UsageError
from gitsnap.model import printable


@dataclass(frozen=True)
class File:
    """A snapshot file, or any requirements file, by its path."""

    path: Path


@dataclass(frozen=True)
class Latest:
    """The newest snapshot, or the one that many snapshots before it."""

    back: int


@dataclass(frozen=True)
class Good:
    """The newest snapshot that a launch went well with."""


@dataclass(frozen=True)
class Now:
    """The environment as it is now."""


@dataclass(frozen=True)
class Until:
    """The newest snapshot whose stamp is not after this one."""

    stamp: str
    text: str


@dataclass(frozen=True)
class Elsewhere:
    """A snapshot of another environment, perhaps on another machine."""

    machine: str | None
    environment: str
    snap: str


@dataclass(frozen=True)
class Name:
    """A tag, a beginning of a stamp, or a beginning of a commit id: tried in this order."""

    text: str


Snap = File | Latest | Good | Now | Until | Elsewhere | Name

_LATEST = re.compile(r"(?:latest|@)(?:~(\d{1,9}))?", re.ASCII)
_DATE = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d))?)?",
    re.ASCII,
)
_COMMIT = re.compile(r"(?=.*[a-f])[0-9a-f]{7,64}", re.ASCII | re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_WORDS = ("good", "@good", "latest", "@", "now")
_TAG = re.compile(r"[^\W_](?:[\w.+-]*[\w+-])?")
_TAG_LENGTH = 100


def parse(text: str) -> Snap:
    """Read *text* as a SNAP; the first form that fits holds. Raises UsageError for an empty one."""
    if not text.strip():
        raise UsageError(
            "a snapshot's name cannot be empty", hint="`latest` is the newest; `gitsnap log` lists them"
        )
    if _is_file(text):
        return File(Path(text).expanduser())
    if match := _LATEST.fullmatch(text):
        return Latest(int(match[1] or 0))
    if text in {"good", "@good"}:
        return Good()
    if text == "now":
        return Now()
    if match := _DATE.fullmatch(text):
        parts = match.groupdict(default="")
        return Until("".join(parts.values()).ljust(14, "0") if parts["second"] else _end(parts), text)
    if ":" in text:
        place, _, rest = text.partition(":")
        machine, slash, environment = place.rpartition("/")
        return Elsewhere(machine if slash else None, environment, rest or "latest")
    return Name(text)


def is_stamp_prefix(text: str) -> bool:
    """Tell whether *text* can be the beginning of a stamp: digits alone."""
    return text.isascii() and text.isdigit()


def is_commit_prefix(text: str) -> bool:
    """Tell whether *text* can be the beginning of a commit id: 7 or more hexadecimal digits with a letter."""
    return _COMMIT.fullmatch(text) is not None


def checked_tag(name: str) -> str:
    """Return *name* if it can be a tag, on every system and beside the other forms of SNAP; else UsageError."""
    taken = (
        name in _WORDS
        or is_stamp_prefix(name)
        or is_commit_prefix(name)
        or not isinstance(parse(name or " x"), Name)
    )
    if (
        taken
        or len(name) > _TAG_LENGTH
        or not _TAG.fullmatch(name)
        or ".." in name
        or name.endswith((".lock", ".txt"))
    ):
        raise UsageError(
            f"`{printable(name)}` cannot be a tag",
            hint="a tag has letters, digits, `.`, `_`, `-`, begins with a letter or digit, and is no word, stamp, date or "
            "commit id that names a snapshot already",
        )
    return name


def _is_file(text: str) -> bool:
    before_colon = text.split(":", 1)[0]
    return (
        bool(_DRIVE.match(text))
        or text.endswith(".txt")
        or (any(c in before_colon for c in "/\\") and not _is_machine(text))
    )


def _is_machine(text: str) -> bool:
    """Tell whether *text* is `MACHINE/ENVIRONMENT:…`: one slash, both names plain, then a colon."""
    return re.match(r"[^\s/\\.~:][^/\\:]*/[^/\\:]+:", text) is not None


def _end(parts: dict[str, str]) -> str:
    """Return the last stamp of the day or minute that *parts* name."""
    day = parts["year"] + parts["month"] + parts["day"]
    return day + (parts["hour"] + parts["minute"] + "59" if parts["hour"] else "235959")
