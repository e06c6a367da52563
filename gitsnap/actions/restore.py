"""Restore: a new environment with a snapshot's Python and exactly its packages, seen to be so."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from gitsnap import (
    conda_tool,
    creation,
    environment,
    installed,
    plan,
    pythons,
    repository,
    requirement,
    selection,
    store,
    uv,
)
from gitsnap import installer as installers
from gitsnap.actions import target as targets
from gitsnap.actions.target import Target
from gitsnap.actions.wanted import Wanted, conda_list, refuse_source, source_lines, target_of, wanted
from gitsnap.conda_tool import Explicit
from gitsnap.errors import GitsnapError, NotFoundError, UnobtainableError, UsageError
from gitsnap.installer import Sources
from gitsnap.model import Diff, Environment, printable
from gitsnap.plan import Left
from gitsnap.pythons import Python
from gitsnap.requirement import Requirement

Progress = Callable[[str], AbstractContextManager[None]]
_NOWHERE_ELSE = Sources()
_SAME = Diff(())


@dataclass(frozen=True)
class Design:
    """What a restore would make; nothing was changed yet."""

    into: Path
    wanted: Wanted
    version: tuple[int, int, int]
    python: Python | None
    """The interpreter here that it is made from; None where uv is to download one, or conda brings its own."""
    install: tuple[Requirement, ...]
    sources: Sources
    installer: str | None
    lost: tuple[Left, ...] = ()
    """What the snapshot itself calls not restorable."""

    conda: Explicit | None = None
    """What conda is to install first; None where it has no part in it."""
    conda_program: str = ""
    note: str = ""
    """What a user must know beforehand."""

    @property
    def risky(self) -> list[str]:
        """The lines that can run another's code, each with its number."""
        if self.wanted.is_own:
            return []
        urls = self.conda.urls if self.conda else ()
        return [
            *(f"line {number} of the conda list: {printable(url)}" for number, url in urls),
            *source_lines(one for one in self.install if one.runs_code),
        ]


@dataclass(frozen=True)
class Restored:
    """What a restore made."""

    into: Path
    label: str
    python: str
    count: int
    """How many distributions there are."""
    missing: tuple[Left, ...] = ()
    differences: Diff = _SAME
    damage: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the new environment is what the snapshot says."""
        return not (self.missing or self.differences or self.damage)


def restore(
    snap: str,
    into: str | Path,
    *,
    python: str | None = None,
    env: str | None = None,
    sources: Sources = _NOWHERE_ELSE,
    any_patch: bool = False,
    allow_source: bool = False,
    keep_going: bool = False,
    installer: str | None = None,
) -> Restored:
    """Make a new environment at *into* from *snap*. It asks nothing; `design` shows what it would do."""
    made = design(
        snap, into, python=python, env=env, sources=sources, any_patch=any_patch, installer=installer
    )
    return carry_out(made, allow_source=allow_source, keep_going=keep_going)


def design(
    snap: str,
    into: str | Path,
    *,
    python: str | None = None,
    env: str | None = None,
    sources: Sources = _NOWHERE_ELSE,
    any_patch: bool = False,
    installer: str | None = None,
) -> Design:
    """Return what a restore of *snap* into *into* would make. Raises GitsnapError where it cannot be done."""
    place = Path(into).expanduser().absolute()
    _refuse_filled(place)
    target = target_of(snap, python, env)
    goal = wanted(target, snap)
    version = pythons.version_of(goal.text.freeze.version)
    base = None
    if version is None:
        # A file of another origin names no Python; that of the environment in use will do.
        here = targets.environment_of(target)
        base, version = Python(str(here.real_executable), here.python), here.python
    listed = conda_list(goal)
    explicit = conda_tool.read(listed) if listed else None
    program = conda_tool.find(repository.original_variables()) if explicit else None
    if not program:
        base = base or _python(
            target, version, any_patch=any_patch, installer=installer, offline=sources.offline
        )
    lines = goal.text.requirements
    lost = tuple(Left(one.distribution.name, one.reason) for one in lines if not one.is_obtainable)
    return Design(
        into=place,
        wanted=goal,
        version=version,
        python=base,
        install=tuple(one for one in lines if one.is_obtainable),
        sources=sources,
        installer=installer,
        lost=(*lost, *_lost_of_conda(explicit)) if program else lost,
        conda=explicit if program else None,
        conda_program=program or "",
        note=_note(explicit, program, lines),
    )


def _lost_of_conda(explicit: Explicit | None) -> tuple[Left, ...]:
    return tuple(
        Left(one.name, "conda's record does not say where it is from")
        for one in (explicit.lost if explicit else ())
    )


def _note(explicit: Explicit | None, program: str | None, lines: Sequence[Requirement]) -> str:
    """Say what the snapshot's conda part comes to on this computer."""
    if explicit is None:
        return ""
    if program is None:
        keys = {one.key for one in lines}
        others = sum(one.key not in keys for one in explicit.packages)
        return (
            "no mamba, micromamba or conda is here: Python packages are taken by name and version, "
            f"{others} other conda packages are left out"
        )
    if explicit.platform != conda_tool.this_platform():
        return f"the snapshot is of {explicit.platform or 'another platform'}: conda packages are taken by name and version"
    return ""


