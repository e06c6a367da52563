"""The door to git's plumbing on this computer, for repositories that no GitPython has to be loaded for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitsnap.errors import GitMissingError, RepositoryError
from gitsnap.model import printable


@dataclass(frozen=True)
class Done:
    """What a git command answered."""

    status: int
    data: bytes
    words: str

    @property
    def lines(self) -> list[str]:
        """The answer, a line each."""
        return self.data.decode("utf-8", "replace").splitlines()


def run(folder: Path, *arguments: str, given: bytes = b"") -> Done:
    """Run a git command in the repository at *folder*, apart from every configuration and variable of the user's."""
    inner = folder / ".git"
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_DIR": str(inner if inner.is_dir() else folder),
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TEMPLATE_DIR": "",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    command = ["git", "-c", f"core.hooksPath={os.devnull}", "-c", "core.fsmonitor=false", *arguments]
    try:
        answer = subprocess.run(
            command, input=given, capture_output=True, cwd=folder, env=variables, check=False
        )
    except OSError as error:
        raise GitMissingError(f"git does not start: {error.strerror}", hint="try `git version`") from error
    return Done(answer.returncode, answer.stdout, answer.stderr.decode("utf-8", "replace"))


def read(folder: Path, *arguments: str, given: bytes = b"") -> Done:
    """Run a git command that must succeed; raises RepositoryError."""
    done = run(folder, *arguments, given=given)
    if done.status:
        words = printable(done.words.strip().splitlines()[-1] if done.words.strip() else "no reason given")
        raise RepositoryError(
            f"git cannot use the repository `{folder}`: {words}", hint="`gitsnap check` tells more"
        )
    return done


def refs(folder: Path, *patterns: str) -> dict[str, str]:
    """Return the object of each ref that begins with one of *patterns*, by its full name."""
    lines = read(folder, "for-each-ref", "--format=%(objectname) %(refname)", *patterns).lines
    return {name: identity for identity, _, name in (line.partition(" ") for line in lines)}


def settings(folder: Path, pattern: str) -> list[tuple[str, str]]:
    """Return the repository's own settings whose names fit *pattern*, in their order."""
    done = run(folder, "config", "--local", "-z", "--get-regexp", pattern)
    records: Sequence[str] = done.data.decode("utf-8", "surrogateescape").split("\0")
    return [(key, value) for key, _, value in (record.partition("\n") for record in records) if key]


def make_bare(folder: Path) -> None:
    """Make a bare repository at *folder*, whose branches are as gitsnap names them."""
    folder.mkdir(parents=True, exist_ok=True)
    read(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(folder))
