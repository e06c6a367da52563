"""`gitsnap hook`: take snapshots by themselves, where people launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from gitsnap.cli import render
from gitsnap.cli.options import Command, json_option, target, which
from gitsnap.model import printable

if TYPE_CHECKING:
    from gitsnap.actions.hooks import Edit, Hooked, Installed

_KINDS = ("conda", "virtualenvwrapper", "venv", "launcher")
_PASS_ON = {"ignore_unknown_options": True}


@click.group()
def hook() -> None:
    """Take snapshots by themselves, where you launch."""


@hook.command()
def path() -> None:
    """Print the folder of the hook scripts.

    \b
    Example:
      "$(gitsnap hook path)/pre-launch" python -m pymodaq.dashboard
    """  # noqa: D301 - click keeps lines after a `\b`
    from gitsnap.locations import hook_scripts

    render.answer(str(hook_scripts()))


def _arguments(function: Command) -> Command:
    """Add what `install` and `remove` take, which is the same."""
    decorators: list[Callable[[Command], Command]] = [
        click.argument("kind", type=click.Choice(_KINDS)),
        click.argument("command", nargs=-1, type=click.UNPROCESSED),
        click.option("--all", "everywhere", is_flag=True, help="virtualenvwrapper: for every environment."),
        click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing."),
        json_option,
        which,
    ]
    for decorator in reversed(decorators):
        function = decorator(function)
    return function


@hook.command(context_settings=_PASS_ON)
@_arguments
def install(kind: str, command: tuple[str, ...], everywhere: bool, dry_run: bool, json_: bool) -> None:
    """Save the environment whenever it is activated or launched.

    KIND is `conda`, `virtualenvwrapper` or `venv`: activating it saves it; or `launcher COMMAND`: an entry in the
    system's menu that saves, then starts COMMAND.

    \b
    Examples:
      gitsnap hook install venv
      gitsnap hook install virtualenvwrapper --all
      gitsnap hook install launcher -- python -m pymodaq.dashboard
    """  # noqa: D301 - click keeps lines after a `\b`
    from gitsnap.actions import hooks

    result = hooks.install(hooks.Kind(kind), command, **target(), everywhere=everywhere, dry_run=dry_run)
    _tell(result, json_, dry_run=dry_run)


@hook.command(context_settings=_PASS_ON)
@_arguments
def remove(kind: str, command: tuple[str, ...], everywhere: bool, dry_run: bool, json_: bool) -> None:
    """Take out what `install` with the same arguments put in.

    \b
    Example:
      gitsnap hook remove venv
    """  # noqa: D301 - click keeps lines after a `\b`
    from gitsnap.actions import hooks

    result = hooks.remove(hooks.Kind(kind), command, **target(), everywhere=everywhere, dry_run=dry_run)
    _tell(result, json_, dry_run=dry_run)


@hook.command("list")
@json_option
def list_(json_: bool) -> None:
    """List what is installed where, and whether it still is as it was."""
    from gitsnap.actions.hooks import installed

    found = installed()
    if json_:
        render.document({"hooks": [_installed(one) for one in found]})
        return
    for one in found:
        render.answer(f"{one.kind.value}  {printable(one.what, 500)}")
        for place, condition in one.files:
            render.answer(f"  {condition.value:11}  {printable(str(place), 500)}")
    if not found:
        render.say("no hook is installed; `gitsnap hook install --help` tells which there are")


def _tell(result: Hooked, json_: bool, *, dry_run: bool) -> None:
    if json_:
        edits = [{"path": str(edit.path), "change": _word(edit, dry_run=False)} for edit in result.edits]
        render.document(
            {
                "kind": result.kind.value,
                "what": result.what,
                "dry_run": dry_run,
                "files": edits,
                "notes": list(result.notes),
            }
        )
        return
    for edit in result.edits:
        render.answer(f"{_word(edit, dry_run=dry_run):15}  {printable(str(edit.path), 500)}")
    for note in result.notes:
        render.say(note)


def _word(edit: Edit, *, dry_run: bool) -> str:
    if not edit:
        return "as it was"
    verb = "write" if edit.before is None else "delete" if edit.after is None else "change"
    return (
        f"would {verb}" if dry_run else {"write": "written", "delete": "deleted", "change": "changed"}[verb]
    )


def _installed(one: Installed) -> dict[str, Any]:
    places = [{"path": str(place), "state": condition.value} for place, condition in one.files]
    return {"kind": one.kind.value, "what": one.what, "files": places}
