"""The journal: a rollback that is killed at any moment ends in exactly one of its two states."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gitsnap
from gitsnap import journal, unfinished
from gitsnap.actions import rollback as rolling
from gitsnap.errors import GitsnapError, LockedError, UnfinishedError, UsageError
from gitsnap.installer import Sources
from gitsnap.journal import Journal
from tests.conftest import Cli, Venv
from tests.wheels import BACKENDS, FULL, Lab

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are killed with SIGKILL")
ROOT = Path(__file__).parent.parent


class Killed:
    """An environment that is taken back and forth between two states in processes that are killed."""

    def __init__(self, lab: Lab, backend: str, chance: random.Random) -> None:
        """Make both states known, each as this backend makes it."""
        self.lab, self.backend, self.chance = lab, backend, chance
        lab.make(aa="1.0 2.0", bb="1.0 2.0", cc="1.0", dd="1.0")
        lab.install("aa==1.0", "bb==1.0", "dd==1.0")
        self.stamps = [self._save()]
        lab.install("aa==2.0", "cc==1.0", "bb==2.0")
        lab.uninstall("dd")
        self.stamps.append(self._save())
        self.states: list[dict[str, bytes]] = [{}, {}]
        self.moments = (0, 0)
        """How many writing calls there are up to the journal, and up to its end."""
        for index in (0, 1, 0, 1):
            begin, end = json.loads(self.run(index=index)[1])
            self.moments = (begin, end)
            self.states[index] = lab.files
        self.versions = [{"aa": "1.0", "bb": "1.0", "dd": "1.0"}, {"aa": "2.0", "bb": "2.0", "cc": "1.0"}]

    @property
    def python(self) -> str:
        """The environment's Python."""
        return str(self.lab.venv.python)

    @property
    def repository(self) -> Path:
        """The environment's repository."""
        return gitsnap.status(python=self.python).store.path

    def _save(self) -> str:
        saved: Any = gitsnap.save(python=self.python)
        return str(saved.newest.stamp)

    def run(
        self,
        *,
        index: int | None = None,
        forward: bool = True,
        number: int = 0,
        patience: float | None = None,
    ) -> tuple[int, str]:
        """Roll back to state *index*, or end an interrupted rollback; killed at call *number* or after *patience*."""
        asked = {
            "wheels": str(self.lab.wheels), "python": self.python, "installer": self.backend, "number": number,
            "snap": None if index is None else self.stamps[index], "forward": forward,
        }  # fmt: skip
        command = [sys.executable, "-m", "tests._rollback_killer", json.dumps(asked)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = child.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            out, err = child.communicate()
        assert child.returncode in {0, -signal.SIGKILL}, err
        return child.returncode, out.strip()

    def state(self) -> int:
        """Return which of the two states the environment is in, to the byte, and see that its Python agrees."""
        files = self.lab.files
        assert files in self.states, sorted(set(files) ^ set(self.states[0]))
        index = self.states.index(files)
        assert self.lab.versions == self.versions[index]
        return index


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rollback_killed_at_any_moment_ends_in_exactly_one_of_two_states(
    make_venv: Callable[..., Venv], tmp_path: Path, backend: str
) -> None:
    """After `--continue` or `--abort`, also when those are killed: the promise is 50 kills each, CI does a tenth."""
    chance = random.Random(f"kills {backend}")  # noqa: S311 - a kill that does harm must be repeated
    killed = Killed(Lab(make_venv("lab"), tmp_path / "wheels"), backend, chance)
    start = time.monotonic()
    killed.run(index=0)
    usual = time.monotonic() - start
    interrupted = 0
    for turn in range(50 if FULL else 5):
        now = killed.state()
        begin, end = killed.moments
        # Most of the time passes in the installer, most of the danger in the last writes: all are tried.
        ways: list[dict[str, Any]] = [
            {"number": chance.randint(begin, end)},
            {"number": chance.randint(1, end)},
            {"patience": chance.uniform(0, usual)},
        ]
        killed.run(index=1 - now, **ways[turn % 3])
        if unfinished.unfinished(str(killed.repository)):
            interrupted += 1
            with pytest.raises(UnfinishedError):
                gitsnap.rollback(python=killed.python)
            if chance.random() < 0.5:
                killed.run(forward=chance.random() < 0.5, number=chance.randint(1, end - begin))
        if unfinished.unfinished(str(killed.repository)):
            forward = chance.random() < 0.5
            result = rolling.resume(forward=forward, python=killed.python)
            assert result.is_complete
            assert killed.state() == (1 - now if forward else now)
        assert killed.state() in {0, 1}
    assert interrupted
    print(f"{interrupted} rollbacks were interrupted")
    assert not list(killed.lab.venv.prefix.rglob("*.gitsnap-part"))


@pytest.fixture
def broken(make_venv: Callable[..., Venv], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Make an environment whose rollback was interrupted right after its journal was written."""
    lab = Lab(make_venv("lab"), tmp_path / "wheels")
    lab.make(aa="1.0 2.0")
    lab.install("aa==1.0")
    gitsnap.save(python=str(lab.venv.python))
    lab.install("aa==2.0")

    def interrupt(repository: Path, written: Journal) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journal, "apply", interrupt)
        with pytest.raises(KeyboardInterrupt):
            gitsnap.rollback(python=str(lab.venv.python), sources=Sources((str(lab.wheels),), offline=True))
    return lab


def test_an_unfinished_rollback_is_brought_to_its_end_without_asking(broken: Lab, cli: Cli) -> None:
    """And without any network or wheel."""
    for place in broken.wheels.iterdir():
        place.unlink()

    out = cli.ok("--python", broken.venv.python, "rollback", "--continue")

    assert "rolled back to" in out
    assert broken.versions == {"aa": "1.0"}
    assert cli("--python", broken.venv.python, "rollback", "--continue").code == 2


def test_an_unfinished_rollback_is_taken_back_without_asking(broken: Lab, cli: Cli) -> None:
    """The environment is as it was; what was kept aside is gone."""
    out = cli.ok("--python", broken.venv.python, "rollback", "--abort")

    assert "put back, as it was in" in out
    assert broken.versions == {"aa": "2.0"}
    repository = gitsnap.status(python=str(broken.venv.python)).store.path
    assert not journal.exists(repository)
    assert not journal.workplace(repository).exists()


def test_another_rollback_is_refused_meanwhile(broken: Lab, cli: Cli) -> None:
    """The message names both ways out."""
    ran = cli("--python", broken.venv.python, "rollback", "--yes")

    assert ran.code == 1
    assert "gitsnap rollback --continue" in ran.err
    assert "gitsnap rollback --abort" in ran.err


def test_two_rollbacks_cannot_meet(broken: Lab) -> None:
    """The second finds a lock, not a half state."""
    found = gitsnap.status(python=str(broken.venv.python)).store
    with rolling._alone(found), pytest.raises(LockedError):
        rolling.resume(forward=True, python=str(broken.venv.python))


def test_without_a_journal_there_is_nothing_to_end(make_venv: Callable[..., Venv], tmp_path: Path) -> None:
    """`--continue` by mistake."""
    lab = make_venv("lab", six="1.0")
    gitsnap.save(python=str(lab.python))

    with pytest.raises(UsageError, match="no rollback was interrupted"):
        rolling.resume(forward=True, python=str(lab.python))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 99}'])
def test_a_journal_that_cannot_be_read_is_an_error_not_an_end(text: str, tmp_path: Path) -> None:
    """What was kept aside must not be thrown away."""
    place = Path(unfinished.journal_of(str(tmp_path)))
    place.parent.mkdir(parents=True)
    place.write_text(text, encoding="utf-8")

    with pytest.raises(GitsnapError):
        journal.read(tmp_path)


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Names of files that are no UTF-8 too."""
    written = Journal(
        python="/x", prefix="/p", folder="/f", target="t", safety="s", begin="b", end="e", changed=("a",),
        old=("caf\udce9",), new=(("n", "s"),), stops=("lib",),
    )  # fmt: skip

    journal.write(tmp_path, written)

    assert journal.read(tmp_path) == written
