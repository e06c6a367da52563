"""Results as JSON: every key is a promise, pinned by a test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitsnap.model import Change, Diff, Distribution, Freeze, Snapshot

if TYPE_CHECKING:
    from gitsnap.actions.check import Checked
    from gitsnap.actions.compare import Comparison
    from gitsnap.actions.environments import Environments, Known
    from gitsnap.actions.push import Waiting
    from gitsnap.actions.snapshots import Log
    from gitsnap.actions.state import State
    from gitsnap.actions.status import Status
    from gitsnap.config import Config
    from gitsnap.failure import Failure
    from gitsnap.mirror import Found
    from gitsnap.store import Pruned, Saved

Json = dict[str, Any]


def snapshot(one: Snapshot) -> Json:
    """Return a snapshot; `time` is ISO 8601 with offset."""
    return {
        "stamp": one.stamp,
        "commit": one.commit,
        "time": one.time.isoformat(timespec="seconds"),
        "subject": one.subject,
        "environment": one.environment,
        "machine": one.machine,
        "python": one.python,
        "reason": one.reason,
        "tags": list(one.tags),
    }


def _distribution(one: Distribution | None) -> Json | None:
    if one is None:
        return None
    return {"name": one.name, "version": one.version, "source": one.source, "restorable": one.restorable}


def _change(one: Change) -> Json:
    return {
        "kind": one.kind.value,
        "name": one.name,
        "before": _distribution(one.before),
        "after": _distribution(one.after),
    }


def diff(one: Diff) -> Json:
    """Return changes; `python` and `executable` are null where they do not differ."""
    return {
        "changes": [_change(change) for change in one.changes],
        "python": _sides(one.python),
        "executable": _sides(one.executable),
        "conda": [_change(change) for change in one.conda],
    }


def _sides(pair: tuple[str, str] | None) -> Json | None:
    return {"before": pair[0], "after": pair[1]} if pair else None


def freeze(one: Freeze) -> Json:
    """Return what a freeze holds."""
    return {
        "executable": one.executable,
        "python": one.version,
        "distributions": [_distribution(item) for item in one.distributions],
    }


def saved(result: Saved) -> Json:
    """Return what a save did; `saved` tells whether there is a new snapshot."""
    return {
        "environment": result.store.name,
        "repository": str(result.store.path),
        "saved": result.is_new,
        "snapshot": snapshot(result.newest),
        "diff": diff(result.changes),
        "healed": list(result.healed),
    }


def log(result: Log) -> Json:
    """Return snapshots newest first."""
    return {
        "environment": result.environment,
        "snapshots": [
            {
                **snapshot(one.snapshot),
                "is_now": one.is_now,
                "in_folder": one.in_folder,
                "is_good": one.is_good,
                "changes": [_change(c) for c in one.changes],
            }
            for one in result.listed
        ],
        "more": result.more,
    }


def _failure(one: Failure) -> Json:
    return {"key": one.key, "time": one.time, "message": one.message}


def status(result: Status) -> Json:
    """Return how an environment stands."""
    return {
        "environment": result.store.name,
        "prefix": str(result.environment.prefix) if result.environment else None,
        "python": ".".join(map(str, result.environment.python)) if result.environment else None,
        "repository": str(result.store.path),
        "newest": snapshot(result.newest) if result.newest else None,
        "clean": None if result.trouble or result.newest is None else not result.drift,
        "drift": diff(result.drift),
        "failure": _failure(result.failure) if result.failure else None,
        "trouble": result.trouble.message if result.trouble else None,
        "remote": _waiting(result.waiting) if result.waiting else None,
        "unfinished": result.unfinished,
    }


def _waiting(one: Waiting) -> Json:
    return {
        "branch": one.branch,
        "unsent": one.unsent,
        "since": one.since or None,
        "code": one.code or None,
        "message": one.message or None,
        "hint": one.hint or None,
    }


def state(result: State) -> Json:
    """Return one state with its exact text."""
    return {
        "label": result.label,
        "snapshot": snapshot(result.snapshot) if result.snapshot else None,
        **freeze(result.freeze),
        "text": result.text.decode("utf-8", "replace"),
    }


def comparison(result: Comparison) -> Json:
    """Return what changed from one state to another."""
    return {
        "before": result.before.label,
        "after": result.after.label,
        "differs": bool(result.diff),
        **diff(result.diff),
    }


def environments(result: Environments) -> Json:
    """Return every environment known here."""
    return {
        "environments": [_known(one) for one in result.known],
        "failures": [_failure(one) for one in result.failures],
        "fetched": [found(one) for one in result.fetched],
    }


def found(one: Found) -> Json:
    """Return one environment that was fetched."""
    return {
        "machine": one.machine,
        "environment": one.environment,
        "newest": snapshot(one.newest) if one.newest else None,
        "fetched": one.fetched or None,
    }


def _known(one: Known) -> Json:
    return {
        "name": one.store.name,
        "repository": str(one.store.path),
        "prefix": one.prefix,
        "gone": one.is_gone,
        "newest": snapshot(one.newest) if one.newest else None,
        "trouble": one.trouble or None,
    }


def pruned(result: Pruned) -> Json:
    """Return what was removed from the folder."""
    return {"environment": result.store.name, "removed": list(result.removed)}


def checked(result: Checked) -> Json:
    """Return what a check found."""
    return {
        "environment": result.store.name,
        "repository": str(result.store.path),
        "snapshots": result.snapshots,
        "problems": list(result.problems),
        "strays": list(result.strays),
        "repaired": list(result.repaired),
    }


def config(result: Config) -> Json:
    """Return each effective value and where it comes from."""
    return {
        "config_path": str(result.config_path),
        "state_path": str(result.state_path),
        "files": [str(file) for file in result.files],
        "values": {o.key: {"value": o.value, "source": o.source} for o in result.origins},
    }
