"""The commit message of a snapshot: a subject that says what changed, the changes, and trailers."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta, timezone

from gitsnap.model import Change, Diff, Kind, Snapshot, printable

# Any commit whose last paragraph has this line is a snapshot; git's `--grep` uses the same pattern.
TRAILER = r"^Snapshot: [0-9]\{14\}$"
_STAMP = re.compile(r"\A\d{14}\Z", re.ASCII)
_VERBS = {
    Kind.ADDED: "add",
    Kind.REMOVED: "remove",
    Kind.UPGRADED: "upgrade",
    Kind.DOWNGRADED: "downgrade",
    Kind.RESOURCED: "resource",
}


def compose(diff: Diff, *, first: int | None, extra: str, trailers: dict[str, str]) -> str:
    """Return the whole message of a snapshot.

    *first* is the number of distributions when there is nothing to compare with; *extra* stands as the subject
    when the files differ and the distributions do not. Every trailer is one line, control characters escaped.
    """
    body = (
        "\n".join(f"  {described(change)}" for change in (*diff.changes, *diff.conda))
        if first is None
        else ""
    )
    tail = "\n".join(f"{key}: {printable(value)}" for key, value in trailers.items() if value)
    return "\n\n".join(part for part in (_subject(diff, first, extra), body, tail) if part) + "\n"


def described(change: Change) -> str:
    """Say one change in a line, such as `Upgrade numpy 1.26.4 -> 2.0.1`."""
    verb = _VERBS[change.kind].capitalize()
    sides = [printable(str(side)) for side in (change.before, change.after) if side is not None]
    return printable(f"{verb} {change.name} {' -> '.join(sides)}", 500).rstrip()


def counted(diff: Diff) -> str:
    """Say how many distributions changed how, such as `add 3, remove 1, upgrade 12`."""
    counts = Counter(change.kind for change in (*diff.changes, *diff.conda))
    return ", ".join(f"{verb} {counts[kind]}" for kind, verb in _VERBS.items() if counts[kind])


def _subject(diff: Diff, first: int | None, extra: str) -> str:
    if first is not None:
        return f"First snapshot: {first} distribution{'' if first == 1 else 's'}"
    parts = []
    if diff.python:
        before, after = (version.split(" ", 1)[0] for version in diff.python)
        parts.append(f"Python {before} -> {after}" if before != after else f"Python {after} rebuilt")
    changes = (*diff.changes, *diff.conda)
    if len(changes) == 1:
        parts.append(described(changes[0]))
    elif changes:
        parts.append(counted(diff))
    if not parts and diff.executable:
        parts.append(f"Move to {diff.executable[1]}")
    subject = ", ".join(parts) or extra
    return printable(subject[:1].upper() + subject[1:], 120)


def parse(commit: str, seconds: int, offset: str, text: str) -> Snapshot | None:
    """Read a commit's message; None when it is no snapshot.

    *seconds* since 1970 and *offset* (such as `+0100`) are the author date as git stores it.
    """
    paragraphs = text.rstrip("\n").split("\n\n")
    pairs = (line.partition(": ") for line in paragraphs[-1].split("\n"))
    trailers = {key: value for key, separator, value in pairs if separator}
    if not _STAMP.match(trailers.get("Snapshot", "")):
        return None
    return Snapshot(
        commit=commit,
        stamp=trailers["Snapshot"],
        time=_time(seconds, offset),
        subject=printable(paragraphs[0].split("\n")[0]),
        environment=printable(trailers.get("Environment", "")),
        machine=printable(trailers.get("Machine", "")),
        python=printable(trailers.get("Python", "")),
        reason=printable(trailers.get("Reason", "")),
    )


def _time(seconds: int, offset: str) -> datetime:
    """Return the aware time; one that no calendar holds becomes the nearest that it does."""
    sign = -1 if offset.startswith("-") else 1
    zone = timezone(sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[3:5])))
    try:
        return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=seconds)).astimezone(zone)
    except OverflowError:
        return datetime.max.replace(tzinfo=timezone.utc)
