"""Proposal: what a rollback would do, and why it must not be done at all; nothing is changed here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from gitsnap import changes, conda, installed, journal, plan, requirement, selection, store
from gitsnap.actions import target as targets
from gitsnap.actions.state import State
from gitsnap.actions.target import Target
from gitsnap.actions.wanted import Wanted, conda_list, of_state, source_lines, wanted
from gitsnap.errors import ForeignOwnerError, GitsnapError, NotFoundError, UntrustedTextError
from gitsnap.installer import Sources
from gitsnap.model import Environment, Freeze, canonical
from gitsnap.plan import Left, Plan
from gitsnap.requirement import Requirement
from gitsnap.store import Store

_RECENT = 25
_NOWHERE_ELSE = Sources()


@dataclass(frozen=True)
class Proposal:
    """What a rollback would do; nothing was changed yet."""

    target: Target
    environment: Environment
    store: Store
    wanted: Wanted
    plan: Plan
    sources: Sources
    installer: str | None

    @property
    def risky(self) -> list[str]:
        """The lines to be installed that can run another's code, each with its number."""
        return [] if self.wanted.is_own else source_lines(one for one in self.plan.install if one.runs_code)


def propose(
    snap: str | None = None,
    *,
    python: str | None = None,
    env: str | None = None,
    only: Collection[str] = (),
    except_: Collection[str] = (),
    sources: Sources = _NOWHERE_ELSE,
    installer: str | None = None,
) -> Proposal:
    """Return what a rollback to *snap* would do. Raises GitsnapError where it must not be done at all."""
    target = targets.find(python, env)
    environment = targets.environment_of(target)
    found = store.of(target.config, environment)
    journal.refuse_unfinished(found.path)
    now = requirement.parse(targets.freeze_of(environment)).requirements

    def steps_to(goal: Wanted) -> Plan:
        return _plan(environment, now, goal, only, except_)

    goal = wanted(target, snap) if snap else _newest_other(target, found, now, environment, steps_to)
    _refuse_other_python(environment, goal)
    _refuse_managed(environment)
    steps = steps_to(goal)
    if not only and (listed := conda_list(goal)):
        steps = replace(steps, left=(*steps.left, *_conda_left(environment, listed, steps)))
    return Proposal(target, environment, found, goal, steps, sources, installer)


def _newest_other(
    target: Target,
    found: Store,
    now: tuple[Requirement, ...],
    environment: Environment,
    steps_to: Callable[[Wanted], Plan],
) -> Wanted:
    """Return the newest snapshot that holds something else than the environment now, and can be gone back to.

    One that differs only in what gitsnap itself needs would change nothing, now and at each further rollback.
    """
    here = {one.identity for one in now}
    with store.reading(found) as repo:
        for limit in (_RECENT, None):
            for one in repo.snapshots(limit=limit)[0 if limit else _RECENT :]:
                state = State(f"{found.name} of {one.stamp}", store.text_of(repo, one), one)
                try:
                    goal = of_state(target, state)
                except UntrustedTextError as error:
                    raise UntrustedTextError(
                        f"snapshot {one.stamp}: {error.message}", hint=error.hint
                    ) from error
                there = {
                    line.identity for line in requirement.listed(goal.text.requirements, environment.python)
                }
                if there != here and (_is_other_python(environment, goal) or steps_to(goal)):
                    return goal
    raise NotFoundError(
        "no snapshot differs from the environment as it is", hint="`gitsnap log` lists the snapshots"
    )


def _is_other_python(environment: Environment, goal: Wanted) -> bool:
    said = goal.text.freeze.python
    return bool(said) and said.split(".")[:2] != [str(part) for part in environment.python[:2]]


def _refuse_other_python(environment: Environment, goal: Wanted) -> None:
    if _is_other_python(environment, goal):
        said, here = goal.text.freeze.python, ".".join(map(str, environment.python[:2]))
        raise GitsnapError(
            f"snapshot {goal.label} is of Python {said}, and this environment has {here}",
            hint=f"`gitsnap restore {goal.label} --into DIR` makes a new environment with its Python",
        )


