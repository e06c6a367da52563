"""Results as text; with `as_json` and `main`, the only place that prints."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gitsnap import stamp, unfinished
from gitsnap.failure import UNKNOWN
from gitsnap.model import Change, Diff, Kind, printable

if TYPE_CHECKING:
    from gitsnap.actions.check import Checked
    from gitsnap.actions.compare import Comparison
    from gitsnap.actions.environments import Environments, Known
    from gitsnap.actions.push import Waiting
    from gitsnap.actions.snapshots import Listed, Log
    from gitsnap.actions.state import State
    from gitsnap.actions.status import Status
    from gitsnap.config import Config
    from gitsnap.store import Pruned, Saved

_COLOURS = {
    Kind.UPGRADED: "32",
    Kind.DOWNGRADED: "33",
    Kind.ADDED: "36",
    Kind.REMOVED: "31",
    Kind.RESOURCED: "35",
}
_ORDER = list(_COLOURS)


def has_colour() -> bool:
    """Tell whether stdout is a terminal that wants colour (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def answer(text: str) -> None:
    """Print a line of the answer to stdout."""
    print(text)  # noqa: T201 - this is where printing is done


def say(text: str) -> None:
    """Print a line of the conversation to stderr, if there is one."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            # Where both go to one file, what was said first stands first.
            sys.stdout.flush()
            print(text, file=sys.stderr)  # noqa: T201


def document(content: dict[str, Any]) -> None:
    """Print one JSON object with the version of its form."""
    answer(json.dumps({"version": 1, **content}, indent=2))


def failure(text: str, hint: str, candidates: Sequence[str], code: int, *, as_json: bool) -> None:
    """Say what went wrong, what may have been meant, and what to do next."""
    if as_json:
        document(
            {"error": {"message": text, "hint": hint, "candidates": list(candidates), "exit_code": code}}
        )
    say(f"error: {text}")
    for candidate in candidates:
        say(f"  {candidate}")
    if hint:
        say(f"\nhint: {hint}")


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Show on a terminal that *what* is being done, once it takes longer than a glance."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    import threading

    shown: list[Any] = []

    def show() -> None:
        from rich.console import Console

        shown.append(Console(stderr=True).status(f"{what} …"))
        shown[0].start()

    timer = threading.Timer(0.7, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for status in shown:
            status.stop()


def _paint(text: str, colour: str) -> str:
    return f"\033[{colour}m{text}\033[0m" if has_colour() else text


def _width() -> int | None:
    """Return the terminal's width; None where the answer goes to a file or a pipe and is not cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _cut(text: str) -> str:
    width = _width()
    return text if width is None or len(text) <= width else text[: max(width - 1, 1)] + "…"


def changes(diff: Diff, indent: str = "") -> None:
    """Print changes as a release note: by kind, names and versions in columns."""
    named = [(one, one.name) for one in diff.changes] + [(one, f"{one.name} (conda)") for one in diff.conda]
    rows = [(kind, name, _sides(change)) for kind in _ORDER for change, name in named if change.kind is kind]
    width = min(max((len(name) for _, name, _ in rows), default=0), 32)
    if diff.python:
        before, after = (version.split(" ", 1)[0] or "?" for version in diff.python)
        what = f"{before} -> {after}" if before != after else f"{after}, another build"
        answer(_cut(f"{indent}{'python':10}  {what}"))
    if diff.executable and not diff.python and not rows:
        answer(_cut(f"{indent}{'moved':10}  {printable(diff.executable[1])}"))
    for kind, name, sides in rows:
        line = _cut(f"{indent}{kind.value:10}  {name:{width}}  {sides}").rstrip()
        word = indent + kind.value
        answer(_paint(word, _COLOURS[kind]) + line[len(word) :] if line.startswith(word) else line)


def _sides(change: Change) -> str:
    return " -> ".join(printable(str(side)) for side in (change.before, change.after) if side is not None)


def _counts(diff: Diff) -> str:
    count = len(diff.changes) + len(diff.conda)
    if count:
        return f"{count} change{'' if count == 1 else 's'}"
    return "another Python" if diff.python else "another place"


def saved(result: Saved) -> None:
    """Say which environment, which snapshot, what changed; and on stderr what was put right."""
    for line in result.healed:
        say(f"{result.store.name}: {line}")
    newest = result.newest
    if not result.is_new:
        answer(
            f"{result.store.name}: nothing changed since snapshot {newest.stamp} ({stamp.shown(newest.stamp)})"
        )
        return
    answer(f"{result.store.name}: saved snapshot {newest.stamp}")
    if not (result.changes.changes or result.changes.conda) or newest.subject.startswith("First snapshot"):
        answer(f"  {newest.subject}, Python {newest.python}" if newest.python else f"  {newest.subject}")
    else:
        changes(result.changes, "  ")


def log(result: Log) -> None:
    """Print a line a snapshot: stamp, time, what it is known by, what changed."""
    for listed in result.listed:
        marks = _marks(listed)
        one = listed.snapshot
        what = "; ".join(f"{c.kind.value} {c.name} {_sides(c)}" for c in listed.changes) or one.subject
        when = stamp.shown(one.stamp)[:16]
        answer(_painted_row(f"{one.stamp}  {when}  ", f"({', '.join(marks)}) " if marks else "", what))
    if not result.listed:
        say("no snapshot fits")
    if result.more:
        say("older ones: `gitsnap log -n 100`, or `-n 0` for all")


def _painted_row(head: str, marks: str, tail: str) -> str:
    row = _cut(head + marks + tail)
    if not marks or not row.startswith(head + marks):
        return row
    return head + _paint(marks, "36") + row[len(head + marks) :]


def _marks(listed: Listed) -> list[str]:
    marks = {"now": listed.is_now, "good": listed.is_good}
    return [name for name, holds in marks.items() if holds] + list(listed.snapshot.tags)


def status(result: Status) -> None:
    """Print how an environment stands; a failure of launches leads."""
    if result.failure:
        answer(_paint(f"launches have failed since {result.failure.time}:", "31"))
        answer(f"  {printable(result.failure.message, 500)}\n")
    if not result.config.keep_backup:
        answer("saving is switched off: `backup.keep_backup` is false\n")
    if result.unfinished:
        answer(f"{_paint(unfinished.MESSAGE, '31')}: {unfinished.HINT}\n")
    where = result.environment.prefix if result.environment else "?"
    answer(f"environment  {result.store.name} ({printable(str(where), 500)})")
    if result.environment:
        answer(f"python       {'.'.join(map(str, result.environment.python))}")
    answer(f"repository   {printable(str(result.store.path), 500)}")
    if result.newest is None:
        answer("newest       none yet: `gitsnap save` takes the first snapshot")
        return
    tags = f" ({', '.join(result.newest.tags)})" if result.newest.tags else ""
    answer(f"newest       {result.newest.stamp}{tags}  {result.newest.subject}")
    if result.waiting:
        answer(f"remote       {_waiting(result.waiting, result.config.push)}")
    if result.trouble:
        return
    answer(f"since then   {_counts(result.drift) if result.drift else 'nothing changed'}")
    changes(result.drift, "  ")


def _waiting(one: Waiting, push: str) -> str:
    """Say what is not on the remote, since when and why."""
    if not one.unsent:
        return f"all pushed to {one.branch}"
    what = f"{one.unsent} snapshot{'' if one.unsent == 1 else 's'} not pushed"
    if not one.message:
        return what + ("; `gitsnap push` sends them" if push == "manual" else "")
    return f"{what} since {_day(one.since)}: {one.message}"


def _day(moment: str) -> str:
    """Return a day as people say it: its name within a week, then its date."""
    with contextlib.suppress(ValueError):
        when = datetime.fromisoformat(moment).astimezone()
        days = (datetime.now().astimezone().date() - when.date()).days
        return "today" if days == 0 else f"{when:%A}" if 0 < days < 7 else f"{when:%Y-%m-%d}"  # noqa: PLR2004
    return "some time"


def show(state: State) -> None:
    """Print one snapshot for people: what it is, then its lines."""
    one = state.snapshot
    if one:
        rows = {
            "snapshot": one.stamp + (f" ({', '.join(one.tags)})" if one.tags else ""),
            "taken": one.time.isoformat(" ", "seconds"),
            "changed": one.subject,
            "environment": one.environment + (f" on {one.machine}" if one.machine else ""),
            "reason": one.reason,
            "commit": one.commit,
            "fetched": state.fetched[:16].replace("T", " "),
        }
        for key, value in rows.items():
            if value:
                answer(f"{key:12} {value}")
        answer("")
    for line in state.text.decode("utf-8", "replace").splitlines():
        answer(printable(line, 2000))


def comparison(result: Comparison) -> None:
    """Print what changed from one state to another."""
    labels = f"{printable(result.before.label)} -> {printable(result.after.label)}"
    if not result.diff:
        answer(f"{labels}: nothing differs")
        return
    answer(labels)
    changes(result.diff)


def environments(result: Environments) -> None:
    """Print a line an environment, and the launches that failed."""
    width = max((len(one.store.name) for one in result.known), default=0)
    for one in result.known:
        answer(_cut(f"{one.store.name:{width}}  {_newest(one)}  {_place(one)}"))
    remote = {f"{one.machine}/{one.environment}:": one for one in result.fetched}
    width = max(map(len, remote), default=0)
    for name, found in remote.items():
        newest = stamp.shown(found.newest.stamp) if found.newest else "no snapshot"
        answer(_cut(f"{name:{width}}  {newest}  (fetched {found.fetched[:16].replace('T', ' ')})"))
    if not (result.known or result.fetched):
        say("no environment is known here yet; `gitsnap save` takes the first snapshot of one")
    for kept in result.failures:
        what = (
            "launches that named no environment"
            if kept.key == UNKNOWN
            else f"launches of {printable(kept.key)}"
        )
        say(f"{what} have failed since {kept.time}: {printable(kept.message)}")


def _newest(one: Known) -> str:
    return one.trouble or (stamp.shown(one.newest.stamp) if one.newest else f"{'no snapshot':19}")


def _place(one: Known) -> str:
    if one.prefix is None:
        return "(belongs to the first environment of that name that saves)"
    return printable(one.prefix) + (" (gone)" if one.is_gone else "")


def tags(found: Sequence[Any]) -> None:
    """Print a line a tag."""
    width = max((len(name) for one in found for name in one.tags), default=0)
    for one in found:
        for name in one.tags:
            answer(_cut(f"{name:{width}}  {one.stamp}  {one.subject}"))
    if not found:
        say("no snapshot has a tag; `gitsnap tag NAME` gives the newest one")


def pruned(result: Pruned) -> None:
    """Say what was removed from the folder."""
    count = len(result.removed)
    if not count:
        answer(f"{result.store.name}: no file is past the limit")
        return
    answer(
        f"{result.store.name}: removed {count} file{'' if count == 1 else 's'} past the limit; history keeps all"
    )


def checked(result: Checked) -> None:
    """Say whether every snapshot is there."""
    for line in result.repaired:
        say(f"{result.store.name}: {line}")
    for name in result.strays:
        say(f"{result.store.name}: `{name}` is not in the history; `gitsnap diff {name}` compares it")
    for line in result.problems:
        answer(f"{result.store.name}: {line}")
    if not result.problems:
        count = result.snapshots
        answer(f"{result.store.name}: {count} snapshot{'' if count == 1 else 's'}, all there")


def config(result: Config) -> None:
    """Print each effective value and where it comes from."""
    rows = [
        (o.key, str(o.value).lower() if isinstance(o.value, bool) else str(o.value), o.source)
        for o in result.origins
    ]
    width = max(len(value) for _, value, _ in rows)
    for key, value, source in rows:
        answer(f"{key:18}  {value:{width}}  {source}")
