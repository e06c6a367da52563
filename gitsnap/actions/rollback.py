"""Rollback: the present environment back to a snapshot, all or nothing, and seen to be so."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from gitsnap import files, installed, installer, journal, plan, repository, requirement, store, swap
from gitsnap.actions import save as saving
from gitsnap.actions import target as targets
from gitsnap.actions.proposal import Proposal, propose, site_folders
from gitsnap.actions.target import Target
from gitsnap.actions.wanted import refuse_source
from gitsnap.errors import GitsnapError, UnfinishedError, UnobtainableError, UsageError
from gitsnap.installer import Fetched, Installer, Sources
from gitsnap.journal import Journal
from gitsnap.model import Diff, Environment, Snapshot
from gitsnap.plan import Left, Plan
from gitsnap.store import Store
from gitsnap.unfinished import HINT

Progress = Callable[[str], AbstractContextManager[None]]
_NOWHERE_ELSE = Sources()
_SAME = Diff(())


@dataclass(frozen=True)
class RolledBack:
    """What a rollback did."""

    store: Store
    label: str
    """The state that the environment was taken to."""
    changes: Diff
    safety: str
    """The stamp of the snapshot of what was there before; empty where nothing was done."""
    saved: Snapshot | None
    kept: tuple[Left, ...] = ()
    left: tuple[Left, ...] = ()
    missing: tuple[Left, ...] = ()
    """What could not be had and stays as it was."""
    differences: Diff = _SAME
    """What a fresh freeze has otherwise than planned; empty when all is as planned."""
    damage: tuple[str, ...] = ()
    """Files of the changed projects that are missing or of another size."""
    warnings: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the environment is in the state that was asked for, but for what gitsnap itself needs."""
        return not (self.left or self.missing or self.differences or self.damage)


def rollback(
    snap: str | None = None,
    *,
    python: str | None = None,
    env: str | None = None,
    only: Collection[str] = (),
    except_: Collection[str] = (),
    sources: Sources = _NOWHERE_ELSE,
    allow_source: bool = False,
    keep_going: bool = False,
    installer: str | None = None,
) -> RolledBack:
    """Take the environment back to *snap*, by default to the newest snapshot that differs from it.

    It asks nothing: `propose` and `carry_out` are for who wants to see the plan first.
    """
    proposal = propose(
        snap, python=python, env=env, only=only, except_=except_, sources=sources, installer=installer
    )
    return carry_out(proposal, allow_source=allow_source, keep_going=keep_going)


def carry_out(
    proposal: Proposal,
    *,
    allow_source: bool = False,
    keep_going: bool = False,
    progress: Progress = lambda _: nullcontext(),
) -> RolledBack:
    """Do what *proposal* says, after a safety snapshot; verify it, and save the result as the newest snapshot.

    Everything is fetched and built before anything is touched. What fails after that is put back.
    """
    if not allow_source:
        refuse_source(proposal.risky)
    if proposal.plan.blocked and not keep_going:
        raise _unobtainable(proposal.plan.blocked)
    if not proposal.plan:
        return _nothing(proposal)
    with _alone(proposal.store):
        _refuse_changed(proposal)
        journal.clear(proposal.store.path)
        tool = installer.choose(
            str(proposal.environment.executable),
            proposal.environment.python,
            proposal.environment.prefix,
            proposal.sources,
            repository.original_variables(),
            proposal.installer,
        )
        with progress("saving the environment as it is"):
            safety = saving.save_target(
                proposal.target, f"before rollback to {proposal.wanted.label}", patience=store.PATIENCE
            )
        try:
            with progress("fetching and building"):
                fetched = _fetch(proposal, tool)
            steps = _possible(proposal.plan, fetched, keep_going=keep_going)
            written = _begin(proposal, steps, fetched, safety.newest.stamp)
        except BaseException:
            if not journal.exists(proposal.store.path):
                journal.clear(proposal.store.path)
            raise
        with progress("applying"):
            result = _finish(proposal.target, proposal.store, written, keep_going=keep_going)
    return replace(
        result,
        kept=steps.kept,
        left=steps.left,
        missing=steps.blocked,
        changes=steps.changes,
        warnings=fetched.warnings,
    )


def _nothing(proposal: Proposal) -> RolledBack:
    steps = proposal.plan
    return RolledBack(
        proposal.store, proposal.wanted.label, Diff(()), "", None, steps.kept, steps.left, steps.blocked
    )


