"""Saves in processes that are killed at their N-th call that writes; `tests/test_invariants.py` drives it.

One request a line on stdin (a JSON object), one answer a line on stdout: whether the process was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from gitsnap import snap, store
from tests.keeper import Keeper

_WRITES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.truncate", "subprocess.Popen"}  # fmt: skip
_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def arm(number: int) -> None:
    """Have this process killed just before its call with that number that opens a file to write, renames, …."""
    calls = count(1)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event in _WRITES or (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & _FLAGS
        )
        if writes and next(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def act(request: dict[str, Any]) -> None:
    """Do what *request* asks for."""
    keeper = Keeper(Path(request["prefix"]), limit=request["limit"])
    now = datetime.fromisoformat(request["now"])
    arm(request["number"])
    if request["verb"] == "save":
        keeper.save(*request["lines"], at=now)
    elif request["verb"] == "prune":
        store.prune(keeper.store, limit=request["limit"], now=now)
    else:
        store.tag(keeper.store, "here", snap.Latest(0))


def main() -> None:
    """Serve requests, each in a process of its own that is killed with all it started."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.setsid()
            try:
                act(json.loads(line))
            except BaseException as error:  # noqa: BLE001 - the answer tells it
                os.write(2, f"{type(error).__name__}: {error}\n".encode())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    # The first use loads the rest of the library, which a killed process need not do again.
    from gitsnap import repository

    repository._git()
    main()
