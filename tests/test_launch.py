"""The launch path: nothing changed costs nothing, a change is saved, and no failure ever breaks a launch."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitsnap import config, files, hint, launch, locations, store
from tests.conftest import Cli, Ran, Venv

ENTRY = ("-c", "from gitsnap.launch import main; main()")
POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX alone has this")
ORDINARY = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="no permission keeps root or Windows from reading"
)
Git = Callable[..., str]
Place = Callable[..., Path]


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep Python from writing `.pyc` files, so that every file that changes is one that gitsnap wrote."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")


@pytest.fixture
def saved(lab: Venv, cli: Cli) -> Venv:
    """Save `lab`, which leaves the hint."""
    cli.ok("--python", lab.python, "save")
    return lab


@pytest.fixture
def good(saved: Venv, cli: Cli) -> Venv:
    """Let a launch go well, so that the next ones are plain."""
    cli.ok("run", "--python", saved.python, "--", sys.executable, "-c", "")
    return saved


def hook(python: Path, *, variables: Mapping[str, str] | None = None, limit: float = 60) -> Ran:
    """Run `gitsnap-hook --python PYTHON` and see that it kept its promise: exit 0, no answer, one line at most."""
    answer = subprocess.run(
        [sys.executable, *ENTRY, "--python", str(python)],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=limit,
        check=False,
    )
    ran = Ran(answer.returncode, answer.stdout.decode(), answer.stderr.decode())
    assert_kept(ran)
    return ran


def assert_kept(ran: Ran) -> None:
    """See that a hook kept its promise."""
    assert (ran.code, ran.out) == (0, ""), ran
    assert ran.err.count("\n") == (1 if ran.err else 0), ran
    assert not ran.err or ran.err.startswith("gitsnap: "), ran


def in_shell(script: str, python: Path, **variables: str) -> Ran:
    """Run the hook as `"$@"` of a shell script, which changes what it is started with."""
    answer = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, *ENTRY, "--python", str(python)],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Ran(answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def unchanged(lab: Venv) -> bool:
    """Ask whether a launch of `lab` would see no change."""
    return launch.unchanged(str(lab.python), None, os.environ) is not None


def count(git: Git, repository: Path) -> int:
    """Count the commits."""
    return int(git(repository, "rev-list", "--count", "HEAD"))


def everything(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of all that lies in a folder."""
    found = [path for path in folder.rglob("*") if not path.is_symlink()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


# --- Nothing changed ---


def test_an_unchanged_launch_loads_a_handful_of_our_own_modules(saved: Venv) -> None:
    """Each import costs as much as the whole launch may; this is the gate that no timer can be."""

    def loaded(*arguments: object) -> set[str]:
        command = [sys.executable, "-X", "importtime", *map(str, arguments)]
        lines = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr.splitlines()
        assert all(line.startswith("import time:") for line in lines), lines
        return {line.rpartition("|")[2].strip() for line in lines}

    ours = loaded(*ENTRY, "--python", saved.python) - loaded("-c", "pass")

    names = ["glance", "hint", "launch", "peek", "selection", "unfinished"]
    assert ours - {"_blake2"} == {"gitsnap", *(f"gitsnap.{name}" for name in names)}


def test_an_unchanged_launch_needs_no_git_and_writes_nothing(saved: Venv, home: Path, tmp_path: Path) -> None:
    """Neither a process nor a write: it works where there is no git and where nothing may be written."""
    before = everything(tmp_path)

    ran = hook(saved.python, variables={"PATH": str(tmp_path / "nothing")})

    assert ran.err == ""
    assert everything(tmp_path) == before


def test_an_unchanged_launch_starts_no_process_and_opens_no_file_to_write(
    saved: Venv, tmp_path: Path
) -> None:
    """The system calls tell."""
    log = tmp_path / "calls"
    trace = [
        "strace",
        "-f",
        "-o",
        str(log),
        "-e",
        "trace=execve,fork,vfork,clone,clone3,open,openat,rename,mkdir",
    ]
    try:
        subprocess.run([*trace, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("strace is not installed, or may not trace here")

    subprocess.run([*trace, sys.executable, *ENTRY, "--python", str(saved.python)], check=True)

    calls = log.read_text(encoding="utf-8").splitlines()
    assert [
        call for call in calls if any(word in call for word in ("WRONLY", "RDWR", "O_CREAT", "rename("))
    ] == []
    assert len([call for call in calls if "execve(" in call]) == 1
    assert [call for call in calls if "fork(" in call or "clone" in call] == []


def add(lab: Venv) -> None:
    """Install a distribution."""
    lab.install(scipy="1.0")


def upgrade(lab: Venv) -> None:
    """Install another version."""
    lab.install(numpy="2.0.0")


def remove(lab: Venv) -> None:
    """Uninstall one."""
    lab.remove("six")


def edit_in_place(lab: Venv) -> None:
    """Edit a METADATA so that neither its size nor its time tells."""
    path = lab.site / "numpy-1.26.4.dist-info" / "METADATA"
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_text(path.read_text().replace("Name: numpy", "Name: NumPy"))
    os.utime(path, ns=times)


def add_path_file(lab: Venv) -> None:
    """Add a `.pth` that brings a folder with a distribution."""
    (lab.prefix / "more" / "extra-1.0.dist-info").mkdir(parents=True)
    (lab.site / "more.pth").write_text(f"{lab.prefix / 'more'}\n")


def add_conda_package(lab: Venv) -> None:
    """Install a conda package that is no Python distribution."""
    (lab.prefix / "conda-meta").mkdir()
    (lab.prefix / "conda-meta" / "hdf5-1.14-0.json").write_text("{}")


def edit_configuration(lab: Venv) -> None:
    """Write a configuration."""
    path = locations.config_files(os.environ)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[backup]\nlimit = 7\n")


def set_variable(lab: Venv) -> None:
    """Set a variable of gitsnap's."""
    os.environ["GITSNAP_BACKUP_LIMIT"] = "7"


def touch_interpreter(lab: Venv) -> None:
    """Name another interpreter, which is not the one that the header was made with."""
    copy = lab.prefix / "python-copy"
    copy.write_bytes(b"another")
    lab.python.unlink()
    lab.python.symlink_to(copy)


def edit_current(lab: Venv) -> None:
    """Edit `current.txt` by hand."""
    path = config.load(os.environ).repository("lab") / "current.txt"
    path.write_text(path.read_text() + "extra==1.0\n")


def delete_current(lab: Venv) -> None:
    """Delete `current.txt`."""
    (config.load(os.environ).repository("lab") / "current.txt").unlink()


def move_branch(lab: Venv) -> None:
    """Move the branch by hand."""
    place = config.load(os.environ).repository("lab") / ".git"
    (place / "refs" / "heads" / "main").write_text("1" * 40 + "\n")


def switch_branch(lab: Venv) -> None:
    """Check another branch out."""
    (config.load(os.environ).repository("lab") / ".git" / "HEAD").write_text("ref: refs/heads/other\n")


def lose_git(lab: Venv) -> None:
    """Delete the history."""
    shutil.rmtree(config.load(os.environ).repository("lab") / ".git")


def lose_site_packages(lab: Venv) -> None:
    """Delete all that is installed."""
    shutil.rmtree(lab.site)


def delete_hint(lab: Venv) -> None:
    """Delete the hint."""
    hint_of(lab).unlink()


def garble_hint(lab: Venv) -> None:
    """Cut the hint short."""
    hint_of(lab).write_bytes(hint_of(lab).read_bytes()[:200])


def scramble_hint(lab: Venv) -> None:
    """Put nonsense into a field of the hint."""
    hint_of(lab).write_bytes(hint_of(lab).read_bytes().replace(b"\x003.", b"\x00\xff\x00", 1))


def age_hint(lab: Venv) -> None:
    """Make the hint one of another version."""
    data = hint_of(lab).read_bytes()
    hint_of(lab).write_bytes(data.replace(hint.FORMAT.encode(), b"gitsnap hint 0", 1))


def hint_of(lab: Venv) -> Path:
    """Return where the hint of `lab` is."""
    place = hint.file_of(f"python {lab.python}", os.environ)
    assert place is not None
    return Path(place)


CHANGES = [
    add, upgrade, remove, edit_in_place, add_path_file, add_conda_package, edit_configuration, set_variable,
    touch_interpreter, edit_current, delete_current, move_branch, switch_branch, lose_git, lose_site_packages,
    delete_hint, garble_hint, scramble_hint, age_hint,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_every_kind_of_change_is_seen(
    saved: Venv, change: Callable[[Venv], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes decide, no clock: whatever could make a difference sends the launch the long way."""
    monkeypatch.delenv("GITSNAP_BACKUP_LIMIT", raising=False)
    assert unchanged(saved)

    with monkeypatch.context() as patch:
        patch.setenv("GITSNAP_BACKUP_LIMIT", "")
        patch.delenv("GITSNAP_BACKUP_LIMIT")
        change(saved)
        assert not unchanged(saved)
    os.environ.pop("GITSNAP_BACKUP_LIMIT", None)


@pytest.mark.parametrize(
    "change", [add, upgrade, remove, edit_in_place, add_path_file], ids=lambda c: c.__name__
)
def test_a_change_of_the_packages_is_saved_and_then_seen_as_unchanged(
    saved: Venv, change: Callable[[Venv], None], repository: Place, run_git: Git
) -> None:
    """The hook saves before it returns, in silence, and leaves the hint for the next launch."""
    change(saved)

    assert hook(saved.python).err == ""

    assert count(run_git, repository()) == 2
    assert unchanged(saved)


@pytest.mark.parametrize(
    "change", [delete_hint, garble_hint, scramble_hint, age_hint], ids=lambda c: c.__name__
)
def test_a_hint_that_is_lost_or_garbled_does_no_harm(
    saved: Venv, change: Callable[[Venv], None], repository: Place, run_git: Git
) -> None:
    """A hint is never the truth: the long way finds that nothing changed, and leaves a new one."""
    change(saved)

    assert hook(saved.python).err == ""

    assert count(run_git, repository()) == 1
    assert unchanged(saved)


def test_a_lost_current_file_is_healed_by_the_next_launch(saved: Venv, repository: Place) -> None:
    """What the unchanged path cannot read is no failure, but a reason to look."""
    before = (repository() / "current.txt").read_bytes()
    delete_current(saved)

    assert hook(saved.python).err == ""

    assert (repository() / "current.txt").read_bytes() == before


def test_an_editable_whose_checkout_moved_is_saved(
    lab: Venv, cli: Cli, tmp_path: Path, repository: Place, run_git: Git
) -> None:
    """Nothing in site-packages changes when a checkout moves on; its `.git` files tell."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    run_git(checkout, "init", "-q", "-b", "main")
    run_git(checkout, "remote", "add", "origin", "https://example.org/tool.git")
    commit = ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    run_git(checkout, *commit)
    lab.install(tool="1.0")
    (lab.site / "tool-1.0.dist-info" / "direct_url.json").write_text(
        f'{{"url": "{checkout.as_uri()}", "dir_info": {{"editable": true}}}}'
    )
    cli.ok("--python", lab.python, "save")
    assert unchanged(lab)

    run_git(checkout, *commit, "--amend", "--date=2001-01-01T00:00:00Z")

    assert not unchanged(lab)
    assert hook(lab.python).err == ""
    tip = run_git(checkout, "rev-parse", "HEAD").strip()
    assert f"tool.git@{tip}" in (repository() / "current.txt").read_text()


def touch(lab: Venv) -> None:
    """Change every time."""
    for path in lab.site.rglob("*"):
        os.utime(path)


def reinstall(lab: Venv) -> None:
    """Install what is installed."""
    lab.install(numpy="1.26.4")


def compile_modules(lab: Venv) -> None:
    """Leave what a first import leaves."""
    (lab.site / "__pycache__").mkdir()
    (lab.site / "__pycache__" / "six.cpython-312.pyc").write_bytes(b"x")


def add_plain_files(lab: Venv) -> None:
    """Add what is no distribution."""
    (lab.site / "module.py").write_text("")
    (lab.site / "~umpy-1.0.dist-info").mkdir()


@pytest.mark.parametrize(
    "act", [touch, reinstall, compile_modules, add_plain_files], ids=lambda act: act.__name__
)
def test_what_is_no_change_is_no_alarm(saved: Venv, act: Callable[[Venv], None]) -> None:
    """Times, caches and equal reinstalls are no change."""
    act(saved)

    assert unchanged(saved)


def test_the_shell_a_launch_comes_from_is_no_change(
    saved: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another folder, PYTHONPATH and PATH belong to the shell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.setenv("PATH", "/nowhere")

    assert unchanged(saved)


def test_where_nothing_is_to_be_kept_the_hook_is_silent_and_quick(lab: Venv, repository: Place) -> None:
    """`keep_backup = false`: no repository is made, and the second launch takes the short way."""
    path = locations.config_files(os.environ)[1]
    path.parent.mkdir(parents=True)
    path.write_text("[backup]\nkeep_backup = false\n")

    assert hook(lab.python).err == ""

    assert not repository().exists()
    assert unchanged(lab)
    path.write_text("[backup]\nkeep_backup = true\n")
    assert hook(lab.python).err == ""
    assert repository().exists()


def test_a_configuration_edited_while_a_save_runs_is_read_by_the_next_launch(lab: Venv, cli: Cli) -> None:
    """The hint speaks of the files as they were before they were read, not as they are when it is written."""
    path = locations.config_files(os.environ)[1]
    path.parent.mkdir(parents=True)
    lock = store.named(config.load(os.environ), "lab").lock
    with files.locked(lock, patience=1, what="a test"):
        saving = subprocess.Popen([sys.executable, "-m", "gitsnap", "--python", str(lab.python), "save"])
        time.sleep(2.5)
        path.write_text("[backup]\nkeep_backup = false\n")
    assert saving.wait(30) == 0

    assert not unchanged(lab)


# --- Failures ---


@pytest.fixture
def changed(saved: Venv) -> Venv:
    """Give the hook something to save."""
    saved.install(numpy="2.0.0")
    return saved


def test_without_git_one_line_names_it_and_status_leads_with_it(
    changed: Venv, cli: Cli, tmp_path: Path, repository: Place, run_git: Git
) -> None:
    """The last failure is kept until a save goes well, so that a hook that has failed for months is seen."""
    bare = {"PATH": str(tmp_path / "nothing")}

    ran = hook(changed.python, variables=bare)

    assert "git is not installed" in ran.err
    assert "git is not installed" in hook(changed.python, variables=bare).err
    status = cli("--python", changed.python, "status").out
    assert status.startswith("launches have failed since ")
    assert "git is not installed" in status.splitlines()[1]

    assert hook(changed.python).err == ""
    assert count(run_git, repository()) == 2
    assert "failed" not in cli("--python", changed.python, "status").out


@pytest.fixture
def hanging_git(tmp_path: Path) -> Iterator[str]:
    """Make a git that never answers; return the PATH on which it is."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho $$ >> {folder}/pids\nexec sleep 60\n")
    (folder / "git").chmod(0o755)
    yield f"{folder}{os.pathsep}{os.environ['PATH']}"
    for line in (folder / "pids").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(line), signal.SIGKILL)


@POSIX
def test_a_git_that_hangs_ends_in_ten_seconds(
    changed: Venv, make_venv: Callable[..., Venv], cli: Cli, hanging_git: str
) -> None:
    """Whoever waits for the hook's pipes to close waits no longer either; the failure is kept.

    Where stderr is closed, the line that tells so must not go into a file that is open in its place.
    """
    other = make_venv("other")
    launcher = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, *ENTRY, "--python", str(other.python)]
    start = time.monotonic()
    with subprocess.Popen(launcher, env={**os.environ, "PATH": hanging_git}) as mute:
        ran = hook(changed.python, variables={"PATH": hanging_git})

    assert time.monotonic() - start < 13
    assert "longer than 9 seconds" in ran.err
    assert "longer than 9 seconds" in cli("--python", changed.python, "status").out
    assert mute.returncode == 0
    assert store.named(config.load(os.environ), "other").lock.read_bytes() == b""


def test_a_repository_folder_that_cannot_be_made_is_one_line(lab: Venv) -> None:
    """A file lies where the folder should be."""
    folder = config.load(os.environ).folder
    folder.parent.mkdir(parents=True)
    folder.write_text("")

    assert "nothing was saved" in hook(lab.python).err


@ORDINARY
def test_without_permission_to_write_one_line_says_so(changed: Venv, repository: Place) -> None:
    """A repository that may not be written is a failure, and never a traceback."""
    objects = repository() / ".git" / "objects"
    objects.chmod(0o500)
    try:
        ran = hook(changed.python)
    finally:
        objects.chmod(0o700)

    assert "cannot be written" in ran.err


@ORDINARY
def test_an_environment_that_cannot_be_read_is_one_line_and_no_snapshot(
    saved: Venv, repository: Place, run_git: Git
) -> None:
    """A changed permission must not look like an empty environment."""
    saved.site.chmod(0)
    try:
        ran = hook(saved.python)
    finally:
        saved.site.chmod(0o700)

    assert "nothing was saved" in ran.err
    assert count(run_git, repository()) == 1


@POSIX
def test_a_full_disk_is_one_line_and_leaves_the_history_whole(lab: Venv, tmp_path: Path) -> None:
    """A small file system of its own is filled to the last byte before the hook runs."""
    folder = tmp_path / "disk"
    folder.mkdir()
    script = (
        'set -e; mount -t tmpfs -o size=400k tmpfs "$1"; shift; "$@" >&2; '
        'mkdir "$SITE/new-1.0.dist-info"; cat /dev/zero > "$GITSNAP_HOME/fill" 2>/dev/null || :; '
        '"$@"; git -C "$GITSNAP_HOME/environments/lab" fsck >&2'
    )
    launcher = ("unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", str(folder))
    answer = subprocess.run(
        [*launcher, sys.executable, *ENTRY, "--python", str(lab.python)],
        env={**os.environ, "GITSNAP_HOME": str(folder), "SITE": str(lab.site)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare" in answer.stderr or "mount" in answer.stderr:
        pytest.skip("no file system can be mounted here")

    assert (answer.returncode, answer.stdout) == (0, ""), answer
    [line] = answer.stderr.splitlines()
    assert "No space left" in line


def test_beside_another_gitsnap_the_hook_waits_five_seconds_and_leaves_in_silence(
    changed: Venv, repository: Place, run_git: Git, cli: Cli
) -> None:
    """The other one saves; that is not worth a word, and no failure."""
    lock = store.named(config.load(os.environ), "lab").lock
    with files.locked(lock, patience=1, what="a test"):
        start = time.monotonic()
        ran = hook(changed.python)
        waited = time.monotonic() - start

    assert ran.err == ""
    assert 4.5 < waited < 8
    assert count(run_git, repository()) == 1
    assert "failed" not in cli("--python", changed.python, "status").out


def test_a_lock_of_the_users_git_is_named(changed: Venv, repository: Place) -> None:
    """It may be the user's git at work, or its leavings, which only the user can tell."""
    (repository() / ".git" / "index.lock").touch()

    assert "index.lock" in hook(changed.python).err


def write_configuration(text: str) -> None:
    """Write the user's configuration file."""
    path = locations.config_files(os.environ)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_with_a_broken_configuration_the_last_good_one_is_used(
    changed: Venv, repository: Place, run_git: Git
) -> None:
    """A slip of the pen in a file must not end the snapshots; each launch says it in its one line."""
    write_configuration("[backup]\nlimit = 'many\n")

    for _ in range(2):
        ran = hook(changed.python)
        assert "the last good configuration is used" in ran.err
        assert "config.toml" in ran.err
    assert count(run_git, repository()) == 2


def test_with_a_broken_configuration_and_no_good_one_nothing_is_saved(
    lab: Venv, cli: Cli, repository: Place
) -> None:
    """The folder to save to is not known; that is said and kept."""
    write_configuration("[backup]\nlimit = 0\n")

    assert "nothing was saved" in hook(lab.python).err

    assert not repository().exists()
    write_configuration("")
    assert "config.toml" in cli("environments").err


def test_an_unknown_key_leaves_the_known_ones_in_force(changed: Venv, repository: Place) -> None:
    """A newer gitsnap's key, or a misspelt one: one line, and the rest holds."""
    write_configuration("[backup]\nlimit = 1\nlimits = 3\n")

    for _ in range(2):
        assert "`backup.limits` is no key that gitsnap knows" in hook(changed.python).err
    assert len(list(repository().glob("*_environment.txt"))) == 1


def test_an_unknown_key_is_said_again_where_nothing_is_kept(lab: Venv) -> None:
    """No hint is left while there is something to say."""
    write_configuration("[backup]\nkeep_backup = false\nlimits = 3\n")

    assert "limits" in hook(lab.python).err
    assert "limits" in hook(lab.python).err


def test_without_home_the_other_variables_do(
    lab: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services and containers often have no HOME."""
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("GITSNAP_HOME", str(tmp_path / "gitsnap"))

    assert hook(lab.python).err == ""

    assert (tmp_path / "gitsnap" / "environments" / "lab" / "current.txt").exists()
    assert unchanged(lab)


def test_a_place_that_depends_on_the_working_folder_is_refused(
    lab: Venv, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder would have its own history."""
    monkeypatch.setenv("GITSNAP_HOME", "relative")

    assert "is not absolute" in hook(lab.python).err

    assert list(home.iterdir()) == []


@POSIX
@pytest.mark.parametrize("path", ["", "/nowhere"])
def test_a_deleted_working_folder_is_no_failure(
    changed: Venv, path: str, repository: Place, run_git: Git
) -> None:
    """A terminal may stand in a folder that is gone."""
    ran = in_shell('mkdir gone; cd gone; rmdir ../gone; exec "$@"', changed.python, PYTHONPATH=path)

    assert_kept(ran)
    assert ran.err == ""
    assert count(run_git, repository()) == 2


@POSIX
@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_closed_or_full_streams_are_no_failure_and_no_file_is_written_in_their_place(
    changed: Venv, streams: str, repository: Place, run_git: Git
) -> None:
    """A file that is opened where stderr was would get our line."""
    failing = in_shell(
        f'exec "$@" {streams}', changed.python, PATH="/nowhere:/bin:/usr/bin:" + os.environ["PATH"]
    )
    assert failing.code == 0

    (repository() / ".git" / "index.lock").touch()
    assert in_shell(f'exec "$@" {streams}', changed.python).code == 0
    (repository() / ".git" / "index.lock").unlink()
    assert in_shell(f'exec "$@" {streams}', changed.python).code == 0

    run_git(repository(), "fsck", "--strict")
    assert run_git(repository(), "show", "HEAD:current.txt") == (repository() / "current.txt").read_text()
    assert "numpy==2.0.0" in (repository() / "current.txt").read_text()
    assert all(b"gitsnap: " not in path.read_bytes() for path in repository().parent.rglob("*.txt"))


@POSIX
@pytest.mark.parametrize("number", [6, 8, 10, 12, 16, 20])
def test_few_open_files_are_no_failure(changed: Venv, number: int, repository: Place, run_git: Git) -> None:
    """It saves, or says in one line why not; the next launch saves."""
    ran = in_shell(f'ulimit -n {number}; exec "$@"', changed.python)

    assert_kept(ran)
    assert hook(changed.python).err == ""
    run_git(repository(), "fsck", "--strict")
    assert count(run_git, repository()) == 2


@pytest.mark.parametrize(
    "variable",
    ["PYTHONWARNINGS=error", "PYTHONDEVMODE=1", "PYTHONINSPECT=1", "PYTHONNOUSERSITE=1", "GIT_DIR=/nowhere"],
)
def test_variables_that_make_python_strict_do_not_reach_the_launch(
    changed: Venv, variable: str, repository: Place, run_git: Git
) -> None:
    """They are meant for the user's program: no warning, no prompt, no failure comes of them."""
    name, _, value = variable.partition("=")

    ran = hook(changed.python, variables={name: value})

    assert ran.err == ""
    assert count(run_git, repository()) == 2


def test_what_libraries_say_is_not_shown(
    changed: Venv, tmp_path: Path, repository: Place, run_git: Git
) -> None:
    """One line at most is the launch's own; here something warns when GitPython is imported."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "def talk(event, arguments):\n"
        "    if event == 'import' and arguments[0] == 'git':\n"
        "        import logging; logging.warning('noise'); print('noise', file=sys.stderr or open(os.devnull, 'w'))\n"
        "sys.addaudithook(talk)\n"
    )

    assert hook(changed.python, variables={"PYTHONPATH": str(tmp_path)}).err == ""

    assert count(run_git, repository()) == 2


@pytest.fixture
def shadows(tmp_path: Path) -> str:
    """Make a folder whose modules stand in the way of the standard library and of what gitsnap needs."""
    folder = tmp_path / "shadows"
    folder.mkdir()
    for name in (
        "threading",
        "json",
        "subprocess",
        "git",
        "platformdirs",
        "tomli",
        "click",
        "signal",
        "hashlib",
    ):
        (folder / f"{name}.py").write_text("raise ImportError('shadowed')\n")
    return str(folder)


def test_a_pythonpath_that_shadows_the_standard_library_is_no_failure(
    changed: Venv, shadows: str, repository: Place, run_git: Git
) -> None:
    """Robotics set-ups export such paths."""
    assert hook(changed.python, variables={"PYTHONPATH": shadows}).err == ""

    assert count(run_git, repository()) == 2


def test_what_only_the_pythonpath_provides_is_still_found(
    changed: Venv, tmp_path: Path, repository: Place, run_git: Git
) -> None:
    """Where modules of a computing centre provide gitsnap's own needs, it is the last place that is looked at."""
    here = os.pathsep.join(path for path in sys.path if path)

    assert hook(changed.python, variables={"PYTHONPATH": here}).err == ""

    assert count(run_git, repository()) == 2


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can be in another user's folder")
def test_root_in_a_folder_of_another_user_touches_nothing_and_says_nothing(
    lab: Venv, home: Path, tmp_path: Path
) -> None:
    """Under `sudo -E` files of root's would lock the user out."""
    os.chown(home, 65534, 65534)
    before = everything(tmp_path)

    assert hook(lab.python).err == ""

    assert everything(tmp_path) == before


@POSIX
def test_an_environment_that_lost_its_interpreter_is_one_line(
    saved: Venv, repository: Place, run_git: Git
) -> None:
    """The Python that it was made with was removed: what is left is no environment, and becomes no snapshot."""
    saved.python.unlink()
    saved.python.symlink_to("/nowhere/python3")

    ran = hook(saved.python)

    assert "/nowhere/python3` is gone" in ran.err
    assert count(run_git, repository()) == 1


def test_wrong_use_is_one_line_and_no_failure(cli: Cli) -> None:
    """A mistake in a launcher must not keep the program from starting."""
    for arguments in (["--bogus"], ["--python"], ["--python", "a", "--env", "b"], ["--help"]):
        ran = cli.hook(*arguments)
        assert_kept(ran)
        assert "usage: gitsnap-hook" in ran.err


def test_an_environment_that_nobody_knows_is_one_line(cli: Cli) -> None:
    """A name that was deleted or misspelt."""
    ran = cli.hook("--env", "nobody\n\x1b[31m")

    assert_kept(ran)
    assert "no environment called" in ran.err
    assert "\x1b" not in ran.err


def test_a_failure_of_a_launch_by_name_is_seen_and_cleared_by_path(
    saved: Venv, cli: Cli, repository: Place
) -> None:
    """An environment is one, however a launch names it."""
    saved.install(numpy="2.0.0")
    lock = repository() / ".git" / "index.lock"
    lock.touch()
    assert "index.lock" in cli.hook("--env", "LAB").err
    lock.unlink()
    assert "index.lock" in cli("--python", saved.python, "status").out

    cli.ok("--python", saved.python, "save")

    assert "failed" not in cli("--env", "lab", "status").out


def test_a_hint_by_name_serves_launches_by_name(saved: Venv, cli: Cli) -> None:
    """`--env` needs no configuration either, once it has been seen."""
    assert not launch.unchanged(None, "lab", os.environ)

    assert cli.hook("--env", "lab").err == ""

    assert launch.unchanged(None, "lab", os.environ)


@POSIX
def test_an_interrupted_hook_ends_at_once_and_quietly(changed: Venv) -> None:
    """Ctrl-C while it waits for a lock."""
    lock = store.named(config.load(os.environ), "lab").lock
    with files.locked(lock, patience=1, what="a test"):
        child = subprocess.Popen(
            [sys.executable, *ENTRY, "--python", str(changed.python)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(2)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=10)

    assert_kept(Ran(child.returncode, out, err))
    assert "interrupted" in err


# --- gitsnap run ---


@dataclass
class Launcher:
    """Runs a command plainly, and by `gitsnap run`, to compare what it finds."""

    before: Sequence[str]

    def __call__(
        self,
        *command: str,
        variables: Mapping[bytes, bytes] | None = None,
        prefix: Sequence[str] = (),
        stdin: bytes = b"",
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command."""
        return subprocess.run(
            [*prefix, *self.before, *command],
            env=os.environb if variables is None else variables,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )


plainly = Launcher(())


@pytest.fixture
def run(saved: Venv) -> Launcher:
    """Run commands by `gitsnap run`."""
    return Launcher((sys.executable, "-m", "gitsnap", "run", "--python", str(saved.python), "--"))


def test_run_saves_first_and_then_becomes_the_command(
    changed: Venv, run: Launcher, repository: Place
) -> None:
    """What the command finds is already in the history."""
    command = "import sys; print(open(sys.argv[1]).read())"

    answer = run(sys.executable, "-c", command, str(repository() / "current.txt"))

    assert b"numpy==2.0.0" in answer.stdout
    assert answer.stderr == b""


ODD = ["", " a  b ", "new\nline", "*", "$HOME", '"', "'", "\\", "--", "--env", "é", "-x"]


@POSIX
def test_run_hands_arguments_and_stdin_on(run: Launcher) -> None:
    """No shell looks at them on the way."""
    command = ("sh", "-c", 'printf "%s\\0" "$@"; cat', "sh", *ODD)

    assert run(*command, stdin=b"in\0put").stdout == plainly(*command, stdin=b"in\0put").stdout


VARIABLES: list[dict[bytes, bytes]] = [
    {},
    {b"LC_ALL": b"C"},
    {b"LC_ALL": b"C", b"LC_CTYPE": b"C.UTF-8"},
    {b"LC_CTYPE": b"C"},
    {b"LC_CTYPE": b"POSIX"},
    {b"LANG": b"C"},
    {b"GIT_DIR": b"/nowhere", b"GIT_CONFIG_GLOBAL": b"/nowhere", b"GIT_AUTHOR_NAME": b"me"},
    {b"PYTHONPATH": b"/nowhere", b"PYTHONWARNINGS": b"error", b"PYTHONHASHSEED": b"3"},
    {b"odd.name": b"1", b"BASH_FUNC_module%%": b"() { :; }", b"BYTES": b"\xff\xfe", b"EMPTY": b""},
]


@POSIX
@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("extra", VARIABLES, ids=str)
def test_run_leaves_every_variable_as_it_is(
    saved: Venv, run: Launcher, extra: dict[bytes, bytes], change: bool
) -> None:
    """Neither what a save takes out for git nor what Python sets in the C locale reaches the command."""
    if change:
        saved.install(numpy="2.0.0")
    dropped = (b"LC_ALL", b"LANG", b"LC_CTYPE", b"PYTHONDONTWRITEBYTECODE")
    variables = {name: value for name, value in os.environb.items() if name not in dropped} | extra

    found = run("env", "-0", variables=variables)

    assert found.stderr == b""
    assert sorted(found.stdout.split(b"\0")) == sorted(
        plainly("env", "-0", variables=variables).stdout.split(b"\0")
    )


@POSIX
def test_run_leaves_umask_folder_files_and_signals_as_they_are(run: Launcher) -> None:
    """Python ignores SIGPIPE; the command must not."""
    prefix = ("sh", "-c", 'umask 031; cd /; exec "$@" 3<<-"X"\nthree\nX\n', "sh")
    command = ("sh", "-c", "umask; pwd; cat <&3; ls /proc/self/fd; grep ^Sig /proc/self/status | grep -v Q")

    found = run(*command, prefix=prefix)

    assert b"three" in found.stdout
    assert found.stdout == plainly(*command, prefix=prefix).stdout


@POSIX
def test_run_is_replaced_by_the_command(good: Venv) -> None:
    """The process that a service manager watches is the command itself."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gitsnap", "run", "--python", str(good.python), "--", "sh", "-c", "echo $$"],
        stdout=subprocess.PIPE,
        text=True,
    )

    assert child.communicate(timeout=30)[0] == f"{child.pid}\n"


@POSIX
def test_run_hands_the_exit_status_back(run: Launcher, tmp_path: Path) -> None:
    """Also the death by a signal, and what a shell says of commands that are none."""
    plain = tmp_path / "plain"
    plain.write_text("text")
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/python\n")
    broken.chmod(0o755)

    assert run("sh", "-c", "exit 7").returncode == 7
    assert run("sh", "-c", "kill -TERM $$").returncode == -signal.SIGTERM
    for command, status in (
        ("no-such-command", 127),
        ("", 127),
        (str(broken), 127),
        (str(plain), 126),
        ("/", 126),
    ):
        answer = run(command)
        assert (answer.returncode, answer.stdout) == (status, b"")
        assert answer.stderr.startswith(f"gitsnap: {command}".encode())
        assert answer.stderr.count(b"\n") == 1


@POSIX
def test_run_takes_a_script_without_a_first_line(run: Launcher, tmp_path: Path) -> None:
    """A shell runs it, so a launch from a shell must."""
    script = tmp_path / "script"
    script.write_text('printf "%s|" "$@"\n')
    script.chmod(0o755)

    assert run(str(script), "a b", "").stdout == b"a b||"


@POSIX
def test_ctrl_c_reaches_the_command_once(good: Venv) -> None:
    """The terminal sends it to the whole group, in which nothing of ours is left."""
    code = (
        "import signal, time; got = []; signal.signal(signal.SIGINT, lambda *_: got.append(1)); "
        "print('ready', flush=True); end = time.monotonic() + 1\n"
        "while time.monotonic() < end: time.sleep(0.05)\n"
        "print(len(got))"
    )
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gitsnap",
            "run",
            "--python",
            str(good.python),
            "--",
            sys.executable,
            "-c",
            code,
        ],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"

    os.killpg(child.pid, signal.SIGINT)

    assert child.communicate(timeout=30)[0] == "1\n"
    assert child.returncode == 0


@POSIX
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["--env", "lab", "run", "--"], ["sh", "-c", "echo $1", "sh", "--"]),
        (["run", "--env", "lab", "--"], ["sh", "-c", "echo $1", "sh", "--"]),
        (["run", "--env=lab"], ["sh", "-c", "echo $1", "sh", "--"]),
    ],
)
def test_run_takes_its_options_before_and_after(changed: Venv, before: list[str], after: list[str]) -> None:
    """With and without `--`; what belongs to the command stays with it."""
    launcher = Launcher((sys.executable, "-m", "gitsnap", *before))

    answer = launcher(*after)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, b"--\n", b"")
    assert not launch.unchanged(str(changed.python), None, os.environ)
    assert launch.unchanged(None, "lab", os.environ)


def test_run_starts_the_command_whatever_is_wrong(
    changed: Venv, run: Launcher, shadows: str, tmp_path: Path
) -> None:
    """A broken configuration, no git, a PYTHONPATH in the way: one line at most, and the command runs."""
    write_configuration("[backup\n")
    code = "import os; print(os.environ['PYTHONPATH'])"
    variables = {**os.environb, b"PYTHONPATH": os.fsencode(shadows), b"PATH": os.fsencode(tmp_path)}

    answer = run(sys.executable, "-c", code, variables=variables)

    assert (answer.returncode, answer.stdout.decode().strip()) == (0, shadows)
    assert answer.stderr.count(b"\n") == 1


@POSIX
def test_run_starts_the_command_with_a_deleted_folder_and_closed_streams(
    changed: Venv, run: Launcher
) -> None:
    """The command finds closed what was closed."""
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@" <&- 2>&-'
    variables = {**os.environb, b"PYTHONPATH": b"/nowhere"}

    answer = run("ls", "/proc/self/fd", prefix=("sh", "-c", script, "sh"), variables=variables)

    plain = plainly("ls", "/proc/self/fd", prefix=("sh", "-c", script, "sh"), variables=variables)
    assert answer.stdout == plain.stdout
    assert answer.returncode == 0