@contextmanager
def _alone(found: Store) -> Iterator[None]:
    """Hold a lock of its own, so that two rollbacks cannot meet; saves go on until something is touched."""
    lock = found.lock.with_name(f"{found.lock.stem}-rollback.lock")
    with files.locked(lock, patience=0, what=f"`{found.path}`, a rollback"):
        yield


def _refuse_changed(proposal: Proposal) -> None:
    """Refuse to carry out a plan that was made for another state."""
    journal.refuse_unfinished(proposal.store.path)
    now = requirement.parse(targets.freeze_of(proposal.environment)).requirements
    if plan.differences(proposal.plan.now, now):
        raise GitsnapError(
            "the environment changed since the plan was made", hint="run `gitsnap rollback` again"
        )


def _fetch(proposal: Proposal, tool: Installer) -> Fetched:
    """Get what the plan installs, and look at it before anything of the environment is touched."""
    place = journal.workplace(proposal.store.path) / "new"
    if not proposal.plan.install:
        return Fetched((), {})
    fetched = tool.fetch(proposal.plan.install, place, proposal.environment.prefix / "src")
    wrong = _wrong(proposal, fetched)
    return replace(fetched, missing={**fetched.missing, **wrong})


def _site_of(folder: Path, environment: Environment) -> list[str]:
    """Return the site folders below *folder*, which is laid out as the environment's prefix."""
    return [str(folder / os.path.relpath(site, environment.prefix)) for site in site_folders(environment)]


def _wrong(proposal: Proposal, fetched: Fetched) -> dict[str, str]:
    """Return what was got and is not what was asked for, or is damaged."""
    sites = [site for folder in fetched.folders for site in _site_of(folder, proposal.environment)]
    found = installed.find(sites)
    wrong = {}
    for one in proposal.plan.install:
        if one.key in fetched.missing:
            continue
        got = found.get(one.key, [])
        if not got or got[0].rows is None:
            wrong[one.key] = f"what it names is not a `{one.distribution.name}`"
        elif lines := installed.damage(got):
            wrong[one.key] = f"the wheel is damaged: {os.path.basename(lines[0])}"
    return wrong


def _possible(steps: Plan, fetched: Fetched, *, keep_going: bool) -> Plan:
    reduced = plan.without(steps, fetched.missing)
    if reduced.blocked and (not keep_going or not reduced):
        raise _unobtainable(reduced.blocked)
    return reduced


def _unobtainable(blocked: tuple[Left, ...]) -> UnobtainableError:
    count = len(blocked)
    return UnobtainableError(
        f"{count} package{'s' if count > 1 else ''} cannot be had; nothing was changed",
        hint="`--find-links`, `--index-url` and `--extra-index-url` name other places; `--keep-going` does the rest "
        "and leaves these as they are",
        candidates=[f"{one.name}: {one.reason}" for one in blocked],
    )


def _begin(proposal: Proposal, steps: Plan, fetched: Fetched, safety: str) -> Journal:
    """Keep aside what goes, and write the journal while no save is under way."""
    environment, path = proposal.environment, proposal.store.path
    place = journal.workplace(path)
    new = _new_files(fetched, steps, environment, place)
    old = _old_files(environment, steps, new)
    if held := swap.in_use(environment.prefix, old):
        raise GitsnapError(
            f"`{held[0]}` is in use", hint="close the application that runs in this environment"
        )
    swap.keep(environment.prefix, place / "kept", old)
    written = Journal(
        python=str(environment.executable),
        prefix=str(environment.prefix),
        folder=str(place),
        target=proposal.wanted.label,
        safety=safety,
        begin=requirement.compose(steps.now),
        end=requirement.compose(steps.end),
        changed=tuple(sorted(steps.changed)),
        old=tuple(old),
        new=tuple(new.items()),
        stops=_stops(environment),
        incomplete=bool(steps.left or steps.blocked),
    )
    # A save that is under way has seen the environment whole; those after it see the journal.
    with files.locked(proposal.store.lock, patience=store.PATIENCE, what=f"`{path}`"):
        _refuse_moved(proposal)
        journal.write(path, written)
    return written


def _refuse_moved(proposal: Proposal) -> None:
    now = requirement.parse(targets.freeze_of(proposal.environment)).requirements
    if plan.differences(proposal.plan.now, now):
        raise GitsnapError(
            "the environment changed meanwhile; nothing was touched", hint="run `gitsnap rollback` again"
        )


