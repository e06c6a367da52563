"""`gitsnap restore` and `gitsnap rollback`: show the plan, ask, do it, say what was done."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from gitsnap.cli import as_json, render
from gitsnap.cli.options import Command, json_option, snap_names, target, which
from gitsnap.errors import UsageError
from gitsnap.installer import Sources
from gitsnap.model import printable

if TYPE_CHECKING:
    from gitsnap.actions.proposal import Proposal
    from gitsnap.actions.restore import Design, Restored
    from gitsnap.actions.rollback import RolledBack
    from gitsnap.plan import Left
    from gitsnap.requirement import Requirement

FAILED = 1
PARTLY = 4
_SHOWN = 20
_OPTIONS = (
    click.option("--find-links", multiple=True, metavar="PATH", help="Wheels in this folder too."),
    click.option("--index-url", default="", metavar="URL", help="Another index than the default one."),
    click.option("--extra-index-url", multiple=True, metavar="URL", help="An index beside it."),
    click.option("--offline", is_flag=True, help="No network: what is cached, and --find-links."),
    click.option("--installer", type=click.Choice(["uv", "pip"]), help="Default: uv where it is there."),
    click.option("--keep-going", is_flag=True, help="Leave out what cannot be had (exit 4)."),
    click.option("--allow-source", is_flag=True, help="Permit lines of others that can run code."),
    click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing."),
)


def _options(function: Command) -> Command:
    """Add what both commands take."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _sources(options: dict[str, Any]) -> Sources:
    return Sources(
        options["find_links"], options["index_url"], options["extra_index_url"], options["offline"]
    )


@click.command()
@click.argument("snap", shell_complete=snap_names)
@click.option("--into", required=True, metavar="DIR", help="The folder of the new environment; new or empty.")
@click.option("--any-patch", is_flag=True, help="Go on with another patch release of the same Python.")
@_options
@json_option
@which
def restore(snap: str, into: str, any_patch: bool, json_: bool, **options: Any) -> int:
    """Make a new environment from a snapshot.

    The same Python, exactly its packages, verified.

    \b
    Examples:
      gitsnap restore worked --into ~/envs/lab-again
      gitsnap restore lab-pc-3/lab: --into ~/envs/lab
      gitsnap restore ./old.txt --into ~/envs/old --find-links ./wheels --offline
    """  # noqa: D301 - click keeps lines after a `\b`
    from gitsnap.actions import restore as action

    with render.working("looking for the Python"):
        made = action.design(
            snap,
            into,
            **target(),
            sources=_sources(options),
            any_patch=any_patch,
            installer=options["installer"],
        )
    if options["dry_run"] or not json_:
        render.document(_design_document(made)) if json_ else _print_design(made)
    if options["dry_run"]:
        return 0
    result = action.carry_out(
        made,
        allow_source=_is_permitted(made.risky, options["allow_source"]),
        keep_going=options["keep_going"],
        progress=render.working,
    )
    render.document(_restored_document(result)) if json_ else _print_restored(result)
    return 0 if result.is_complete else PARTLY


