"""The snapshots of one environment: saved, found, pruned, tagged and healed, under its lock."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from gitsnap import (
    changes,
    conda,
    files,
    freezefile,
    mending,
    message,
    oddstate,
    repository,
    retention,
    snap,
    stamp,
    unfinished,
)
from gitsnap.config import Config
from gitsnap.errors import GitsnapError, NoRepositoryError, NotFoundError, UnfinishedError, UsageError
from gitsnap.model import (
    CONDA,
    CURRENT,
    Diff,
    Environment,
    Freeze,
    Snapshot,
    printable,
    stamp_of,
    stamped_name,
)
from gitsnap.repository import Entry, Repository

PATIENCE = 30.0
_FILE = 0o100644
_PRIVATE = Path(".git", "gitsnap")


class History(Protocol):
    """What the snapshots of one environment are read by: a repository here, or a branch that was fetched."""

    @property
    def head(self) -> str | None:
        """The newest commit."""

    def snapshots(
        self, *, start: str = ..., limit: int | None = None, stamp: str | None = None
    ) -> list[Snapshot]:
        """Return snapshots from *start* back, newest first; or those with a *stamp* that begins so."""

    def commits_touching(self, pattern: str) -> list[Snapshot]:
        """Return the snapshots in which a line that fits *pattern* came or went."""

    def parent(self, commit: str) -> str | None:
        """Return the parent of *commit*."""

    def entries(self, commit: str) -> dict[str, Entry]:
        """Return the entries of the top folder of *commit* by name."""

    def read(self, commit: str, name: str) -> bytes | None:
        """Return the bytes of the file *name* in *commit*."""

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag."""

    def good(self) -> frozenset[str]:
        """Return the blobs of the contents that a launch went well with."""


@dataclass(frozen=True)
class Store:
    """Where the snapshots of one environment are, and what belongs to them in the state path."""

    name: str
    path: Path
    lock: Path
    aside: Path

    @property
    def exists(self) -> bool:
        """Whether there is a repository."""
        return repository.exists(self.path)


@dataclass(frozen=True)
class Saved:
    """What a save did."""

    store: Store
    newest: Snapshot
    """The snapshot that the environment equals now."""
    is_new: bool
    """Whether this save took it; False when nothing had changed."""
    changes: Diff
    commit: str
    """The commit at the tip; a prune or a commit of the user's may lie on the snapshot."""
    healed: tuple[str, ...]
    """What was put right, a line each."""


@dataclass(frozen=True)
class Look:
    """What an environment holds now, as it is committed."""

    text: bytes
    conda: bytes | None = None
    """Conda's explicit list; None where conda did not make the environment."""


@dataclass(frozen=True)
class Plan:
    """What a save is given: what it must not find out for itself."""

    environment: Environment
    look: Callable[[], Look]
    """Freezes the environment; called under the lock, so that waiting for it cannot make the text old."""
    now: datetime
    limit: int
    machine: str
    reason: str


def named(config: Config, name: str) -> Store:
    """Return the store of the environment called *name*, whether it exists or not."""
    path = config.repository(name)
    key = hashlib.sha256(os.path.normcase(path.absolute()).encode("utf-8", "surrogateescape")).hexdigest()[
        :16
    ]
    return Store(name, path, config.state_path / "locks" / f"{key}.lock", config.state_path / "edited" / name)


def all_known(config: Config) -> list[Store]:
    """Return every store there is, by name."""
    try:
        names = sorted(entry.name for entry in os.scandir(config.folder) if entry.is_dir())
    except OSError:
        return []
    return [store for name in names if (store := named(config, name)).exists]


def remembered(store: Store) -> str | None:
    """Return the prefix of the environment that *store* belongs to, or None when it does not say."""
    try:
        return (store.path / _PRIVATE / "prefix").read_text(
            encoding="utf-8", errors="surrogateescape"
        ).strip() or None
    except OSError:
        return None


def with_prefix(config: Config, prefix: str) -> Store | None:
    """Return the store that belongs to the environment at *prefix*, if one does."""
    return next((store for store in all_known(config) if _same(remembered(store), prefix)), None)


