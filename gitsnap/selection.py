"""Which environment is meant: rules over paths and variables, with `os` and `sys` alone."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gitsnap.errors import GitsnapError

_TOOL_FILES = ("uv-receipt.toml", "pipx_metadata.json")


def interpreter(prefix: str) -> str | None:
    r"""Return the Python of the environment at *prefix*, not resolved; None if there is none.

    Windows has `Scripts\python.exe`, conda there `python.exe`; elsewhere `bin/python`, else the first of
    `python3` and `python3.X`.
    """
    return next((place for place in _places(prefix) if os.path.isfile(place)), None)


def _places(prefix: str) -> "Iterator[str]":
    """Yield where the Python of an environment may be, the usual place first."""
    if os.name == "nt":
        yield os.path.join(prefix, "Scripts", "python.exe")
        yield os.path.join(prefix, "python.exe")
        return
    folder = os.path.join(prefix, "bin")
    yield os.path.join(folder, "python")
    yield os.path.join(folder, "python3")
    try:
        numbers = [name[8:] for name in os.listdir(folder) if name.startswith("python3.")]
    except OSError:
        return
    for number in sorted(filter(str.isdecimal, numbers), key=int):
        yield os.path.join(folder, f"python3.{number}")


def is_conda(prefix: str) -> bool:
    """Tell whether conda made the environment at *prefix*."""
    return os.path.isdir(os.path.join(prefix, "conda-meta"))


def is_conda_base(prefix: str) -> bool:
    """Tell whether *prefix* is conda's own environment, which holds conda itself."""
    return is_conda(prefix) and os.path.isdir(os.path.join(prefix, "condabin"))


def is_venv(prefix: str) -> bool:
    """Tell whether a venv lies at *prefix* (PEP 405)."""
    return os.path.isfile(os.path.join(prefix, "pyvenv.cfg"))


def select(variables: "Mapping[str, str]", folder: str) -> str:
    """Return the Python of the environment meant when none is named.

    In this order: the environment gitsnap is installed in, unless it is a tool's, a base or a user
    installation; `VIRTUAL_ENV`; `CONDA_PREFIX` other than base; `.venv` in *folder* or above; conda's base;
    the base that gitsnap is installed in. Raises NotFoundError where there is none, or where a variable points
    nowhere, InterpreterError where an environment has lost its Python.
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


def from_path(text: str, variables: "Mapping[str, str]") -> str:
    """Return the absolute path of the Python that `--python` *text* names.

    A program, a prefix (its Python is taken), or a command found on `PATH`. Raises NotFoundError, and
    InterpreterError for a prefix without a Python.
    """
    path = os.path.expanduser(text)
    if os.path.isdir(path):
        return _required(path, "`--python` names")
    if not os.path.dirname(path) and not os.path.lexists(path):
        return _on_path(path, variables)
    if os.path.isfile(path):
        return os.path.abspath(path)
    if os.path.islink(path):
        raise _lost(path)
    raise _not_found(f"`--python` names {text!r}, and there is no such file")


def _own_environment() -> bool:
    """Tell whether gitsnap is installed in an environment that is somebody's, not its own."""
    prefix = sys.prefix
    if _is_tool(prefix):
        return False
    if is_venv(prefix) or prefix != sys.base_prefix:
        return True
    here = os.path.normcase(os.path.abspath(__file__))
    inside = here.startswith(os.path.join(os.path.normcase(prefix), ""))
    return inside and is_conda(prefix) and not is_conda_base(prefix)


def _is_tool(prefix: str) -> bool:
    """Tell whether uv or pipx made the environment for a tool alone."""
    return any(os.path.isfile(os.path.join(prefix, name)) for name in _TOOL_FILES)


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
    if _is_tool(sys.prefix):
        raise _not_found("no environment is active here")
    return os.path.abspath(sys.executable) if sys.executable else _required(sys.prefix, "gitsnap runs in")


def _required(prefix: str, source: str) -> str:
    """Return the absolute path of the Python at *prefix*, which *source* names; raises where there is none."""
    python = interpreter(prefix)
    if python is not None:
        return os.path.abspath(python)
    dangling = next((place for place in _places(prefix) if os.path.islink(place)), None)
    if dangling:
        raise _lost(dangling)
    if os.path.isdir(prefix):
        raise _broken(f"{source} {prefix!r}, and there is no Python in it")
    raise _not_found(f"{source} {prefix!r}, and there is no such folder")


def _on_path(name: str, variables: "Mapping[str, str]") -> str:
    suffixes = ("", ".exe") if os.name == "nt" else ("",)
    for folder in variables.get("PATH", os.defpath).split(os.pathsep):
        for suffix in suffixes:
            candidate = os.path.join(folder, name + suffix)
            if folder and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
                return os.path.abspath(candidate)
    raise _not_found(f"`--python` names {name!r}, and there is no such command on PATH")


def _not_found(message: str) -> "GitsnapError":
    from gitsnap.errors import NotFoundError

    return NotFoundError(message, hint="activate the environment, or name its Python with `--python PATH`")


def _lost(python: str) -> "GitsnapError":
    return _broken(f"`{python}` does not run: `{os.path.realpath(python)}` is gone")


def _broken(message: str) -> "GitsnapError":
    from gitsnap.errors import InterpreterError

    return InterpreterError(
        message,
        hint="if the Python that this environment was made with was removed, install it again, or name another with `--python`",
    )
