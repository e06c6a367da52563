"""The door to the Pythons of this computer: find the one of an exact version, and never trust a name."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10
_NUMBERED = re.compile(r"(?:python|pypy)(\d)(?:\.?(\d+))?(?:m|t|d)?(?:\.exe)?\Z", re.IGNORECASE)
_QUESTION = "import sys; sys.stdout.write('gitsnap %d.%d.%d ' % sys.version_info[:3] + sys.executable)"
_ANSWER = re.compile(r"gitsnap (\d+)\.(\d+)\.(\d+) (.+)")

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Python:
    """One interpreter that runs, and the version that it says it is."""

    path: str
    version: Version


def version_of(text: str) -> Version | None:
    """Return the version that a snapshot's header begins with, such as `3.12.3 (main, …`."""
    match = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def find(
    wanted: Version, remembered: Iterable[str] = (), *, any_patch: bool = False
) -> tuple[Python | None, list[Python]]:
    """Return the interpreter of version *wanted*, and those of the same x.y that were met on the way.

    The running one, then the *remembered* ones, then what pyenv, uv, conda, asdf, `py` and PATH have; each is run
    and asked. With *any_patch* the nearest patch release serves where the exact one is not there.
    """
    near: dict[Version, Python] = {}
    seen: set[str] = set()
    for path in _candidates(wanted, remembered):
        real = os.path.realpath(path)
        if real in seen or not _may_be(Path(real).name, wanted):
            continue
        seen.add(real)
        python = ask(path)
        if python and python.version == wanted:
            return python, list(near.values())
        if python and python.version[:2] == wanted[:2]:
            near.setdefault(python.version, python)
    found = sorted(near.values(), key=lambda python: (abs(python.version[2] - wanted[2]), python.version))
    return (found[0] if any_patch and found else None), found


def ask(path: str) -> Python | None:
    """Run *path* and return what it says it is; None where it is no Python, or a shim that leads nowhere."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    try:
        answer = subprocess.run(
            [path, "-E", "-c", _QUESTION],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PATIENCE,
            env=variables,
            check=False,
        ).stdout.decode("utf-8", "replace")
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    match = _ANSWER.search(answer)
    if not match:
        return None
    # A shim says where the Python is that it leads to.
    return Python(match[4].strip() or path, (int(match[1]), int(match[2]), int(match[3])))


def _may_be(name: str, wanted: Version) -> bool:
    """Tell whether a program of this name may be the version wanted; `python3.11` is no 3.12."""
    match = _NUMBERED.fullmatch(name)
    return not match or (match[1] == str(wanted[0]) and match[2] in {None, str(wanted[1])})


def _candidates(wanted: Version, remembered: Iterable[str]) -> Iterator[str]:
    """Yield programs that may be Pythons, the likely ones first; none is run."""
    yield getattr(sys, "_base_executable", "") or sys.executable
    yield from remembered
    exact = ".".join(map(str, wanted))
    listed = list(_listed())
    yield from (path for path in listed if exact in path)
    yield from (path for path in listed if exact not in path)


def _listed() -> Iterator[str]:
    """Yield what findpython lists (pyenv, uv, asdf, rye, registry, PATH), then what conda has."""
    from findpython.providers import ALL_PROVIDERS

    for provider_class in ALL_PROVIDERS.values():
        with contextlib.suppress(OSError):
            provider = provider_class.create()
            for python in provider.find_pythons() if provider else ():
                yield str(python.executable)
    yield from _condas()


def _condas() -> Iterator[str]:
    """Yield the Pythons of conda's environments, which conda lists in a file of the user's."""
    try:
        lines = Path("~/.conda/environments.txt").expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError, RuntimeError):
        return
    inner = "python.exe" if os.name == "nt" else "bin/python"
    yield from (str(Path(line, inner)) for line in lines if line.strip())
