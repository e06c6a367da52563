"""The launch path: has anything changed since the last snapshot? If so, save; never break the launch.

Until something has changed, this and what it imports load `os` and `sys` alone, not even `__future__`.
"""

import os
import sys

from gitsnap import glance, hint, peek, selection, unfinished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import NoReturn

# With the start of the interpreter and the record of the failure it stays below ten seconds.
PATIENCE = 9.0
NOT_EXECUTABLE = 126
NOT_FOUND = 127
INTERRUPTED = 130
_PUSH_TIME = 60.0
_LONGEST_WAIT = 25 * 3600.0
_TOO_LONG = f"it took longer than {PATIENCE:.0f} seconds"


def main() -> "NoReturn":
    """Run `gitsnap-hook [--python PATH | --env NAME]`: exit 0 whatever happens, at most one line on stderr."""
    try:
        _demote_pythonpath()
        save_before_launch(*_which(sys.argv[1:]))
    except KeyboardInterrupt:
        _complain("interrupted; nothing was saved")
    except BaseException as error:  # noqa: BLE001 - a hook that raises breaks the launch
        _complain(str(error))
    # The orderly end would wait for a git that hangs, and PYTHONINSPECT would make a prompt of it.
    os._exit(0)


def _which(arguments: "Sequence[str]") -> tuple[str | None, str | None]:
    python, name, rest = options(arguments)
    if rest or (python and name):
        message = f"usage: gitsnap-hook [--python PATH | --env NAME], not {' '.join(arguments)!r}"
        raise ValueError(message)
    return python, name


def save_before_launch(python: str | None, name: str | None) -> "hint.Hint | None":
    """Save the environment if it changed, within ten seconds, saying at most one line on stderr.

    Returns the hint where nothing had changed.
    """
    found = None
    try:
        found = unchanged(python, name, os.environ)
        line = "" if found else _save(python, name)
        if found and found.push:
            _push_if_due(found.push)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever is wrong, the launch goes on
        line = f"nothing was saved: {error}"
    if line:
        _complain(line)
    return found


def run(command: "Sequence[str]", python: str | None, name: str | None, *, mark: bool = True) -> int:
    """Save, then become *command*; where the system has no `exec`, run it and return its exit status.

    Until a launch went well with the present packages, it stays the command's parent to see whether this one does;
    not so without *mark*. 127 where the command is not found, 126 where it cannot be executed.
    """
    variables = _original_variables()
    _demote_pythonpath()
    try:
        found = save_before_launch(python, name)
    except KeyboardInterrupt:
        return INTERRUPTED
    if mark and not (found and (found.good or found.keep == "no")):
        return _try(command, variables, python, name)
    return _become(command, variables)


def _try(command: "Sequence[str]", variables: dict[str, str], python: str | None, name: str | None) -> int:
    """Run *command* as a child, and remember that the present packages are good when it works."""
    begun = unchanged(python, name, os.environ)
    if begun is None or begun.good or begun.keep == "no":
        return _become(command, variables)

    from gitsnap import trial

    def well() -> None:
        now = unchanged(python, name, os.environ)
        if now and now.commit == begun.commit:
            from gitsnap.actions.save import mark_good

            mark_good(now)

    return trial.run(lambda: _become(command, variables), well)


def hook() -> None:
    """Save the environment of the application that calls this, if it changed; a line at an application's start.

    Never raises, prints nothing to stdout; in this process the packages are looked at, nothing more: a change is
    saved by a Python of its own, which is waited for. May be called in a thread.
    """
    try:
        python = selection.interpreter(sys.prefix)
        # What is bundled into one program has no packages that could change.
        if python is None or getattr(sys, "frozen", False):
            return
        found = unchanged(python, None, os.environ)
        if found is None:
            _save_apart(python)
        elif found.push:
            _push_if_due(found.push)
    except Exception as error:  # noqa: BLE001 - the application goes on
        _complain(f"nothing was saved: {error}")


