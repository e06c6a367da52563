"""States from elsewhere put into the history of an environment, below its snapshots or on top of them.

The one place where a snapshot can get another commit: none that was pushed, content and dates as they were, the
old tip kept under `refs/gitsnap/before/`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitsnap import changes, files, freezefile, message, repository, retention, stamp, store
from gitsnap.errors import GitsnapError
from gitsnap.model import CURRENT, Diff, Freeze, Snapshot, stamp_of, stamped_name
from gitsnap.oddstate import BRANCH
from gitsnap.repository import Entry, Repository
from gitsnap.store import Store
from gitsnap.stream import Draft, Kept

_EXTRA = "Other lines changed"
_FIRST = b"First snapshot: "
_BATCH = 500


@dataclass(frozen=True)
class Past:
    """A state that was recorded by other means, with its own stamp."""

    stamp: str
    text: bytes
    reason: str


@dataclass(frozen=True)
class Terms:
    """What is in force while a history grows."""

    limit: int
    machine: str
    now: datetime
    prefix: str = ""
    """What the repository is to remember as its environment's prefix, if it remembers none."""


@dataclass(frozen=True)
class Grown:
    """What came into a history."""

    store: Store
    added: tuple[Snapshot, ...]
    """Oldest first."""
    known: tuple[str, ...]
    """The stamps that were there already."""
    kept: str = ""
    """The ref that names the old tip, where snapshots got new commits."""


def grow(found: Store, past: Sequence[Past], terms: Terms) -> Grown:
    """Put *past*, oldest first, into the history of *found*: all below what is there, or all on top of it.

    What is there already is left as it is. Raises OverlapError where the states lie among the snapshots, or below
    some that were pushed; then nothing is changed.
    """
    with _writing(found) as repo:
        there = repo.snapshots()
        stamps = {one.stamp for one in there}
        known = tuple(one.stamp for one in past if one.stamp in stamps or _is_recorded(repo, there, one))
        new = [one for one in past if one.stamp not in known]
        if not new:
            return Grown(found, (), known)
        if not there or new[0].stamp > max(stamps):
            chain = _Chain(repo, terms, base=repo.head, pinned=_pinned(repo))
            chain.extend(found, new)
            added, kept = _appended(found, repo, chain), ""
        else:
            _refuse_overlap(found, new, there)
            commits = _movable(found, repo)
            chain = _Chain(repo, terms, base=None, pinned=_pinned(repo))
            chain.extend(found, new)
            added, kept = _replayed(found, repo, chain, commits, terms)
        _remember(found, terms.prefix)
        return Grown(found, added, known, kept)


def put_on_top(found: Store, base: str, terms: Terms) -> Grown:
    """Put the snapshots of *found* on top of the commit *base*, the tip of an older history of the same environment.

    Raises OverlapError where some are older than the newest there, or were pushed; then nothing is changed.
    """
    with _writing(found) as repo:
        commits = _movable(found, repo)
        older, there = repo.snapshots(start=base), repo.snapshots()
        if older and there and max(one.stamp for one in older) >= min(one.stamp for one in there):
            raise _overlap(found, "some of its snapshots are older than the newest of those")
        chain = _Chain(repo, terms, base=base, pinned=_pinned(repo))
        _, kept = _replayed(found, repo, chain, commits, terms)
        return Grown(found, (), (), kept)


class OverlapError(GitsnapError):
    """States that cannot be put into a history without changing what must stay."""


def _overlap(found: Store, reason: str) -> OverlapError:
    return OverlapError(f"environment `{found.name}`: {reason}; nothing was changed")


def _refuse_overlap(found: Store, new: Sequence[Past], there: Sequence[Snapshot]) -> None:
    first = min(one.stamp for one in there)
    late = [one for one in new if one.stamp >= first]
    if late:
        raise _overlap(found, f"{len(late)} of the {len(new)} states are not older than its snapshot {first}")


def _is_recorded(repo: Repository, there: Sequence[Snapshot], one: Past) -> bool:
    """Tell whether the snapshot of that time, or the one after it, says the same: both were taken side by side."""
    earlier = [at for at, other in enumerate(there) if other.stamp <= one.stamp][:1]
    beside = [there[at] for found in earlier for at in (found, found - 1) if at >= 0]
    return any(_lines(repo.read(other.commit, CURRENT) or b"") == _lines(one.text) for other in beside)


def _lines(text: bytes) -> list[bytes]:
    """Return the lines of a snapshot below its header."""
    return text.partition(b"\n\n")[2].split(b"\n")


