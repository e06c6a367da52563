"""`gitsnap hook install`: in real shells, where people launch; out again without a trace."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import locations
from tests import _conda_channel as conda
from tests.conftest import Cli, Ran, Venv

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
Git = Callable[..., str]
Where = Callable[..., Path]
SH = ["sh", "dash", "bash", "zsh", "bash -eu", "dash -e", "zsh -eu", "bash --posix", "zsh --emulate sh"]
SH += [name for name in ("ksh", "busybox sh") if shutil.which(name.split()[0])]
PRINT = 'echo "status=$? env=$VIRTUAL_ENV"'


def run(shell: str, code: str, **variables: str) -> Ran:
    """Run *code* in a real shell."""
    words = shell.split()
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    answer = subprocess.run(
        [*words, "-c", code],
        capture_output=True,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )
    return Ran(answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below *folder*, with its mode."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def snapshots(repository: Where, run_git: Git, name: str = "lab") -> int:
    """Return how many snapshots there are."""
    place = repository(name)
    return int(run_git(place, "rev-list", "--count", "HEAD")) if place.exists() else 0


@pytest.fixture(params=["venv", "virtualenv", "uv"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Venv:
    """Make a real environment with each of the usual tools, in a folder with as odd a name as its scripts bear."""
    odd = "odd é" if request.param == "venv" else "odd ' \"$& é"
    place = tmp_path / odd / "lab"
    match request.param:
        case "venv":
            venv.create(place, with_pip=False)
        case "virtualenv":
            subprocess.run([sys.executable, "-m", "virtualenv", "-q", "--no-seed", str(place)], check=True)
        case _:
            command = [sys.executable, "-m", "uv", "venv", "-q", "--offline", "--python", sys.executable]
            subprocess.run([*command, str(place)], check=True)
    found = Venv(place)
    found.install(numpy="1.26.4")
    return found


@pytest.mark.parametrize("shell", [*SH, "fish"])
def test_activating_a_venv_saves_it(
    shell: str, made: Venv, cli: Cli, repository: Where, run_git: Git
) -> None:
    """And is otherwise as before: exit status, variables, options; out again, every byte is as it was."""
    before = tree(made.prefix / "bin")
    activate = made.prefix / "bin" / ("activate.fish" if shell == "fish" else "activate")
    source = "source" if shell == "fish" else "."
    words = {"PLACE": str(activate), "PYTHONHOME": "/nowhere", "PYTHONPATH": "/nowhere"}
    show = 'echo "status=$status env=$VIRTUAL_ENV"; set' if shell == "fish" else f"{PRINT}; set; set +o"
    plain = run(shell, f'{source} "$PLACE"; {show}', **words)

    cli.ok("--python", made.python, "hook", "install", "venv")
    hooked = run(shell, f'{source} "$PLACE"; {show}', **words)

    assert (hooked.code, hooked.err) == (0, "")
    assert hooked.out.splitlines()[0] == f"status=0 env={made.prefix}"
    assert comparable(hooked.out) == comparable(plain.out)
    assert snapshots(repository, run_git) == 1
    made.install(numpy="2.0")
    assert run(shell, f'{source} "$PLACE"', **words).err == ""
    assert snapshots(repository, run_git) == 2
    cli.ok("--python", made.python, "hook", "remove", "venv")
    assert tree(made.prefix / "bin") == before


def comparable(text: str) -> set[str]:
    """Return what `set` prints, without what differs from run to run."""
    odd = (
        "SECONDS",
        "RANDOM",
        "_=",
        "EPOCH",
        "BASHPID",
        "PPID",
        "fish_pid",
        "PIPESTATUS",
        "TTYIDLE",
        "ERRNO",
        "SRANDOM",
    )
    return {
        line
        for line in text.splitlines()
        if not line.startswith(odd) and "hash" not in line and "$" not in line[:2]
    }


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "zsh", "fish"])
def test_the_exit_status_before_the_block_stays(shell: str, lab: Venv, cli: Cli, tmp_path: Path) -> None:
    """Whoever sources the script and looks at the status sees what the script itself left."""
    name = "activate.fish" if shell == "fish" else "activate"
    (lab.prefix / "bin" / name).write_text("sh -c 'exit 7'\n", encoding="utf-8")
    cli.ok("--python", lab.python, "hook", "install", "venv")

    script = lab.prefix / "bin" / name
    ran = run(
        shell,
        f'. "{script}"; echo $status $?'
        if shell == "zsh"
        else f'. "{script}"; echo ${"status" if shell == "fish" else "?"}',
    )

    assert ran.out.split()[0] == "7"


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_where_gitsnap_is_gone_nothing_is_done_or_said(
    shell: str, made: Venv, cli: Cli, repository: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Activating must never depend on us; where it is on PATH instead, that one is used."""
    cli.ok("--python", made.python, "hook", "install", "venv")
    name = "activate.fish" if shell == "fish" else "activate"
    script = made.prefix / "bin" / name
    hook = shutil.which("gitsnap-hook", path=str(Path(sys.executable).parent))
    assert hook
    quoted = hook.encode()
    assert quoted in script.read_bytes()
    script.write_bytes(script.read_bytes().replace(quoted, b"/nowhere/gitsnap-hook"))
    show = 'echo "status=$status"' if shell == "fish" else 'echo "status=$?"'

    gone = run(shell, f'. "$PLACE"; {show}', PLACE=str(script), PATH="/usr/bin:/bin")

    assert (gone.code, gone.out, gone.err) == (0, "status=0\n", "")
    assert not repository().exists()
    path = f"{Path(hook).parent}:/usr/bin:/bin"
    assert run(shell, f'. "$PLACE"; {show}', PLACE=str(script), PATH=path).err == ""
    assert repository().exists()