def _save_apart(python: str) -> None:
    """Run `gitsnap-hook` with *python* itself, for as long as it may take at most."""
    import subprocess

    # `-I` keeps what the shell and the folder name out of it; where gitsnap itself was found comes last.
    code = "import sys; sys.path.append(sys.argv.pop(1)); from gitsnap.launch import main; main()"
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    null = subprocess.DEVNULL
    child = subprocess.Popen(
        [python, "-I", "-c", code, home, "--python", python],
        stdin=null,
        stdout=null,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    try:
        child.wait(PATIENCE + 3)
    except subprocess.TimeoutExpired:
        # It ends by itself; Python would warn that it still runs.
        child.returncode = 0


def unchanged(python: str | None, name: str | None, variables: "Mapping[str, str]") -> "hint.Hint | None":
    """Return the hint if it, the environment and the repository all agree that there is nothing to save.

    Imports and runs nothing but `os` and `sys`; reads the bytes that say what is installed. What is odd counts
    as a change: the long way looks again, and tells what is wrong.
    """
    try:
        found = hint.read(hint.key_of(python, name, variables), variables)
        return found if found and _is_unchanged(found, variables) else None
    except Exception:  # noqa: BLE001 - a garbled hint, a lost file, an environment that cannot be read
        return None


def _is_unchanged(found: hint.Hint, variables: "Mapping[str, str]") -> bool:
    if found.variables != hint.variables_seen(variables):
        return False
    if hint.stats(hint.split(found.configs)) != found.config_stats:
        return False
    if found.keep == "no":
        return True
    if unfinished.unfinished(found.repository) or hint.tip(found.repository) != found.commit:
        return False
    return _same_interpreter(found) and _same_text(found)


def _push_if_due(waiting: str) -> None:
    """Start a push in the background where the time of the file *waiting* has come; most times there is none."""
    try:
        due = os.stat(waiting).st_mtime
    except OSError:
        return
    import time

    now = time.time()
    # A clock that was set back must not put it off for ever.
    if now < due < now + _LONGEST_WAIT:
        return
    from gitsnap import detached

    try:
        # Launches that come meanwhile leave it to this one; where that cannot be noted, each would start one.
        os.utime(waiting, (now + _PUSH_TIME, now + _PUSH_TIME))
        detached.start(detached.gitsnap("push", "--background"), os.environ, os.path.dirname(waiting))
    except OSError:
        return


def _same_interpreter(found: hint.Hint) -> bool:
    python, real, stats = hint.split(found.executable)
    if os.path.realpath(python) != real or hint.stats([real]) != stats:
        return False
    if glance.witness(found.prefix, hint.split(found.folders)) != found.witness:
        return False
    return hint.conda_names(found.prefix) == found.conda


def _same_text(found: hint.Hint) -> bool:
    paths = hint.split(found.paths)
    if found.glance and glance.glance(paths) == found.glance:
        current = peek.read(os.path.join(found.repository, "current.txt"), peek.LIMIT)
        return glance.digest(current) == found.current
    from gitsnap import scan

    major, minor = found.python.split(".")
    lines = scan.freeze(paths, (int(major), int(minor)), found.prefix)
    text = (found.header + "".join(line + "\n" for line in lines)).encode("utf-8")
    return peek.read(os.path.join(found.repository, "current.txt"), len(text) + 1) == text


def _save(python: str | None, name: str | None) -> str:
    """Take the long way: configuration, lock, git. Returns the line to say, after ten seconds at the latest."""
    import gc
    import threading
    import warnings

    # Looking for garbage while all of it is imported takes as long as a bare interpreter.
    gc.disable()
    _fill_closed_streams()
    warnings.simplefilter("ignore")
    # Libraries and the interpreter itself may want to say more than our one line.
    stderr, sys.stderr = sys.stderr, None
    try:
        from gitsnap.actions.save import record_failure, save_for_launch

        lines: list[str] = []
        worker = threading.Thread(target=lambda: lines.append(save_for_launch(python, name)), daemon=True)
        worker.start()
        worker.join(PATIENCE)
        if lines:
            return lines[0]
        threading.Thread(target=record_failure, args=(python, name, _TOO_LONG), daemon=True).start()
        worker.join(0.5)
        return f"nothing was saved: {_TOO_LONG}"
    finally:
        sys.stderr = stderr


def _fill_closed_streams() -> None:
    """Open the null device in place of a closed stdin, stdout or stderr.

    Else a file of the repository would be opened there, and our line be written into it. A command that follows
    finds them closed, as Python's files are not inherited.
    """
    for stream in range(3):
        try:
            os.fstat(stream)
        except OSError:  # noqa: PERF203 - there are three
            os.open(os.devnull, os.O_RDWR)


def options(arguments: "Sequence[str]") -> tuple[str | None, str | None, list[str]]:
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


def _demote_pythonpath() -> None:
    """Put `PYTHONPATH` last on our own `sys.path`, so that nothing in it shadows what a save imports."""
    given = {_absolute(path) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path}
    if given:
        sys.path.sort(key=lambda path: _absolute(path) in given)


def _absolute(path: str) -> str:
    try:
        return os.path.normcase(os.path.abspath(path))
    except OSError:  # the working folder is gone
        return path


def _complain(line: str) -> None:
    """Write one line to stderr, if there is one that takes it."""
    shown = "".join(letter if letter.isprintable() else " " for letter in f"gitsnap: {line}")[:300]
    try:  # noqa: SIM105 - contextlib is not worth its import here
        os.write(2, (shown + "\n").encode("utf-8", "replace"))
    except OSError:
        pass


def _original_variables() -> dict[str, str]:
    """Return the variables as the command would find them without us.

    In the C locale Python sets `LC_CTYPE` for itself and its children (PEP 538); Linux tells what was there.
    """
    variables = dict(os.environ)
    if variables.get("LC_CTYPE") not in {"C.UTF-8", "C.utf8", "UTF-8"}:
        return variables
    try:
        with open("/proc/self/environ", "rb") as stream:
            at_start = [part for part in stream.read().split(b"\0") if part.startswith(b"LC_CTYPE=")]
    except OSError:
        return variables
    del variables["LC_CTYPE"]
    if at_start:
        variables["LC_CTYPE"] = os.fsdecode(at_start[0].partition(b"=")[2])
    return variables


def _become(command: "Sequence[str]", variables: dict[str, str]) -> int:
    try:
        if os.name == "nt":
            return _run_and_wait(command, variables)
        _exec(command, variables)
    except (FileNotFoundError, ValueError):  # the latter where the command is an empty text
        import shutil

        found = shutil.which(command[0], path=variables.get("PATH"))
        _complain(f"{found}: its interpreter is not there" if found else f"{command[0]}: command not found")
        return NOT_FOUND
    except OSError as error:
        _complain(f"{command[0]}: {error.strerror or error}")
        return NOT_EXECUTABLE


def _exec(command: "Sequence[str]", variables: dict[str, str]) -> "NoReturn":
    """Replace this process; `exec` keeps ignored signals, so those that Python ignores get their default back."""
    import errno
    import signal

    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), variables)  # noqa: S606 - there is no shell, and none is wanted
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            raise
        # A script without a `#!` line runs when a shell launches it (POSIX), so it must run here.
        os.execve("/bin/sh", ["sh", "-c", 'exec "$@"', "sh", *command], variables)  # noqa: S606


def _run_and_wait(command: "Sequence[str]", variables: dict[str, str]) -> int:
    """Run *command* as a child on Windows; Ctrl-C reaches it once, from the console, and we wait."""
    import shutil
    import signal
    import subprocess

    # Windows itself looks for `.exe` alone, while a shell finds `.cmd` and whatever else PATHEXT names.
    program = shutil.which(command[0], path=variables.get("PATH"))
    if program is None:
        raise FileNotFoundError(command[0])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    status = subprocess.run([program, *command[1:]], env=variables, close_fds=False, check=False).returncode
    # A status such as 0xC000013A has to be handed to `sys.exit` as the same 32 bits with a sign.
    return status - 2**32 if status >= 2**31 else status
