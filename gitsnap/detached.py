"""Processes that outlive this one: pushes and git's maintenance. Imports as little as a launch can bear."""

import os
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

_BREAKAWAY = 0x01000000  # CREATE_BREAKAWAY_FROM_JOB
_APART = 0x08000200  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
# `-I` keeps the shell's PYTHONPATH and the current folder out; where gitsnap itself was found comes last.
_RUN = "import sys; sys.path += [path for path in sys.argv.pop(1).split('\\n') if path and path not in sys.path]; "
_RUN += "from gitsnap.cli import main; sys.exit(main())"


def gitsnap(*arguments: str) -> list[str]:
    """Return the command that runs gitsnap with *arguments* in a process of its own; OSError where there is none."""
    if not os.path.basename(sys.executable or "").lower().startswith(("python", "pypy")):
        # Inside an application that is its own interpreter, this would start the application once more.
        message = f"{sys.executable!r} is no Python"
        raise OSError(message)
    paths = "\n".join(os.path.abspath(path) for path in sys.path if path)
    return [sys.executable, "-I", "-c", _RUN, paths, *arguments]


def start(command: "Sequence[str]", variables: "Mapping[str, str]", folder: str) -> bool:
    """Start *command* so that it outlives this process and holds none of its pipes; tell whether it started."""
    if os.name != "nt":
        # A shell in between ends at once: neither we nor the command that we become has a child to wait for.
        between = _start(
            ["/bin/sh", "-c", '"$@" &', "sh", *command], variables, folder, start_new_session=True
        )
        return between is not None and between.wait() == 0
    # Where a job of the caller's would end it with the caller, it leaves the job if it may.
    child = _start(command, variables, folder, creationflags=_APART | _BREAKAWAY) or _start(
        command, variables, folder, creationflags=_APART
    )
    if child:
        # It is meant to outlive us: without this Python warns that it still runs.
        child.returncode = 0
    return child is not None


def _start(
    command: "Sequence[str]", variables: "Mapping[str, str]", folder: str, **how: "Any"
) -> "subprocess.Popen[bytes] | None":
    null = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            command, stdin=null, stdout=null, stderr=null, env=variables, cwd=folder, **how
        )
    except OSError:
        return None
