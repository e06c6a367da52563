"""The door to uv: where its program is, and the Pythons that it can download."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping

from gitsnap.child import call
from gitsnap.errors import InstallerError
from gitsnap.model import printable

OLDEST_PYTHON = (3, 8)
"""The oldest Python that uv installs for."""


def program(variables: Mapping[str, str]) -> str | None:
    """Return uv's program: that of `gitsnap[uv]`, else the one on PATH."""
    with contextlib.suppress(ImportError, FileNotFoundError):
        import uv

        return str(uv.find_uv_bin())
    return shutil.which("uv", path=variables.get("PATH"))


def can_download(version: tuple[int, int, int], variables: Mapping[str, str]) -> bool:
    """Tell whether uv knows where to get the Python of *version*; asks no network."""
    found = program(variables)
    if found is None or variables.get("UV_PYTHON_DOWNLOADS", "").lower() in {"never", "manual", "false"}:
        return False
    text = ".".join(map(str, version))
    options = ["--only-downloads", "--all-versions", "--no-config", "--offline"]
    status, output = call([found, "python", "list", *options, text], variables)
    return status == 0 and f"-{text}-" in output


def download(version: tuple[int, int, int], variables: Mapping[str, str]) -> str:
    """Let uv download the Python of *version*; returns its path."""
    found = program(variables) or "uv"
    text = ".".join(map(str, version))
    output = ""
    for command in (
        [found, "python", "install", "--no-progress", text],
        [found, "python", "find", "--no-project", "--managed-python", "--no-python-downloads", text],
    ):
        status, output = call(command, variables)
        if status:
            last = next((line for line in reversed(output.splitlines()) if line.strip()), "no reason given")
            raise InstallerError(
                f"uv could not download Python {text}: {printable(last.strip())}",
                hint=f"install Python {text} yourself, or go on with `--any-patch`",
            )
    return output.strip().splitlines()[-1]
