"""`run` learns what worked: a child until the command has shown that it works, then known to be good for ever."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitsnap import good, trial
from tests.conftest import Cli, Venv

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")
Git = Callable[..., str]
Where = Callable[..., Path]
SOON = (
    "-c",
    "import sys, gitsnap.trial as t; t.PATIENCE = 1.0; from gitsnap.cli import main; sys.exit(main())",
)
OK = (sys.executable, "-c", "")


@pytest.fixture
def run(lab: Venv, cli: Cli) -> Callable[..., int]:
    """Run `gitsnap run` in the environment `lab`; return the exit status."""

    def launch(
        *command: str, options: tuple[str, ...] = (), entry: tuple[str, ...] = ("-m", "gitsnap")
    ) -> int:
        ran = cli("run", "--python", lab.python, *options, "--", *command, entry=entry)
        assert ran.err == ""
        return ran.code

    return launch


@pytest.fixture
def marks(repository: Where, run_git: Git) -> Callable[[], list[str]]:
    """Tell which blobs are known to be good, by git itself."""

    def read() -> list[str]:
        return run_git(
            repository(), "for-each-ref", "--format=%(objecttype) %(objectname)", good.PREFIX
        ).splitlines()

    return read


def test_a_launch_that_ends_well_makes_the_packages_good(
    run: Callable[..., int],
    marks: Callable[[], list[str]],
    cli: Cli,
    lab: Venv,
    repository: Where,
    run_git: Git,
) -> None:
    """Marked in the log, found as `good`, kept as a ref at the very content; the next launch is a plain one."""
    assert run(*OK) == 0

    blob = run_git(repository(), "rev-parse", "HEAD:current.txt").strip()
    assert marks() == [f"blob {blob}"]
    assert "(now, good)" in cli.ok("--env", "lab", "log")
    assert cli("--env", "lab", "log", "--json").json["snapshots"][0]["is_good"] is True
    lab.install(numpy="2.0.1")
    assert run("sh", "-c", "exit 3") == 3
    assert marks() == [f"blob {blob}"]
    first = cli("--env", "lab", "show", "good", "--json").json["snapshot"]["stamp"]
    assert first == cli("--env", "lab", "show", "latest~1", "--json").json["snapshot"]["stamp"]
    assert "upgraded    numpy  1.26.4 -> 2.0.1" in cli.ok("--env", "lab", "diff", "good")
    run_git(repository(), "fsck", "--strict")
    run_git(repository(), "gc", "--quiet", "--prune=now")
    assert not (repository() / ".git" / "refs" / "gitsnap" / "good" / blob).exists()
    assert cli("--env", "lab", "show", "@good", "--json").json["snapshot"]["stamp"] == first


@pytest.mark.parametrize(
    "command",
    [
        ("sh", "-c", "exit 1"),
        ("sh", "-c", "kill -SEGV $$"),
        ("no-such-command",),
        (sys.executable, "-c", "import gone"),
    ],
)
def test_a_launch_that_fails_makes_nothing_good(
    command: tuple[str, ...], lab: Venv, cli: Cli, marks: Callable[[], list[str]]
) -> None:
    """A crash at import, most of all."""
    cli("run", "--python", lab.python, "--", *command)

    assert marks() == []
    assert cli("--env", "lab", "show", "good").code == 12


def test_a_launch_that_is_alive_after_a_while_makes_the_packages_good(
    lab: Venv, marks: Callable[[], list[str]], cli: Cli
) -> None:
    """However it ends later: people close windows in many ways."""
    cli.ok("--python", lab.python, "save")
    child = subprocess.Popen([sys.executable, *SOON, "run", "--python", str(lab.python), "--", "sleep", "60"])

    deadline = time.monotonic() + 20
    while not marks() and time.monotonic() < deadline:
        time.sleep(0.1)
    found = marks()
    child.kill() if not found else child.terminate()

    assert len(found) == 1
    assert child.wait(20) == -signal.SIGTERM


def test_a_crash_before_that_makes_nothing_good(
    run: Callable[..., int], marks: Callable[[], list[str]]
) -> None:
    """Twenty seconds are what an application gets to show itself."""
    assert run("sh", "-c", "sleep 0.3; exit 1", entry=SOON) == 1
    assert marks() == []
    assert trial.PATIENCE == 20


def test_packages_that_changed_meanwhile_are_not_marked(
    lab: Venv, run: Callable[..., int], marks: Callable[[], list[str]]
) -> None:
    """What worked is not what is there now."""
    other = lab.site / "rich-1.0.dist-info"

    status = run(
        "sh",
        "-c",
        f"mkdir {other}; printf 'Metadata-Version: 2.1\\nName: rich\\nVersion: 1.0\\n' > {other}/METADATA",
    )

    assert status == 0
    assert marks() == []


def test_no_mark_learns_nothing(run: Callable[..., int], marks: Callable[[], list[str]]) -> None:
    """For commands that say nothing about the packages, such as an editor."""
    assert run(*OK, options=("--no-mark",)) == 0
    assert marks() == []


@pytest.mark.parametrize("place", ["before", "after"])
def test_no_mark_stands_before_or_after_the_environment(
    place: str, lab: Venv, cli: Cli, marks: Callable[[], list[str]]
) -> None:
    """As any option; behind `--` it is the command's."""
    words = ["--no-mark", "--python", str(lab.python)]
    ordered = words if place == "before" else [*words[1:], words[0]]

    assert cli("run", *ordered, *OK).code == 0
    assert marks() == []
    ran = cli("run", "--python", lab.python, "--", "echo", "--no-mark")
    assert ran.out == "--no-mark\n"
    assert len(marks()) == 1


