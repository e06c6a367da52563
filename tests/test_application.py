"""`gitsnap.hook()`: one line at an application's start, which never harms it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gitsnap
from tests.conftest import Cli, Ran, Venv
from tests.links import link

Git = Callable[..., str]
Where = Callable[..., Path]
ROOT = Path(gitsnap.__file__).parent.parent


@pytest.fixture
def app(make_venv: Callable[..., Venv]) -> Venv:
    """Make an environment that gitsnap is installed in, with all that it needs."""
    place = make_venv("lab", numpy="1.26.4")
    link(place, "gitsnap")
    (place.site / "checkout.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    return place


def run(app: Venv, code: str, **variables: str) -> Ran:
    """Run an application in the environment."""
    answer = subprocess.run(
        [app.python, "-c", code],
        capture_output=True,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )
    return Ran(answer.returncode, answer.stdout.decode(), answer.stderr.decode())


def count(repository: Where, run_git: Git) -> int:
    """Return how many snapshots there are."""
    return int(run_git(repository(), "rev-list", "--count", "HEAD")) if repository().exists() else 0


def test_an_application_saves_its_own_environment(app: Venv, repository: Where, run_git: Git) -> None:
    """Whatever is active around it; its stdout is its own, and each change makes one snapshot."""
    code = "import gitsnap; print(gitsnap.hook())"

    first = run(app, code, VIRTUAL_ENV="/nowhere", PYTHONPATH="/nowhere")

    assert (first.code, first.out, first.err) == (0, "None\n", "")
    assert count(repository, run_git) == 1
    assert "numpy==1.26.4" in (repository() / "current.txt").read_text(encoding="utf-8")
    app.install(numpy="2.0.1")
    run(app, code)
    run(app, code)
    assert count(repository, run_git) == 2


def test_an_unchanged_application_starts_no_process_and_loads_little(app: Venv, tmp_path: Path) -> None:
    """Only the look at the packages runs in its process."""
    run(app, "import gitsnap; gitsnap.hook()")
    code = (
        "import os, sys, gitsnap; before = set(sys.modules)\n"
        "sys.addaudithook(lambda event, args: print(event, args) if event in "
        "{'subprocess.Popen', 'os.fork', 'os.posix_spawn', 'os.exec', 'os.rename'} else None)\n"
        "gitsnap.hook()\n"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('gitsnap')))"
    )

    ran = run(app, code)

    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) == 1
    assert {"subprocess", "json", "git", "threading", "pathlib", "click"}.isdisjoint(eval(ran.out))  # noqa: S307


def test_it_can_run_in_a_thread_beside_the_start(app: Venv, repository: Where, run_git: Git) -> None:
    """Even one that nobody waits for: the child that saves outlives it."""
    code = "import gitsnap, threading; threading.Thread(target=gitsnap.hook, daemon=True).start(); import time; time.sleep(0.4)"

    ran = run(app, code)

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    deadline = time.monotonic() + 20
    while count(repository, run_git) == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert count(repository, run_git) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        "import os; os.environ['GITSNAP_HOME'] = '/dev/null/x'",
        "import os; os.environ['GITSNAP_BACKUP_LIMIT'] = 'many'",
        "import os; os.environ['PATH'] = '/nowhere'",
        "import os; os.environ.pop('HOME'); os.environ['PATH'] = '/nowhere'",
        "import os; os.environ['GIT_DIR'] = '/nowhere'",
        "import os; os.close(0); os.close(1); os.close(2)",
        "import sys; sys.stdout = sys.stderr = None",
        "import sys; sys.executable = None",
        "import sys; sys.executable = '/bin/true'",
        "import sys; sys.frozen = True",
        "import sys; sys.prefix = '/nowhere'",
        "import os, tempfile; d = tempfile.mkdtemp(); os.chdir(d); os.rmdir(d)",
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "import subprocess; subprocess.Popen = None",
        "import warnings; warnings.simplefilter('error')",
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))",
        "import gitsnap.hint as h; h.read = None",
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals and folders of POSIX")
def test_whatever_is_wrong_the_application_goes_on(trouble: str, app: Venv) -> None:
    """It never raises, nothing goes to stdout, one line at most to stderr, and the process is as it was."""
    code = (
        "import os, sys, gitsnap\n"
        f"{trouble}\n"
        "before = dict(os.environ), list(sys.path)\n"
        "gitsnap.hook()\n"
        "assert before == (dict(os.environ), list(sys.path))\n"
        "os._exit(7)"
    )

    ran = run(app, code)

    assert (ran.code, ran.out) == (7, ""), ran
    lines = [line for line in ran.err.splitlines() if line]
    assert len(lines) <= 1
    assert all(line.startswith("gitsnap: ") for line in lines)


def test_a_program_that_is_its_own_interpreter_is_never_started_again(app: Venv, tmp_path: Path) -> None:
    """`sys.executable` may be the application: started by its hook, it would start itself for ever."""
    trap = tmp_path / "app"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n", encoding="utf-8")
    trap.chmod(0o755)

    ran = run(app, f"import sys, gitsnap; sys.executable = {str(trap)!r}; gitsnap.hook()")

    assert ran.code == 0
    assert not (tmp_path / "started").exists()


def test_importing_gitsnap_for_the_hook_is_cheap(cli: Cli) -> None:
    """An application pays for `import gitsnap` at each start."""
    ran = cli(
        entry=(
            "-c",
            "import sys; b = set(sys.modules); import gitsnap; gitsnap.hook; print(sorted(set(sys.modules) - b))",
        )
    )

    assert {"git", "click", "subprocess", "json", "pathlib", "dataclasses"}.isdisjoint(eval(ran.out))  # noqa: S307
