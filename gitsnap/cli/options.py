"""What several commands share: which environment, and JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

from gitsnap.errors import GitsnapError, UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


class Target(TypedDict):
    """What `--python` and `--env` say."""

    python: str | None
    env: str | None


def _environment_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete `--env` with what is known here; silent where that cannot be told."""
    from gitsnap import config, store

    try:
        names = [one.name for one in store.all_known(config.load(os.environ))]
    except GitsnapError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def _keep(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Keep `--python` or `--env`, before or after the verb, where `_target` finds it."""
    root = ctx.find_root()
    root.obj = root.obj or {}
    if value is not None and parameter.name:
        root.obj[parameter.name] = value


def which(function: Command) -> Command:
    """Add the options that say which environment is meant."""
    python = click.option(
        "--python",
        metavar="PATH",
        callback=_keep,
        expose_value=False,
        help="The environment of this Python or prefix.",
    )
    env = click.option(
        "--env",
        metavar="NAME",
        callback=_keep,
        expose_value=False,
        shell_complete=_environment_names,
        help="The environment of this name, known from an earlier save.",
    )
    return python(env(function))


def json_option(function: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "json_", is_flag=True, help="Print one JSON object.")(function)


def target(ctx: click.Context | None = None) -> Target:
    """Return what `--python` and `--env` say; both at once is a mistake."""
    given = (ctx or click.get_current_context()).find_root().obj or {}
    if given.get("python") and given.get("env"):
        raise UsageError("`--python` and `--env` name two environments", hint="give one of them")
    return {"python": given.get("python"), "env": given.get("env")}


def snap_names(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Complete a SNAP with words, tags and stamps of the newest snapshots."""
    from gitsnap.actions.snapshots import snapshots

    try:
        listed = snapshots(**target(ctx), compare_now=False).listed
    except GitsnapError:
        return []
    tags = [tag for one in listed for tag in one.snapshot.tags]
    names = ["latest", "latest~1", "now", *tags, *(one.snapshot.stamp for one in listed)]
    return [name for name in names if name.startswith(incomplete)]
