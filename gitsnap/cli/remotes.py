"""The verbs about the remote: `remote`, `push` and `fetch`, with their answers."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from gitsnap.cli import as_json, render
from gitsnap.cli.options import json_option as _json
from gitsnap.cli.options import target as _target
from gitsnap.cli.options import which as _which
from gitsnap.model import printable
from gitsnap.transfer import unheard

if TYPE_CHECKING:
    from gitsnap.actions.fetch import Fetched
    from gitsnap.actions.push import Report
    from gitsnap.actions.remote import Shown, Tested
    from gitsnap.verdict import Verdict

FAILED = 1
PARTLY = 4


def _has_terminal() -> bool:
    """Tell whether there is somebody whom git and ssh could ask for a password."""
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


@contextlib.contextmanager
def _telling() -> Iterator[Callable[[str, str], None]]:
    """Show on a terminal what git says of its progress, on one line that is overwritten."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield unheard
        return
    width = shutil.get_terminal_size().columns - 1

    def tell(name: str, line: str) -> None:
        shown = printable(f"{name}: {line}" if name else line, max(width, 10))
        sys.stderr.write(f"\r{shown:{width}}\r")
        sys.stderr.flush()

    try:
        yield tell
    finally:
        sys.stderr.write(f"\r{' ' * width}\r")


@click.group(invoke_without_command=True)
@_json
@click.pass_context
def remote(ctx: click.Context, json_: bool) -> None:
    """Show or set where snapshots are sent to.

    \b
    Examples:
      gitsnap remote set git@github.com:ada/environments.git
      gitsnap remote set /media/usb/environments.git
      gitsnap remote test
    """
    if ctx.invoked_subcommand is not None:
        return
    from gitsnap.actions.remote import show

    result = show()
    if json_:
        render.document(_shown_as_json(result))
    else:
        _show(result)


def _show(result: Shown) -> None:
    """Print the remote and how every environment stands to it."""
    if not result.url:
        render.answer("no remote is set: snapshots are on this computer alone")
        render.say("\nhint: `gitsnap remote set URL` names an empty repository on a git server, or a folder")
        return
    render.answer(f"remote    {printable(result.url, 500)}")
    render.answer(f"push      {result.push}")
    render.answer(f"machine   {printable(result.machine)}")
    render.answer(f"fetched   {_moment(result.fetched)}")
    width = max((len(one.store.name) for one in result.environments), default=0)
    for one in result.environments:
        left = one.standing.unsent
        state = one.trouble or (
            f"{_snapshots(left)} not pushed" if left else f"pushed to {one.standing.branch}"
        )
        render.answer(f"  {one.store.name:{width}}  {printable(state, 500)}")


def _shown_as_json(result: Shown) -> dict[str, Any]:
    return {
        "url": result.url or None,
        "push": result.push,
        "machine": result.machine,
        "fetched": result.fetched or None,
        "environments": [
            {
                "environment": one.store.name,
                "branch": one.standing.branch,
                "unsent": one.standing.unsent,
                "trouble": one.trouble or None,
            }
            for one in result.environments
        ],
    }


def _snapshots(count: int) -> str:
    return f"{count} snapshot{'' if count == 1 else 's'}"