@click.command()
@click.argument("snap", required=False, shell_complete=snap_names)
@click.option("-y", "--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--only", multiple=True, metavar="NAME", help="Take back only this package; may be repeated.")
@click.option(
    "--except", "except_", multiple=True, metavar="NAME", help="Leave this package alone; may be repeated."
)
@click.option("--continue", "forward", is_flag=True, help="Bring an interrupted rollback to its end.")
@click.option("--abort", is_flag=True, help="Put back what an interrupted rollback changed.")
@_options
@json_option
@which
def rollback(snap: str | None, yes: bool, forward: bool, abort: bool, json_: bool, **options: Any) -> int:
    """Take the environment back to a snapshot, all or nothing.

    By default to the newest snapshot that differs from it, so that a second rollback undoes the first. What is
    there now is saved first.

    \b
    Examples:
      gitsnap rollback
      gitsnap rollback worked --dry-run
      gitsnap rollback 2025-01-31 --only numpy
    """  # noqa: D301 - as above
    from gitsnap.actions import rollback as action
    from gitsnap.actions.proposal import propose

    if forward or abort:
        if snap or (forward and abort):
            raise UsageError("`--continue` and `--abort` stand alone")
        with _resumable():
            result = action.resume(**target(), forward=forward, progress=render.working)
        return _tell(result, json_, "rolled back to" if forward else "put back, as it was in")
    with render.working("comparing"):
        proposal = propose(
            snap,
            **target(),
            only=options["only"],
            except_=options["except_"],
            sources=_sources(options),
            installer=options["installer"],
        )
    if options["dry_run"] or not json_:
        render.document(_proposal_document(proposal)) if json_ else _print_proposal(proposal)
    if options["dry_run"]:
        return 0
    permitted = _is_permitted(proposal.risky, options["allow_source"])
    if proposal.plan and not yes and not _is_wanted(json_):
        render.say("nothing was changed")
        return FAILED
    with _resumable():
        result = action.carry_out(
            proposal, allow_source=permitted, keep_going=options["keep_going"], progress=render.working
        )
    partial = options["only"] or options["except_"]
    return _tell(result, json_, "rolled back in part to" if partial else "rolled back to")


def _has_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def _is_wanted(json_: bool) -> bool:
    """Ask whether to go on; where nobody can be asked that is an error."""
    if json_ or not _has_terminal():
        raise UsageError(
            "nothing was changed: there is no terminal to ask on", hint="`--yes` does it without asking"
        )
    return click.confirm("go on?", default=False, err=True)