def _refuse_managed(environment: Environment) -> None:
    """Refuse a Python whose packages belong to the system (PEP 668), and what may not be written."""
    if not selection.is_venv(str(environment.prefix)):
        for path in environment.paths:
            if os.path.isfile(os.path.join(path, "EXTERNALLY-MANAGED")):
                raise GitsnapError(
                    f"the packages of `{environment.executable}` are managed by the system",
                    hint="`gitsnap restore SNAP --into DIR` makes an environment of your own",
                )
    if os.name != "nt" and os.geteuid() == 0 and environment.prefix.stat().st_uid != 0:
        raise ForeignOwnerError(
            f"`{environment.prefix}` belongs to another user, and gitsnap runs as root",
            hint="run gitsnap as that user, who could not change files of root's any more",
        )
    for folder in site_folders(environment):
        if not os.access(folder, os.W_OK):
            raise GitsnapError(
                f"`{folder}` may not be written", hint="run gitsnap as the owner of that environment"
            )


def site_folders(environment: Environment) -> list[str]:
    """Return the site folders that lie in the environment itself."""
    return [
        folder
        for folder in environment.folders
        if installed.is_inside(Path(folder), environment.prefix) and os.path.isdir(folder)
    ]


def _plan(
    environment: Environment,
    now: tuple[Requirement, ...],
    goal: Wanted,
    only: Collection[str],
    except_: Collection[str],
) -> Plan:
    prefix = environment.prefix
    found = installed.find(environment.paths)
    reasons = installed.obstacles(found, [one.key for one in now], prefix, installed.conda_names(prefix))
    reasons |= {one.key: "nothing installed has that name" for one in now if one.key not in found}
    is_own = os.path.normcase(os.path.realpath(sys.prefix)) == os.path.normcase(os.path.realpath(prefix))
    steps = plan.plan_rollback(
        now,
        requirement.listed(goal.text.requirements, environment.python),
        only=only,
        except_=except_,
        protected=installed.needed_by_gitsnap() if is_own else {"pip"},
        untouchable=reasons,
    )
    _refuse_conda(steps, goal, prefix)
    return steps


def _conda_left(environment: Environment, listed: str, steps: Plan) -> tuple[Left, ...]:
    """Return what conda has otherwise than the snapshot's list says, but for what the plan is about anyway."""
    now = conda.explicit(str(environment.prefix)) or ""
    sides = [Freeze("", "", conda.parse(text)) for text in (now, listed)]
    known = {canonical(one.distribution.name) for one in steps.now}
    found = []
    for change in changes.compare(*sides).changes:
        if canonical(change.name) not in known:
            wish = (
                f"install -p {environment.prefix} {change.name}={change.after.version}"
                if change.after
                else ""
            )
            wish = wish or f"remove -p {environment.prefix} {change.name}"
            found.append(Left(change.name, f"conda installed it: `conda {wish}`"))
    return tuple(found)


def _refuse_conda(steps: Plan, goal: Wanted, prefix: Path) -> None:
    """Refuse to touch what conda installed, with the commands by which conda takes it back itself."""
    owned = {canonical(one.name): one.name for one in steps.left if one.reason == installed.CONDA}
    if not owned:
        return
    versions = {one.key: one.distribution.version for one in goal.text.requirements}
    back = " ".join(f"{name}={versions[key]}" for key, name in owned.items() if versions.get(key))
    gone = " ".join(name for key, name in owned.items() if key not in versions)
    commands = [f"`conda install -p {prefix} {back}`"] if back else []
    commands += [f"`conda remove -p {prefix} {gone}`"] if gone else []
    raise GitsnapError(
        f"conda installed {', '.join(owned.values())}, and pip must not overwrite what conda installed",
        hint=f"{' and '.join(commands)} first, or leave them alone with "
        + " ".join(f"`--except {name}`" for name in owned.values()),
    )