def _moment(text: str) -> str:
    """Return a time as people read it."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M")
    return "never"


@remote.command("set")
@click.argument("url")
@_json
def set_(url: str, json_: bool) -> None:
    """Send snapshots to URL from now on.

    URL is a repository on a git server, or the path of a folder, which is made if it does not exist.
    `{machine}` and `{environment}` in it give one repository each.

    \b
    Examples:
      gitsnap remote set git@gitlab.com:lab/environments.git
      gitsnap remote set ~/nextcloud/environments.git
      gitsnap remote set "https://git.example.org/envs/{machine}.git"
    """
    from gitsnap.actions.remote import set_url

    result = set_url(url)
    if json_:
        render.document(
            {
                "url": result.url,
                "file": str(result.file),
                "made": result.made or None,
                "unsent": result.unsent,
            }
        )
        return
    if result.made:
        render.answer(f"made a bare repository in {printable(result.made, 500)}")
    render.answer(
        f"snapshots go to {printable(result.url, 500)} from now on ({printable(str(result.file), 500)})"
    )
    if result.unsent:
        render.say(f"`gitsnap push` sends the {_snapshots(result.unsent)} that there are")


@remote.command()
@_json
def unset(json_: bool) -> None:
    """Send snapshots nowhere from now on; what was sent stays there."""
    from gitsnap.actions.remote import unset as action

    changed = action()
    if json_:
        render.document({"unset": changed})
    else:
        render.answer("snapshots stay on this computer from now on" if changed else "no remote was set")


@remote.command()
@_json
def test(json_: bool) -> int:
    """Ask the remote whether it can be read and written; nothing is sent."""
    from gitsnap.actions.remote import probe

    with render.working("asking the remote"):
        result = probe(may_ask=_has_terminal())
    if json_:
        render.document(_tested_as_json(result))
    else:
        _tell_test(result)
    return 0 if result.reading.is_good and result.writing.is_good else FAILED


def _tested_as_json(result: Tested) -> dict[str, Any]:
    return {
        "url": result.url,
        "read": _verdict_as_json(result.reading),
        "write": _verdict_as_json(result.writing),
        "branches": result.branches,
    }


def _verdict_as_json(one: Verdict) -> dict[str, Any]:
    return {"code": one.code, "message": one.message or None, "hint": one.hint or None}


def _tell_test(result: Tested) -> None:
    """Say whether the remote can be used, or why not."""
    bad = next((one for one in (result.reading, result.writing) if not one.is_good), None)
    if bad is None:
        count = f"{result.branches} branch{'' if result.branches == 1 else 'es'}"
        render.answer(f"{printable(result.url, 500)} can be read and written; it has {count}")
        return
    render.answer(f"{bad.code}: {bad.message}")
    render.say(f"\nhint: {bad.hint}")


@click.command()
@click.option("--background", is_flag=True, hidden=True)
@_json
@_which
def push(background: bool, json_: bool) -> int:
    """Send the snapshots to the remote.

    Those of all environments, or of the one that `--env` names. Nothing there is ever overwritten.

    \b
    Examples:
      gitsnap push
      gitsnap push --env lab
    """
    from gitsnap.actions import push as action

    if background:
        action.push_in_background()
        return 0
    with _telling() as tell:
        result = action.push(env=_target()["env"], may_ask=_has_terminal(), tell=tell)
    if json_:
        render.document(_report_as_json(result))
    else:
        _tell_push(result)
    if not result.failed:
        return 0
    return FAILED if result.failed == len(result.results) else PARTLY


def _report_as_json(result: Report) -> dict[str, Any]:
    return {
        "url": result.url,
        "results": [
            {
                "environment": one.store.name,
                "branch": one.pushed.branch,
                "sent": one.pushed.sent,
                **_verdict_as_json(one.pushed.verdict),
            }
            for one in result.results
        ],
    }


def _tell_push(result: Report) -> None:
    """Print a line an environment; then each reason and remedy once."""
    width = max(len(one.store.name) for one in result.results)
    size = max(len(one.pushed.verdict.code) for one in result.results)
    for one in result.results:
        found = one.pushed.verdict
        sent = f"{_snapshots(one.pushed.sent)} sent to {one.pushed.branch}"
        what = (
            sent if one.pushed.sent and found.is_good else "nothing new" if found.is_good else found.message
        )
        render.answer(f"{one.store.name:{width}}  {found.code:{size}}  {what}")
    told = {(one.pushed.verdict.message, one.pushed.verdict.hint): one for one in result.results}
    for (message, hint), one in told.items():
        if message and one.pushed.verdict.is_good:
            render.say(f"{one.store.name}: {message}")
        if hint:
            render.say(f"\nhint: {hint}")


@click.command()
@click.option(
    "--adopt", is_flag=True, help="This machine was set up again: go on from its own branches there."
)
@_json
def fetch(adopt: bool, json_: bool) -> int:
    """Bring the snapshots of all machines here, to look at and restore.

    Nothing that is here changes by it. Then `MACHINE/ENVIRONMENT:` names them.

    \b
    Examples:
      gitsnap fetch
      gitsnap diff pc-one/lab: pc-two/lab:
      gitsnap fetch --adopt
    """
    from gitsnap.actions import fetch as action

    with _telling() as tell:
        result = action.fetch(adopt=adopt, may_ask=_has_terminal(), tell=lambda line: tell("", line))
    if json_:
        render.document(_fetched_as_json(result))
    else:
        _tell_fetch(result)
    if not result.verdict.is_good:
        return FAILED
    return 0 if all(one.is_good for one in result.adopted) else PARTLY


def _fetched_as_json(result: Fetched) -> dict[str, Any]:
    return {
        "url": result.url,
        **_verdict_as_json(result.verdict),
        "environments": [as_json.found(one) for one in result.found],
        "new": list(result.new),
        "others": list(result.others),
        "adopted": [
            {
                "environment": one.environment,
                "branch": one.branch,
                "what": one.what,
                "message": one.message,
                "hint": one.hint or None,
            }
            for one in result.adopted
        ],
    }


def _tell_fetch(result: Fetched) -> None:
    """Say what came, and what was left alone."""
    if not result.verdict.is_good:
        render.answer(f"{result.verdict.code}: {result.verdict.message}")
        render.say(f"\nhint: {result.verdict.hint}")
        return
    machines = len({one.machine for one in result.found})
    count = len(result.found)
    render.answer(
        f"{count} environment{'' if count == 1 else 's'} of {machines} machine{'' if machines == 1 else 's'}, "
        f"{len(result.new)} new or changed; `gitsnap environments` lists them"
    )
    for done in result.adopted:
        render.answer(f"{done.environment}: {done.message}")
        if done.hint:
            render.say(f"\nhint: {done.hint}")
    for name in result.others[:10]:
        render.say(f"`{name}` is no environment of gitsnap's; left alone")
    if len(result.others) > 10:  # noqa: PLR2004
        render.say(f"and {len(result.others) - 10} more")
