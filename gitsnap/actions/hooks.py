"""Hooks: put the scripts where people launch, take them out again, tell which are there."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path

from gitsnap import environment, files, hookfiles, legacy, locations, selection, store
from gitsnap.actions import target as targets
from gitsnap.errors import GitsnapError, NotFoundError, UsageError
from gitsnap.hookfiles import Shell
from gitsnap.model import Environment

_SIGNED = b"# SIG # Begin signature block"
_VENV_SCRIPTS = {
    "activate": Shell.SH,
    "activate.fish": Shell.FISH,
    "activate.ps1": Shell.POWERSHELL,
    "activate.bat": Shell.CMD,
}


class Kind(Enum):
    """Where people launch."""

    CONDA = "conda"
    VIRTUALENVWRAPPER = "virtualenvwrapper"
    VENV = "venv"
    LAUNCHER = "launcher"


class Condition(Enum):
    """How an installed script is found later."""

    INTACT = "intact"
    EDITED = "edited"
    OVERWRITTEN = "overwritten"
    """The file is there without our block: an upgrade wrote it anew."""
    GONE = "gone"


@dataclass(frozen=True)
class Edit:
    """One file before and after; None where there is none."""

    path: Path
    before: bytes | None
    after: bytes | None
    executable: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything changes."""
        return self.before != self.after


