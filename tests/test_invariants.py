"""What holds after any crash, under any number of saves at once, and whatever is saved."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

from gitsnap import snap, store
from gitsnap.errors import GitsnapError, LockedError
from gitsnap.model import CURRENT, stamp_of
from tests.conftest import Cli, Venv, git
from tests.keeper import MINUTE, Keeper

ROOT = Path(__file__).parents[1]
MANY = 500
posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
CALLS = ",".join(
    f"?{name}"
    for name in [
        "write",
        "pwrite64",
        "rename",
        "renameat",
        "renameat2",
        "link",
        "linkat",
        "unlink",
        "unlinkat",
        "mkdir",
        "mkdirat",
        "rmdir",
        "fsync",
        "fdatasync",
        "chmod",
        "fchmod",
        "symlink",
        "symlinkat",
        "ftruncate",
    ]
)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Keep a made-up environment."""
    return Keeper(tmp_path / "envs" / "lab")


@pytest.fixture
def killed() -> Iterator[Callable[..., bool]]:
    """Tell whether a verb was killed at its N-th call that writes."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests._killer"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as server:

        def ask(keeper: Keeper, number: int, *lines: str, verb: str = "save") -> bool:
            assert server.stdin is not None
            assert server.stdout is not None
            keeper.clock += MINUTE
            request = {
                "prefix": str(keeper.prefix),
                "limit": keeper.limit,
                "now": keeper.clock.isoformat(),
                "number": number,
                "lines": lines,
                "verb": verb,
            }
            server.stdin.write(json.dumps(request) + "\n")
            status = int(server.stdout.readline())
            assert status in {0, -9}
            return status != 0

        yield ask
        assert server.stdin is not None
        server.stdin.close()


def assert_after_crash(keeper: Keeper, place: Path) -> None:
    """Check the first invariant as it must hold before anything is healed."""
    if not (place / ".git" / "objects").is_dir() or not (place / ".git" / "HEAD").exists():
        return
    git(place, "fsck", "--full", "--strict")
    if (place / ".git" / "refs" / "heads" / "main").exists():
        keeper.assert_sound()


def fresh(tmp_path: Path, number: int) -> Keeper:
    """Keep another environment, which has no repository yet."""
    return Keeper(tmp_path / "envs" / f"lab-{number}", name=f"lab-{number}")


@posix
def test_a_first_save_killed_anywhere_is_healed(tmp_path: Path, killed: Callable[..., bool]) -> None:
    """From the first folder on to the last file, the next save finds a state that it can go on from."""
    for number in range(1, MANY):
        keeper = Keeper(tmp_path / "envs" / f"lab-{number}")
        keeper.prefix.mkdir(parents=True)
        place = keeper.path
        was_killed = killed(keeper, number, "a==1")
        assert_after_crash(keeper, place)

        keeper.save("a==1")

        assert keeper.path == place
        assert keeper.git("config", "core.autocrlf").strip() == "false"
        assert keeper.git("check-attr", "text", "--", CURRENT) == f"{CURRENT}: text: unset\n"
        keeper.assert_whole()
        assert len(keeper.history()) == 1
        if not was_killed:
            break
    assert 15 < number < MANY - 1


@posix
@pytest.mark.parametrize("state", ["grown", "lost .git", "edited"])
def test_a_save_killed_anywhere_is_healed(
    keeper: Keeper, tmp_path: Path, killed: Callable[..., bool], state: str
) -> None:
    """At every call that writes: fsck is clean, `HEAD` is good, and the next save leaves nothing to do."""
    keeper.limit = 2
    keeper.fill(3)
    place = keeper.path
    for number in range(1, MANY, 1 if state == "grown" else 4):
        if state == "lost .git":
            shutil.rmtree(place / ".git")
        elif state == "edited":
            (place / CURRENT).write_text("mine\n", encoding="utf-8")
            (place / ".git" / "index").unlink()
        was_killed = killed(keeper, number, f"numpy=={number}.1")
        assert_after_crash(keeper, place)

        keeper.save(f"numpy=={number}.1")

        keeper.assert_whole()
        newest = keeper.history()[0]
        with store.reading(keeper.store) as repo:
            assert store.text_of(repo, newest) == keeper.text(f"numpy=={number}.1").encode()
        assert len(keeper.stamped()) == 2
        assert list(place.rglob("*gitsnap-part")) == []
        assert list((place / ".git").rglob("*.lock")) == []
        if not was_killed:
            break
    assert 10 < number < MANY - 1
    if state == "grown":
        # Nobody edited anything: `current.txt` is written last, and one that is behind is no edit.
        assert not keeper.store.aside.exists()
        assert [one.subject for one in keeper.history()].count("Upgrade numpy 2 -> 1.1") == 0


@posix
@pytest.mark.parametrize("verb", ["prune", "tag"])
def test_other_verbs_killed_anywhere_are_healed(
    keeper: Keeper, killed: Callable[..., bool], verb: str
) -> None:
    """What `prune` and `tag` leave is put right by the next save as well."""
    keeper.fill(3)
    for number in range(1, MANY, 2):
        keeper.limit = 25
        keeper.fill(2, first=10 * number)
        keeper.limit = 2
        was_killed = killed(keeper, number, verb=verb)
        keeper.assert_sound()

        keeper.save(f"numpy=={10 * number + 1}")

        keeper.assert_whole()
        if not was_killed:
            break
        if "here" in git(keeper.path, "tag", "-l"):
            store.untag(keeper.store, "here")
    assert 2 < number < MANY - 1


@contextmanager
def git_killed_at(
    home: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], None]]:
    """Have every `git` *command* killed at a system call that writes; tell which by calling what is given."""
    strace, real = shutil.which("strace"), shutil.which("git")
    if strace is None or subprocess.run([strace, "-qq", "-o", os.devnull, "true"], check=False).returncode:
        pytest.skip("needs strace, and leave to use it")
    number = home / "number"
    number.write_text("0", encoding="ascii")
    folder = home / "bin"
    folder.mkdir()
    (folder / "git").write_text(
        "#!/bin/sh\n"
        f"n=$(cat {number})\n"
        f'if [ "$n" != 0 ]; then case " $* " in *" {command} "*)\n'
        f'exec {strace} -qq -o {os.devnull} -e trace={CALLS} -e inject={CALLS}:signal=KILL:when=$n {real} "$@";;\n'
        f'esac; fi\nexec {real} "$@"\n',
        encoding="utf-8",
    )
    (folder / "git").chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield lambda n: void(number.write_text(str(n), encoding="ascii"))


def said_that_git_was_killed(keeper: Keeper, line: str) -> bool:
    """Save; tell whether that failed, which may be for one reason alone."""
    try:
        keeper.save(line)
    except GitsnapError as error:
        return "git was killed" in error.message or pytest.fail(error.message)
    return False


def void(_: object) -> None:
    """Take a value and give none."""


@posix
@pytest.mark.parametrize("command", ["init", "read-tree", "update-ref", "update-index"])
def test_git_killed_at_every_system_call_that_writes(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A save says that git was killed, leaves a sound repository, and the next one goes on from there."""
    with git_killed_at(home, command, monkeypatch) as kill_at:
        keeper = Keeper(tmp_path / "envs" / "lab", limit=1)
        for number in count(1):
            if command in {"init", "read-tree"}:
                keeper = fresh(tmp_path, number)
                place = keeper.path
            else:
                keeper.fill(1, first=1000 + number)
                place = keeper.path
            kill_at(number)
            was_killed = said_that_git_was_killed(keeper, f"numpy=={number}")
            kill_at(0)
            assert_after_crash(keeper, place)

            keeper.save(f"numpy=={number}")

            keeper.assert_whole()
            if not was_killed:
                break
    assert number > 2