def of(config: Config, environment: Environment) -> Store:
    """Return the store of *environment*: its own, else one by its name.

    A store whose environment is gone is gone on with; where it is not, the name gets a short suffix. Names that
    differ in case alone count as the same, as they do on Windows and macOS.
    """
    prefix = str(environment.prefix)
    if own := with_prefix(config, prefix):
        return own
    taken = {store.name.casefold(): store for store in all_known(config)}
    other = taken.get(environment.name.casefold())
    if other is None:
        return named(config, environment.name)
    owner = remembered(other)
    if owner is None or not Path(owner).exists():
        return other
    suffix = hashlib.sha256(os.path.normcase(prefix).encode("utf-8", "surrogateescape")).hexdigest()[:6]
    return named(config, f"{environment.name}-{suffix}")


def _same(one: str | None, other: str) -> bool:
    return one is not None and os.path.normcase(one) == os.path.normcase(other)


def save(config: Config, plan: Plan, *, patience: float = PATIENCE) -> Saved:
    """Take a snapshot of the environment if it changed, after putting right what is not as it was left.

    Raises GitsnapError; whatever happens, the last good snapshot is intact and the next save heals the rest.
    """
    store = of(config, plan.environment)
    with _locked(store, patience) as was_killed:
        rightful = of(config, plan.environment)
        if rightful == store:
            return _save(store, plan, was_killed=was_killed)
    # While we waited, another environment of the same name took that repository.
    return save(config, plan, patience=patience)


@contextlib.contextmanager
def _locked(store: Store, patience: float = PATIENCE) -> Iterator[bool]:
    files.refuse_foreign(store.path)
    with files.locked(store.lock, patience=patience, what=f"`{store.path}`") as was_killed:
        if was_killed:
            repository.clear_leavings(store.path)
        try:
            yield was_killed
        except repository.GitKilledError:
            repository.clear_leavings(store.path)
            raise


@contextlib.contextmanager
def _writing(store: Store) -> Iterator[Repository]:
    """Open a repository that exists, under its lock."""
    _refuse_absent(store)
    with _locked(store), repository.opened(store.path) as repo:
        repository.wait_for_locks(store.path)
        yield repo


def _save(store: Store, plan: Plan, *, was_killed: bool) -> Saved:
    if unfinished.unfinished(str(store.path)):
        # What the environment holds in the middle of a rollback is no state to keep.
        raise UnfinishedError(unfinished.MESSAGE, hint=unfinished.HINT)
    look = plan.look()
    anew = not store.exists
    lost = anew and store.path.is_dir() and any(stamp_of(name) for name in os.listdir(store.path))
    if anew or ((store.path / ".git").is_dir() and not repository.is_complete(store.path)):
        repository.create(store.path)
    repository.wait_for_locks(store.path)
    with repository.opened(store.path) as repo:
        healed = ["began a new history from the files in the folder: its `.git` was lost"] if lost else []
        healed += _heal(store, repo, plan)
        if was_killed and not healed:
            healed.append("an earlier save was killed; nothing was lost")
        saved = _record_change(store, repo, plan, look, tuple(healed))
    _remember(store, plan.environment)
    if saved.is_new and repository.needs_maintenance(store.path):
        repository.start_maintenance(store.path)
    return saved


def _remember(store: Store, environment: Environment) -> None:
    prefix = str(environment.prefix)
    if remembered(store) != prefix:
        files.write(store.path / _PRIVATE / "prefix", f"{prefix}\n".encode("utf-8", "surrogateescape"))


def _record_change(store: Store, repo: Repository, plan: Plan, look: Look, healed: tuple[str, ...]) -> Saved:
    """Commit what the environment holds if git says that it differs from the newest rolling files."""
    head = repo.head
    entries = repo.entries(head) if head else {}
    newest = next(iter(repo.snapshots(limit=1)), None)
    if head and newest and _is_recorded(entries, look):
        return Saved(store, newest, is_new=False, changes=Diff(()), commit=head, healed=healed)
    mark = _next_stamp(store, repo, plan.now, entries, newest)
    changes = _difference(repo, entries, look)
    trailers = {
        "Snapshot": mark,
        "Environment": store.name,
        "Machine": plan.machine,
        "Python": freezefile.parse(look.text.decode("utf-8")).python,
        "Reason": plan.reason,
    }
    snapshot = _commit(
        store, repo, _New(look, mark, plan.now, changes, trailers, first=newest is None), plan.limit
    )
    return Saved(store, snapshot, is_new=True, changes=changes, commit=snapshot.commit, healed=healed)