def _new_files(fetched: Fetched, steps: Plan, environment: Environment, place: Path) -> dict[str, str]:
    """Return each file to be put in, and where it lies below *place*; only those of what is to be installed."""
    keys = {one.key for one in steps.install}
    new: dict[str, str] = {}
    for folder in fetched.folders:
        found = installed.find(_site_of(folder, environment))
        foreign = installed.files_of((one for key in found if key not in keys for one in found[key]), folder)
        for name in swap.files_in(folder):
            if name != ".lock" and name not in foreign:
                new[name] = os.path.relpath(folder / name, place)
    return new


def _old_files(environment: Environment, steps: Plan, new: Collection[str]) -> list[str]:
    """Return the files that go or are overwritten; what another project has too stays."""
    prefix = environment.prefix
    found = installed.find(environment.paths)
    going = installed.files_of((one for key in steps.changed for one in found.get(key, ())), prefix)
    others = (one for key in found if key not in steps.changed for one in found[key])
    names = (going - installed.also_in(others, going, prefix)) | set(new)
    return sorted(name for name in names if os.path.lexists(prefix / name) and not _is_folder(prefix / name))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _stops(environment: Environment) -> tuple[str, ...]:
    """Return the folders that an environment has even when they are empty."""
    prefix = environment.prefix
    inside = [
        path for path in (*environment.paths, *environment.folders) if installed.is_inside(Path(path), prefix)
    ]
    return tuple({"bin", "Scripts", *(os.path.relpath(path, prefix) for path in inside)})


def resume(
    *,
    forward: bool,
    python: str | None = None,
    env: str | None = None,
    progress: Progress = lambda _: nullcontext(),
) -> RolledBack:
    """Bring an interrupted rollback to its end, or (*forward* false) put back what was; asks nothing, needs no network."""
    target = targets.find(python, env)
    found = targets.store_of(target)
    with _alone(found):
        written = journal.read(found.path)
        if written is None:
            raise UsageError(
                "no rollback was interrupted in this environment", hint="`gitsnap rollback` begins one"
            )
        with progress("applying" if forward else "putting back"):
            if forward:
                return _finish(target, found, written, keep_going=written.incomplete)
            result = _put_back(target, found, written)
            saving.forget_failures(target, found)
            return result


def is_unfinished(*, python: str | None = None, env: str | None = None) -> bool:
    """Tell whether a rollback of the environment was interrupted."""
    return journal.exists(targets.store_of(targets.find(python, env)).path)


def _finish(target: Target, found: Store, written: Journal, *, keep_going: bool) -> RolledBack:
    """Apply, verify and save; what fails is put back."""
    try:
        journal.apply(found.path, written)
        differences, damage = _verify(target, written, written.end)
    except GitsnapError as error:
        raise _undone(target, found, written, error) from error
    if (differences or damage) and not keep_going:
        names = ", ".join(change.name for change in differences.changes) or damage[0]
        raise _undone(target, found, written, GitsnapError(f"the result is not what was planned: {names}"))
    journal.close(found.path)
    saved = saving.save_target(target, f"rollback to {written.target}", patience=store.PATIENCE)
    return RolledBack(
        found,
        written.target,
        _changes(written),
        written.safety,
        saved.newest,
        differences=differences,
        damage=damage,
    )


def _changes(written: Journal) -> Diff:
    return plan.differences(*(requirement.parse(text).requirements for text in (written.begin, written.end)))


def _undone(target: Target, found: Store, written: Journal, error: GitsnapError) -> GitsnapError:
    """Put everything back after *error*; returns the error that says so, or that even that failed."""
    try:
        _put_back(target, found, written)
    except GitsnapError as second:
        return UnfinishedError(f"{error.message}; putting back failed too: {second.message}", hint=HINT)
    return type(error)(f"{error.message}; the environment was put back to what it was", hint=error.hint)


def _put_back(target: Target, found: Store, written: Journal) -> RolledBack:
    journal.undo(found.path, written)
    differences, damage = _verify(target, written, written.begin)
    journal.close(found.path)
    return RolledBack(
        found, written.safety, Diff(()), written.safety, None, differences=differences, damage=damage
    )


def _verify(target: Target, written: Journal, text: str) -> tuple[Diff, tuple[str, ...]]:
    """Return what a fresh freeze has otherwise than *text* says, and what is missing of the changed projects' files."""
    environment = targets.environment_of(replace(target, python=written.python))
    now = requirement.parse(targets.freeze_of(environment)).requirements
    found = installed.find(environment.paths)
    touched = [one for key in written.changed for one in found.get(key, ())]
    return plan.differences(requirement.parse(text).requirements, now), tuple(installed.damage(touched))
