"""The door to git: the repository of one environment, and the only module that imports GitPython.

The user's git configuration and `GIT_*` variables are kept out of every call: signing, hooks, templates, line
endings, excludes and diff drivers of theirs cannot change what a snapshot is.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitsnap import detached, files, good, hint, message, oddstate
from gitsnap.errors import (
    ForeignOwnerError,
    GitLockedError,
    GitMissingError,
    GitsnapError,
    RepositoryError,
)
from gitsnap.model import Snapshot, printable
from gitsnap.oddstate import BRANCH, damaged, quoted
from gitsnap.stream import Draft, written

if TYPE_CHECKING:
    import git

OLDEST_GIT = (2, 32)
_NOTHING = "0" * 40
_SCAFFOLD = "refs/gitsnap/scaffold"
_FILE = 0o100644
_OUR_LOCKS = ("index.lock", "HEAD.lock", "refs/heads/main.lock")
_OUR_FOLDERS = ("", ".git", ".git/info", ".git/gitsnap", ".git/refs/heads")
_LOCK_PATIENCE = 2.0
_LOG_LINE = re.compile(rb"[0-9a-f]{40} ([0-9a-f]{40}) ")
# Where a disk is full git does not always say so, but what it could not write.
_UNWRITABLE = (
    "No space left",
    "Out of diskspace",
    "write error",
    "Disk quota",
    "Read-only file system",
    "Permission denied",
    "couldn't write",
    "ailed to write",
    "nable to write",
    "ould not write",
)
# git's own `gc --auto` counts this one of its 256 folders and multiplies.
_SAMPLE_FOLDER = "17"
_LOOSE_LIMIT = 500
_INSTALL_GIT = "install git: https://git-scm.com/downloads (`apt install git`, `winget install Git.Git`, `xcode-select --install`)"
_SETTINGS = "[core]\n\tautocrlf = false\n[gc]\n\tauto = 500\n"
_EXCLUDED = f".*{files.PART}\n.git.broken-*\n"
# Git's variables as `isolate_process` found them; nothing in a host's process.
_TAKEN: list[dict[str, str]] = []


class GitKilledError(RepositoryError):
    """A git of ours was killed at work, and could not take its locks away."""


@dataclass(frozen=True)
class Entry:
    """One entry of a commit's top folder: a file, or something else that is not ours."""

    mode: int
    blob: str


def isolate_process() -> None:
    """Take git's variables out of this process, which must be gitsnap's own, never a host's.

    GitPython asks git for its version when it is imported, with the process's variables and the user's
    configuration: `GIT_DIR` of a hook or a broken `~/.gitconfig` would end it there.
    """
    if not _is_isolated():
        _TAKEN[:] = [{name: value for name, value in os.environ.items() if name.startswith("GIT_")}]
    _leave_out_git()


def _is_isolated() -> bool:
    return bool(_TAKEN) and os.environ.get("GIT_CONFIG_GLOBAL") == os.devnull


def _leave_out_git() -> None:
    for name in [
        name for name in os.environ if name.startswith("GIT_") and not name.startswith("GIT_PYTHON_")
    ]:
        del os.environ[name]
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull
    os.environ["GIT_CONFIG_NOSYSTEM"] = "1"


def original_variables() -> dict[str, str]:
    """Return the variables as they were before `isolate_process`: what another computer is reached with is the user's."""
    if not _is_isolated():
        return dict(os.environ)
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | _TAKEN[0]


def _git() -> Any:
    """Import GitPython, which looks for the git program."""
    try:
        try:
            import git
        except ImportError:
            git = _imported_apart()
    except ImportError as error:
        if not shutil.which("git"):
            raise GitMissingError("git is not installed, or not on PATH", hint=_INSTALL_GIT) from error
        reason = next(
            (line for line in str(error).splitlines() if "stderr" in line or "fatal" in line), str(error)
        )
        raise GitMissingError(
            f"git does not start: {printable(reason.strip())}", hint="try `git version`"
        ) from error
    return git