@posix
def test_a_save_killed_with_its_git_is_healed_at_once(keeper: Keeper, killed: Callable[..., bool]) -> None:
    """Locks that a killed save held are leavings: nobody waits for them."""
    keeper.fill(1)
    assert killed(keeper, 8, "numpy==1")
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (keeper.path / ".git" / name).write_text("", encoding="ascii")

    saved = keeper.save("numpy==1")

    assert saved.is_new
    assert saved.healed == ("an earlier save was killed; nothing was lost",)
    keeper.assert_whole()


def test_a_failure_leaves_nothing_behind(keeper: Keeper) -> None:
    """A freeze that fails never becomes a snapshot; the next save has nothing to heal."""
    keeper.fill(1)

    def fail() -> str:
        raise GitsnapError("the interpreter does not run")

    with pytest.raises(GitsnapError, match="does not run"):
        keeper.save(look=fail)

    saved = keeper.save("numpy==1")
    assert saved.healed == ()
    assert len(keeper.history()) == 2
    keeper.assert_whole()


def test_twenty_saves_at_once_make_one_commit(lab: Venv, cli: Cli, repository: Callable[..., Path]) -> None:
    """For one change, and all end in 0 or 11; readers beside them see whole files."""
    cli.ok("--python", lab.python, "save")
    lab.install(h5py="3.1")
    command = [sys.executable, "-m", "gitsnap", "--python", str(lab.python)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    saves = [subprocess.Popen([*command, "save"], **pipes) for _ in range(20)]  # type: ignore[call-overload]
    reads = [subprocess.Popen([*command, verb], **pipes) for verb in ("log", "show", "log")]  # type: ignore[call-overload]

    ends = [(process.communicate(), process.returncode) for process in (*saves, *reads)]

    assert {code for _, code in ends[:20]} <= {0, 11}
    assert [code for _, code in ends[20:]] == [0, 0, 0], ends[20:]
    assert sum(b"saved snapshot" in out for (out, _), _ in ends) == 1
    assert git(repository(), "rev-list", "--count", "HEAD").strip() == "2"
    assert git(repository(), "status", "--porcelain") == ""


def test_twenty_first_saves_at_once_make_one_commit(keeper: Keeper) -> None:
    """Also where the first of them has the repository to make."""
    failures: list[BaseException] = []

    def save() -> None:
        try:
            Keeper(keeper.prefix).save("a==1")
        except LockedError:
            pass
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    threads = [threading.Thread(target=save) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(keeper.history()) == 1
    keeper.assert_whole()


def test_readers_never_see_half_a_file(keeper: Keeper) -> None:
    """While snapshots are taken, the file in the folder and the newest in the history are always whole."""
    keeper.limit = 2
    keeper.save(*(f"p{number}==0" for number in range(200)))
    over = threading.Event()
    odd: list[object] = []

    def read() -> None:
        while not over.is_set():
            try:
                data = (keeper.path / CURRENT).read_bytes()
                newest = keeper.history()[0]
                with store.reading(keeper.store) as repo:
                    text = store.text_of(repo, newest)
            except (GitsnapError, OSError) as error:
                odd.append(error)
                return
            odd.extend(one for one in (data, text) if one.count(b"\n") != 203)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for version in range(1, 12):
        keeper.save(*(f"p{number}=={version}" for number in range(200)))
    over.set()
    for reader in readers:
        reader.join()

    assert odd == []


@pytest.mark.parametrize("seed", range(3))
def test_history_is_linear_and_only_grows(keeper: Keeper, seed: int) -> None:
    """Whatever is done in whatever order: no commit without a change, no change without a commit."""
    chance = random.Random(seed)  # noqa: S311 - a story, not a secret
    content, tips, expected = "", [], []
    for turn in range(14):
        verb = chance.choice(["save", "save", "save", "prune", "tag", "edit", "delete", "back"])
        if verb == "save" or turn == 0:
            new = f"a=={chance.randrange(3)}"
            assert keeper.save(new).is_new is (new != content)
            expected += [new] if new != content else []
            content = new
        elif verb == "prune":
            store.prune(keeper.store, limit=chance.randrange(1, 4), now=keeper.clock)
        elif verb == "tag":
            store.tag(keeper.store, f"tag-{turn}", snap.Latest(0))
        elif verb == "edit":
            (keeper.path / CURRENT).write_text("mine\n", encoding="utf-8")
        elif verb == "delete":
            (keeper.path / keeper.stamped()[0]).unlink(missing_ok=True)
        else:
            keeper.clock -= 20 * MINUTE
        tips.append(keeper.git("rev-parse", "HEAD").strip())

    keeper.save(content)
    keeper.assert_whole()
    line = keeper.git("rev-list", "HEAD").split()
    assert line == keeper.git("rev-list", "--first-parent", "HEAD").split()
    assert [line.index(tip) for tip in tips] == sorted((line.index(tip) for tip in tips), reverse=True)
    with store.reading(keeper.store) as repo:
        texts = [store.text_of(repo, one).decode() for one in reversed(keeper.history())]
    assert texts == [keeper.text(one) for one in expected]
    assert all(stamp_of(name) for name in keeper.stamped())