def _is_permitted(risky: list[str], allow_source: bool) -> bool:
    """Tell whether lines of others that can run code may; on a terminal they are shown, and it is asked."""
    if not risky or allow_source or not _has_terminal():
        return allow_source
    render.say("another machine wrote these lines, which can run code here:")
    for line in risky:
        render.say(f"  {line}")
    return click.confirm("install from there?", default=False, err=True)


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Say on Ctrl-C how the environment stands: as it was, or in the middle of a rollback."""
    from gitsnap.actions.rollback import is_unfinished
    from gitsnap.unfinished import HINT

    try:
        yield
    except KeyboardInterrupt:
        unfinished = is_unfinished(**target())
        render.say(f"the rollback is unfinished: {HINT}" if unfinished else "nothing was changed")
        raise


def _print_proposal(proposal: Proposal) -> None:
    """Print what a rollback would do, and what stays though the snapshot has it otherwise."""
    plan = proposal.plan
    render.answer(f"{proposal.store.name}: back to {printable(proposal.wanted.label)}")
    render.changes(plan.changes, "  ")
    _print_left(plan.kept, plan.left, plan.blocked)
    if not plan:
        render.answer("  nothing to do")
        return
    untouched = sum(one.key not in plan.changed for one in plan.now)
    render.answer(f"  {len(plan.install)} to install, {len(plan.remove)} to remove, {untouched} untouched")


def _print_left(kept: Iterable[Left], left: Iterable[Left], missing: Iterable[Left]) -> None:
    """Print what stays as it is and why."""
    if names := ", ".join(one.name for one in kept):
        render.answer(f"  kept: {names} (gitsnap needs it)")
    for word, items in (("left", left), ("missing", missing)):
        for one in items:
            render.answer(f"  {word}: {one.name}: {printable(one.reason, 500)}")


def _print_faults(result: RolledBack | Restored) -> None:
    """Print what is missing or not as planned."""
    _print_left((), (), result.missing)
    render.changes(result.differences, "  ")
    for line in result.damage[:_SHOWN]:
        render.answer(f"  {printable(line, 500)}")


def _but_for(result: RolledBack) -> str:
    """Say what is not as the snapshot says because gitsnap needs it as it is."""
    names = ", ".join(one.name for one in result.kept)
    return f", but for what gitsnap needs: {names}" if names else ""


def _tell(result: RolledBack, json_: bool, what: str) -> int:
    """Say what a rollback did, and how to undo it; returns the exit code."""
    code = 0 if result.is_complete else PARTLY
    if json_:
        render.document(_rolled_back_document(result))
        return code
    name, label = result.store.name, printable(result.label)
    for line in result.warnings:
        render.say(f"{name}: {line}")
    if not result.safety:
        what = "is as" if result.is_complete else "cannot be as"
        render.answer(f"{name}: {what} {label} says{_but_for(result)}; nothing was changed")
        return code
    faulty = bool(result.missing or result.differences or result.damage)
    word = "but not all is as planned" if faulty else "verified"
    render.answer(f"{name}: {what} {label}, {word}{_but_for(result)}")
    _print_faults(result)
    if result.saved:
        render.answer(f"  saved snapshot {result.saved.stamp}; what was there before is {result.safety}")
        render.answer("  restart the applications that run in this environment")
    return code


def _print_design(made: Design) -> None:
    """Print what a restore would make."""
    version = ".".join(map(str, made.python.version if made.python else made.version))
    place = "uv downloads it"
    if made.conda:
        place = f"{printable(made.conda_program, 500)} makes it, of {len(made.conda.packages)} conda packages"
    elif made.python:
        place = printable(made.python.path, 500)
    render.answer(f"{printable(made.wanted.label)} into {printable(str(made.into), 500)}")
    render.answer(f"  Python {version} ({place})")
    if made.python and made.python.version != made.version:
        render.answer(f"  the snapshot has Python {'.'.join(map(str, made.version))}")
    render.answer(f"  {len(made.install)} to install")
    if made.note:
        render.answer(f"  {made.note}")
    _print_left((), (), made.lost)


def _print_restored(result: Restored) -> None:
    """Say what a restore made."""
    for line in result.warnings:
        render.say(line)
    word = "verified" if result.is_complete else "but not all is as the snapshot says"
    place = printable(str(result.into), 500)
    count = f"{result.count} distribution{'' if result.count == 1 else 's'}"
    render.answer(f"made {place}: Python {result.python}, {count}, {word}")
    _print_faults(result)


def _lines(requirements: Iterable[Requirement]) -> list[as_json.Json]:
    return [{"name": one.distribution.name, "line": one.shown, "number": one.number} for one in requirements]


def _reasons(items: Iterable[Left]) -> list[as_json.Json]:
    return [{"name": one.name, "reason": one.reason} for one in items]


def _proposal_document(proposal: Proposal) -> as_json.Json:
    plan = proposal.plan
    return {
        "environment": proposal.store.name,
        "target": proposal.wanted.label,
        "diff": as_json.diff(plan.changes),
        "install": _lines(plan.install),
        "remove": _lines(plan.remove),
        "kept": _reasons(plan.kept),
        "left": _reasons(plan.left),
        "missing": _reasons(plan.blocked),
        "runs_code": proposal.risky,
    }


def _rolled_back_document(result: RolledBack) -> as_json.Json:
    return {
        "environment": result.store.name,
        "target": result.label,
        "complete": result.is_complete,
        "diff": as_json.diff(result.changes),
        "safety": result.safety or None,
        "snapshot": as_json.snapshot(result.saved) if result.saved else None,
        "kept": _reasons(result.kept),
        "left": _reasons(result.left),
        "missing": _reasons(result.missing),
        "differences": as_json.diff(result.differences),
        "damage": list(result.damage),
        "warnings": list(result.warnings),
    }


def _design_document(made: Design) -> as_json.Json:
    return {
        "into": str(made.into),
        "source": made.wanted.label,
        "python": ".".join(map(str, made.python.version if made.python else made.version)),
        "interpreter": made.python.path if made.python else None,
        "conda": [url for _, url in made.conda.urls] if made.conda else [],
        "note": made.note or None,
        "install": _lines(made.install),
        "missing": _reasons(made.lost),
        "runs_code": made.risky,
    }


def _restored_document(result: Restored) -> as_json.Json:
    return {
        "into": str(result.into),
        "source": result.label,
        "complete": result.is_complete,
        "python": result.python,
        "distributions": result.count,
        "missing": _reasons(result.missing),
        "differences": as_json.diff(result.differences),
        "damage": list(result.damage),
        "warnings": list(result.warnings),
    }
