"""The launch path: has anything changed since the last snapshot? If so, save; never break the launch."""

from __future__ import annotations

import os
import sys

from gitsnap import hint, scan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

PATIENCE = 10.0
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130


def main() -> int:
    """Run `gitsnap-hook [--python PATH | --env NAME]`: exit 0 whatever happens, at most one line on stderr."""
    try:
        _shed_pythonpath()
        python, name, rest = options(sys.argv[1:])
        if rest:
            message = f"usage: gitsnap-hook [--python PATH | --env NAME], not {rest[0]!r}"
            raise ValueError(message)  # noqa: TRY301 - it is said below, as everything is
        save_before_launch(python, name)
    except BaseException as error:  # noqa: BLE001 - a hook that raises breaks the launch
        _complain(f"gitsnap: {error}")
    return 0


def save_before_launch(python: str | None, name: str | None) -> None:
    """Save the environment if it changed, within ten seconds, saying at most one line on stderr."""
    try:
        if not is_unchanged(python, name, os.environ):
            _save(python, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever is wrong, the launch goes on
        _complain(f"gitsnap: nothing was saved: {error}")


def run(command: Sequence[str], python: str | None, name: str | None) -> int:
    """Save, then become *command*; where the system has no `exec`, run it and return its exit status.

    127 where the command is not found, 126 where it cannot be executed.
    """
    variables = _original_variables()
    _shed_pythonpath()
    try:
        save_before_launch(python, name)
    except KeyboardInterrupt:
        return INTERRUPTED
    return _become(command, variables)


def is_unchanged(python: str | None, name: str | None, variables: Mapping[str, str]) -> bool:
    """Tell whether the hint, the environment and the repository all agree that there is nothing to save.

    Imports and runs nothing but `os` and `sys`; reads the bytes that say what is installed.
    """
    found = hint.read(hint.key_of(python, name, variables), variables)
    if found is None or found.variables != hint.variables_seen(variables):
        return False
    if hint.stats(hint.split(found.configs)) != found.config_stats:
        return False
    if found.keep == "no":
        return True
    return _same_interpreter(found) and hint.tip(found.repository) == found.commit and _same_text(found)


def _same_interpreter(found: hint.Hint) -> bool:
    if hint.stats([found.executable.split("\1")[0]]) != found.executable.split("\1")[1]:
        return False
    if scan.witness(found.prefix, hint.split(found.folders)) != found.witness:
        return False
    return hint.conda_names(found.prefix) == found.conda


def _same_text(found: hint.Hint) -> bool:
    major, minor = found.python.split(".")
    lines = scan.freeze(hint.split(found.paths), (int(major), int(minor)), found.prefix)
    text = found.header + "".join(line + "\n" for line in lines)
    with open(os.path.join(found.repository, "current.txt"), "rb") as stream:
        return stream.read() == text.encode("utf-8")


def _save(python: str | None, name: str | None) -> None:
    """Take the long way: configuration, lock, git; the watch ends it when it takes too long."""
    import threading
    import warnings

    warnings.simplefilter("ignore")
    from gitsnap.actions.save import save_for_launch

    line = [""]
    worker = threading.Thread(target=lambda: line.append(save_for_launch(python, name)), daemon=True)
    worker.start()
    worker.join(PATIENCE)
    if worker.is_alive():
        line.append("nothing was saved: it took longer than 10 seconds")
    if line[-1]:
        _complain(f"gitsnap: {line[-1]}")


def options(arguments: Sequence[str]) -> tuple[str | None, str | None, list[str]]:
    """Return the values of leading `--python` and `--env`, and the arguments from the first other one on."""
    values: dict[str, str | None] = {"--python": None, "--env": None}
    rest = list(arguments)
    while rest:
        option, equals, value = rest[0].partition("=")
        if option not in values or not (equals or rest[1:]):
            break
        values[option] = value if equals else rest[1]
        del rest[: 1 if equals else 2]
    return values["--python"], values["--env"], rest


def _shed_pythonpath() -> None:
    """Take `PYTHONPATH` off our own `sys.path`, so that nothing in it shadows what a save imports."""
    foreign = {os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
    if foreign:
        sys.path[:] = [path for path in sys.path if os.path.abspath(path) not in foreign]


def _complain(line: str) -> None:
    """Write one line to stderr, if there is one that takes it."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in line)[:300]
    try:  # noqa: SIM105 - contextlib is not worth its import here
        os.write(2, (printable + "\n").encode("utf-8", "replace"))
    except OSError:
        pass


def _original_variables() -> dict[str, str]:
    """Return the variables as the command would find them without us.

    In the C locale Python sets `LC_CTYPE` for itself and its children (PEP 538); Linux tells what was there.
    """
    variables = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as stream:
            had = any(part.startswith(b"LC_CTYPE=") for part in stream.read().split(b"\0"))
    except OSError:
        return variables
    if not had:
        variables.pop("LC_CTYPE", None)
    return variables


def _become(command: Sequence[str], variables: dict[str, str]) -> int:
    try:
        if os.name == "nt":
            return _run_and_wait(command, variables)
        _exec(command, variables)
    except FileNotFoundError:
        _complain(f"gitsnap: {command[0]}: command not found")
        return NOT_FOUND
    except OSError as error:
        _complain(f"gitsnap: {command[0]}: {error.strerror or error}")
        return NOT_EXECUTABLE


def _exec(command: Sequence[str], variables: dict[str, str]) -> NoReturn:
    """Replace this process; `exec` keeps ignored signals, so those that Python ignores get their default back."""
    import signal

    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:  # noqa: SIM105 - as above
                stream.flush()
            except (OSError, ValueError):
                pass
    try:
        os.execvpe(command[0], list(command), variables)  # noqa: S606 - there is no shell, and none is wanted
    except OSError as error:
        import errno

        if error.errno != errno.ENOEXEC:
            raise
        # A script without a `#!` line runs when a shell launches it (POSIX), so it must run here.
        os.execve("/bin/sh", ["sh", "-c", 'exec "$@"', "sh", *command], variables)  # noqa: S606


def _run_and_wait(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run *command* as a child on Windows; Ctrl-C reaches it once, from the console, and we wait."""
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run(list(command), env=variables, check=False).returncode