def test_the_environment_named_is_the_one_it_was_installed_for(
    made: Venv, make_venv: Callable[..., Venv], cli: Cli, repository: Where
) -> None:
    """Whatever else is active."""
    other = make_venv("other", six="1")
    cli.ok("--python", made.python, "hook", "install", "venv")

    code = 'VIRTUAL_ENV="$OTHER"; export VIRTUAL_ENV; . "$PLACE"'
    run("sh", code, PLACE=str(made.prefix / "bin" / "activate"), OTHER=str(other.prefix))

    assert repository("lab").exists()
    assert not repository("other").exists()


def test_installing_is_idempotent_and_shown_before_it_is_done(made: Venv, cli: Cli) -> None:
    """`--dry-run` says what would be done; a second install changes nothing."""
    before = tree(made.prefix)
    planned = cli.ok("--python", made.python, "hook", "install", "venv", "--dry-run")
    assert tree(made.prefix) == before
    assert cli("hook", "list").err.startswith("no hook is installed")

    done = cli.ok("--python", made.python, "hook", "install", "venv")
    after = tree(made.prefix)
    again = cli.ok("--python", made.python, "hook", "install", "venv")

    assert planned.replace("would change", "changed     ") == done
    assert tree(made.prefix) == after
    assert {line.split("  ")[0] for line in again.splitlines()} == {"as it was"}
    found = cli("--python", made.python, "hook", "remove", "venv", "--dry-run", "--json").json
    assert found.keys() == {"version", "kind", "what", "dry_run", "files", "notes"}
    assert {one["change"] for one in found["files"]} == {"changed"}
    assert tree(made.prefix) == after


def test_the_list_tells_what_became_of_a_hook(made: Venv, cli: Cli) -> None:
    """Intact, edited by someone, overwritten by an upgrade of the environment, gone."""
    cli.ok("--python", made.python, "hook", "install", "venv")
    scripts = made.prefix / "bin"
    place = scripts / "activate"
    text = place.read_text(encoding="utf-8")
    states = []
    for change in (text, text.replace('exit "$gitsnap_status"\n)', "exit 9\n)"), "# anew\n", None):
        place.unlink()
        if change is not None:
            place.write_text(change, encoding="utf-8")
        [hook] = cli("hook", "list", "--json").json["hooks"]
        assert (hook["kind"], hook["what"]) == ("venv", str(made.prefix))
        states += [one["state"] for one in hook["files"] if one["path"] == str(place)]

    assert states == ["intact", "edited", "overwritten", "gone"]
    assert f"  gone         {place}\n" in cli.ok("hook", "list")
    shutil.rmtree(made.prefix)
    removed = cli("--python", made.python, "hook", "remove", "venv")
    assert removed.code == 0, removed
    assert cli("hook", "list", "--json").json["hooks"] == []


def test_an_environment_made_anew_loses_the_hook_and_the_list_says_so(tmp_path: Path, cli: Cli) -> None:
    """`python -m venv` writes its scripts once more; installing again puts the hook back."""
    place = Venv(tmp_path / "lab")
    venv.create(place.prefix, with_pip=False)
    cli.ok("--python", place.python, "hook", "install", "venv")

    def states() -> set[str]:
        [hook] = cli("hook", "list", "--json").json["hooks"]
        return {one["state"] for one in hook["files"]}

    assert states() == {"intact"}
    venv.create(place.prefix, with_pip=False)
    assert states() == {"overwritten"}
    cli.ok("--python", place.python, "hook", "install", "venv")
    assert states() == {"intact"}