def _movable(found: Store, repo: Repository) -> list[str]:
    """Return the commits of the history, oldest first, if none of them was pushed."""
    commits = repo.chain()
    if commits and repo.is_sent(commits[0]):
        raise _overlap(found, "its snapshots were pushed, and what was pushed stays as it is")
    return commits


def _pinned(repo: Repository) -> frozenset[str]:
    return frozenset(one.stamp for one in repo.at(set(repo.tags().values())))


@contextlib.contextmanager
def _writing(found: Store) -> Iterator[Repository]:
    """Open the repository under its lock; it is made where there is none."""
    files.refuse_foreign(found.path)
    with files.locked(found.lock, patience=store.PATIENCE, what=f"`{found.path}`") as was_killed:
        if was_killed:
            repository.clear_leavings(found.path)
        if not found.exists or not repository.is_complete(found.path):
            repository.create(found.path)
        repository.wait_for_locks(found.path)
        with repository.opened(found.path) as repo:
            yield repo


class _Chain:
    """Commits to be made, each on top of the one before, and the folder as the last one has it."""

    def __init__(
        self, repo: Repository, terms: Terms, *, base: str | None, pinned: Collection[str] = ()
    ) -> None:
        """Begin on top of the commit *base*, or of nothing; the files of *pinned* stamps stay past the limit."""
        self._repo = repo
        self._terms = terms
        self._base = base
        self._pinned = pinned
        self.folder: dict[str, bytes | Kept] = {}
        self._drafts: list[Draft] = []
        self._before: Freeze | None = None
        self._order: list[str] = []
        if base:
            self.folder = {name: Kept(one.mode, one.blob) for name, one in repo.entries(base).items()}
            self._before = freezefile.parse((repo.read(base, CURRENT) or b"").decode("utf-8", "replace"))
            present = {mark for name in self.folder if (mark := stamp_of(name))}
            self._order = [one.stamp for one in reversed(repo.snapshots(start=base)) if one.stamp in present]

    def __len__(self) -> int:
        """Return the number of commits."""
        return len(self._drafts)

    @property
    def content(self) -> bytes | None:
        """The bytes of `current.txt` in the last commit; None where there is none."""
        found = self.folder.get(CURRENT)
        return self._repo.blob(found.blob) if isinstance(found, Kept) else found

    def place(self, made: Sequence[str], at: int) -> str:
        """Return the commit at *at* of those *made*; before the first lies what they are put on top of."""
        return made[at] if at >= 0 else str(self._base)

    def extend(self, found: Store, past: Sequence[Past]) -> None:
        """Add a commit for each state."""
        times = [(stamp.moment(one.stamp) or self._terms.now).astimezone() for one in past]
        for one, who in zip(past, self._repo.signatures(times), strict=True):
            freeze = freezefile.parse(one.text.decode("utf-8"))
            trailers = {
                "Snapshot": one.stamp,
                "Environment": found.name,
                "Machine": self._terms.machine,
                "Python": freeze.python,
                "Reason": one.reason,
            }
            text = self._message(freeze, trailers).encode("utf-8", "surrogateescape")
            self.add(
                {stamped_name(one.stamp): one.text, CURRENT: one.text}, (), Draft({}, (), text, who, who)
            )
            self._before = freeze

    def _message(self, freeze: Freeze, trailers: dict[str, str]) -> str:
        if self._before is None:
            return message.compose(Diff(()), first=len(freeze.distributions), extra=_EXTRA, trailers=trailers)
        return message.compose(
            changes.compare(self._before, freeze), first=None, extra=_EXTRA, trailers=trailers
        )

    def replay(
        self, text: bytes, words: Draft, changed: Mapping[str, Entry], removed: Collection[str]
    ) -> None:
        """Add a commit that was made before; one that was the first says now what it changed."""
        freeze = freezefile.parse(text.decode("utf-8", "replace"))
        if words.text.startswith(_FIRST) and self._before is not None:
            tail = words.text.decode("utf-8", "surrogateescape").rstrip("\n").rpartition("\n\n")[2]
            pairs = (line.partition(": ") for line in tail.split("\n"))
            new = self._message(freeze, {key: value for key, _, value in pairs})
            words = Draft({}, (), new.encode("utf-8", "surrogateescape"), words.author, words.committer)
        self.add({name: Kept(one.mode, one.blob) for name, one in changed.items()}, removed, words)
        self._before = freeze

    def add(self, changed: Mapping[str, bytes | Kept], removed: Collection[str], words: Draft) -> None:
        """Add a commit with these changes of the folder, and without the files that are past the limit then."""
        gone = {name for name in removed if name in self.folder}
        self._order = [mark for mark in self._order if stamped_name(mark) not in gone]
        self._order += [mark for name in changed if (mark := stamp_of(name)) and mark not in self._order]
        past = retention.expired(self._order[::-1], self._pinned, self._terms.limit)
        self._order = [mark for mark in self._order if mark not in past]
        expired = {stamped_name(mark) for mark in past}
        kept = {name: content for name, content in changed.items() if name not in expired}
        gone |= {name for name in expired if name in self.folder}
        self.folder = {name: content for name, content in (self.folder | kept).items() if name not in gone}
        self._drafts.append(Draft(kept, sorted(gone), words.text, words.author, words.committer))

    def commits(self) -> list[str]:
        """Make the commits; nothing names them yet."""
        return self._repo.commit_many(self._drafts, self._base)

    def snapshots(self, commits: Sequence[str]) -> tuple[Snapshot, ...]:
        """Return the snapshots among the first of *commits*, as they were made."""
        found = []
        for commit, draft in zip(commits, self._drafts, strict=False):
            _, seconds, offset = draft.author.decode("utf-8", "replace").rsplit(" ", 2)
            text = draft.text.decode("utf-8", "replace")
            if one := message.parse(commit, int(seconds), offset, text):
                found.append(one)
        return tuple(found)

    def lay_out(self, found: Store, before: Mapping[str, Entry]) -> None:
        """Write the files of the last commit into the folder, `current.txt` last.

        A file that is not as *before* had it was edited by hand: the next save keeps it and puts it right.
        """
        ours = sorted(name for name in {*before, *self.folder} if name == CURRENT or stamp_of(name))
        for name in ours:
            path = found.path / name
            data = files.read(path)
            if data is not None and not (name in before and repository.blob_id(data) == before[name].blob):
                continue
            content = self.folder.get(name)
            if content is None:
                files.remove(path)
            elif data is None or _entry(content) != before[name]:
                files.write(path, content if isinstance(content, bytes) else self._repo.blob(content.blob))
        self._update_index(ours)

    def _update_index(self, names: Sequence[str]) -> None:
        present = {name: _entry(self.folder[name]) for name in names if name in self.folder}
        removed = [name for name in names if name not in present]
        for start in range(0, max(len(present), len(removed)), _BATCH):
            part = dict(list(present.items())[start : start + _BATCH])
            self._repo.update_index(part, removed[start : start + _BATCH])


