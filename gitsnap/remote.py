"""The remote of one environment: set up in its repository so that plain git does the same, and never forced.

What was sent is read from git's remote-tracking refs; which branch is ours, from the repository's configuration.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from gitsnap import address, good, message, plumbing, transfer, verdict
from gitsnap.transfer import Outcome, Surroundings
from gitsnap.verdict import GOOD, Place, Verdict

MAIN = "refs/heads/main"
_TAGS = "refs/gitsnap/tags/"
_MARKS_SENT = "refs/gitsnap/marks-sent/"
_SETTINGS = rf"^(remote\.{address.REMOTE}\.|branch\.main\.)"
_LINE = re.compile(r"(?P<flag>[ +\-*!=])\t(?P<source>[^:\t]*):(?P<target>[^\t]*)\t(?P<summary>.*)")
_MOST_HISTORIES = 5


@dataclass(frozen=True)
class Remote:
    """Where the snapshots of one environment go."""

    path: Path
    """The environment's repository."""
    url: str
    usual: str
    """The branch that belongs to this machine and environment, unless another history has it."""
    place: Place

    @property
    def branch(self) -> str:
        """The branch in force: the usual one, or the one beside it that was chosen before."""
        return self._chosen() or self.usual

    def _chosen(self) -> str | None:
        found = plumbing.settings(self.path, _SETTINGS)
        if (f"remote.{address.REMOTE}.url", self.url) not in found:
            return None
        pushed = [value for key, value in found if key == f"remote.{address.REMOTE}.push"]
        branch = pushed[0].removeprefix(f"{MAIN}:refs/heads/") if pushed else ""
        return branch if address.is_branch_of(branch, self.usual) else None


@dataclass(frozen=True)
class Pushed:
    """What a push did for one environment."""

    branch: str
    verdict: Verdict
    sent: int = 0
    """How many snapshots went there."""


@dataclass(frozen=True)
class Standing:
    """How an environment stands to its remote, as far as is known without asking it."""

    branch: str
    has_been_sent: bool
    unsent: int
    """How many snapshots were not sent yet."""


def standing(one: Remote) -> Standing:
    """Return what was sent and what was not; no network."""
    branch = one._chosen()  # noqa: SLF001 - the class is of this module
    there = _tracked(one, branch) if branch else None
    return Standing(branch or one.usual, there is not None, _unsent(one, there))


def push(one: Remote, around: Surroundings) -> Pushed:
    """Send the branch and the tags of an environment; a branch of another history is kept, ours goes beside it."""
    if _is_absent(one):
        return Pushed(one.usual, verdict.absent(one.place))
    branch = _set_up(one, one.branch)
    before = _tracked(one, branch)
    waiting = _unsent(one, before)
    found = GOOD
    for _ in range(_MOST_HISTORIES):
        outcome = _send(one, [f"{MAIN}:refs/heads/{branch}"], around)
        if not _is_other(outcome):
            break
        found, branch = _part_ways(one, branch, around)
        if found.code != verdict.OTHER_HISTORY:
            return Pushed(branch, found)
    failed = _verdict(one, outcome, around)
    if not failed.is_good:
        return Pushed(branch, failed)
    tagged = _push_tags(one, branch, around)
    _push_marks(one, around)
    return Pushed(branch, found if tagged.is_good else tagged, waiting)


def _is_absent(one: Remote) -> bool:
    return os.path.isabs(one.url) and not os.path.isdir(one.url)


def _set_up(one: Remote, branch: str) -> str:
    """Let the repository's own configuration say all that plain `git push` and `git fetch` need."""
    name = f"remote.{address.REMOTE}"
    wanted = [
        (f"{name}.url", one.url),
        (f"{name}.push", f"{MAIN}:refs/heads/{branch}"),
        (f"{name}.push", f"refs/tags/*:refs/tags/{branch}/*"),
        (
            f"{name}.fetch",
            f"+refs/heads/*/{one.usual.partition('/')[2]}:refs/remotes/{address.REMOTE}/*/{one.usual.partition('/')[2]}",
        ),
        (f"{name}.fetch", f"+refs/heads/{branch}:refs/remotes/{address.REMOTE}/{branch}"),
        (f"{name}.fetch", f"+refs/tags/{branch}/*:{_TAGS}*"),
        (f"{name}.tagopt", "--no-tags"),
    ]
    found = plumbing.settings(one.path, _SETTINGS)
    ours = [(key, value) for key, value in found if key.startswith(f"{name}.")]
    if ours != wanted:
        if (f"{name}.url", one.url) not in ours:
            _forget(one)
        elif branch != one.branch:
            _drop(one, _TAGS)
        plumbing.run(one.path, "config", "--local", "--remove-section", name)
        for key, value in wanted:
            plumbing.read(one.path, "config", "--local", "--add", key, value)
    _lead_plain_git(one, branch, dict(found))
    return branch


