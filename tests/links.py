"""What is installed here, linked into other environments: the real packages, without any network."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.conftest import Venv


def link(place: Venv, *names: str) -> None:
    """Put the distributions *names* and all that they need into an environment, or skip where one is not here."""
    seen: set[str] = set()
    waiting = list(names)
    while waiting:
        try:
            found = importlib.metadata.distribution(waiting.pop())
        except importlib.metadata.PackageNotFoundError as error:
            pytest.skip(f"{error.name} is not installed")
        if found.name not in seen:
            seen.add(found.name)
            _link_files(place, found)
            needs = map(Requirement, found.requires or ())
            waiting += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]


def _link_files(place: Venv, found: importlib.metadata.Distribution) -> None:
    for name in {Path(file).parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
        target, path = Path(str(found.locate_file(name))), place.site / name
        if target.exists() and not path.exists():
            path.symlink_to(target)
