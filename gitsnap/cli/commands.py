"""The verbs as commands: ten lines each, from arguments to an action to its rendering."""

from __future__ import annotations

import os
import sys

import click

from gitsnap import __version__
from gitsnap.cli import as_json, remotes, render
from gitsnap.cli.hooks import hook
from gitsnap.cli.importing import import_
from gitsnap.cli.options import json_option as _json
from gitsnap.cli.options import snap_names as _snap_names
from gitsnap.cli.options import target as _target
from gitsnap.cli.options import which as _which
from gitsnap.cli.restoring import restore, rollback
from gitsnap.errors import UsageError

PARTLY = 4
DRIFT = 5
NO_REPOSITORY = 10


class _Verbs(click.Group):
    """The group of verbs, with their second names."""

    _ALIASES = {"list": "log", "envs": "environments"}  # noqa: RUF012 - click makes one group a process

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command called *cmd_name*, or the one that this is a second name of."""
        return super().get_command(ctx, self._ALIASES.get(cmd_name, cmd_name))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the verbs in the order of a working day."""
        return list(self.commands)


def _version(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        render.answer(f"gitsnap {__version__}")
        ctx.exit()


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@_which
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print the version."
)
@click.pass_context
def gitsnap(ctx: click.Context) -> None:
    """Keep git-backed snapshots of Python environments.

    \b
    gitsnap save            remember what is installed now
    gitsnap diff            what changed since?
    gitsnap log             which snapshots are there?
    """
    if ctx.invoked_subcommand != "run":
        from gitsnap import repository

        repository.isolate_process()


@gitsnap.command()
@click.option("-m", "--reason", default="", metavar="REASON", help="Why; kept with the snapshot.")
@_json
@_which
def save(reason: str, json_: bool) -> None:
    """Take a snapshot of the environment if it changed.

    \b
    Examples:
      gitsnap save
      gitsnap save -m "before the camera driver update"
      gitsnap --python ~/envs/lab save
    """
    from gitsnap.actions import save as action

    with render.working("reading the environment"):
        result = action.save(**_target(), reason=reason)
    if isinstance(result, action.Switched):
        if json_:
            render.document({"saved": False, "switched_off_by": result.source})
        else:
            render.answer(f"nothing is saved: `backup.keep_backup` is false ({result.source})")
    elif json_:
        render.document(as_json.saved(result))
    else:
        render.saved(result)
        if reason and not result.is_new:
            render.say("the reason was not kept, as nothing changed; `gitsnap tag NAME` names this state")


@gitsnap.command()
@click.option("--no-header", is_flag=True, help="Print the requirement lines alone.")
@_json
@_which
def freeze(no_header: bool, json_: bool) -> None:
    """Print exactly what `save` would commit; save nothing.

    \b
    Example:
      gitsnap freeze --no-header > requirements.txt
    """
    from gitsnap import freezefile
    from gitsnap.actions.save import freeze as action

    text = action(**_target())
    if json_:
        render.document({**as_json.freeze(freezefile.parse(text)), "text": text})
        return
    _bytes((text.partition("\n\n")[2] if no_header else text).encode("utf-8"))


