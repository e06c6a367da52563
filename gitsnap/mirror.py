"""What was fetched from the remote: the branches of all machines, in a bare repository of their own.

It lies in the state path and may be deleted. Nothing in it is ever checked out: a file is read as bytes, up to a
limit, and a link is no file.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import address, files, good, message, plumbing, transfer, verdict
from gitsnap.errors import GitsnapError, NotFoundError
from gitsnap.model import CURRENT, Snapshot, printable
from gitsnap.repository import Entry
from gitsnap.transfer import Surroundings
from gitsnap.verdict import GOOD, Place, Verdict

_HEADS = "refs/heads/"
_MOST_BYTES = 5_000_000
_PATIENCE = 60.0
_ALL = "*"
_TIPS = "%(objectname)%00%(refname)%00%(authordate:raw)%00%(contents)%00"
_LOG = ("-z", "--date=raw", "--format=%H%n%ad%n%B", "--first-parent")


@dataclass(frozen=True)
class Mirror:
    """The place of what was fetched from one configured remote."""

    path: Path
    lock: Path

    @property
    def exists(self) -> bool:
        """Whether anything was fetched yet."""
        return (self.path / "HEAD").is_file()


@dataclass(frozen=True)
class Found:
    """One environment of one machine, as it was last fetched."""

    machine: str
    environment: str
    commit: str
    newest: Snapshot | None
    fetched: str
    """When it was fetched last, ISO 8601 with offset; empty when that is not known."""

    @property
    def branch(self) -> str:
        """Its branch on the remote."""
        return f"{self.machine}/{self.environment}"


def fetch(
    mirror: Mirror,
    url: str,
    place: Place,
    around: Surroundings,
    now: datetime,
    *,
    only: str = "",
    prune: bool = True,
) -> Verdict:
    """Bring the branches and tags of the remote here, or those of the branch *only*; nothing local is touched.

    With *prune*, what is no longer on the remote goes from here too.
    """
    with files.locked(mirror.lock, patience=_PATIENCE, what=f"`{mirror.path}`"):
        if not mirror.exists:
            _make(mirror)
        inner = only or _ALL
        tags = f"{only}/*" if only else _ALL
        refspecs = [f"+refs/heads/{inner}:refs/heads/{inner}", f"+refs/tags/{tags}:refs/tags/{tags}"]
        refspecs.append(f"+{good.PREFIX}*:{good.PREFIX}*")
        options = [
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            *(["--prune"] if prune and not only else []),
        ]
        outcome = transfer.git(mirror.path, ["fetch", *options, "--", url, *refspecs], around)
        if outcome.was_silent:
            return verdict.silent(place, around.silence)
        if outcome.status and only and "couldn't find remote ref" in outcome.words:
            return Verdict(
                verdict.NOT_FOUND,
                f"`{only}` is not on the remote",
                "`gitsnap fetch` brings all there is, `gitsnap environments` lists it",
            )
        if outcome.status:
            return verdict.of_words(outcome.words, place)
        plumbing.run(mirror.path, "pack-refs", "--all")
        _note(mirror, inner, now)
    return GOOD


def _make(mirror: Mirror) -> None:
    """Make the place; what a fetch that was killed left half made is completed."""
    files.make_folder(mirror.path)
    plumbing.make_bare(mirror.path)


def _note(mirror: Mirror, inner: str, now: datetime) -> None:
    """Keep when it was fetched; a fetch of all makes what is known of single ones superfluous."""
    times = {} if inner == _ALL else _times(mirror)
    times[inner] = now.isoformat(timespec="seconds")
    files.write(mirror.path / "gitsnap-fetched.json", json.dumps(times).encode())


def _times(mirror: Mirror) -> dict[str, str]:
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads((mirror.path / "gitsnap-fetched.json").read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return {str(key): str(value) for key, value in found.items()}
    return {}


def fetched_at(mirror: Mirror) -> str:
    """Return when all was fetched last, ISO 8601 with offset; empty for never."""
    return _times(mirror).get(_ALL, "")


def branches(mirror: Mirror) -> tuple[tuple[Found, ...], tuple[str, ...]]:
    """Return the environments that were fetched, by name, and the branches that are none of gitsnap's."""
    if not mirror.exists:
        return (), ()
    tips = [record.lstrip("\n").split("\0") for record in _records(mirror)]
    sizes = _sizes(mirror, [tip[0] for tip in tips])
    times, found, others = _times(mirror), [], []
    for commit, ref, date, text in tips:
        name = ref.removeprefix(_HEADS)
        newest = _newest(mirror, commit, date, text) if address.is_ours(name) and commit in sizes else None
        if newest is None:
            others.append(printable(name))
        else:
            machine, _, environment = name.partition("/")
            when = max(times.get(_ALL, ""), times.get(name, ""))
            found.append(Found(machine, environment, commit, newest, when))
    return tuple(found), tuple(others)


def _records(mirror: Mirror) -> list[str]:
    answer = plumbing.read(mirror.path, "for-each-ref", f"--format={_TIPS}%00", _HEADS).data
    records = answer.decode("utf-8", "replace").split("\0\0")
    return [record for record in records if record.count("\0") == _TIPS.count("%00") - 1]


