"""Saves made-up environments with a clock of the test's own, in this process and without starting a Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gitsnap import config, store
from gitsnap.model import Environment, Snapshot
from gitsnap.store import Saved, Store
from tests.conftest import git

PARIS = timezone(timedelta(hours=1))
START = datetime(2025, 1, 31, 11, 24, 5, tzinfo=PARIS)
MINUTE = timedelta(minutes=1)


@dataclass
class Keeper:
    """The repository of one made-up environment; every save is a minute after the one before."""

    prefix: Path
    name: str = "lab"
    clock: datetime = START
    limit: int = 25
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> Environment:
        """The environment that is saved."""
        python = self.prefix / "bin" / "python"
        return Environment(self.name, self.prefix, python, python, "3.12.3 (main)", (3, 12, 3), (), ())

    @property
    def store(self) -> Store:
        """Its store."""
        return store.of(config.load(os.environ), self.environment)

    @property
    def path(self) -> Path:
        """Its repository."""
        return self.store.path

    def text(self, *lines: str) -> str:
        """Return the freeze that holds *lines*."""
        head = f"# executable: {self.environment.executable}\n# version: {self.environment.version}\n\n"
        return head + "".join(f"{line}\n" for line in lines)

    def save(
        self,
        *lines: str,
        at: datetime | None = None,
        reason: str = "",
        patience: float = 10.0,
        look: Callable[[], str] | None = None,
    ) -> Saved:
        """Save the environment when it holds *lines*."""
        self.clock = at or self.clock + MINUTE
        plan = store.Plan(
            environment=self.environment,
            look=lambda: store.Look((look() if look else self.text(*lines)).encode()),
            now=self.clock,
            limit=self.limit,
            machine="lab-pc",
            reason=reason,
        )
        return store.save(config.load(os.environ), plan, patience=patience)

    def fill(self, count: int, first: int = 0) -> list[Snapshot]:
        """Save *count* snapshots that differ, oldest first."""
        return [self.save(f"numpy=={number}").newest for number in range(first, first + count)]

    def history(self) -> list[Snapshot]:
        """Return all snapshots, newest first."""
        return store.snapshots(self.store)

    def stamped(self) -> list[str]:
        """Return the names of the stamped files in the folder."""
        return sorted(path.name for path in self.path.glob("*_environment.txt"))

    def git(self, *arguments: str) -> str:
        """Run the real git in the repository, as its user would; it must succeed."""
        return git(self.path, *arguments)

    def assert_whole(self) -> None:
        """Check what must hold after every save: git finds nothing wrong and nothing to do, the newest is current."""
        self.assert_sound()
        assert self.git("status", "--porcelain") == ""
        assert (self.path / "current.txt").read_bytes() == (self.path / self.newest_file()).read_bytes()

    def assert_sound(self) -> None:
        """Check what must hold at every moment: objects, `HEAD`, and `current.txt` in it."""
        self.git("fsck", "--full", "--strict")
        lines = (line.split(maxsplit=3) for line in self.git("ls-tree", "HEAD").splitlines())
        blobs = {name: blob for _, _, blob, name in lines}
        assert blobs["current.txt"] == blobs[self.newest_file()]

    def newest_file(self) -> str:
        """Return the name of the newest snapshot's file."""
        return store.snapshots(self.store, limit=1)[0].file_name