def _entry(content: bytes | Kept) -> Entry:
    if isinstance(content, Kept):
        return Entry(content.mode, content.blob)
    return Entry(0o100644, repository.blob_id(content))


def _appended(found: Store, repo: Repository, chain: _Chain) -> tuple[Snapshot, ...]:
    """Let the branch go on with the chain."""
    old = repo.head
    before = repo.entries(old) if old else {}
    made = chain.commits()
    repo.move_refs({BRANCH: (made[-1], old)}, f"{len(made)} earlier states taken in")
    chain.lay_out(found, before)
    return chain.snapshots(made)


def _replayed(
    found: Store, repo: Repository, chain: _Chain, commits: Sequence[str], terms: Terms
) -> tuple[tuple[Snapshot, ...], str]:
    """Put *commits* on top of the chain, move the branch and the tags there, and keep the old tip.

    Returns the snapshots below them, and the ref that names the old tip.
    """
    places: dict[str, int] = {}
    count = len(chain)
    before: dict[str, Entry] = {}
    for commit in commits:
        entries = repo.entries(commit)
        text = repo.read(commit, CURRENT) or b""
        # The same state twice would be a snapshot without a change.
        if before or text != chain.content:
            author, committer, words = repo.words(commit)
            changed = {name: one for name, one in entries.items() if before.get(name) != one}
            removed = [name for name in before if name not in entries]
            chain.replay(text, Draft({}, (), words, author, committer), changed, removed)
        places[commit] = len(chain) - 1
        before = entries
    made = chain.commits() if len(chain) else []
    kept = f"refs/gitsnap/before/{stamp.of(terms.now)}"
    moves: dict[str, tuple[str, str | None]] = {
        f"refs/tags/{name}": (chain.place(made, places[commit]), "")
        for name, commit in repo.tags().items()
        if commit in places
    }
    moves |= {kept: (commits[-1], None), BRANCH: (chain.place(made, len(made) - 1), commits[-1])}
    repo.move_refs(moves, "snapshots put on top of older states")
    chain.lay_out(found, before)
    return chain.snapshots(made[:count]), kept


def _remember(found: Store, prefix: str) -> None:
    if prefix and store.remembered(found) is None:
        files.write(
            found.path / ".git" / "gitsnap" / "prefix", f"{prefix}\n".encode("utf-8", "surrogateescape")
        )