def test_a_signed_script_is_named(lab: Venv, cli: Cli) -> None:
    """Where only signed scripts may run, PowerShell would refuse it from then on."""
    (lab.prefix / "bin" / "Activate.ps1").write_bytes(b"x\r\n# SIG # Begin signature block\r\n")

    ran = cli("--python", lab.python, "hook", "install", "venv")

    assert ran.code == 0
    assert "`Activate.ps1` is signed" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("install", "venv"), 12),
        (("install", "conda"), 12),
        (("install", "launcher"), 2),
        (("install", "venv", "python"), 2),
        (("install", "venv", "--all"), 2),
        (("install", "virtualenvwrapper", "--all"), 12),
        (("install", "csh"), 2),
        (("remove", "venv"), 12),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_mistake_changes_nothing(arguments: tuple[str, ...], code: int, lab: Venv, cli: Cli) -> None:
    """An environment without scripts, another kind of environment, a command where none belongs."""
    before = tree(lab.prefix)

    ran = cli("--python", lab.python, "hook", *arguments)

    assert ran.code == code, ran
    assert ran.err.startswith("error: ")
    assert tree(lab.prefix) == before


# --- virtualenvwrapper ---


def wrapper() -> str:
    """Return virtualenvwrapper's own script, or skip."""
    script = shutil.which("virtualenvwrapper.sh", path=str(Path(sys.executable).parent))
    if not script or not importlib.util.find_spec("virtualenvwrapper"):
        pytest.skip("virtualenvwrapper is not installed")
    return script


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("everywhere", [False, True], ids=["one", "all"])
def test_workon_saves(
    shell: str, everywhere: bool, home: Path, cli: Cli, repository: Where, run_git: Git
) -> None:
    """With the real virtualenvwrapper; the line lies beside what the user has in that file."""
    script = wrapper()
    place = Venv(home / ".virtualenvs" / "lab")
    words = {"VIRTUALENVWRAPPER_PYTHON": sys.executable, "WORKON_HOME": str(home / ".virtualenvs")}
    (home / ".virtualenvs").mkdir()
    venv.create(place.prefix, with_pip=False)
    place.install(numpy="1.26.4")
    ran = run(shell, f'. "{script}"; workon lab; {PRINT}', **words)
    assert "status=0" in ran.out, ran
    own = (home / ".virtualenvs" if everywhere else place.prefix / "bin") / "postactivate"
    mode, text = own.stat().st_mode if own.exists() else 0, own.read_bytes() if own.exists() else None
    options = ("--all",) if everywhere else ("--python", place.python)
    cli.variables["WORKON_HOME"] = words["WORKON_HOME"]

    cli.ok("hook", "install", "virtualenvwrapper", *options)
    ran = run(shell, f'. "{script}"; workon lab; {PRINT}', **words)

    assert ran.out.splitlines()[-1] == f"status=0 env={place.prefix}", ran
    assert snapshots(repository, run_git) == 1
    assert mode in {0, own.stat().st_mode}
    cli.ok("hook", "remove", "virtualenvwrapper", *options)
    assert (own.read_bytes() if own.exists() else None) == text


def test_a_hook_of_the_users_own_stays_and_links_are_followed(lab: Venv, cli: Cli, tmp_path: Path) -> None:
    """People keep such files with their other settings and link to them."""
    kept = tmp_path / "dotfiles" / "postactivate"
    kept.parent.mkdir()
    kept.write_bytes(b"#!/bin/sh\necho mine")
    kept.chmod(0o740)
    link = lab.prefix / "bin" / "postactivate"
    link.symlink_to(kept)

    cli.ok("--python", lab.python, "hook", "install", "virtualenvwrapper")
    ran = run("sh", f'. "{link}"')

    assert (ran.out, ran.err) == ("mine\n", "")
    assert link.is_symlink()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o740
    cli.ok("--env", "lab", "hook", "remove", "virtualenvwrapper")
    assert kept.read_bytes() == b"#!/bin/sh\necho mine"


# --- conda ---


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "fish"])
def test_activating_a_conda_environment_saves_it(
    shell: str, cli: Cli, repository: Where, run_git: Git, tmp_path: Path
) -> None:
    """As conda does: each script of its own shell in `activate.d` is sourced; nothing else is left there."""
    prefix = conda_prefix(tmp_path)
    ending = "fish" if shell == "fish" else "sh"

    cli.ok("--python", prefix / "bin" / "python", "hook", "install", "conda")
    scripts = prefix / "etc" / "conda" / "activate.d"
    assert {path.name for path in scripts.iterdir()} == {
        f"gitsnap.{one}" for one in ("sh", "fish", "ps1", "bat")
    }
    show = 'echo "status=$status"' if shell == "fish" else 'echo "status=$?"'
    ran = run(shell, f'. "{scripts}/gitsnap.{ending}"; {show}', CONDA_PREFIX=str(prefix))

    assert (ran.out, ran.err) == ("status=0\n", "")
    assert snapshots(repository, run_git, "lab") == 1
    cli.ok("--python", prefix / "bin" / "python", "hook", "remove", "conda")
    assert list(scripts.iterdir()) == []


