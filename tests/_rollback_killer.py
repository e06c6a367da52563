"""A rollback, or the end of an interrupted one, in a process that is killed at its N-th call that writes.

`python -m tests._rollback_killer JSON`; `tests/test_journal.py` drives it. Prints how many such calls there were up
to the writing of the journal, and up to its end.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import gitsnap
from gitsnap import journal
from gitsnap.actions import rollback
from gitsnap.installer import Sources
from tests._killer import _FLAGS, _WRITES, arm


def count() -> list[int]:
    """Count the calls that `arm` counts."""
    counted = [0]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _WRITES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _FLAGS):
            counted[0] += 1

    sys.addaudithook(hook)
    return counted


def _watch(name: str, place: int, moments: list[int], counted: list[int]) -> None:
    """Note how many calls there had been when the function of the journal called *name* was first called."""
    real = getattr(journal, name)

    def watched(*arguments: Any) -> None:
        moments[place] = moments[place] or counted[0]
        real(*arguments)

    setattr(journal, name, watched)


def main() -> None:
    """Do what the first argument asks for."""
    asked = json.loads(sys.argv[1])
    sources = Sources(find_links=(asked["wheels"],), offline=True)
    counted = count()
    if asked["number"]:
        arm(asked["number"])
    moments = [0, 0]
    for place, name in enumerate(("write", "close")):
        _watch(name, place, moments, counted)
    if asked["snap"]:
        gitsnap.rollback(asked["snap"], python=asked["python"], sources=sources, installer=asked["installer"])
    else:
        rollback.resume(forward=asked["forward"], python=asked["python"])
    os.write(1, json.dumps(moments).encode())


if __name__ == "__main__":
    main()
