"""`gitsnap import`: take in the dated files of PyMoDAQ, or of anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gitsnap import stamp
from gitsnap.cli import as_json, render
from gitsnap.cli.options import json_option, target, which
from gitsnap.model import printable

if TYPE_CHECKING:
    from gitsnap.actions.importing import Brought, Imported, LeftOut

FAILED = 1
PARTLY = 4


@click.command("import")
@click.argument("path", required=False)
@click.option("--as", "name", metavar="NAME", help="Take them in as the history of the environment NAME.")
@json_option
@which
def import_(path: str | None, name: str | None, json_: bool) -> int:
    """Take in PyMoDAQ's backups, or any dated files of packages.

    PATH is the folder of one environment's files, or a folder of such folders; by default PyMoDAQ's. Each file
    becomes a snapshot with its own date. The files are only read.

    \b
    Examples:
      gitsnap import
      gitsnap import ~/freezes/lab      2025-01-31.txt, 2025-02-14.txt, …
      gitsnap import --as lab-2024 ~/old-computer/environments/lab
    """  # noqa: D301 - click keeps lines after a `\b`
    from gitsnap.actions.importing import import_files

    with render.working("reading the files"):
        result = import_files(path, name=name, **target())
    if json_:
        render.document(_document(result))
    else:
        _print(result)
    refused = [one for one in result.brought if one.refused]
    if not refused:
        return 0
    return FAILED if len(refused) == len(result.brought) else PARTLY


def _print(result: Imported) -> None:
    for one in result.brought:
        render.answer(f"{one.store.name}: {_told(one)}")
        _count(len(one.repeated), "says", "say", "the same as the one before")
        _count(one.known, "was", "were", "in the history already")
        if one.kept:
            render.answer(f"  its snapshots lie on top of them; the history as it was is kept as {one.kept}")
        if one.refused:
            render.say(f"error: {one.refused.message}\n\nhint: {one.refused.hint}")
    if result.left_out:
        render.answer("left out, and left where they are:")
    for item in result.left_out:
        render.answer(f"  {printable(str(item.path), 500)}: {item.reason}")


def _told(one: Brought) -> str:
    if one.refused:
        return "nothing was taken in"
    if not one.added:
        return "nothing new"
    first, last = (stamp.shown(end.stamp) for end in (one.added[0], one.added[-1]))
    if len(one.added) == 1:
        return f"took in 1 snapshot, {first}"
    return f"took in {len(one.added)} snapshots, {first} to {last}"


def _count(count: int, verb: str, verbs: str, rest: str) -> None:
    if count:
        render.answer(f"  {count} {f'file {verb}' if count == 1 else f'files {verbs}'} {rest}")


def _document(result: Imported) -> dict[str, Any]:
    return {
        "folder": str(result.folder),
        "environments": [_brought(one) for one in result.brought],
        "left_out": [_left_out(one) for one in result.left_out],
    }


def _brought(one: Brought) -> dict[str, Any]:
    refused = one.refused
    return {
        "environment": one.store.name,
        "repository": str(one.store.path),
        "imported": [as_json.snapshot(snapshot) for snapshot in one.added],
        "known": one.known,
        "repeated": [_left_out(item) for item in one.repeated],
        "kept": one.kept or None,
        "refused": {"message": refused.message, "hint": refused.hint} if refused else None,
    }


def _left_out(item: LeftOut) -> dict[str, str]:
    return {"path": str(item.path), "reason": item.reason}