def _bytes(data: bytes) -> None:
    """Print *data* as it is: no line end is changed on any system."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@gitsnap.command()
@click.option(
    "--exit-code", is_flag=True, help="Exit 5 if the environment changed since the newest snapshot."
)
@_json
@_which
def status(exit_code: bool, json_: bool) -> int:
    """Show what changed since the newest snapshot.

    If launches could not save, that comes first.

    \b
    Example:
      gitsnap status --exit-code || echo "not as it was"
    """
    from gitsnap.actions.status import status as action

    with render.working("comparing"):
        result = action(**_target())
    if json_:
        render.document(as_json.status(result))
    else:
        render.status(result)
    if result.trouble:
        render.say(f"error: {result.trouble.message}\n\nhint: {result.trouble.hint}")
        return result.trouble.exit_code
    if exit_code and result.newest is None:
        return NO_REPOSITORY
    return DRIFT if exit_code and result.drift else 0


@gitsnap.command()
@click.argument("place", metavar="[ENVIRONMENT:]", required=False)
@click.option(
    "-n", "--limit", type=click.IntRange(min=0), default=25, show_default=True, help="How many; 0 for all."
)
@click.option("--since", metavar="DATE", help="Only those since a date such as 2025-01-31.")
@click.option("--package", metavar="NAME", help="Only those that changed this package, and how.")
@_json
@_which
def log(place: str | None, limit: int, since: str | None, package: str | None, json_: bool) -> None:
    """List the snapshots and what each changed.

    \b
    Examples:
      gitsnap log
      gitsnap log --package numpy       when did numpy change?
      gitsnap log --since 2025-01-31
      gitsnap log pc-two/lab:           those of another machine, after `gitsnap fetch`
    """
    from gitsnap.actions.snapshots import snapshots

    with render.working("reading the history"):
        result = snapshots(place, **_target(), limit=limit or None, since=since, package=package)
    if json_:
        render.document(as_json.log(result))
    else:
        render.log(result)


@gitsnap.command()
@click.argument("snap", default="latest", shell_complete=_snap_names)
@click.option("--raw", is_flag=True, help="Print the exact file.")
@_json
@_which
def show(snap: str, raw: bool, json_: bool) -> None:
    """Show one snapshot: by default the newest.

    \b
    Examples:
      gitsnap show latest~2
      gitsnap show --raw 2025-01-31 > requirements.txt
    """
    from gitsnap.actions.show import show as action

    state = action(snap, **_target())
    if json_:
        render.document(as_json.state(state))
    elif raw:
        _bytes(state.text)
    else:
        render.show(state)


@gitsnap.command()
@click.argument("a", default="latest", shell_complete=_snap_names)
@click.argument("b", default="now", shell_complete=_snap_names)
@click.option("--patch", is_flag=True, help="Print git's own unified diff of the two files.")
@click.option("--exit-code", is_flag=True, help="Exit 5 if anything differs.")
@_json
@_which
def diff(a: str, b: str, patch: bool, exit_code: bool, json_: bool) -> int:
    """Show what changed between two states.

    By default from the newest snapshot to now.

    \b
    Examples:
      gitsnap diff                     since the newest snapshot
      gitsnap diff 2025-01-31          since the end of that day
      gitsnap diff latest~1 latest     what the newest snapshot changed
      gitsnap diff lab: office:        between two environments
    """
    from gitsnap.actions import compare

    with render.working("comparing"):
        result = compare.compare(a, b, **_target())
    if json_:
        render.document(as_json.comparison(result))
    elif patch:
        _bytes(compare.patch(result, colour=render.has_colour()).encode("utf-8", "surrogateescape"))
    else:
        render.comparison(result)
    return DRIFT if exit_code and result.diff else 0


@gitsnap.command()
@click.argument("name", required=False)
@click.argument("snap", default="latest", shell_complete=_snap_names)
@click.option("-d", "--delete", is_flag=True, help="Delete the tag NAME.")
@_json
@_which
def tag(name: str | None, snap: str, delete: bool, json_: bool) -> None:
    """Name and pin a snapshot; without NAME, list the tags.

    \b
    Examples:
      gitsnap tag before-update
      gitsnap tag paper-2025 2025-01-31
      gitsnap tag -d before-update
    """
    from gitsnap.actions import tag as action

    if name is None:
        if delete:
            raise UsageError("`-d` needs the name of the tag", hint="`gitsnap tag` lists the tags")
        found = action.tags(**_target())
        if json_:
            render.document({"snapshots": [as_json.snapshot(one) for one in found]})
        else:
            render.tags(found)
    elif delete:
        action.untag(name, **_target())
        render.answer(f"deleted tag {name}; its snapshot stays in the history")
    else:
        one = action.tag(name, snap, **_target())
        if json_:
            render.document({"snapshot": as_json.snapshot(one)})
        else:
            render.answer(f"{name} is snapshot {one.stamp}: {one.subject}")


@gitsnap.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--no-mark", is_flag=True, help="Do not remember whether it goes well.")
@_which
def run(command: tuple[str, ...], no_mark: bool) -> int:
    """Save, then become COMMAND.

    A save that fails never keeps it from starting. When COMMAND ends with 0, or is alive after 20 seconds, the
    packages are known to be good: `gitsnap rollback good` is the way back to them.

    \b
    Example:
      gitsnap run -- python -m pymodaq.dashboard
    """
    from gitsnap.launch import run as action

    target = _target()
    return action(command, target["python"], target["env"], mark=not no_mark)


gitsnap.add_command(restore)
gitsnap.add_command(rollback)
gitsnap.add_command(hook)
gitsnap.add_command(import_)


for _verb in (remotes.remote, remotes.push, remotes.fetch):
    gitsnap.add_command(_verb)


@gitsnap.command()
@_json
def environments(json_: bool) -> None:
    """List all environments known here."""
    from gitsnap.actions.environments import environments as action

    with render.working("reading the repositories"):
        result = action()
    if json_:
        render.document(as_json.environments(result))
    else:
        render.environments(result)


@gitsnap.command()
@_json
@_which
def prune(json_: bool) -> None:
    """Apply a lowered limit now.

    Only files leave the folder; the history keeps every snapshot.
    """
    from gitsnap.actions.prune import prune as action

    result = action(**_target())
    if json_:
        render.document(as_json.pruned(result))
    else:
        render.pruned(result)


@gitsnap.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended; nothing is deleted.")
@_json
@_which
def check(repair: bool, json_: bool) -> int:
    """Verify that every snapshot is there and readable."""
    from gitsnap.actions.check import check as action

    with render.working("reading every object"):
        result = action(**_target(), repair=repair)
    if json_:
        render.document(as_json.checked(result))
    else:
        render.checked(result)
    if result.problems:
        render.say("\nhint: `gitsnap check --repair` mends what can be mended and keeps the rest aside")
    return 1 if result.problems else 0


@gitsnap.command()
@click.option("--path", "only_path", is_flag=True, help="Print the path of your configuration file.")
@_json
def config(only_path: bool, json_: bool) -> None:
    """Show each effective value and where it comes from."""
    from gitsnap import config as configuration
    from gitsnap import locations

    if only_path:
        render.answer(str(locations.config_files(os.environ)[1]))
        return
    result = configuration.load(os.environ)
    if json_:
        render.document(as_json.config(result))
    else:
        render.config(result)