def _sizes(mirror: Mirror, commits: list[str]) -> set[str]:
    """Return those of *commits* that have a `current.txt` that is a file, and not too large."""
    asked = "".join(f"{commit}:{CURRENT}\n" for commit in commits).encode("ascii")
    lines = plumbing.read(
        mirror.path, "cat-file", "--batch-check=%(objecttype) %(objectsize)", given=asked
    ).lines
    kinds = (line.split(" ") for line in lines)
    return {
        commit
        for commit, (kind, size) in zip(commits, ((k[0], k[-1]) for k in kinds), strict=True)
        if kind == "blob" and size.isdigit() and int(size) <= _MOST_BYTES
    }


def _newest(mirror: Mirror, commit: str, date: str, text: str) -> Snapshot | None:
    """Return the newest snapshot of a branch: mostly its tip, else one below a prune or a user's own commit."""
    seconds, _, offset = date.partition(" ")
    with suppress(ValueError):
        if tip := message.parse(commit, int(seconds), offset, text):
            return tip
    return next(iter(Branch(mirror, commit).snapshots(limit=1)), None)


def named(mirror: Mirror, branch: str) -> Found | None:
    """Return the environment of *branch* as it was last fetched; None where it was not."""
    if not mirror.exists:
        return None
    commit = plumbing.refs(mirror.path, _HEADS + branch).get(_HEADS + branch)
    if commit is None:
        return None
    machine, _, environment = branch.partition("/")
    times = _times(mirror)
    newest = next(iter(Branch(mirror, commit, branch).snapshots(limit=1)), None)
    return Found(machine, environment, commit, newest, max(times.get(_ALL, ""), times.get(branch, "")))


@dataclass(frozen=True)
class Branch:
    """The history of one fetched environment, read as that of a local one is."""

    mirror: Mirror
    head: str
    name: str = ""

    def snapshots(
        self, *, start: str | None = None, limit: int | None = None, stamp: str | None = None
    ) -> list[Snapshot]:
        """Return snapshots newest first, at most *limit*; or those with a *stamp* that begins so."""
        pattern = message.TRAILER if stamp is None else f"^Snapshot: {stamp}[0-9]*$"
        arguments = [*_LOG, "--basic-regexp", f"--grep={pattern}", start or self.head, "--"]
        found = self._log(arguments)
        return found if limit is None else found[:limit]

    def commits_touching(self, pattern: str) -> list[Snapshot]:
        """Return the snapshots in which a line of `current.txt` that fits *pattern* came or went."""
        return self._log([*_LOG, "-i", f"-G{pattern}", self.head, "--", CURRENT])

    def _log(self, arguments: list[str]) -> list[Snapshot]:
        output = plumbing.read(self.mirror.path, "log", *arguments).data.decode("utf-8", "replace")
        return [snapshot for record in output.split("\0") if record and (snapshot := _snapshot(record))]

    def parent(self, commit: str) -> str | None:
        """Return the first parent of *commit*, or None for the first."""
        done = plumbing.run(self.mirror.path, "rev-parse", "--verify", "--quiet", f"{commit}^1")
        return done.lines[0] if done.status == 0 else None

    def entries(self, commit: str) -> dict[str, Entry]:
        """Return the entries of the top folder of *commit* by name."""
        data = plumbing.read(self.mirror.path, "ls-tree", "-z", commit).data.decode(
            "utf-8", "surrogateescape"
        )
        rows = (record.partition("\t") for record in data.split("\0") if record)
        return {name: Entry(int(head[:6], 8), head.split(" ")[2]) for head, _, name in rows}

    def read(self, commit: str, name: str) -> bytes | None:
        """Return the bytes of the file *name* in *commit*; None where there is none, or it is something else."""
        entry = self.entries(commit).get(name)
        if entry is None or entry.mode not in {0o100644, 0o100755}:
            return None
        size = int(plumbing.read(self.mirror.path, "cat-file", "-s", entry.blob).data)
        if size > _MOST_BYTES:
            raise GitsnapError(
                f"`{printable(name)}` of `{self.name}` has {size:,} bytes, which no snapshot has",
                hint="it was not read; see who writes to that branch of the remote",
            )
        return plumbing.read(self.mirror.path, "cat-file", "blob", entry.blob).data

    def good(self) -> frozenset[str]:
        """Return the blobs of the contents that a launch went well with, on whichever machine."""
        return good.known(self.mirror.path)

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag of this environment, by its own name."""
        head = f"refs/tags/{self.name}/"
        lines = plumbing.read(
            self.mirror.path, "for-each-ref", "--format=%(objectname) %(*objectname) %(refname)", head
        ).lines
        rows = (line.split(" ", 2) for line in lines)
        return {name.removeprefix(head): peeled or direct for direct, peeled, name in rows}


def _snapshot(record: str) -> Snapshot | None:
    parts = record.split("\n", 2)
    with suppress(ValueError, IndexError):
        seconds, offset = parts[1].split(" ")
        return message.parse(parts[0], int(seconds), offset, parts[2])
    return None


def opened(mirror: Mirror, found: Found) -> Branch:
    """Return the history of an environment that was fetched; raises NotFoundError for one without a snapshot."""
    if found.newest is None:
        raise NotFoundError(
            f"`{found.branch}` on the remote holds no snapshot",
            hint="`gitsnap environments` lists those that do",
        )
    return Branch(mirror, found.commit, found.branch)
