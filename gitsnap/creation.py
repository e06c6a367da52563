"""The door to new environments: an empty one, of a given Python, with pip."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from gitsnap import uv
from gitsnap.child import call
from gitsnap.errors import InstallerError
from gitsnap.model import printable

_BUNDLED = "import ensurepip, os; print(os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))"


def make_environment(
    python: str, version: tuple[int, int, int], folder: Path, variables: Mapping[str, str], *, with_uv: bool
) -> str:
    """Make a new environment at *folder* from the interpreter *python*; returns its Python.

    pip is put in, as `venv` does it: an environment without is of little use to a person.
    """
    found = uv.program(variables) if with_uv and version >= uv.OLDEST_PYTHON else None
    made = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    if found:
        options = ["--no-project", "--no-python-downloads", "--allow-existing", "--python", python]
        _checked(
            [found, "venv", *options, "--", str(folder)], "uv could not make an environment", "", variables
        )
        _add_pip(found, made, variables)
        return made
    _checked(
        [python, "-m", "venv", "--", str(folder)],
        "the Python could not make an environment",
        "on Debian and Ubuntu: `apt install python3-venv`; or `pip install uv` beside gitsnap",
        variables,
    )
    return made


def _add_pip(program: str, python: str, variables: Mapping[str, str]) -> None:
    """Put in the pip that came with the Python, without any network.

    By uv, in a moment; where the system keeps that pip elsewhere, by `ensurepip`, in seconds. Some systems ship none,
    and uv needs none.
    """
    with tempfile.TemporaryDirectory(prefix="gitsnap-") as place:
        status, output = call([python, "-c", _BUNDLED], variables, Path(place))
        options = ["--offline", "--no-index", "--no-deps", "--no-config", "--find-links", output.strip()]
        command = [program, "pip", "install", "--python", python, *options, "pip"]
        if status or call(command, variables, Path(place))[0]:
            call([python, "-m", "ensurepip", "--default-pip"], variables, Path(place))


def _checked(command: Sequence[str], what: str, hint: str, variables: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix="gitsnap-") as place:
        status, output = call(command, variables, Path(place))
    if status:
        lines = [line.strip() for line in output.splitlines() if line.strip()]
        raise InstallerError(f"{what}: {printable((lines or ['no reason given'])[-1])}", hint=hint)