def test_a_usual_launch_is_replaced_by_its_command(lab: Venv, cli: Cli, run: Callable[..., int]) -> None:
    """Only the first launch with new packages has a parent; also when the state path was deleted in between."""
    cli.ok("--python", lab.python, "save")
    command = [
        sys.executable,
        "-m",
        "gitsnap",
        "run",
        "--python",
        str(lab.python),
        "--",
        "sh",
        "-c",
        "echo $$; exit $STATUS",
    ]

    def stays(status: str) -> bool:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "STATUS": status}
        )
        return child.communicate(timeout=30)[0] != f"{child.pid}\n"

    assert [stays("1"), stays("0"), stays("0"), stays("1")] == [True, True, False, False]
    lab.install(numpy="2.0.1")
    assert [stays("1"), stays("0"), stays("0")] == [True, True, False]
    lab.install(numpy="1.26.4")
    assert not stays("0"), "the content is known to be good, whichever snapshot it is"
    shutil.rmtree(Path.home() / ".local" / "state" / "gitsnap", ignore_errors=True)
    assert not stays("0")


def test_a_usual_launch_loads_what_it_did_before(lab: Venv, cli: Cli, run: Callable[..., int]) -> None:
    """The trial and the marks cost the plain launch nothing."""
    run(*OK)

    code = (
        "import sys, os; os.execvpe = lambda *_: (print(sorted(m for m in sys.modules if m.startswith('gitsnap'))), os._exit(0)); "
        "from gitsnap.cli import main; main()"
    )
    ran = cli("run", "--python", lab.python, "--", "true", entry=("-c", code))

    assert "trial" not in ran.out
    assert "good" not in ran.out
    assert "threading" not in ran.out


def test_the_marks_are_pushed_along_and_name_good_ones_elsewhere(
    lab: Venv, cli: Cli, run: Callable[..., int], run_git: Git, tmp_path: Path, marks: Callable[[], list[str]]
) -> None:
    """Once each; another computer can go by what worked on this one."""
    server = tmp_path / "server.git"
    run_git(tmp_path, "init", "--quiet", "--bare", str(server))
    cli.variables |= {"GITSNAP_REMOTE_URL": str(server), "GITSNAP_REMOTE_PUSH": "manual"}
    assert run(*OK) == 0
    lab.install(numpy="2.0.1")
    assert run("sh", "-c", "exit 1") == 1
    cli.ok("--env", "lab", "push")

    [mark] = marks()
    assert run_git(server, "for-each-ref", "--format=%(objecttype) %(objectname)", good.PREFIX) == f"{mark}\n"
    cli.variables |= {"GITSNAP_HOME": str(tmp_path / "other"), "GITSNAP_REMOTE_MACHINE": "other-pc"}
    assert cli("fetch").code == 0
    found = cli("show", "lab-pc/lab:good", "--raw")
    assert found.out.endswith("numpy==1.26.4\nsix==1.16.0\n"), found
    assert "(good)" in cli("log", "lab-pc/lab:").out
    cli.variables |= {"GITSNAP_HOME": "", "GITSNAP_REMOTE_MACHINE": "lab-pc"}
    assert cli("--env", "lab", "push").code == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1", "SIGQUIT"])
