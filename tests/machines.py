"""Several computers on one: each has a home and a name of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import gitsnap
from gitsnap import config, store
from gitsnap.store import Store
from tests.conftest import Venv


def become(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to another computer: another home and another name; nothing is pushed by itself there."""
    monkeypatch.setenv("GITSNAP_HOME", str(tmp_path / f"home-of-{machine}"))
    monkeypatch.setenv("GITSNAP_REMOTE_MACHINE", machine)
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "manual")


def save(make_venv: Callable[..., Venv], name: str = "lab", **versions: str) -> Venv:
    """Save an environment called *name* that holds *versions*, whatever it held before."""
    place = Venv(Path(os.environ["HOME"]).parent / "envs" / name)
    if not place.prefix.exists():
        make_venv(name)
    for info in place.site.glob("*.dist-info"):
        place.remove(info.name.split("-")[0])
    place.install(**versions)
    gitsnap.save(python=str(place.python))
    return place


def local(name: str = "lab") -> Store:
    """Return the store of an environment of the computer that we are at."""
    return store.named(config.load(os.environ), name)


def refs(folder: Path, *patterns: str) -> dict[str, str]:
    """Return what the refs of a repository point at, by their short names."""
    answer = subprocess.run(
        ["git", "-C", str(folder), "for-each-ref", "--format=%(refname) %(objectname)", *patterns],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return {line.split()[0].removeprefix("refs/"): line.split()[1] for line in answer.splitlines()}
