"""Everything gitsnap refuses or fails at, with the exit code that tells it."""

from __future__ import annotations

from collections.abc import Sequence


class GitsnapError(Exception):
    """Something could not be done; `hint` says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "", candidates: Sequence[str] = ()) -> None:
        """Keep the message (one line), the hint, and names that may have been meant."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.candidates = tuple(candidates)


class UsageError(GitsnapError):
    """A command line, a variable or a configuration that makes no sense."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or variable that is wrong."""


class UnknownKeyError(ConfigError):
    """A configuration key that gitsnap does not know; the known ones may still be used."""


class NoRepositoryError(GitsnapError):
    """The environment has no repository yet."""

    exit_code = 10


class LockedError(GitsnapError):
    """Another gitsnap, or another git, is at work in the repository."""

    exit_code = 11


class GitLockedError(LockedError):
    """A lock of git's is there that gitsnap did not make: the user's git at work, or its leavings."""


class NotFoundError(GitsnapError):
    """No such environment or snapshot, or more than one that fits."""

    exit_code = 12


class GitMissingError(GitsnapError):
    """Git is not installed, does not start, or is too old."""


class ForeignOwnerError(GitsnapError):
    """A folder belongs to another user."""


class RepositoryError(GitsnapError):
    """A repository that is damaged, or in a state that gitsnap must not touch."""


class InterpreterError(GitsnapError):
    """A program that is no Python, or a Python that does not run."""


class UntrustedTextError(GitsnapError):
    """A snapshot's text that holds more than the known forms of lines."""


class UnfinishedError(GitsnapError):
    """A rollback was interrupted, and has to be brought to an end first."""


class UnobtainableError(GitsnapError):
    """Lines of a snapshot that no installer can get; the candidates are the lines with their reasons."""


class InstallerError(GitsnapError):
    """No installer, or one that failed."""