def _next_stamp(
    store: Store, repo: Repository, now: datetime, entries: Collection[str], newest: Snapshot | None
) -> str:
    """Return a stamp that neither a file has nor, where the clock was set back, a pruned snapshot."""
    taken = {found for name in (*entries, *os.listdir(store.path)) if (found := stamp_of(name))}
    mark = stamp.following(now, newest.stamp if newest else None, taken)
    while newest and mark < newest.stamp and repo.snapshots(stamp=mark, limit=1):
        taken.add(mark)
        mark = stamp.following(now, newest.stamp, taken)
    return mark


def _is_recorded(entries: Mapping[str, Entry], look: Look) -> bool:
    wanted = {CURRENT: look.text, CONDA: look.conda}
    return all(
        (entries[name].blob if name in entries else None)
        == (None if data is None else repository.blob_id(data))
        for name, data in wanted.items()
    )


def _difference(repo: Repository, entries: Mapping[str, Entry], look: Look) -> Diff:
    before = {name: repo.blob(entries[name].blob) for name in (CURRENT, CONDA) if name in entries}
    return changes.compare(
        freeze_of(before.get(CURRENT, b""), before.get(CONDA)), freeze_of(look.text, look.conda)
    )


def freeze_of(text: bytes, explicit: bytes | None) -> Freeze:
    """Read what a snapshot holds: its file, and conda's list where there is one."""
    found = freezefile.parse(text.decode("utf-8", "replace"))
    return replace(found, conda=conda.parse(explicit.decode("utf-8", "replace"))) if explicit else found


@dataclass(frozen=True)
class _New:
    """A snapshot about to be committed."""

    look: Look
    stamp: str
    when: datetime
    changes: Diff
    trailers: Mapping[str, str]
    first: bool


def _commit(store: Store, repo: Repository, new: _New, limit: int) -> Snapshot:
    """Make one commit: the stamped file, `current.txt`, and what is past the limit; then the same in the folder.

    The order is what makes a kill harmless: objects and branch first, the stamped file, `current.txt` last.
    """
    head = repo.head
    entries = repo.entries(head) if head else {}
    entry = Entry(_FILE, repo.store("blob", new.look.text))
    name = stamped_name(new.stamp)
    added = {name: entry, CURRENT: entry}
    if new.look.conda is not None:
        added[CONDA] = Entry(_FILE, repo.store("blob", new.look.conda))
    after = {**entries, **added}
    gone = [stamped_name(old) for old in _expired(repo, after, limit, newest=new.stamp)]
    gone += [CONDA] if CONDA in entries and CONDA not in added else []
    for old in gone:
        del after[old]
    first = len(freeze_of(new.look.text, None).distributions) if new.first else None
    text = message.compose(new.changes, first=first, extra="Other lines changed", trailers=dict(new.trailers))
    commit = repo.commit(after, text, when=new.when, old=head)
    files.write(store.path / name, new.look.text)
    for old in gone:
        files.remove(store.path / old)
    repo.update_index(added, gone)
    if new.look.conda is not None:
        files.write(store.path / CONDA, new.look.conda)
    files.write(store.path / CURRENT, new.look.text)
    made = message.parse(commit, int(new.when.timestamp()), new.when.strftime("%z")[:5] or "+0000", text)
    if made is None:
        raise GitsnapError(f"the snapshot {new.stamp} has no readable message")
    return made


def _expired(
    repo: Repository, entries: Mapping[str, Entry], limit: int, *, newest: str | None = None
) -> list[str]:
    """Return the stamps past *limit*: of files that gitsnap wrote, in history's order, pinned ones left out."""
    present = [found for name in entries if (found := stamp_of(name))]
    if len(present) <= limit:
        return []
    pinned = {one.stamp for one in repo.at(set(repo.tags().values()))}
    wanted = {*present} - pinned
    history = repo.snapshots(limit=2 * len(present))
    if not wanted <= {newest, *(one.stamp for one in history)}:
        # A file of the user's that is named like ours, or many snapshots whose files are gone.
        history = repo.snapshots()
    order = [newest] if newest else []
    order += [one.stamp for one in history]
    return retention.expired([one for one in order if one in wanted], pinned, limit)


