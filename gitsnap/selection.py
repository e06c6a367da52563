"""Which environment is meant: rules over paths and variables, with `os` and `sys` alone."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TOOL_FILES = ("uv-receipt.toml", "pipx_metadata.json")


def interpreter(prefix: str) -> str | None:
    r"""Return the Python of the environment at *prefix*, not resolved; None if there is none.

    Windows has `Scripts\python.exe`, conda there `python.exe`; elsewhere `bin/python`, else the first of
    `python3` and `python3.X`.
    """
    if os.name == "nt":
        places = [os.path.join(prefix, "Scripts", "python.exe"), os.path.join(prefix, "python.exe")]
        return next((place for place in places if os.path.isfile(place)), None)
    folder = os.path.join(prefix, "bin")
    for name in ("python", "python3"):
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    numbered = (name for name in names if name.startswith("python3.") and name[8:].isdigit())
    return next((os.path.join(folder, name) for name in numbered), None)


def is_conda(prefix: str) -> bool:
    """Tell whether conda made the environment at *prefix*."""
    return os.path.isdir(os.path.join(prefix, "conda-meta"))


def is_conda_base(prefix: str) -> bool:
    """Tell whether *prefix* is conda's own environment, which holds conda itself."""
    return is_conda(prefix) and os.path.isdir(os.path.join(prefix, "condabin"))


def is_venv(prefix: str) -> bool:
    """Tell whether a venv lies at *prefix* (PEP 405)."""
    return os.path.isfile(os.path.join(prefix, "pyvenv.cfg"))


def select(variables: Mapping[str, str], folder: str) -> str:
    """Return the Python of the environment meant when none is named.

    In this order: the environment gitsnap is installed in, unless it is a tool's, a base or a user
    installation; `VIRTUAL_ENV`; `CONDA_PREFIX` other than base; `.venv` in *folder* or above; conda's base;
    the base that gitsnap is installed in. Raises NotFoundError where there is none, or where a variable points
    nowhere.
    """
    if _own_environment():
        return _required(sys.prefix, "gitsnap is installed in")
    if variables.get("VIRTUAL_ENV"):
        return _required(variables["VIRTUAL_ENV"], "VIRTUAL_ENV names")
    conda = variables.get("CONDA_PREFIX")
    python = _required(conda, "CONDA_PREFIX names") if conda else None
    if conda and python and not is_conda_base(conda):
        return python
    return _nearby(folder) or python or _base()


def from_path(text: str, variables: Mapping[str, str]) -> str:
    """Return the absolute path of the Python that `--python` *text* names.

    A program, a prefix (its Python is taken), or a command found on `PATH`. Raises NotFoundError.
    """
    path = os.path.expanduser(text)
    if os.path.isdir(path):
        return _required(os.path.abspath(path), "`--python` names")
    if not os.path.dirname(path) and not os.path.isfile(path):
        return _on_path(path, variables)
    if not os.path.isfile(path):
        raise _not_found(f"`--python` names {text!r}, and there is no such file")
    return os.path.abspath(path)


def _own_environment() -> bool:
    """Tell whether gitsnap is installed in an environment that is somebody's, not its own."""
    prefix = sys.prefix
    if any(os.path.isfile(os.path.join(prefix, name)) for name in _TOOL_FILES):
        return False
    here = os.path.normcase(os.path.abspath(__file__))
    if not here.startswith(os.path.normcase(prefix) + os.sep) and not is_venv(prefix):
        return False
    return is_venv(prefix) or prefix != sys.base_prefix or (is_conda(prefix) and not is_conda_base(prefix))


def _nearby(folder: str) -> str | None:
    """Return the Python of the `.venv` in *folder* or the nearest folder above that has one."""
    while folder:
        candidate = os.path.join(folder, ".venv")
        if is_venv(candidate):
            return _required(candidate, "this folder has")
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return None


def _base() -> str:
    """Return the base Python that gitsnap is installed in; a tool's environment is none."""
    if any(os.path.isfile(os.path.join(sys.prefix, name)) for name in _TOOL_FILES):
        raise _not_found("no environment is active here")
    return os.path.abspath(sys.executable) if sys.executable else _required(sys.prefix, "gitsnap runs in")


def _required(prefix: str, source: str) -> str:
    python = interpreter(prefix)
    if python is None:
        raise _not_found(f"{source} {prefix!r}, and there is no Python in it")
    return python


def _on_path(name: str, variables: Mapping[str, str]) -> str:
    suffixes = ("", ".exe") if os.name == "nt" else ("",)
    for folder in variables.get("PATH", os.defpath).split(os.pathsep):
        for suffix in suffixes:
            candidate = os.path.join(folder, name + suffix)
            if folder and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return os.path.abspath(candidate)
    raise _not_found(f"`--python` names {name!r}, and there is no such command on PATH")


def _not_found(message: str) -> Exception:
    from gitsnap.errors import NotFoundError

    return NotFoundError(message, hint="activate the environment, or name its Python with `--python PATH`")