@dataclass(frozen=True)
class Hooked:
    """What an install or a remove does, or would do."""

    kind: Kind
    what: str
    """The prefix, folder or command that it is about."""
    edits: tuple[Edit, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installed:
    """A hook that was installed, and how each of its files is found."""

    kind: Kind
    what: str
    files: tuple[tuple[Path, Condition], ...]


@dataclass(frozen=True)
class _Script:
    """One script to install: a block in a file, or a file of its own."""

    path: Path
    shell: Shell
    body: str
    executable: bool = False
    alone: bool = False
    """Whether a file of someone else in its place would be broken by it."""


@dataclass(frozen=True)
class _Wanted:
    """What is asked for: the scripts of one hook."""

    kind: Kind
    what: str
    scripts: tuple[_Script, ...]
    notes: tuple[str, ...] = field(default=())


def install(
    kind: Kind,
    command: Sequence[str] = (),
    *,
    python: str | None = None,
    env: str | None = None,
    everywhere: bool = False,
    dry_run: bool = False,
) -> Hooked:
    """Install the hook of *kind* for an environment, or for *everywhere* that virtualenvwrapper activates.

    Files of others get a block and are otherwise left alone. Installing twice changes nothing. Raises NotFoundError
    where the environment has no place for it.
    """
    wanted = _wanted(kind, command, python, env, everywhere=everywhere)
    edits = tuple(_added(script) for script in wanted.scripts)
    if not dry_run:
        _apply(edits)
        _remember(wanted, edits)
    return Hooked(kind, wanted.what, edits, wanted.notes)


def remove(
    kind: Kind,
    command: Sequence[str] = (),
    *,
    python: str | None = None,
    env: str | None = None,
    everywhere: bool = False,
    dry_run: bool = False,
) -> Hooked:
    """Take out what `install` with the same arguments put in; files are as they were, byte for byte."""
    what = _what(kind, command, python, env, everywhere=everywhere)
    record = _record(kind, what)
    content = _stored(record)
    if content:
        paths = [Path(path) for path in content["files"]]
    else:
        wanted = _wanted(kind, command, python, env, everywhere=everywhere)
        paths = [script.path.resolve() for script in wanted.scripts]
    edits = tuple(_removed(path) for path in paths)
    if not dry_run:
        _apply(edits)
        files.remove(record)
    return Hooked(kind, what, edits)


def installed() -> tuple[Installed, ...]:
    """Return every hook that was installed, and whether it still is as it was."""
    folder = _records()
    found = (_read(path) for path in sorted(folder.glob("*.json")) if folder.is_dir())
    return tuple(one for one in found if one)


# --- What belongs to each kind ---


def _wanted(
    kind: Kind, command: Sequence[str], python: str | None, env: str | None, *, everywhere: bool
) -> _Wanted:
    what = _what(kind, command, python, env, everywhere=everywhere)
    if everywhere:
        return _every_virtualenv(Path(what))
    target = targets.find(python, env)
    found = targets.environment_of(target)
    prefix, interpreter = found.prefix, str(found.executable)
    match kind:
        case Kind.CONDA:
            return _conda(prefix, interpreter)
        case Kind.VENV:
            return _venv(prefix, interpreter)
        case Kind.VIRTUALENVWRAPPER:
            return _virtualenv(prefix, interpreter)
        case Kind.LAUNCHER:
            return _launcher(what, found, _standing(command), targets.store_of(target).name)


def _what(
    kind: Kind, command: Sequence[str], python: str | None, env: str | None, *, everywhere: bool
) -> str:
    """Return what a hook is about: the prefix, also of an environment that is gone, with a launcher's command."""
    if everywhere and kind is not Kind.VIRTUALENVWRAPPER:
        raise UsageError("`--all` belongs to `virtualenvwrapper`")
    if bool(command) != (kind is Kind.LAUNCHER):
        raise UsageError(
            "a launcher, and it alone, takes a command", hint="`gitsnap hook install launcher COMMAND`"
        )
    if kind is Kind.VIRTUALENVWRAPPER and os.name == "nt":
        raise UsageError(
            "virtualenvwrapper on Windows activates with the environment's own scripts",
            hint="`gitsnap hook install venv`",
        )
    if everywhere:
        home = os.environ.get("WORKON_HOME") or "~/.virtualenvs"
        return str(Path(os.environ.get("VIRTUALENVWRAPPER_HOOK_DIR") or home).expanduser().absolute())
    prefix = _prefix(python, env)
    return shlex.join([prefix, *_standing(command)]) if command else prefix


def _prefix(python: str | None, env: str | None) -> str:
    if env is None and python is not None and not os.path.lexists(os.path.expanduser(python)):
        gone = os.path.abspath(os.path.expanduser(python))
        return legacy.prefix_of(gone) if os.path.dirname(python) else str(targets.find(python, env).python)
    target = targets.find(python, env)
    with suppress(GitsnapError):
        return str(targets.environment_of(target).prefix)
    remembered = store.remembered(targets.store_of(target)) if env else None
    return remembered or legacy.prefix_of(target.python or "")


def _conda(prefix: Path, python: str) -> _Wanted:
    if not selection.is_conda(str(prefix)):
        raise NotFoundError(
            f"`{prefix}` is no environment of conda's", hint="`gitsnap hook install venv` is for others"
        )
    folder = prefix / "etc" / "conda" / "activate.d"
    inside = r'"%~dp0..\..\..\python.exe"'
    names = {shell: f"gitsnap.{'bat' if shell is Shell.CMD else shell.value}" for shell in Shell}
    scripts = tuple(_Script(folder / names[shell], shell, _body(shell, python, inside)) for shell in Shell)
    return _Wanted(Kind.CONDA, str(prefix), scripts)


def _venv(prefix: Path, python: str) -> _Wanted:
    folder = prefix / ("Scripts" if os.name == "nt" else "bin")
    present = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [(path, shell) for path in present if (shell := _VENV_SCRIPTS.get(path.name.lower()))]
    if not found:
        raise NotFoundError(
            f"`{prefix}` has no activate scripts",
            hint="`gitsnap hook install conda` is for conda's environments",
        )
    scripts = [_Script(path, shell, _body(shell, python, '"%~dp0python.exe"')) for path, shell in found]
    signed = [path.name for path, _ in found if _SIGNED in (files.read(path) or b"")]
    notes = [
        f"`{name}` is signed; where only signed scripts may run, PowerShell refuses it now" for name in signed
    ]
    return _Wanted(Kind.VENV, str(prefix), tuple(scripts), tuple(notes))


def _virtualenv(prefix: Path, python: str) -> _Wanted:
    path = prefix / "bin" / "postactivate"
    return _Wanted(Kind.VIRTUALENVWRAPPER, str(prefix), (_Script(path, Shell.SH, _body(Shell.SH, python)),))


def _every_virtualenv(folder: Path) -> _Wanted:
    if not folder.is_dir():
        raise NotFoundError(
            f"there is no folder `{folder}`",
            hint="set WORKON_HOME as your shell does where virtualenvwrapper works",
        )
    words = {"HOOK": hookfiles.quoted(_program("gitsnap-hook"), Shell.SH)}
    body = hookfiles.filled(_template("activate.sh"), **words, PYTHON='"${VIRTUAL_ENV:-/none}/bin/python"')
    return _Wanted(Kind.VIRTUALENVWRAPPER, str(folder), (_Script(folder / "postactivate", Shell.SH, body),))


def _body(shell: Shell, python: str, inside: str = "") -> str:
    """Return the script for *shell*; *inside* is how a script of cmd calls the Python beside it."""
    hook = hookfiles.quoted(_program("gitsnap-hook"), shell)
    named = inside if shell is Shell.CMD and inside else hookfiles.quoted(python, shell)
    return hookfiles.filled(_template(f"activate.{shell.value}"), HOOK=hook, PYTHON=named)


def _template(name: str) -> str:
    return (locations.hook_scripts() / name).read_text(encoding="utf-8")


def _program(name: str) -> str:
    """Return the path of a program of gitsnap's: beside the Python that runs this, else on PATH."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    found = shutil.which(name, path=os.pathsep.join(folders)) or shutil.which(name)
    if found is None:
        raise GitsnapError(f"there is no `{name}` to be found", hint="install gitsnap with pip, uv or pipx")
    return str(Path(found).absolute())


# --- Launchers ---


def _launcher(what: str, found: Environment, command: Sequence[str], name: str) -> _Wanted:
    called = f"{_called(command)} ({name})"
    variable = f"{'CONDA_PREFIX' if selection.is_conda(str(found.prefix)) else 'VIRTUAL_ENV'}={found.prefix}"
    start = [_program("gitsnap"), str(found.executable), str(found.executable.parent), variable, *command]
    make: Callable[[str, Sequence[str]], _Script] = _desktop_entry
    if os.name == "nt":
        make = _batch_file
    elif sys.platform == "darwin":
        make = _command_file
    return _Wanted(Kind.LAUNCHER, what, (make(called, start),))


def _standing(command: Sequence[str]) -> list[str]:
    """Return the command as it can be started from any folder."""
    if not command:
        return []
    first, *rest = command
    if os.path.dirname(first):
        first = os.path.abspath(first)
    return [first, *(os.path.abspath(word) if os.path.isfile(word) else word for word in rest)]


def _called(command: Sequence[str]) -> str:
    """Return what a command is called: its module or script where a Python starts it."""
    first, *rest = command
    if os.path.basename(first).lower().startswith("python") and rest and rest[0] != "-c":
        return os.path.basename(rest[1] if rest[0] == "-m" and rest[1:] else rest[0])
    return os.path.basename(first)


def _desktop_entry(called: str, start: Sequence[str]) -> _Script:
    data = os.environ.get("XDG_DATA_HOME") or ""
    folder = Path(data) if os.path.isabs(data) else Path("~/.local/share").expanduser()
    lines = [line for line in _template("launcher.sh").splitlines() if not line.startswith("#")]
    words = ["/bin/sh", "-c", "; ".join(lines), "gitsnap-launcher", *start]
    body = "\n".join(
        [
            "[Desktop Entry]",
            "Type=Application",
            f"Name={_entry_text(called)}",
            f"Comment={_entry_text('Saves the Python environment, then starts')}",
            f"Exec={_entry_text(' '.join(map(_entry_word, words)))}",
            "Terminal=false",
            "Categories=Utility;",
        ]
    )
    path = folder / "applications" / f"gitsnap-{environment.safe_name(called)}.desktop"
    return _Script(path, Shell.SH, body, alone=True)


def _entry_word(word: str) -> str:
    """Quote one word of `Exec` (Desktop Entry Specification)."""
    escaped = "".join(f"\\{letter}" if letter in '"`$\\' else letter for letter in word)
    return '"' + escaped.replace("%", "%%") + '"'


def _entry_text(text: str) -> str:
    """Escape a value of a desktop entry."""
    plain = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")
    return "".join(letter for letter in plain if letter.isprintable())


def _command_file(called: str, start: Sequence[str]) -> _Script:
    path = Path("~/Applications").expanduser() / f"{environment.safe_name(called)}.command"
    body = (
        f"set -- {' '.join(hookfiles.quoted(word, Shell.SH) for word in start)}\n{_template('launcher.sh')}"
    )
    return _Script(path, Shell.SH, body, executable=True, alone=True)


def _batch_file(called: str, start: Sequence[str]) -> _Script:
    gitsnap, python, folder, variable, *command = start
    words = {
        "GITSNAP": hookfiles.quoted(gitsnap, Shell.CMD),
        "PYTHON": hookfiles.quoted(python, Shell.CMD),
        "FOLDER": f"{folder};{folder}\\Scripts;{folder}\\Library\\bin".replace("%", "%%"),
        "VARIABLE": variable.replace("%", "%%"),
        "COMMAND": subprocess.list2cmdline(command).replace("%", "%%"),
    }
    menu = (
        Path(os.environ.get("APPDATA", "~")).expanduser()
        / "Microsoft"
        / "Windows"
        / "Start Menu"
        / "Programs"
    )
    body = hookfiles.filled(_template("launcher.cmd"), **words)
    return _Script(menu / f"{environment.safe_name(called)}.cmd", Shell.CMD, body, alone=True)


# --- Files ---


def _added(script: _Script) -> Edit:
    path = script.path.resolve()
    before = files.read(path)
    if script.alone and before is not None and hookfiles.block_in(before) is None:
        raise GitsnapError(f"`{path}` is there already, and is none of gitsnap's", hint="move it away")
    return Edit(path, before, hookfiles.add(before, script.body, script.shell), script.executable)


def _removed(path: Path) -> Edit:
    before = files.read(path)
    return Edit(path, before, None if before is None else hookfiles.remove(before))


def _apply(edits: Sequence[Edit]) -> None:
    for edit in filter(None, edits):
        files.refuse_foreign(edit.path)
        if edit.after is None:
            files.remove(edit.path)
            continue
        mode = edit.path.stat().st_mode if edit.before is not None else None
        files.write(edit.path, edit.after)
        if mode is not None or edit.executable:
            edit.path.chmod(mode if mode is not None else 0o755)


# --- What was installed ---


def _records() -> Path:
    return locations.config_path(os.environ) / "hooks"


def _record(kind: Kind, what: str) -> Path:
    key = hashlib.sha256(os.path.normcase(what).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return _records() / f"{kind.value}-{key}.json"


def _remember(wanted: _Wanted, edits: Sequence[Edit]) -> None:
    content = {
        "kind": wanted.kind.value,
        "what": wanted.what,
        "installed": datetime.now().astimezone().isoformat(timespec="seconds"),
        "files": {str(edit.path): _digest(edit.after or b"") for edit in edits},
    }
    path = _record(wanted.kind, wanted.what)
    old = _stored(path)
    if old is None or {**old, "installed": ""} != {**content, "installed": ""}:
        files.write(path, json.dumps(content, indent=1).encode("utf-8"))


def _digest(data: bytes) -> str:
    return hashlib.sha256(hookfiles.block_in(data) or b"").hexdigest()


def _stored(path: Path) -> dict[str, Mapping[str, str]] | None:
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and isinstance(content.get("files"), dict):
            return content
    return None


def _read(path: Path) -> Installed | None:
    content = _stored(path)
    with suppress(ValueError, KeyError):
        if content:
            found = tuple(
                (Path(name), _condition(Path(name), digest)) for name, digest in content["files"].items()
            )
            return Installed(Kind(content["kind"]), str(content["what"]), found)
    return None


def _condition(path: Path, digest: str) -> Condition:
    data = files.read(path)
    if data is None:
        return Condition.GONE
    if hookfiles.block_in(data) is None:
        return Condition.OVERWRITTEN
    return Condition.INTACT if _digest(data) == digest else Condition.EDITED