def _heal(store: Store, repo: Repository, plan: Plan) -> list[str]:
    """Put right what a kill or a hand left: branch, files, index, stamped files that history does not have."""
    lines = []
    if repo.has_lost_branch:
        lines.append(f"the branch was lost; it is at its last commit {repo.put_branch_back()[:10]} again")
    lines += _heal_strays(store, repo, plan)
    head = repo.head
    if head is None:
        return lines
    entries = repo.entries(head)
    for name in sorted(name for name in entries if is_ours(name)):
        lines += _heal_file(store, repo, name, entries[name])
    return lines + _heal_index(repo, entries)


def is_ours(name: str) -> bool:
    """Tell whether gitsnap writes files of this name."""
    return name in {CURRENT, CONDA} or stamp_of(name) is not None


def _heal_index(repo: Repository, entries: Mapping[str, Entry]) -> list[str]:
    """Let git's index say of our files what the newest commit says; what the user staged besides stays staged."""
    differing = repo.index_differences()
    names = [name for name in differing or () if is_ours(name)]
    pruned = [name for name in names if name not in entries and _is_known(repo, name)]
    behind = {name: entries[name] for name in names if name in entries}
    if differing is not None and not (behind or pruned):
        return []
    repo.update_index(behind, pruned)
    return ["git's index was behind; brought up to date"]


def _is_known(repo: Repository, name: str) -> bool:
    """Tell whether *name* is the file of a snapshot in the history."""
    mark = stamp_of(name)
    return mark is not None and bool(repo.snapshots(stamp=mark, limit=1))


def _heal_file(store: Store, repo: Repository, name: str, entry: Entry) -> list[str]:
    """Write a file again that was edited or deleted by hand; an edited one is kept."""
    path = store.path / name
    if path.is_symlink():
        data: bytes | None = os.fsencode(path.readlink())
    else:
        data = files.read(path)
        if data is not None and repository.blob_id(data) == entry.blob:
            return []
    line = f"`{name}` was missing; written again"
    if name in {CURRENT, CONDA} and data is not None and data == _previous(repo, name):
        line = f"`{name}` was behind; written again"
    elif data is not None:
        line = f"`{name}` was edited; the edited one is kept as `{_keep_aside(store, name, data)}`"
    files.write(path, repo.blob(entry.blob))
    return [line]


def _previous(repo: Repository, name: str) -> bytes | None:
    """Return a rolling file before the newest commit, which a save that was killed leaves in the folder."""
    parent = repo.parent(repo.head) if repo.head else None
    return repo.read(parent, name) if parent else None


def _keep_aside(store: Store, name: str, data: bytes) -> Path:
    place = store.aside / f"{name.removesuffix('.txt')}.{repository.blob_id(data)[:8]}.txt"
    files.write(place, data)
    return place


def strays(store: Store, repo: Repository) -> list[str]:
    """Return the stamps of the files in the folder that the newest commit does not have, oldest first."""
    head = repo.head
    entries = repo.entries(head) if head else {}
    found = (stamp_of(name) for name in os.listdir(store.path) if name not in entries)
    return sorted(one for one in found if one and stamp.moment(one))


def _heal_strays(store: Store, repo: Repository, plan: Plan) -> list[str]:
    """Remove what pruning left, and commit the stamped files of this environment that are newer than history."""
    found = strays(store, repo)
    lines = _spare_current(store, found) if repo.head is None else []
    if not found:
        return lines
    newest = next(iter(repo.snapshots(limit=1)), None)
    last = newest.stamp if newest else ""
    for mark in found:
        path = store.path / stamped_name(mark)
        data = files.read(path) if path.is_file() and not path.is_symlink() else None
        if data is None:
            continue
        known = next(iter(repo.snapshots(stamp=mark, limit=1)), None)
        if known:
            if repo.read(known.commit, CURRENT) != data:
                lines.append(
                    f"`{path.name}` was edited; the edited one is kept as `{_keep_aside(store, path.name, data)}`"
                )
            files.remove(path)
        elif mark > last and names_environment(data, plan.environment):
            _adopt(store, repo, mark, data, plan)
            lines.append(f"`{path.name}` was not in the history; committed with its own date")
            last = mark
    return lines


def _spare_current(store: Store, marks: Sequence[str]) -> list[str]:
    """Keep a `current.txt` that no stamped file equals, before a new history writes its own."""
    data = files.read(store.path / CURRENT)
    if data is None or any(data == files.read(store.path / stamped_name(mark)) for mark in marks):
        return []
    return [f"`{CURRENT}` belonged to no snapshot; it is kept as `{_keep_aside(store, CURRENT, data)}`"]


