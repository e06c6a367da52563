"""The hint: what lets a launch see that nothing changed without configuration and git.

A hint is one small file for each way of naming an environment. It is never the truth: whatever it says is
checked against the environment, the repository and the configuration files, and it may be deleted at any time.
"""

import os
import sys

from gitsnap import peek, selection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# To be raised whenever the fields, or how they are made, change.
FORMAT = "gitsnap hint 5"
_PLACE_VARIABLES = (
    "APPDATA",
    "HOME",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "USERPROFILE",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
)
_FIELDS = (
    "format",
    "key",
    "variables",
    "configs",
    "config_stats",
    "keep",
    "executable",  # as it was named, without links, and the size and time of that
    "prefix",
    "python",
    "header",
    "paths",
    "folders",
    "witness",
    "glance",  # empty where the environment is not plain: then it is scanned
    "current",  # the digest of current.txt
    "conda",
    "repository",
    "commit",
    "push",  # the file that says when a push is due; empty where nothing is pushed by itself
    "good",  # yes where a launch went well with this content
)


class Hint:
    """What was found when the environment was last saved; every field is text, lists are joined by one character."""

    __slots__ = _FIELDS
    format: str
    key: str
    variables: str
    configs: str
    config_stats: str
    keep: str
    executable: str
    prefix: str
    python: str
    header: str
    paths: str
    folders: str
    witness: str
    glance: str
    current: str
    conda: str
    repository: str
    commit: str
    push: str
    good: str

    def __init__(self, **fields: str) -> None:
        """Take every field by name."""
        for name in _FIELDS:
            setattr(self, name, fields[name])


def key_of(python: str | None, name: str | None, variables: "Mapping[str, str]") -> str:
    """Return the key of the hint for the environment that is asked for; choosing it runs nothing."""
    if name is not None:
        return f"env {name}"
    if python is not None:
        return f"python {selection.from_path(python, variables)}"
    return f"python {selection.select(variables, _folder())}"


def _folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def state_path(variables: "Mapping[str, str]") -> str | None:
    """Return gitsnap's state path without platformdirs, which costs two interpreters to import.

    None where it cannot be told; then there are no hints and launches take the long way.
    """
    home = variables.get("GITSNAP_HOME")
    if home:
        return _absolute(home, "state")
    if os.name == "nt":
        return _absolute(variables.get("LOCALAPPDATA", ""), "gitsnap", "state")
    xdg = variables.get("XDG_STATE_HOME", "")
    if os.path.isabs(xdg):
        return os.path.join(xdg, "gitsnap")
    if not os.path.isabs(variables.get("HOME", "/")):
        return None
    if sys.platform == "darwin":
        return _absolute("~/Library/Application Support/gitsnap", "state")
    return _absolute("~/.local/state", "gitsnap")


def _absolute(folder: str, *inner: str) -> str | None:
    path = os.path.join(os.path.expanduser(folder), *inner)
    return path if os.path.isabs(path) else None


def file_of(key: str, variables: "Mapping[str, str]") -> str | None:
    """Return the path of the hint for *key*, None where there is no state path."""
    state = state_path(variables)
    return os.path.join(state, "hints", file_name(key)) if state else None


def file_name(key: str) -> str:
    """Return the name of a file about *key*: its readable end and a 64-bit FNV-1a hash of the whole."""
    value = 0xCBF29CE484222325
    for byte in os.fsencode(key):
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    tail = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in key[-60:])
    return f"{tail}-{value:016x}"


def read(key: str, variables: "Mapping[str, str]") -> "Hint | None":
    """Return the hint for *key* if there is one that this version wrote for it, else None."""
    path = file_of(key, variables)
    if path is None:
        return None
    values = peek.read(path, peek.LIMIT).decode("utf-8", "surrogateescape").split("\0")
    if len(values) != len(_FIELDS) or values[0] != FORMAT or values[1] != key:
        return None
    return Hint(**dict(zip(_FIELDS, values, strict=True)))


def dump(hint: Hint) -> bytes:
    """Return the bytes of *hint*'s file."""
    text = "\0".join(getattr(hint, name) for name in _FIELDS)
    return text.encode("utf-8", "surrogateescape")


def joined(values: "Iterable[str]") -> str:
    """Join a list into one field."""
    return "\1".join(values)


def split(field: str) -> list[str]:
    """Split a field into its list; the inverse of `joined`."""
    return field.split("\1") if field else []


def variables_seen(variables: "Mapping[str, str]") -> str:
    """Return the variables that decide where the configuration is and what it says."""
    names = sorted(name for name in variables if name.startswith("GITSNAP_") or name in _PLACE_VARIABLES)
    return joined(f"{name}={variables[name]}" for name in names)


def stats(paths: "Iterable[str]") -> str:
    """Return size and modification time of each file, or that it is absent."""
    return joined(_stat(path) for path in paths)


def _stat(path: str) -> str:
    try:
        result = os.stat(path)
    except OSError:
        return f"{path} absent"
    return f"{path} {result.st_size} {result.st_mtime_ns}"


def conda_names(prefix: str) -> str:
    """Return the names of conda's records in *prefix*, which name each package, version and build."""
    try:
        names = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        return ""
    return joined(sorted(name for name in names if name.endswith(".json")))


def tip(repository: str) -> str | None:
    """Return the commit that branch `main` of *repository* points at while `main` is checked out, else None."""
    git = os.path.join(repository, ".git")
    if _text(os.path.join(git, "HEAD")).strip() != "ref: refs/heads/main":
        return None
    loose = _text(os.path.join(git, "refs", "heads", "main")).strip()
    if loose:
        return loose
    for line in _text(os.path.join(git, "packed-refs")).splitlines():
        if line.endswith(" refs/heads/main"):
            return line.split(" ", 1)[0]
    return None


def _text(path: str) -> str:
    return peek.read(path, peek.LIMIT).decode("utf-8", "replace")
