"""The door to mamba, micromamba and conda: an environment made again from an explicit list."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitsnap import conda
from gitsnap.child import call
from gitsnap.errors import InstallerError, UntrustedTextError
from gitsnap.line import redact
from gitsnap.model import Distribution, printable

_HASH = re.compile(r"(?:#(?:[0-9a-f]{32}|[0-9a-f]{64}))?")
_PLATFORM = re.compile(r"# platform: ([a-z0-9]+-[a-z0-9_]+)")
_MACHINES = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "arm64", "ppc64le": "ppc64le"}
_SYSTEMS = {"Linux": "linux", "Darwin": "osx", "Windows": "win"}


@dataclass(frozen=True)
class Explicit:
    """An explicit list, strictly read."""

    platform: str
    urls: tuple[tuple[int, str], ...]
    """Each URL of a package with the number of its line."""
    packages: tuple[Distribution, ...]
    """What the URLs name."""
    lost: tuple[Distribution, ...]
    """What the list itself calls not restorable."""


def read(text: str) -> Explicit:
    """Read an explicit list that may come from anywhere; raises UntrustedTextError for a line of no known form."""
    urls: list[tuple[int, str]] = []
    named: list[Distribution] = []
    found = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not line.isprintable():
            raise _refused(number, line)
        packages = conda.parse(line)
        if match := _PLATFORM.fullmatch(line):
            found = match[1]
        elif packages:
            url, _, _ = line.partition("#")
            if packages[0].restorable and not _HASH.fullmatch(line[len(url) :]):
                raise _refused(number, line)
            named += packages
            urls += [(number, line)] if packages[0].restorable else []
        elif line and line != "@EXPLICIT" and not line.startswith("#"):
            raise _refused(number, line)
    return Explicit(
        found,
        tuple(urls),
        tuple(one for one in named if one.restorable),
        tuple(one for one in named if not one.restorable),
    )


def _refused(number: int, line: str) -> UntrustedTextError:
    return UntrustedTextError(
        f"line {number} of the conda list is refused: `{printable(line, 100)}`: it is no URL of a conda package",
        hint="gitsnap restores only what it wrote; nothing was changed",
    )


def find(variables: Mapping[str, str]) -> str | None:
    """Return the program that makes conda environments here: mamba, micromamba or conda."""
    for name in ("mamba", "micromamba", "conda"):
        if program := shutil.which(name, path=variables.get("PATH")):
            return program
    named = (variables.get(name, "") for name in ("MAMBA_EXE", "CONDA_EXE"))
    return next((program for program in named if program and os.path.isfile(program)), None)


def this_platform() -> str:
    """Return conda's name of this platform, such as `linux-64`."""
    machine = platform.machine().lower()
    return f"{_SYSTEMS.get(platform.system(), 'unknown')}-{_MACHINES.get(machine, machine)}"


def create(
    program: str, folder: Path, explicit: Explicit, variables: Mapping[str, str], *, offline: bool
) -> None:
    """Make an environment at *folder*: exactly what is listed, or on another platform by name and version."""
    options = ["create", "--yes", "--quiet", "-p", str(folder), *(["--offline"] if offline else [])]
    with tempfile.TemporaryDirectory(prefix="gitsnap-") as place:
        if explicit.platform == this_platform():
            file = Path(place, "explicit.txt")
            lines = ["@EXPLICIT", *(url for _, url in explicit.urls)]
            file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            what = ["--file", str(file)]
        else:
            what = _by_name(explicit)
        status, output = call([program, *options, *what], variables, Path(place))
    if status:
        said = [line.strip() for line in output.splitlines() if line.strip()]
        raise InstallerError(
            f"`{Path(program).name}` could not make the environment: {printable(redact(' '.join(said[-2:])), 300)}",
            hint="`--offline` takes what is in its cache",
        )


def _by_name(explicit: Explicit) -> list[str]:
    channels = dict.fromkeys(url.partition("#")[0].rsplit("/", 2)[0] for _, url in explicit.urls)
    specs: Sequence[str] = [f"{one.name}={one.version}" for one in explicit.packages]
    return ["--override-channels", *(part for url in channels for part in ("-c", url)), *specs]
