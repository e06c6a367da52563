"""Locks: ours is the system's, git's are respected; and what no lock helps against: full and read-only disks."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitsnap import files, repository, snap, store
from gitsnap.errors import GitLockedError, GitsnapError, LockedError
from gitsnap.model import CURRENT
from tests.conftest import Cli, Venv
from tests.keeper import Keeper

OURS = ("index.lock", "HEAD.lock", "refs/heads/main.lock")
is_root = hasattr(os, "geteuid") and os.geteuid() == 0
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system")
HOLD = """
import sys, time
from pathlib import Path
from gitsnap import files
with files.locked(Path(sys.argv[1]), patience=5, what="it"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Keep a made-up environment with a snapshot."""
    keeper = Keeper(tmp_path / "envs" / "lab")
    keeper.fill(1)
    return keeper


@contextmanager
def held(lock: Path, seconds: float = 60) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold *lock*."""
    command = [sys.executable, "-c", HOLD, str(lock), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_save_waits_for_another_and_then_looks_again(keeper: Keeper) -> None:
    """Waiting cannot make what it saves old: the freeze is taken under the lock."""
    looked: list[bool] = []
    with held(keeper.store.lock, 0.6) as other:

        def look() -> str:
            looked.append(other.poll() is None and keeper.store.lock.with_suffix(".busy").exists())
            return keeper.text("numpy==1")

        began = time.monotonic()
        saved = keeper.save(look=look)
        waited = time.monotonic() - began

    assert saved.is_new
    assert 0.3 < waited < 5
    assert len(looked) == 1


@pytest.mark.parametrize("verb", ["save", "prune", "tag", "untag", "mend"])
def test_who_waits_in_vain_ends_in_11_and_changes_nothing(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """The message names the repository."""
    store.tag(keeper.store, "here", snap.Latest(0))
    acquire = files._acquire
    monkeypatch.setattr(files, "_acquire", lambda handle, _, what: acquire(handle, 0.2, what))
    before = keeper.git("rev-parse", "HEAD", "here")
    own = keeper.store
    verbs: dict[str, Callable[[], object]] = {
        "save": lambda: keeper.save("numpy==1"),
        "prune": lambda: store.prune(own, limit=1, now=keeper.clock),
        "tag": lambda: store.tag(own, "there", snap.Latest(0)),
        "untag": lambda: store.untag(own, "here"),
        "mend": lambda: store.mend(own),
    }
    with held(own.lock), pytest.raises(LockedError) as caught:
        verbs[verb]()

    assert caught.value.exit_code == 11
    assert str(own.path) in caught.value.message
    assert keeper.git("rev-parse", "HEAD", "here") == before
    assert keeper.git("tag", "-l") == "here\n"


def test_readers_take_no_lock(keeper: Keeper) -> None:
    """They answer beside a save that takes long."""
    with held(keeper.store.lock):
        assert len(keeper.history()) == 1


def test_a_killed_holder_is_told_to_the_next(tmp_path: Path) -> None:
    """The system ends the lock, the mark tells: no process number is ever asked for."""
    lock = tmp_path / "locks" / "a.lock"
    with files.locked(lock, patience=0, what="it") as was_killed:
        assert was_killed is False
    with held(lock) as other:
        other.kill()
        other.wait()
        with files.locked(lock, patience=5, what="it") as was_killed:
            assert was_killed is True
    with files.locked(lock, patience=0, what="it") as was_killed:
        assert was_killed is False


def test_an_error_is_no_kill(tmp_path: Path) -> None:
    """Whoever fails in order leaves no mark."""
    lock = tmp_path / "a.lock"
    with pytest.raises(GitsnapError), files.locked(lock, patience=0, what="it"):
        raise GitsnapError("no")

    with files.locked(lock, patience=0, what="it") as was_killed:
        assert was_killed is False


@pytest.mark.parametrize("name", OURS)
def test_a_lock_of_the_user_s_git_is_respected(keeper: Keeper, name: str) -> None:
    """After two seconds the save ends in 11 with path and age; the lock is still there, and nothing changed."""
    lock = keeper.path / ".git" / name
    lock.write_text("", encoding="ascii")
    os.utime(lock, (time.time() - 90, time.time() - 90))
    before = keeper.git("rev-parse", "HEAD")

    began = time.monotonic()
    with pytest.raises(GitLockedError) as caught:
        keeper.save("numpy==1")

    assert 1.9 < time.monotonic() - began < 4
    assert caught.value.exit_code == 11
    assert str(lock) in caught.value.message
    assert re_age(caught.value.message) in range(90, 100)
    assert lock.exists()
    assert keeper.git("rev-parse", "HEAD") == before
    lock.unlink()
    assert keeper.save("numpy==1").healed == ()


def re_age(message: str) -> int:
    """Return the seconds that *message* names."""
    return int(message.rpartition(" seconds old")[0].rpartition(" ")[2])


def test_a_short_lock_of_the_user_s_git_is_waited_for(keeper: Keeper) -> None:
    """A `git status` beside a save is nobody's failure."""
    lock = keeper.path / ".git" / "index.lock"
    script = "import sys, time, pathlib; time.sleep(0.7); pathlib.Path(sys.argv[1]).unlink()"
    lock.write_text("", encoding="ascii")
    with subprocess.Popen([sys.executable, "-c", script, str(lock)]):
        assert keeper.save("numpy==1").is_new

    keeper.assert_whole()


@posix
def test_leavings_of_a_killed_save_are_removed_at_once(keeper: Keeper) -> None:
    """The mark says whose they are, so nobody waits; locks that gitsnap never takes stay."""
    with held(keeper.store.lock) as other:
        other.kill()
        other.wait()
    inner = keeper.path / ".git"
    left = [inner / name for name in (*OURS, "config.lock", "refs/tags/x.lock", "objects/objabc")]
    left += [keeper.path / f".{CURRENT}.1.gitsnap-part", inner / "gitsnap" / ".prefix.1.gitsnap-part"]
    foreign = [inner / "packed-refs.lock", inner / "shallow.lock", keeper.path / "notes.lock"]
    for path in (*left, *foreign):
        path.write_text("", encoding="ascii")

    began = time.monotonic()
    saved = keeper.save("numpy==1")

    assert time.monotonic() - began < 1.9
    assert saved.healed == ("an earlier save was killed; nothing was lost",)
    assert [path for path in left if path.exists()] == []
    assert [path for path in foreign if not path.exists()] == []
    keeper.git("fsck")


@posix
def test_a_lock_that_cannot_be_had_is_a_clear_error(tmp_path: Path) -> None:
    """A folder in its place, as odd as anything."""
    lock = tmp_path / "a.lock"
    lock.mkdir()

    with pytest.raises(GitsnapError, match="cannot be written"), files.locked(lock, patience=0, what="it"):
        pass


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing of the attempt is left where it fails."""
    place = tmp_path / "deep" / "a.txt"
    files.write(place, b"old")
    (tmp_path / "folder").mkdir()

    with pytest.raises(GitsnapError, match="cannot be written"):
        files.write(tmp_path / "folder", b"new")

    assert place.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.txt", "deep", "folder", "home"]


@posix
@pytest.mark.skipif(is_root, reason="nothing is read-only to root")
def test_a_read_only_repository_is_a_clear_error(keeper: Keeper) -> None:
    """Exit 1, the last snapshot is intact, and readers work there."""
    with read_only(keeper.path):
        with pytest.raises(GitsnapError, match=r"cannot be written|permission") as caught:
            keeper.save("numpy==1")
        assert caught.value.exit_code == 1
        assert len(keeper.history()) == 1
    keeper.save("numpy==1")
    keeper.assert_whole()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Take the right to write away from *folder* and all below."""
    places = [folder, *folder.rglob("*")]
    modes = {place: place.stat().st_mode for place in places}
    for place in reversed(places):
        place.chmod(modes[place] & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        yield
    finally:
        for place in places:
            place.chmod(modes[place])


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run Python code in a mount namespace in which `disk` is a file system of a megabyte."""
    if not is_root or shutil.which("unshare") is None:
        pytest.skip("needs root and `unshare` to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()

    def run(code: str) -> subprocess.CompletedProcess[str]:
        prelude = f"""
            import os, subprocess, sys
            from pathlib import Path
            disk = Path({str(disk)!r})
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
            os.environ["GITSNAP_HOME"] = str(disk / "home")
            from gitsnap.errors import GitsnapError
            from tests.keeper import Keeper
            keeper = Keeper(Path({str(tmp_path / "envs" / "lab")!r}))
            def failure(*lines):
                try:
                    keeper.save(*lines)
                except GitsnapError as error:
                    return error
            """
        return subprocess.run(
            ["unshare", "-m", sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            check=False,
        )

    probe = run("")
    if probe.returncode:
        pytest.skip(f"cannot mount here: {probe.stderr[-200:]}")
    return run


def test_a_full_disk_is_a_clear_error_and_costs_no_snapshot(
    small_disk: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    """However much room is left for the attempt; readers work on, and after room is made so do saves."""
    answer = small_disk("""
        keeper.fill(2)
        filler = disk / "filler"
        failed = 0
        for room in range(0, 120, 4):
            keeper.git("gc", "-q", "--prune=now")
            with filler.open("wb", buffering=0) as stream:
                try:
                    while True:
                        stream.write(b"x" * 4096)
                except OSError:
                    stream.truncate(max(0, stream.tell() - room * 1024))
            error = failure(*(f"p{number}=={room}.{number}" for number in range(400)))
            if error is not None:
                failed += 1
                assert error.exit_code == 1, error
                assert "cannot be written" in error.message, error.message
                assert "make room" in error.hint
            keeper.assert_sound()
            assert len(keeper.history()) >= 2
            filler.unlink()
            keeper.save(f"after=={room}")
            keeper.assert_whole()
        print(failed)
        """)

    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) > 2


def test_a_disk_that_is_full_from_the_start_gets_no_half_repository(
    small_disk: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    """The first save fails clearly, and works after room is made."""
    answer = small_disk("""
        for room in range(0, 120, 4):
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as stream:
                try:
                    while True:
                        stream.write(b"x" * 4096)
                except OSError:
                    stream.truncate(max(0, stream.tell() - room * 1024))
            error = failure("a==1")
            filler.unlink()
            if error is not None:
                assert "cannot be written" in error.message, error.message
            keeper.save("a==2")
            keeper.assert_whole()
            subprocess.run(["rm", "-rf", disk / "home"], check=True)
        """)

    assert answer.returncode == 0, answer.stderr


def test_a_read_only_disk_is_a_clear_error_and_readers_work(
    small_disk: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    """`log` and `show` need no lock and write nothing."""
    answer = small_disk("""
        from gitsnap import store
        keeper.fill(2)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        error = failure("numpy==9")
        assert error.exit_code == 1
        assert "Read-only file system" in error.message, error.message
        history = keeper.history()
        with store.reading(keeper.store) as repo:
            assert store.text_of(repo, history[0]) == keeper.text("numpy==1").encode()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        keeper.save("numpy==9")
        keeper.assert_whole()
        """)

    assert answer.returncode == 0, answer.stderr


def test_a_commit_of_the_user_s_in_between_is_never_lost(keeper: Keeper) -> None:
    """Git moves the branch only from where it was seen; their commit stays, ours is tried again."""
    old = keeper.git("rev-parse", "HEAD").strip()
    keeper.git("-c", "user.name=I", "-c", "user.email=i@host", "commit", "-q", "--allow-empty", "-m", "Mine")

    with pytest.raises(GitLockedError, match="moved `main`"), repository.opened(keeper.path) as repo:
        repo.commit(repo.entries(old), "x\n", when=keeper.clock, old=old)

    assert keeper.git("log", "-1", "--format=%s") == "Mine\n"
    keeper.save("numpy==1")
    assert keeper.git("log", "--format=%s", "-2") == "Upgrade numpy 0 -> 1\nMine\n"


def test_a_lock_of_git_s_on_the_command_line(lab: Venv, cli: Cli, home: Path) -> None:
    """Exit 11, the path on stderr, nothing on stdout; verbs that read do not mind."""
    cli.ok("--python", lab.python, "save")
    lab.install(numpy="2.0")
    [current] = home.rglob(CURRENT)
    lock = current.parent / ".git" / "index.lock"
    lock.write_text("", encoding="ascii")

    ran = cli("--python", lab.python, "save")

    assert (ran.code, ran.out) == (11, "")
    assert str(lock) in ran.err
    assert cli("--python", lab.python, "log").code == 0
