"""The door to other programs that take long: run to their end, or ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gitsnap.errors import InstallerError

# What would install elsewhere than we say, or something else.
_DIVERTING = (
    *("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_SRC", "PIP_REQUIREMENT", "PIP_EDITABLE"),
    *("PIP_PYTHON", "PIP_DRY_RUN", "PIP_NO_DEPS", "PIP_UPGRADE", "PIP_IGNORE_INSTALLED", "PIP_REPORT", "PIP_LOG"),
    *("PIP_REQUIRE_HASHES", "PIP_REQUIRE_VIRTUALENV", "PIP_QUIET", "PIP_VERBOSE", "PIP_COMPILE", "PIP_CONSTRAINT"),
    *("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "UV_PROJECT_ENVIRONMENT", "UV_COMPILE_BYTECODE"),
    *("UV_REQUIRE_HASHES", "UV_RESOLUTION", "UV_CONSTRAINT", "UV_OVERRIDE", "UV_EXCLUDE_NEWER", "UV_TARGET"),
    *("UV_PREFIX", "UV_VENV_CLEAR", "UV_VENV_SEED", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_NAMESPACE"),
)  # fmt: skip


def call(
    command: Sequence[str], variables: Mapping[str, str], folder: Path | None = None, **extra: str
) -> tuple[int, str]:
    """Run *command* to its end, however long that takes; returns its status and all that it said.

    With the user's *variables*, but for those that would lead an installation elsewhere, and *extra*.
    Interrupted, the command and all that it started are ended first.
    """
    kept = {
        name: value
        for name, value in variables.items()
        if name not in _DIVERTING and not name.startswith(("PYTHON", "__PYVENV"))
    }
    kept |= {"PYTHONUTF8": "1", "GIT_TERMINAL_PROMPT": "0", "NO_COLOR": "1", **extra}
    # A group of its own, so that it can be ended as a whole: by `killpg` here, by `taskkill /T` on Windows.
    how: dict[str, Any] = {"start_new_session": True} if os.name != "nt" else {"creationflags": 0x200}
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=kept,
            cwd=folder,
            **how,
        )
    except (OSError, ValueError) as error:
        raise InstallerError(f"`{command[0]}` does not run: {getattr(error, 'strerror', error)}") from error
    with child, _ended(child):
        output = child.communicate()[0]
    return child.returncode, output.decode("utf-8", "replace")


@contextlib.contextmanager
def _ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End *child* and all that it started when this is left before it has ended."""
    try:
        yield
    except BaseException:
        if os.name == "nt":
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        raise