def _imported_apart() -> Any:
    """Import GitPython for a host whose git configuration is broken; its variables are then as they were."""
    before = {name: value for name, value in os.environ.items() if name.startswith("GIT_")}
    try:
        _leave_out_git()
        import git
    finally:
        for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
            os.environ.pop(name, None)
        os.environ.update(before)
    return git


def _variables(path: Path) -> dict[str, str]:
    """Return the variables that make git see the repository at *path* and nothing of the user's."""
    folder = str(path / ".git")
    settings = {"core.hooksPath": os.devnull, "core.fsmonitor": "false", "core.autocrlf": "false"}
    return {
        "GIT_DIR": folder,
        "GIT_COMMON_DIR": folder,
        "GIT_WORK_TREE": str(path),
        "GIT_INDEX_FILE": os.path.join(folder, "index"),
        "GIT_OBJECT_DIRECTORY": os.path.join(folder, "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "",
        "GIT_NAMESPACE": "",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_AUTHOR_DATE": "",
        "GIT_COMMITTER_DATE": "",
        "GIT_COMMITTER_EMAIL": "gitsnap@localhost",
        "GIT_COMMITTER_NAME": "gitsnap",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_PARAMETERS": "",
        "GIT_CONFIG_COUNT": str(len(settings)),
        **{f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(settings)},
        **{f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(settings.values())},
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_DEFAULT_REF_FORMAT": "files",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_PAGER": "cat",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _users_variables() -> dict[str, str]:
    """Return the variables under which git sees the user's configuration, but no repository of a caller."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def exists(path: Path) -> bool:
    """Tell whether a repository with at least one commit may be at *path*; reads files alone."""
    git = path / ".git"
    return git.is_file() or any((git / name).exists() for name in ("HEAD", "packed-refs", "refs/heads/main"))


def is_complete(path: Path) -> bool:
    """Tell whether `create` came to its end at *path*; the attributes are the last that it writes."""
    return all((path / ".git" / name).exists() for name in ("config", "info/attributes"))


def create(path: Path) -> None:
    """Make an empty repository at *path*, or complete a half-made one."""
    oddstate.refuse_place(path)
    files.make_folder(path)
    runner = _git().Git(str(path))
    runner.update_environment(**_variables(path))
    with _translated(path):
        _check_version(runner.version_info)
        runner.init("--quiet", "--initial-branch=main", str(path))
        config = path / ".git" / "config"
        # Replaced, not added: git refuses to complete a repository in which this has two values.
        text = config.read_text(encoding="utf-8").replace("filemode = true", "filemode = false")
        files.write(config, (text if "autocrlf" in text else text + _SETTINGS).encode("utf-8"))
        files.write(path / ".git" / "info" / "exclude", _EXCLUDED.encode("ascii"))
        files.write(path / ".git" / "info" / "attributes", b"* -text -filter -ident\n")


def _check_version(found: Sequence[int]) -> None:
    if tuple(found[:2]) < OLDEST_GIT:
        wanted, have = (".".join(map(str, part)) for part in (OLDEST_GIT, found))
        raise GitMissingError(f"git {have} is too old: gitsnap needs {wanted} or newer", hint=_INSTALL_GIT)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Repository]:
    """Open the repository at *path*; every failure inside speaks as a GitsnapError.

    Raises RepositoryError for a state that gitsnap must not touch, with the command that mends it.
    """
    oddstate.refuse(path)
    _refuse_foreign_owner(path)
    git = _git()
    with _translated(path):
        repository = git.Repo(str(path), search_parent_directories=False, expand_vars=False)
        try:
            repository.git.update_environment(**_variables(path))
            yield Repository(path, repository)
        finally:
            # GitPython keeps `git cat-file` children until it is told to let them go.
            repository.close()


class Repository:
    """An open repository: reading and writing in git's terms."""

    def __init__(self, path: Path, repository: git.Repo) -> None:
        """Wrap an open GitPython repository."""
        self.path = path
        self._repository = repository

    @property
    def head(self) -> str | None:
        """The newest commit of `main`, or None before the first; a broken branch is an error, never "none"."""
        loose = files.read(self.path / ".git" / BRANCH)
        if loose is not None and not re.fullmatch(rb"[0-9a-f]{40}\s*", loose):
            raise damaged(self.path, f"`.git/{BRANCH}` names no commit")
        return hint.tip(str(self.path))

    @property
    def has_lost_branch(self) -> bool:
        """Whether there is no `main` though its log tells of commits."""
        return self.head is None and bool(logged(self.path))

    def put_branch_back(self) -> str:
        """Point a lost `main` at the last commit of its log; a second history never begins beside a lost one."""
        good = last_good_commit(self.path)
        if good is None:
            raise damaged(self.path, "the branch `main` is lost")
        reset_branch(self.path, good)
        return good

    def entries(self, commit: str) -> dict[str, Entry]:
        """Return the entries of the top folder of *commit* by name."""
        from git.objects.fun import tree_entries_from_data

        tree = self._commit(commit).tree
        data = self._repository.odb.stream(tree.binsha).read()
        return {name: Entry(mode, binsha.hex()) for binsha, mode, name in tree_entries_from_data(data)}

    def blob(self, blob: str) -> bytes:
        """Return the bytes of the file stored as *blob*."""
        data = self._repository.odb.stream(bytes.fromhex(blob)).read()
        return bytes(data)

    def read(self, commit: str, name: str) -> bytes | None:
        """Return the bytes of the file *name* in *commit*, or None when it has none."""
        entry = self.entries(commit).get(name)
        return None if entry is None or entry.mode not in {_FILE, 0o100755} else self.blob(entry.blob)

    def _commit(self, commit: str) -> git.Commit:
        return _git().Commit(self._repository, bytes.fromhex(commit))  # type: ignore[no-any-return]

    def store(self, kind: str, data: bytes) -> str:
        """Store an object and return its id; it is on the disk before any ref can name it."""
        import gitdb

        # GitPython's own database would start a process for each object.
        database = gitdb.LooseObjectDB(str(self.path / ".git" / "objects"))
        stored = database.store(gitdb.IStream(kind.encode("ascii"), len(data), io.BytesIO(data)))
        identity = stored.binsha.hex()
        _sync(self.path / ".git" / "objects" / identity[:2] / identity[2:])
        return str(identity)

    def store_tree(self, entries: Mapping[str, Entry]) -> str:
        """Store a folder; git sorts subfolders as if their names ended in a slash."""
        from git.objects.fun import tree_to_stream

        def order(item: tuple[str, Entry]) -> bytes:
            name, entry = item
            return os.fsencode(name) + (b"/" if entry.mode == 0o040000 else b"")  # noqa: PLR2004 - git's mode of a folder

        stream = io.BytesIO()
        rows = [(bytes.fromhex(e.blob), e.mode, name) for name, e in sorted(entries.items(), key=order)]
        tree_to_stream(rows, stream.write)
        return self.store("tree", stream.getvalue())

    def commit(self, entries: Mapping[str, Entry], text: str, *, when: datetime, old: str | None) -> str:
        """Commit the folder *entries* on top of *old* and move `main` to it, if it is still at *old*."""
        who = signed(self._identity(), when)
        parent = f"parent {old}\n" if old else ""
        tree = self.store_tree(entries)
        content = f"tree {tree}\n{parent}author {who}\ncommitter {who}\n\n{text}"
        new = self.store("commit", content.encode("utf-8", "surrogateescape"))
        self._move(new, old, text.split("\n", 1)[0])
        return new

    def signatures(self, times: Sequence[datetime]) -> list[bytes]:
        """Return author or committer of commits made at *times*, as git stores them."""
        who = self._identity()
        return [signed(who, when).encode("utf-8") for when in times]

    def words(self, commit: str) -> tuple[bytes, bytes, bytes]:
        """Return author, committer and message of *commit*, as git stores them."""
        data = bytes(self._repository.odb.stream(bytes.fromhex(commit)).read())
        head, _, text = data.partition(b"\n\n")
        found = dict(line.split(b" ", 1) for line in reversed(head.split(b"\n")) if b" " in line)
        return found[b"author"], found[b"committer"], text

    def chain(self) -> list[str]:
        """Return the commits of `main`, oldest first; raises RepositoryError where it is not linear."""
        output: str = self._repository.git.rev_list("--reverse", "--topo-order", "--parents", BRANCH)
        lines = [line.split() for line in output.splitlines()]
        if any(len(line) > 2 for line in lines):  # noqa: PLR2004 - a commit and one parent
            raise RepositoryError(f"the history of `{self.path}` has merges, which gitsnap never makes")
        return [line[0] for line in lines]

    def is_sent(self, commit: str) -> bool:
        """Tell whether a remote is known to have *commit*."""
        return bool(self._repository.git.for_each_ref("--count=1", f"--contains={commit}", "refs/remotes"))

    def commit_many(self, drafts: Sequence[Draft], base: str | None) -> list[str]:
        """Make a chain of commits on top of *base* and return them; no branch is moved, nothing of it is seen yet."""
        with tempfile.TemporaryFile() as stream, tempfile.TemporaryDirectory(prefix="gitsnap-") as folder:
            marks = Path(folder, "marks")
            stream.writelines(written(drafts, _SCAFFOLD, base))
            stream.seek(0)
            # The pack is kept as it is: loose objects would be many, and git does not force them to the disk.
            self._repository.git(c="fastimport.unpackLimit=1").fast_import(
                "--quiet", "--force", "--done", f"--export-marks={marks}", istream=stream
            )
            lines = [line.split() for line in marks.read_text(encoding="ascii").splitlines()]
        self._repository.git.update_ref("-d", _SCAFFOLD)
        found = {int(mark[1:]): commit for mark, commit in lines}
        return [found[number] for number in range(1, len(drafts) + 1)]

    def move_refs(self, moves: Mapping[str, tuple[str, str | None]], reason: str) -> None:
        """Point each ref at a new commit, all or none; each must be at its old one, absent for None, any for ""."""
        lines = []
        for ref, (new, old) in moves.items():
            lines.append(f"update {ref} {new} {_NOTHING if old is None else old}".rstrip() + "\n")
        with tempfile.TemporaryFile() as stream:
            stream.write("".join(lines).encode("utf-8"))
            stream.seek(0)
            self._repository.git.update_ref("-m", f"gitsnap: {reason}", "--stdin", istream=stream)

    def _move(self, new: str, old: str | None, reason: str) -> None:
        self._repository.git.update_ref("-m", f"gitsnap: {reason}", BRANCH, new, old or _NOTHING)

    def _identity(self) -> str:
        """Return who commits: the user's git identity where it is set, else gitsnap."""
        try:
            answer = subprocess.run(
                ["git", "config", "-z", "--get-regexp", r"^user\.(name|email)$"],
                cwd=self.path,
                env=_users_variables(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=5,
                check=False,
            ).stdout.decode("utf-8", "replace")
        except (OSError, subprocess.TimeoutExpired):
            answer = ""
        found = dict(part.split("\n", 1) for part in answer.split("\0") if "\n" in part)
        name = _plain(found.get("user.name", "")) or "gitsnap"
        return f"{name} <{_plain(found.get('user.email', '')) or 'gitsnap@localhost'}>"

    def update_index(self, entries: Mapping[str, Entry], removed: Sequence[str]) -> None:
        """Make git's index say what was committed of our files; what the user staged stays staged."""
        if not (self.path / ".git" / "index").exists():
            self._repository.git.read_tree(BRANCH)
            return
        added = [f"{entry.mode:06o},{entry.blob},{name}" for name, entry in entries.items()]
        arguments = [part for info in added for part in ("--cacheinfo", info)]
        if arguments or removed:
            self._repository.git.update_index("--add", *arguments, "--force-remove", "--", *removed)

    def index_differences(self) -> list[str] | None:
        """Return the files of which git's index says something else than the newest commit; None if it is lost."""
        if not (self.path / ".git" / "index").exists():
            return None
        output: str = self._repository.git.diff_index("--cached", "--name-only", "--no-renames", BRANCH)
        return output.splitlines()

    def snapshots(
        self, *, start: str = BRANCH, limit: int | None = None, stamp: str | None = None
    ) -> list[Snapshot]:
        """Return snapshots from *start* back, newest first, at most *limit*; or those with a *stamp* that begins so."""
        if start == BRANCH and self.head is None:
            return []
        pattern = message.TRAILER if stamp is None else f"^Snapshot: {stamp}[0-9]*$"
        arguments = [
            "-z",
            "--date=raw",
            "--format=%H%n%ad%n%B",
            "--first-parent",
            "--basic-regexp",
            f"--grep={pattern}",
        ]
        if limit is not None:
            arguments.append(f"--max-count={limit}")
        output: str = self._repository.git.log(*arguments, start, "--", strip_newline_in_stdout=False)
        records = [record for record in output.split("\0") if record]
        found = [snapshot for record in records if (snapshot := _snapshot(record))]
        if len(found) < len(records) == limit:
            # A commit of the user's quotes the line, and took the place of a snapshot.
            return self.snapshots(start=start, stamp=stamp)[:limit]
        return found

    def at(self, commits: Collection[str]) -> list[Snapshot]:
        """Return the snapshots that *commits* are; those that are none are left out."""
        if not commits:
            return []
        output: str = self._repository.git.log(
            "-z", "--no-walk=unsorted", "--date=raw", "--format=%H%n%ad%n%B", *commits, "--", strip_newline_in_stdout=False
        )  # fmt: skip
        return [snapshot for record in output.split("\0") if record and (snapshot := _snapshot(record))]

    def commits_touching(self, pattern: str) -> list[Snapshot]:
        """Return the snapshots, newest first, in which a line of `current.txt` that fits *pattern* came or went."""
        output: str = self._repository.git.log(
            "-z", "--date=raw", "--format=%H%n%ad%n%B", "--first-parent", "-i", f"-G{pattern}", BRANCH, "--", "current.txt",
            strip_newline_in_stdout=False,
        )  # fmt: skip
        return [snapshot for record in output.split("\0") if record and (snapshot := _snapshot(record))]

    def parent(self, commit: str) -> str | None:
        """Return the parent of *commit*, or None for the first."""
        parents = self._commit(commit).parents
        return parents[0].hexsha if parents else None

    def tags(self) -> dict[str, str]:
        """Return the commit of each tag; asks git only where there are any."""
        git = self.path / ".git"
        loose = any((git / "refs" / "tags").glob("*"))
        if not loose and b" refs/tags/" not in (files.read(git / "packed-refs") or b""):
            return {}
        output: str = self._repository.git.for_each_ref(
            "--format=%(objectname) %(*objectname) %(refname)", "refs/tags"
        )  # fmt: skip
        found = {}
        for line in output.splitlines():
            direct, peeled, name = line.split(" ", 2)
            found[name.removeprefix("refs/tags/")] = peeled or direct
        return found

    def good(self) -> frozenset[str]:
        """Return the blobs of the contents that a launch went well with."""
        return good.known(self.path / ".git")

    def set_tag(self, name: str, commit: str) -> None:
        """Make the plain tag *name*; one that exists is left alone and refused."""
        self._repository.git.update_ref(f"refs/tags/{name}", commit, _NOTHING)

    def delete_tag(self, name: str) -> None:
        """Delete the tag *name*."""
        self._repository.git.update_ref("-d", f"refs/tags/{name}")

    def problems(self) -> list[str]:
        """Return what `git fsck` finds wrong, each in a line; empty when all is well."""
        if self.has_lost_branch:
            return ["the branch `main` is lost"]
        status, output, errors = self._repository.git.fsck(
            "--full", "--no-dangling", "--no-progress", with_extended_output=True, with_exceptions=False
        )
        lines = [
            printable(line)
            for line in f"{output}\n{errors}".splitlines()
            if line.strip() and "notice:" not in line
        ]
        return lines if status else []


def reset_branch(path: Path, commit: str) -> None:
    """Point `main` at *commit*, whatever a broken or lost ref said."""
    files.write(path / ".git" / BRANCH, f"{commit}\n".encode("ascii"))


def last_good_commit(path: Path) -> str | None:
    """Return the newest commit in the branch's log of which nothing is missing."""
    return next(
        (one for one in reversed(logged(path)) if runs(path, "rev_list", "--objects", "--quiet", one)), None
    )


def logged(path: Path) -> list[str]:
    """Return the commits that `main` was at, by its log, oldest first."""
    log = files.read(path / ".git" / "logs" / BRANCH) or b""
    return [found[1].decode("ascii") for line in log.splitlines() if (found := _LOG_LINE.match(line))]


def runs(path: Path, command: str, *arguments: str, **options: Any) -> bool:
    """Tell whether a git command ends well in the repository at *path*, whatever state that is in."""
    runner = _git().Git(str(path))
    runner.update_environment(**_variables(path))
    status, _, _ = getattr(runner, command)(
        *arguments, with_extended_output=True, with_exceptions=False, **options
    )
    return bool(status == 0)


def patch(before: tuple[str, bytes], after: tuple[str, bytes], *, colour: bool) -> str:
    """Return git's own unified diff of two texts, each with the name it is shown by."""
    git = _git()
    with tempfile.TemporaryDirectory(prefix="gitsnap-") as folder:
        place = Path(folder)
        names = [f"{side}/{name}" for side, (name, _) in (("before", before), ("after", after))]
        for name, (_, data) in zip(names, (before, after), strict=True):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        runner = git.Git(folder)
        runner.update_environment(
            **{**_variables(place), "GIT_DIR": str(place / "none"), "GIT_COMMON_DIR": str(place / "none")}
        )
        return str(
            runner.diff(
                "--no-index", "--no-ext-diff", "--no-textconv", "--no-prefix", f"--color={'always' if colour else 'never'}",
                "--", *names, with_exceptions=False, strip_newline_in_stdout=False,
            )
        )  # fmt: skip


def signed(who: str, when: datetime) -> str:
    """Return *who* with a time, as git stores author and committer."""
    offset = when.strftime("%z")[:5] or "+0000"
    # Git knows no time before 1970, which is where a computer with an empty battery wakes up.
    return f"{who} {max(0, int(when.timestamp()))} {offset}"


def blob_id(data: bytes) -> str:
    """Return the id that git gives to a file with the bytes *data*."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def clear_leavings(path: Path) -> None:
    """Remove what a killed gitsnap left: git's locks that it held, and files that it had half written."""
    git = path / ".git"
    left = [git / name for name in (*_OUR_LOCKS, "config.lock")]
    left += [*(git / "refs" / "tags").glob("*.lock"), *(git / "objects").glob("obj*")]
    left += [part for folder in _OUR_FOLDERS for part in (path / folder).glob(f".*{files.PART}")]
    for place in left:
        if place.is_file():
            files.remove(place)


def wait_for_locks(path: Path) -> None:
    """Wait two seconds for locks that may be the user's own git at work, then raise LockedError."""
    deadline = time.monotonic() + _LOCK_PATIENCE
    while held := [lock for name in _OUR_LOCKS if (lock := path / ".git" / name).exists()]:
        if time.monotonic() > deadline:
            with contextlib.suppress(OSError):
                age = max(0, int(time.time() - held[0].stat().st_mtime))
                raise GitLockedError(
                    f"git's lock `{held[0]}` is there, {age} seconds old",
                    hint="if no git is at work in that folder, remove that file",
                )
        time.sleep(0.05)


def needs_maintenance(path: Path) -> bool:
    """Tell whether so many objects lie loose that packing them saves space; counts as git does."""
    try:
        count = len(os.listdir(path / ".git" / "objects" / _SAMPLE_FOLDER))
    except OSError:
        return False
    return count * 256 >= _LOOSE_LIMIT


def start_maintenance(path: Path) -> None:
    """Start git's packing, detached, under git's own `gc.pid` lock; failing to is harmless."""
    settings = ["-c", f"gc.auto={_LOOSE_LIMIT}", "-c", "gc.autoDetach=false"]
    command = ["git", *settings, "gc", "--auto", "--quiet"]
    detached.start(command, {**os.environ, **_variables(path)}, str(path))


def _plain(text: str) -> str:
    """Return an identity without what would break a commit's header."""
    return " ".join("".join(c for c in text if c.isprintable() and c not in "<>").split()).strip(".,:;\"'\\")


def _snapshot(record: str) -> Snapshot | None:
    commit, date, text = record.split("\n", 2)
    seconds, offset = date.split(" ")
    return message.parse(commit, int(seconds), offset, text)


def _sync(path: Path) -> None:
    """Force a file to the disk, so that a power cut cannot leave an empty object behind a moved branch."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refuse_foreign_owner(path: Path) -> None:
    """Raise ForeignOwnerError where git itself would not trust the folder; the user's safe.directory counts."""
    if os.name != "nt" and all(place.stat().st_uid == os.geteuid() for place in (path, path / ".git")):
        return
    if os.name == "nt" and not os.environ.get("USERNAME"):
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        answer = subprocess.run(
            ["git", "-C", str(path), "rev-parse", "--git-dir"],
            env={**_users_variables(), "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=5,
            check=False,
        )
        if answer.returncode and b"dubious ownership" in answer.stderr:
            raise ForeignOwnerError(
                f"the repository `{path}` belongs to another user",
                hint=f"if you trust it: `git config --global --add safe.directory {quoted(path)}`",
            )


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Turn what GitPython and the system raise into one GitsnapError."""
    try:
        yield
    except GitsnapError:
        raise
    except OSError as error:
        raise _system_error(path, error) from error
    except Exception as error:
        git = _git()
        import gitdb.exc

        if isinstance(error, git.GitCommandNotFound):
            raise GitMissingError("git is not installed, or not on PATH", hint=_INSTALL_GIT) from error
        if isinstance(error, git.GitCommandError):
            raise _git_error(path, error) from error
        if isinstance(error, (git.GitError, gitdb.exc.ODBError, ValueError, IndexError, AssertionError)):
            raise damaged(path, str(error)) from error
        raise


def _system_error(path: Path, error: OSError) -> GitsnapError:
    if error.errno in {
        errno.ENOSPC,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
    }:
        place = error.filename or path
        return GitsnapError(
            f"`{place}` cannot be written: {error.strerror}",
            hint="make room on the disk, or see who may write there; what was saved before is untouched",
        )
    if "Lock" in str(error):
        return GitLockedError(
            f"git is at work in `{path}`: {printable(str(error))}", hint="try again when it has ended"
        )
    return damaged(path, str(error))


def _git_error(path: Path, error: Any) -> GitsnapError:
    words = str(error.stderr or "").replace("stderr:", "").strip(" '\n")
    if isinstance(error.status, int) and error.status < 0:
        return GitKilledError(f"git was killed at work in `{path}`", hint="try again; nothing is lost")
    if any(sign in words for sign in _UNWRITABLE):
        return GitsnapError(
            f"`{path}` cannot be written: {printable(words)}",
            hint="make room on the disk, or see who may write there; what was saved before is untouched",
        )
    if "but expected" in words:
        return GitLockedError(
            f"another git moved `main` in `{path}` at this moment", hint="try again when it has ended"
        )
    if "Unable to create" in words and ".lock" in words:
        return GitLockedError(
            f"git is at work in `{path}`: {printable(words)}", hint="try again when it has ended"
        )
    return damaged(path, words)
