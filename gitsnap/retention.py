"""Which stamped files stay in the folder: the newest by history, and pinned ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def expired(stamps: Sequence[str], pinned: Collection[str], limit: int) -> list[str]:
    """Return the stamps whose files are past *limit*.

    *stamps*: those with a file in the tree, newest first in history's order. Pinned ones are never counted and
    never returned. *limit* is at least 1: nothing here can mean "delete all".
    """
    if limit < 1:
        message = f"a limit is at least 1, not {limit}"
        raise ValueError(message)
    return [stamp for stamp in stamps if stamp not in pinned][limit:]
