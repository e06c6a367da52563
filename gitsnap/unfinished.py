"""Whether a rollback was interrupted: one look at the disk, with `os` alone, for the launch's sake."""

import os

MESSAGE = "a rollback was interrupted"
HINT = "`gitsnap rollback --continue` brings it to its end, `gitsnap rollback --abort` puts back what was"


def journal_of(repository: str) -> str:
    """Return where the journal of a rollback is, whether there is one or not."""
    return os.path.join(repository, ".git", "gitsnap", "rollback.json")


def unfinished(repository: str) -> bool:
    """Tell whether a rollback of the environment that *repository* belongs to was begun and not ended."""
    return os.path.exists(journal_of(repository))
