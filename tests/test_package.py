"""The package: wheel and sdist hold the hook scripts with their run bits, and an editable install finds them."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from gitsnap.locations import hook_scripts

ROOT = Path(__file__).parent.parent
SCRIPTS = {
    "activate.cmd",
    "activate.fish",
    "activate.ps1",
    "activate.sh",
    "launcher.cmd",
    "launcher.sh",
    "pre-launch",
    "pre-launch.cmd",
    "pre-launch.ps1",
}


def _build(kind: str, folder: Path) -> Path:
    """Build the *kind* of distribution with the build backend itself, as pip does."""
    code = f"import hatchling.build as b; print(b.build_{kind}({str(folder)!r}))"
    name = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()[-1]
    return folder / name


@pytest.mark.skipif(os.name == "nt", reason="run bits are POSIX's")
def test_the_wheel_holds_the_hook_scripts_and_the_console_scripts(tmp_path: Path) -> None:
    """Run bits stand in the upper half of a zip entry's attributes."""
    with zipfile.ZipFile(_build("wheel", tmp_path)) as wheel:
        found = {Path(info.filename).name: info for info in wheel.infolist() if "/hooks/" in info.filename}
        [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
        text = wheel.read(entry_points).decode()

    assert found.keys() == SCRIPTS
    assert found["pre-launch"].external_attr >> 16 & 0o111
    assert "gitsnap = gitsnap.cli:main" in text
    assert "gitsnap-hook = gitsnap.launch:main" in text


@pytest.mark.skipif(os.name == "nt", reason="run bits are POSIX's")
def test_the_sdist_holds_the_hook_scripts(tmp_path: Path) -> None:
    """Whoever builds from it gets the same wheel."""
    with tarfile.open(_build("sdist", tmp_path)) as sdist:
        found = {Path(member.name).name: member for member in sdist if "/hooks/" in member.name}

    assert found.keys() == SCRIPTS
    assert found["pre-launch"].mode & 0o111


def test_a_checkout_finds_the_hook_scripts() -> None:
    """An editable install runs from the checkout, where they lie beside the package."""
    assert {path.name for path in hook_scripts().iterdir()} == SCRIPTS