def conda_prefix(folder: Path) -> Path:
    """Make an environment with conda's own solver and linker, from a channel on this disk, or skip."""
    pytest.importorskip("rattler", reason="py-rattler is not installed")
    if sys.platform != "linux":
        pytest.skip("the channel is made for Linux")
    channel = conda.Channel(folder / "channel")
    channel.add_python()
    prefix = folder / "conda" / "envs" / "lab"
    conda.create(prefix, (folder / "channel").as_uri(), ["python"])
    return prefix


# --- launchers ---

linux = pytest.mark.skipif(sys.platform != "linux", reason="desktop entries are for Linux")
ODD = ["", " a  b ", "*", "$HOME", "`id`", '"', "'", "\\", "--", "é", "%f", "100%", "\\n", ";", "\\$x"]


@linux
@pytest.mark.parametrize("gone", [False, True], ids=["", "gitsnap gone"])
def test_a_desktop_entry_saves_and_starts_the_command(
    gone: bool, lab: Venv, cli: Cli, home: Path, tmp_path: Path, repository: Where
) -> None:
    """Started by GLib, as a desktop does; every argument arrives as it was given, in the environment."""
    if not shutil.which("gio"):
        pytest.skip("gio is not installed")
    script = tmp_path / "app.py"
    script.write_text(
        "import os, sys, json\n"
        "facts = [sys.prefix, sys.argv[2:], os.environ['VIRTUAL_ENV'], os.environ['PATH'].split(':')[0]]\n"
        "open(sys.argv[1] + '.part', 'w').write(json.dumps(facts))\n"
        "os.rename(sys.argv[1] + '.part', sys.argv[1])\n",
        encoding="utf-8",
    )
    answer = tmp_path / "answer"
    command = ("python", "app.py", str(answer), *ODD)

    cli.ok("--python", lab.python, "hook", "install", "launcher", "--", *command, folder=tmp_path)
    [entry] = (home / ".local" / "share" / "applications").iterdir()
    if validator := shutil.which("desktop-file-validate"):
        checked = subprocess.run([validator, str(entry)], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    assert "\nName=app.py (lab)\n" in entry.read_text(encoding="utf-8")
    if gone:
        program = str(Path(sys.executable).parent / "gitsnap")
        entry.write_text(
            entry.read_text(encoding="utf-8").replace(program, "/nowhere/gitsnap"), encoding="utf-8"
        )
    subprocess.run(["gio", "launch", str(entry)], check=True, env={**os.environ, "PATH": "/usr/bin:/bin"})

    assert eventually(answer.exists)
    facts = answer.read_text(encoding="utf-8")
    assert json.loads(facts) == [str(lab.prefix), ODD, str(lab.prefix), str(lab.prefix / "bin")]
    assert repository().exists() is not gone
    cli.ok("--python", lab.python, "hook", "remove", "launcher", "--", *command, folder=tmp_path)
    assert not entry.exists()


def eventually(condition: Callable[[], bool]) -> bool:
    """Tell whether *condition* comes true in a while."""
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@linux
def test_a_desktop_entry_of_someone_else_is_not_touched(lab: Venv, cli: Cli, home: Path) -> None:
    """Of the same name: refused."""
    place = home / ".local" / "share" / "applications" / "gitsnap-app-lab.desktop"
    place.parent.mkdir(parents=True)
    place.write_text("[Desktop Entry]\n", encoding="utf-8")

    ran = cli("--python", lab.python, "hook", "install", "launcher", "app")

    assert ran.code == 1
    assert place.read_text(encoding="utf-8") == "[Desktop Entry]\n"


# --- the scripts themselves ---


@pytest.mark.parametrize("name", ["activate.sh", "launcher.sh", "pre-launch"])
def test_the_scripts_are_clean_for_shellcheck(name: str) -> None:
    """For every dialect of sh."""
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if not program:
        pytest.skip("shellcheck is not installed")
    for dialect in ("sh", "dash", "bash", "ksh"):
        command = [
            program,
            "--shell",
            dialect,
            "--enable",
            "all",
            "--exclude",
            "SC2250,SC2292",
            str(locations.hook_scripts() / name),
        ]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stdout) == (0, "")


def test_the_scripts_are_thin() -> None:
    """The work is done in Python, where it is tested."""
    for path in locations.hook_scripts().iterdir():
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 35, path