def _lead_plain_git(one: Remote, branch: str, found: dict[str, str]) -> None:
    """Let `git push` and `git status` without a name mean our remote, unless the user chose another."""
    if found.get("branch.main.remote", address.REMOTE) != address.REMOTE:
        return
    wanted = {
        "branch.main.remote": address.REMOTE,
        "branch.main.merge": f"refs/heads/{branch}",
        "branch.main.pushremote": address.REMOTE,
    }
    for key, value in wanted.items():
        if found.get(key) != value:
            plumbing.read(one.path, "config", "--local", "--replace-all", key, value)


def _forget(one: Remote) -> None:
    """Drop what was known of another remote: nothing of it says what is on this one."""
    _drop(one, f"refs/remotes/{address.REMOTE}/")
    _drop(one, _TAGS)
    _drop(one, _MARKS_SENT)


def _drop(one: Remote, pattern: str) -> None:
    lines = [f"delete {name}\n" for name in plumbing.refs(one.path, pattern)]
    if lines:
        plumbing.read(one.path, "update-ref", "--stdin", given="".join(lines).encode())


def continue_on(one: Remote, branch: str, commit: str) -> None:
    """Let *branch*, which has *commit* on the remote, be the one in force; its tracking ref is there already."""
    seen = plumbing.refs(one.path, _TAGS)
    _set_up(one, branch)
    lines = [f"update refs/remotes/{address.REMOTE}/{branch} {commit}\n"]
    lines += [f"update {name} {identity}\n" for name, identity in seen.items()]
    plumbing.read(one.path, "update-ref", "--stdin", given="".join(lines).encode())


def disconnect(path: Path) -> None:
    """Take our remote out of a repository again; what it was known to hold is forgotten."""
    _forget(Remote(path, "", "", Place("", "")))
    plumbing.run(path, "config", "--local", "--remove-section", f"remote.{address.REMOTE}")
    if ("branch.main.remote", address.REMOTE) in plumbing.settings(path, _SETTINGS):
        plumbing.run(path, "config", "--local", "--remove-section", "branch.main")


def _tracked(one: Remote, branch: str) -> str | None:
    """Return the commit that *branch* had on the remote when it was last seen."""
    name = f"refs/remotes/{address.REMOTE}/{branch}"
    return plumbing.refs(one.path, name).get(name)


def _unsent(one: Remote, there: str | None) -> int:
    """Return how many snapshots of ours come after the commit that is *there*."""
    if MAIN not in plumbing.refs(one.path, MAIN):
        return 0
    seen = ["--not", there] if there else []
    counted = plumbing.read(
        one.path, "rev-list", "--count", "--basic-regexp", f"--grep={message.TRAILER}", MAIN, *seen, "--"
    )
    return int(counted.data)


def _send(one: Remote, refspecs: list[str], around: Surroundings) -> Outcome:
    return transfer.git(
        one.path,
        ["push", "--porcelain", "--progress", "--no-verify", "--", address.REMOTE, *refspecs],
        around,
    )


def _refused(outcome: Outcome) -> list[tuple[str, str]]:
    """Return the source and the reason of each ref that was not taken."""
    found = (_LINE.fullmatch(line) for line in outcome.answer.splitlines())
    return [(line["source"], _brackets(line["summary"])) for line in found if line and line["flag"] == "!"]


def _brackets(summary: str) -> str:
    """Return the reason at the end of a summary such as `[remote rejected] (hook declined)`."""
    inner = re.search(r"\((.*)\)\s*$", summary)
    return inner[1] if inner else summary.strip("[] ")


def _is_other(outcome: Outcome) -> bool:
    """Tell whether the branch on the remote went another way, or is being moved by somebody at this moment."""
    if "; cannot create" in outcome.words:
        return False
    reasons = [reason for source, reason in _refused(outcome) if source == MAIN]
    ways = (
        "fetch first",
        "non-fast-forward",
        "stale info",
        "needs force",
        "incorrect old value",
        "failed to update ref",
    )
    return any(reason.startswith(ways) for reason in reasons)