def _refuse_filled(place: Path) -> None:
    try:
        filled = place.exists() and (not place.is_dir() or any(place.iterdir()))
    except OSError as error:
        raise GitsnapError(f"`{place}` cannot be read: {error.strerror}") from error
    if filled:
        raise UsageError(
            f"`{place}` is not empty",
            hint="name a new folder with `--into`; `rollback` changes one that is there",
        )


def _python(
    target: Target, version: tuple[int, int, int], *, any_patch: bool, installer: str | None, offline: bool
) -> Python | None:
    """Return the interpreter of *version*; None where uv can download it. Raises NotFoundError with what is near."""
    remembered = (store.remembered(one) for one in store.all_known(target.config))
    known = (found for prefix in remembered if prefix and (found := selection.interpreter(prefix)))
    python, near = pythons.find(version, known, any_patch=any_patch)
    if python is None and (
        offline
        or installer == installers.PIP
        or not uv.can_download(version, repository.original_variables())
    ):
        text = ".".join(map(str, version))
        raise NotFoundError(
            f"Python {text} is not on this computer",
            hint="`--any-patch` goes on with the nearest of these"
            if near
            else f"install Python {text}, with pyenv, uv, conda or its installer",
            candidates=[f"{'.'.join(map(str, one.version))}  {one.path}" for one in near],
        )
    return python


def carry_out(
    made: Design,
    *,
    allow_source: bool = False,
    keep_going: bool = False,
    progress: Progress = lambda _: nullcontext(),
) -> Restored:
    """Make what *made* says and verify it; whatever goes wrong leaves no half environment."""
    if not allow_source:
        refuse_source(made.risky)
    if made.lost and not keep_going:
        raise _unobtainable(made.lost)
    with _whole_or_not(made.into):
        with progress("making the environment"):
            new = _new_environment(made)
        here = {one.identity for one in requirement.parse(targets.freeze_of(new)).requirements}
        lines = [one for one in made.install if one.identity not in here]
        variables = repository.original_variables()
        tool = installers.choose(
            str(new.executable), new.python, made.into, made.sources, variables, made.installer
        )
        with progress(f"installing {len(lines)} distributions"):
            fetched = tool.install(lines, made.into / "src")
        names = requirement.by_key(made.install)
        missing = tuple(Left(names[key].distribution.name, reason) for key, reason in fetched.missing.items())
        if missing and not keep_going:
            raise _unobtainable(missing)
        with progress("verifying"):
            result = _verified(made, fetched.missing)
        if not keep_going and not replace(result, missing=()).is_complete:
            raise _not_as_said(result)
    return replace(result, missing=(*made.lost, *missing), warnings=fetched.warnings)


def _new_environment(made: Design) -> Environment:
    """Make the environment, with what conda brings or empty, and ask its Python what it is."""
    variables = repository.original_variables()
    if made.conda:
        conda_tool.create(made.conda_program, made.into, made.conda, variables, offline=made.sources.offline)
        python = selection.interpreter(str(made.into))
        if python is None:
            raise GitsnapError(
                "conda's list holds no Python", hint="`gitsnap show` tells what the snapshot holds"
            )
        return environment.ask(python)
    base = made.python.path if made.python else uv.download(made.version, variables)
    with_uv = made.installer != installers.PIP
    return environment.ask(
        creation.make_environment(base, made.version, made.into, variables, with_uv=with_uv)
    )


def _verified(made: Design, missing: Collection[str]) -> Restored:
    """Freeze the new environment and look at every file of it."""
    new = environment.ask(selection.interpreter(str(made.into)) or str(made.into))
    now = requirement.parse(targets.freeze_of(new)).requirements
    found = installed.find(new.paths)
    expected = [one for one in requirement.listed(made.install, new.python) if one.key not in missing]
    # conda writes the prefix into files, whose size is then another than RECORD says.
    every = (one for several in found.values() for one in several if one.installer != "conda")
    return Restored(
        made.into,
        made.wanted.label,
        ".".join(map(str, new.python)),
        len(now),
        differences=plan.differences(expected, now),
        damage=tuple(installed.damage(every)),
    )


@contextmanager
def _whole_or_not(place: Path) -> Iterator[None]:
    """Remove what was made at *place* when anything goes wrong; an empty folder that was there stays."""
    was_there = place.exists()
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if was_there:
            place.mkdir(exist_ok=True)
        raise


def _unobtainable(missing: tuple[Left, ...]) -> UnobtainableError:
    count = len(missing)
    return UnobtainableError(
        f"{count} package{'s' if count > 1 else ''} cannot be had; nothing was made",
        hint="`--find-links`, `--index-url` and `--extra-index-url` name other places; `--keep-going` makes the rest",
        candidates=[f"{one.name}: {one.reason}" for one in missing],
    )


def _not_as_said(result: Restored) -> GitsnapError:
    lines = [f"{change.kind.value} {change.name}" for change in result.differences.changes]
    return GitsnapError(
        "the new environment is not what the snapshot says; nothing was left of it",
        hint="`--keep-going` keeps it as it is",
        candidates=[*lines, *result.damage[:20]],
    )
