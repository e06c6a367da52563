"""A machine set up again: its repositories are made anew from what the remote has, and go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitsnap import address, environment, files, history, mirror, plumbing, remote, repository, store
from gitsnap.config import Config
from gitsnap.errors import GitsnapError
from gitsnap.mirror import Found, Mirror
from gitsnap.model import printable
from gitsnap.remote import MAIN, Remote
from gitsnap.store import Store

_MOST_BYTES = 5_000_000
_FILES = {"100644", "100755"}


@dataclass(frozen=True)
class Adopted:
    """What became of one branch of this machine."""

    environment: str
    branch: str
    what: str
    """`made`, `continued`, `put-on-top`, or `failed`."""
    message: str
    hint: str = ""

    @property
    def is_good(self) -> bool:
        """Whether the environment goes on from what the remote has."""
        return self.what != "failed"


def store_for(settings: Config, found: Found) -> Store:
    """Return the store that continues a branch: the one of that name here, else a new one by its own spelling."""
    known = store.all_known(settings)
    for one in known:
        if address.part(one.name) == found.environment:
            return one
    spelled = found.newest.environment if found.newest else ""
    is_safe = environment.safe_name(spelled) == spelled and address.part(spelled) == found.environment
    return store.named(settings, spelled if is_safe else found.environment)


def is_known(settings: Config, found: Found) -> bool:
    """Tell whether some repository here has what the branch holds, in its history or kept beside it."""
    return any(_has(one.path, found.commit) for one in store.all_known(settings))


def _has(path: Path, commit: str) -> bool:
    """Tell whether a branch or a kept tip of the repository at *path* holds *commit*; what was fetched counts not."""
    if plumbing.run(path, "cat-file", "-e", f"{commit}^{{commit}}").status:
        return False
    refs = plumbing.run(
        path, "for-each-ref", "--count=1", f"--contains={commit}", "refs/heads/main", "refs/gitsnap/before"
    )
    return bool(refs.lines)


def adopt(settings: Config, place: Mirror, found: Found, where: Remote, now: datetime) -> Adopted:
    """Let the environment of *found* go on from that branch; nothing that is here is lost."""
    one = store_for(settings, found)
    try:
        _refuse_odd(place, found)
        if not one.exists or MAIN not in plumbing.refs(one.path, MAIN):
            with files.locked(one.lock, patience=store.PATIENCE, what=f"`{one.path}`"):
                _make(place, found, one, where)
            _take_tags(one.path)
            return _done(
                one,
                found,
                "made",
                "made from the remote; the first environment of that name that saves goes on",
            )
        _bring(place, found, one.path)
        if _is_below(one.path, MAIN, found.commit):
            with files.locked(one.lock, patience=store.PATIENCE, what=f"`{one.path}`"):
                _forward(one.path, found.commit)
            what, text = "continued", "goes on from the remote's newest snapshot"
        else:
            _forget_beside(one.path, where)
            terms = history.Terms(limit=settings.limit, machine=settings.machine, now=now)
            grown = history.put_on_top(one, found.commit, terms)
            what, text = (
                "put-on-top",
                f"its snapshots lie on those of the remote now; as they were: `{grown.kept}`",
            )
        remote.continue_on(where, found.branch, found.commit)
        _take_tags(one.path)
        return _done(one, found, what, text)
    except GitsnapError as error:
        return Adopted(one.name, found.branch, "failed", error.message, error.hint)


def _done(one: Store, found: Found, what: str, text: str) -> Adopted:
    return Adopted(one.name, found.branch, what, text)


def _refuse_odd(place: Mirror, found: Found) -> None:
    """Raise GitsnapError for a branch with links, submodules or huge files: no snapshots of ours have them."""
    listed = plumbing.read(place.path, "ls-tree", "-r", "-l", "-z", "--full-tree", found.commit).data
    for record in listed.decode("utf-8", "replace").split("\0"):
        head, _, name = record.partition("\t")
        mode, size = (head.split() or ["100644"])[0], (head.split() or ["0"])[-1]
        if mode not in _FILES or not size.isdigit() or int(size) > _MOST_BYTES:
            raise GitsnapError(
                f"`{found.branch}` on the remote holds `{printable(name, 60)}`, which no snapshot has",
                hint="see who writes to that branch; it can be looked at with plain git",
            )


def _bring(place: Mirror, found: Found, path: Path) -> None:
    """Copy the branch and its tags from what was fetched into the repository at *path*."""
    seen = f"refs/remotes/{address.REMOTE}/{found.branch}"
    refspecs = [
        f"+refs/heads/{found.branch}:{seen}",
        f"+refs/tags/{found.branch}/*:refs/gitsnap/tags/*",
    ]
    plumbing.read(
        path, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", str(place.path), *refspecs
    )


def _make(place: Mirror, found: Found, one: Store, where: Remote) -> None:
    """Make a repository whose branch is the remote's; the branch comes last, so that a killed one is made again."""
    repository.create(one.path)
    _bring(place, found, one.path)
    remote.continue_on(where, found.branch, found.commit)
    plumbing.read(one.path, "-c", "core.symlinks=false", "reset", "--hard", "--quiet", found.commit)


def _take_tags(path: Path) -> None:
    """Make the tags that were on the remote; one that is here already stays as it is."""
    for name, commit in plumbing.refs(path, "refs/gitsnap/tags").items():
        plumbing.run(
            path, "update-ref", name.replace("refs/gitsnap/tags/", "refs/tags/", 1), commit, "0" * 40
        )


def _is_below(path: Path, older: str, newer: str) -> bool:
    return plumbing.run(path, "merge-base", "--is-ancestor", older, newer).status == 0


def _forward(path: Path, commit: str) -> None:
    """Move branch, index and files on; a file that was edited by hand stops it."""
    plumbing.read(path, "-c", "core.symlinks=false", "read-tree", "-m", "-u", "HEAD", commit)
    plumbing.read(path, "update-ref", "-m", "gitsnap: continued from the remote", MAIN, commit)


def _forget_beside(path: Path, where: Remote) -> None:
    """Forget that this history went to a branch beside the usual one; there it stays as it is."""
    usual = f"refs/remotes/{address.REMOTE}/{where.usual}"
    for name in plumbing.refs(path, f"refs/remotes/{address.REMOTE}/"):
        if name != usual and address.is_branch_of(name, usual):
            plumbing.read(path, "update-ref", "-d", name)


def own(settings: Config, place: Mirror) -> list[Found]:
    """Return the branches of this machine that were fetched."""
    machine = address.part(settings.machine)
    return [one for one in mirror.branches(place)[0] if one.machine == machine]