def _verdict(one: Remote, outcome: Outcome, around: Surroundings) -> Verdict:
    """Read how a transfer ended."""
    if outcome.was_silent:
        return verdict.silent(one.place, around.silence)
    if outcome.status == 0:
        return GOOD
    refused = _refused(outcome)
    if refused:
        return verdict.of_refusal(refused[0][1], outcome.words, one.place)
    found = verdict.of_words(outcome.words, one.place)
    if (
        found.code == verdict.NOT_FOUND
        and one.url.startswith("git://")
        and can_be_read(one.path, one.url, around)
    ):
        # A git daemon says the same of a repository that is not there and of one that takes nothing.
        return verdict.of_words("read-only", one.place)
    return found


def can_be_read(folder: Path, url: str, around: Surroundings) -> bool:
    """Ask the remote at *url* for its branches; tell whether it answers."""
    return transfer.git(folder, ["ls-remote", "--heads", "--", url], around).status == 0


def _part_ways(one: Remote, branch: str, around: Surroundings) -> tuple[Verdict, str]:
    """Look at the history that has our branch, and choose the branch beside it for ours."""
    seen = f"refs/remotes/{address.REMOTE}/{branch}"
    outcome = transfer.git(
        one.path,
        [
            "fetch",
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--",
            address.REMOTE,
            f"+refs/heads/{branch}:{seen}",
        ],
        around,
    )
    if outcome.status:
        return _verdict(one, outcome, around), branch
    ours = plumbing.read(one.path, "rev-list", "--first-parent", "--reverse", MAIN, "--not", seen, "--").lines
    if not ours:
        return _behind(branch), branch
    chosen = address.beside(one.usual, ours[0])
    _set_up(one, chosen)
    return _apart(branch, chosen), chosen


def _behind(branch: str) -> Verdict:
    return Verdict(
        verdict.OK,
        f"nothing to send: `{branch}` on the remote goes on where this computer's snapshots end",
        "`gitsnap fetch --adopt` continues it here",
    )


def _apart(branch: str, chosen: str) -> Verdict:
    return Verdict(
        verdict.OTHER_HISTORY,
        f"`{branch}` on the remote has another history and is kept; this one goes to `{chosen}` from now on",
        "if this is the same computer, set up again: `gitsnap fetch --adopt` continues the old history",
    )


def _push_marks(one: Remote, around: Surroundings) -> None:
    """Send what is known to be good and is not there yet; a server that takes no such refs goes without."""
    sent = {name.removeprefix(_MARKS_SENT) for name in plumbing.refs(one.path, _MARKS_SENT)}
    known = {name.removeprefix(good.PREFIX) for name in plumbing.refs(one.path, good.PREFIX)}
    new = sorted(known - sent)
    if not new or _send(one, [f"{good.PREFIX}{blob}:{good.PREFIX}{blob}" for blob in new], around).status:
        return
    lines = [f"create {_MARKS_SENT}{blob} {blob}\n" for blob in new]
    plumbing.read(one.path, "update-ref", "--stdin", given="".join(lines).encode())


def _push_tags(one: Remote, branch: str, around: Surroundings) -> Verdict:
    """Send the tags that are not there yet; one that was moved since gets a name beside the old one."""
    wanted = {
        name.removeprefix("refs/tags/"): commit
        for name, commit in plumbing.refs(one.path, "refs/tags").items()
    }
    there = {name.removeprefix(_TAGS): commit for name, commit in plumbing.refs(one.path, _TAGS).items()}
    new = {
        name: commit
        for name, commit in wanted.items()
        if commit not in {there.get(name), there.get(address.beside(name, commit))}
    }
    if not new:
        return GOOD
    outcome = _send(one, [f"refs/tags/{name}:refs/tags/{branch}/{name}" for name in new], around)
    exist = [
        source
        for source, reason in _refused(outcome)
        if reason.startswith(("already exists", "would clobber"))
    ]
    if exist:
        names = [source.removeprefix("refs/tags/") for source in exist]
        renamed = [f"refs/tags/{name}:refs/tags/{branch}/{address.beside(name, new[name])}" for name in names]
        outcome = _send(one, renamed, around)
    return _verdict(one, outcome, around)