def test_a_signal_to_gitsnap_reaches_the_command(name: str, lab: Venv, cli: Cli) -> None:
    """And its end by that signal is ours, for whoever waits."""
    number = getattr(signal, name)
    code = (
        f"import signal, sys, time; signal.signal(signal.{name}, signal.SIG_DFL); "
        "print('ready', flush=True); time.sleep(30)"
    )
    child = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "gitsnap",
            "run",
            "--python",
            str(lab.python),
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

    child.send_signal(number)

    assert child.wait(20) == -number
    child.stdout.close()


def test_signals_that_were_ignored_stay_ignored(lab: Venv) -> None:
    """As `nohup` does."""
    code = "import signal; print([signal.getsignal(n) is signal.SIG_IGN for n in (signal.SIGHUP, signal.SIGINT)])"
    command = [
        sys.executable,
        "-m",
        "gitsnap",
        "run",
        "--python",
        str(lab.python),
        "--",
        sys.executable,
        "-c",
        code,
    ]
    start = "import os, signal, sys; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGHUP, signal.SIGINT)]; os.execv(sys.argv[1], sys.argv[1:])"

    answer = subprocess.run(
        [sys.executable, "-c", start, *command], capture_output=True, text=True, check=True
    )

    assert answer.stdout == "[True, True]\n"


class Terminal:
    """A real terminal with a shell in it."""

    def __init__(self, variables: dict[str, str]) -> None:
        """Start an interactive shell in it."""
        self.fd, shell = pty.openpty()
        start = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
        self.shell = subprocess.Popen(
            [sys.executable, "-c", start, "/bin/bash", "--norc", "--noprofile", "-i"],
            stdin=shell,
            stdout=shell,
            stderr=shell,
            env=variables,
            start_new_session=True,
        )
        os.close(shell)
        self.text = ""

    def type(self, text: str) -> None:
        """Type into it."""
        os.write(self.fd, text.encode())

    def until(self, text: str, limit: float = 30) -> str:
        """Read until *text* comes; return all that came since the last time."""
        deadline = time.monotonic() + limit
        while text not in self.text:
            assert time.monotonic() < deadline, self.text
            if select.select([self.fd], [], [], 0.2)[0]:
                self.text += os.read(self.fd, 4096).decode("utf-8", "replace")
        before, _, self.text = self.text.partition(text)
        return before


@pytest.fixture
def terminal(lab: Venv) -> Iterator[Terminal]:
    """Open a terminal with a shell."""
    if not Path("/bin/bash").exists():
        pytest.skip("bash is not installed")
    place = Terminal(
        {
            **os.environ,
            "PS1": "prompt>",
            "TERM": "dumb",
            "GS": f"{sys.executable} -m gitsnap run --python {lab.python} --",
        }
    )
    place.until("prompt>")
    yield place
    place.shell.kill()
    place.shell.wait()
    os.close(place.fd)


APPLICATION = """
import signal, sys, time
count = []
signal.signal(signal.SIGINT, lambda *_: count.append(1))
print("re" + "ady", flush=True)
word = sys.stdin.readline()
time.sleep(0.5)
print("inter" + "rupts", len(count), word.strip(), flush=True)
sys.exit(5)
"""


def test_the_keyboard_reaches_the_command_through_a_terminal(terminal: Terminal, tmp_path: Path) -> None:
    """Ctrl-C once, Ctrl-Z and `fg`, what is typed, and the exit status; as if gitsnap were not there."""
    script = tmp_path / "app.py"
    script.write_text(APPLICATION, encoding="utf-8")

    terminal.type(f"$GS {sys.executable} {script}\n")
    terminal.until("ready")
    terminal.type("\x03")
    time.sleep(0.5)
    terminal.type("\x1a")
    terminal.until("Stopped")
    terminal.until("prompt>")
    terminal.type("jobs -l | wc -l; fg >/dev/null\n")
    time.sleep(1)
    terminal.type("hello\n")
    terminal.until("interrupts 1 hello")
    terminal.until("prompt>")
    terminal.type('echo "status=$?."\n')

    terminal.until("status=5.")


def test_a_command_that_stops_itself_gives_the_shell_back(terminal: Terminal) -> None:
    """Else the terminal would hang: the shell sees us alone."""
    terminal.type("$GS sh -c 'kill -STOP $$; exit 6'\n")
    terminal.until("Stopped")
    terminal.until("prompt>")
    terminal.type("fg\n")
    terminal.until("prompt>")
    terminal.type('echo "status=$?."\n')

    terminal.until("status=6.")