def names_environment(data: bytes, environment: Environment) -> bool:
    """Tell whether the header of a snapshot file names the Python of *environment*."""
    try:
        found = freezefile.parse(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False
    return found.executable == str(environment.executable)


def _adopt(store: Store, repo: Repository, mark: str, data: bytes, plan: Plan) -> None:
    """Commit a stamped file that lies in the folder, with its own date."""
    head = repo.head
    # The offset is the one that this computer's zone had then, so that the date shows the stamp's own clock.
    when = (stamp.moment(mark) or plan.now).astimezone()
    trailers = {
        "Snapshot": mark,
        "Environment": store.name,
        "Machine": plan.machine,
        "Python": freezefile.parse(data.decode("utf-8")).python,
        "Reason": "found in the folder",
    }
    # A stamped file tells nothing of conda's list: that stays as it is.
    look = Look(data, repo.read(head, CONDA) if head else None)
    changes = _difference(repo, repo.entries(head) if head else {}, look)
    _commit(store, repo, _New(look, mark, when, changes, trailers, first=head is None), plan.limit)


@contextlib.contextmanager
def reading(store: Store) -> Iterator[Repository]:
    """Open the repository for reading alone: no lock, nothing written."""
    _refuse_absent(store)
    with repository.opened(store.path) as repo:
        yield repo


def _refuse_absent(store: Store) -> None:
    if not store.exists:
        raise NoRepositoryError(
            f"environment `{store.name}` has no snapshots yet", hint="`gitsnap save` takes the first one"
        )


def snapshots(store: Store, *, limit: int | None = None) -> list[Snapshot]:
    """Return the snapshots newest first, with their tags; pruned ones too."""
    with reading(store) as repo:
        return tagged(repo, repo.snapshots(limit=limit))


def tagged(repo: History, found: Sequence[Snapshot]) -> list[Snapshot]:
    """Return *found* with the tags that name them."""
    names: dict[str, list[str]] = {}
    for name, commit in repo.tags().items():
        names.setdefault(commit, []).append(name)
    return [replace(one, tags=tuple(names.get(one.commit, ()))) for one in found]


def text_of(repo: History, snapshot: Snapshot) -> bytes:
    """Return the exact file of *snapshot*."""
    data = repo.read(snapshot.commit, CURRENT)
    if data is None:
        raise NotFoundError(
            f"the commit of snapshot {snapshot.stamp} has no `{CURRENT}`", hint="`gitsnap check` tells more"
        )
    return data


def find(repo: History, wanted: snap.Latest | snap.Good | snap.Until | snap.Name) -> Snapshot:
    """Return the one snapshot that *wanted* names; else NotFoundError with those that come near."""
    if isinstance(wanted, snap.Latest):
        return _back(repo, wanted.back)
    if isinstance(wanted, snap.Good):
        return _good(repo)
    if isinstance(wanted, snap.Until):
        return _until(repo, wanted)
    return _called(repo, wanted.text)


def _good(repo: History) -> Snapshot:
    known = repo.good()
    for limit in (25, None) if known else ():
        for one in repo.snapshots(limit=limit):
            entry = repo.entries(one.commit).get(CURRENT)
            if entry and entry.blob in known:
                return one
    raise NotFoundError(
        "no snapshot is known to be good yet",
        hint="a launch by `gitsnap run` that goes well makes one good; `gitsnap log` lists the snapshots",
    )


def _back(repo: History, back: int) -> Snapshot:
    found = repo.snapshots(limit=back + 1)
    if len(found) <= back:
        count = len(found)
        raise NotFoundError(
            f"`latest~{back}` is before the first snapshot: there {'is' if count == 1 else 'are'} {count}",
            hint="`gitsnap log` lists them",
        )
    return found[back]


def _until(repo: History, wanted: snap.Until) -> Snapshot:
    every = repo.snapshots()
    found = next((one for one in every if one.stamp <= wanted.stamp), None)
    if found is None:
        first = f"the first is of {stamp.shown(every[-1].stamp)}" if every else "there are none yet"
        raise NotFoundError(
            f"no snapshot was taken up to {wanted.text}: {first}", hint="`gitsnap log` lists them"
        )
    return found


def _called(repo: History, text: str) -> Snapshot:
    tags = {name.casefold(): commit for name, commit in repo.tags().items()}
    if text.casefold() in tags:
        return _at_commit(repo, tags[text.casefold()], text)
    if snap.is_stamp_prefix(text):
        return _single(repo.snapshots(stamp=text), text)
    if snap.is_commit_prefix(text):
        return _single([one for one in repo.snapshots() if one.commit.startswith(text.lower())], text)
    raise NotFoundError(
        f"no snapshot is called `{printable(text)}`",
        hint="`gitsnap log` lists the snapshots, `gitsnap tag` the tags",
        candidates=sorted(repo.tags())[:10],
    )


def _at_commit(repo: History, commit: str, text: str) -> Snapshot:
    found = next(iter(repo.snapshots(start=commit, limit=1)), None)
    if found is None or found.commit != commit:
        raise NotFoundError(
            f"tag `{printable(text)}` names a commit that is no snapshot", hint="`gitsnap tag` lists the tags"
        )
    return found


def _single(found: Sequence[Snapshot], text: str) -> Snapshot:
    if not found:
        raise NotFoundError(f"no snapshot begins with `{printable(text)}`", hint="`gitsnap log` lists them")
    if len(found) > 1:
        raise NotFoundError(
            f"`{printable(text)}` fits {len(found)} snapshots",
            hint="name one of them",
            candidates=[f"{one.stamp}  {one.commit[:10]}  {one.subject}" for one in found[:10]],
        )
    return found[0]


@dataclass(frozen=True)
class Pruned:
    """What a prune removed from the folder; all of it stays in the history."""

    store: Store
    removed: tuple[str, ...]


def prune(store: Store, *, limit: int, now: datetime) -> Pruned:
    """Remove the files past *limit* from the folder, in one commit that only removes."""
    with _writing(store) as repo:
        head = repo.head
        entries = repo.entries(head) if head else {}
        expired = [stamped_name(old) for old in _expired(repo, entries, limit)]
        if not expired:
            return Pruned(store, ())
        after = {name: entry for name, entry in entries.items() if name not in expired}
        for name in expired:
            # What was edited by hand is kept before it goes.
            _heal_file(store, repo, name, entries[name])
        count = f"{len(expired)} file{'s' if len(expired) > 1 else ''}"
        repo.commit(after, f"Prune {count} past the limit of {limit}\n", when=now, old=head)
        for name in expired:
            files.remove(store.path / name)
        repo.update_index({}, expired)
        return Pruned(store, tuple(expired))


def tag(store: Store, name: str, wanted: snap.Latest | snap.Good | snap.Until | snap.Name) -> Snapshot:
    """Name a snapshot; its file stays past the limit from then on."""
    with _writing(store) as repo:
        snapshot = find(repo, wanted)
        existing = {known.casefold(): known for known in repo.tags()}
        if name.casefold() in existing:
            known = existing[name.casefold()]
            raise UsageError(f"there is a tag `{known}` already", hint=f"`gitsnap tag -d {known}` deletes it")
        repo.set_tag(name, snapshot.commit)
        return tagged(repo, [snapshot])[0]


def untag(store: Store, name: str) -> None:
    """Delete a tag; the snapshot stays."""
    with _writing(store) as repo:
        known = next((known for known in repo.tags() if known.casefold() == name.casefold()), None)
        if known is None:
            raise NotFoundError(f"there is no tag `{printable(name)}`", hint="`gitsnap tag` lists the tags")
        repo.delete_tag(known)


def mend(store: Store) -> tuple[str, ...]:
    """Mend a damaged repository as far as a save cannot; returns what was done, a line each.

    One remedy after another, until all is well. Nothing is deleted: what cannot be mended is kept aside, and the
    next save begins a new history with the stamped files.
    """
    path = store.path
    if not (path / ".git").is_dir():
        return ()
    lines = []
    with _locked(store):
        texts = {files.read(path / name) or b"" for name in os.listdir(path) if is_ours(name)}
        remedies: tuple[Callable[[], list[str]], ...] = (
            lambda: mending.head(path),
            lambda: mending.index(path),
            lambda: mending.objects(path, texts, problems),
            lambda: mending.branch(path),
            lambda: mending.history(path),
        )
        for remedy in remedies:
            problems = _damages(store)
            if not problems:
                break
            lines += remedy()
    return tuple(lines)


def _damages(store: Store) -> list[str]:
    try:
        with repository.opened(store.path) as repo:
            return repo.problems()
    except oddstate.DamagedError as error:
        return [error.message]
