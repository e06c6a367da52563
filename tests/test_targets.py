"""From what the user names to an environment and its repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import snap
from gitsnap.actions import target as targets
from gitsnap.errors import GitsnapError, InterpreterError, NotFoundError
from tests.conftest import Cli, Venv

Make = Callable[..., Venv]


@pytest.fixture
def saved(lab: Venv, cli: Cli) -> Venv:
    """Make `lab` known."""
    cli.ok("--python", lab.python, "save")
    return lab


def test_a_name_is_found_in_any_case(saved: Venv, cli: Cli) -> None:
    """It leads to the prefix that its repository remembers."""
    assert targets.find(None, "LAB").python == str(saved.python)
    assert targets.find(None, "LAB").name == "lab"
    assert "nothing changed" in cli.ok("--env", "Lab", "save")


def test_an_unknown_name_is_an_error_with_near_ones(saved: Venv, cli: Cli) -> None:
    """Exit 12; names from outside are shown without control characters."""
    ran = cli("--env", "labb\x1b[31m", "save")

    assert (ran.code, ran.out) == (12, "")
    assert "\n  lab\n" in ran.err
    assert "\x1b" not in ran.err
    for name in ("", "..", "/", "lab/../lab"):
        assert cli("--env", name, "save").code == 12


def test_the_history_of_an_environment_that_is_gone_can_be_read(saved: Venv, cli: Cli) -> None:
    """Only what needs its Python fails, and says why."""
    shutil.rmtree(saved.prefix)

    assert "First snapshot" in cli.ok("--env", "lab", "log")
    assert "numpy==1.26.4" in cli.ok("--env", "lab", "show", "--raw")
    ran = cli("--env", "lab", "save")
    assert (ran.code, ran.out) == (12, "")
    assert "is gone" in ran.err
    with pytest.raises(NotFoundError, match="is gone"):
        targets.environment_of(targets.find(None, "lab"))
    with pytest.raises(NotFoundError):
        targets.find(str(saved.python), None)


def test_an_environment_made_anew_goes_on_in_its_repository(saved: Venv, make_venv: Make, cli: Cli) -> None:
    """Its name and its prefix are the same."""
    shutil.rmtree(saved.prefix)

    again = make_venv("lab", numpy="3.0", six="1.16.0")

    assert cli.ok("--python", again.python, "save").startswith("lab: saved snapshot ")
    assert "Upgrade numpy 1.26.4 -> 3.0" in cli.ok("--env", "lab", "log")


def test_another_environment_of_the_same_name_gets_a_repository_of_its_own(
    saved: Venv, make_venv: Make, cli: Cli
) -> None:
    """While the first is there its history is its own; when it is gone, the name goes on."""
    other = make_venv("elsewhere/lab")
    first = cli("--python", other.python, "save", "--json").json["environment"]
    assert first.startswith("lab-")
    assert cli("--python", other.python, "save", "--json").json["environment"] == first

    shutil.rmtree(saved.prefix)
    third = make_venv("third/lab")

    assert cli("--python", third.python, "save", "--json").json["environment"] == "lab"


def test_reading_verbs_ask_no_interpreter(saved: Venv, cli: Cli) -> None:
    """A repository that remembers the prefix is found by the path; here the Python would hang."""
    (saved.site / "sitecustomize.py").write_text("import time; time.sleep(60)\n")

    assert "numpy==1.26.4" in cli.ok("--python", saved.python, "show", "--raw")


def test_an_environment_that_cannot_be_read_is_an_error_and_no_empty_snapshot(lab: Venv) -> None:
    """Where it is the file system that fails, nothing is told of the packages."""
    if os.name == "nt" or os.geteuid() == 0:
        pytest.skip("no permission keeps root or Windows from reading")
    found = targets.environment_of(targets.find(str(lab.python), None))
    lab.site.chmod(0)
    try:
        with pytest.raises(GitsnapError, match="cannot be read"):
            targets.freeze_of(found)
    finally:
        lab.site.chmod(0o700)


def test_a_python_that_fails_is_an_error_of_every_verb_that_needs_it(
    lab: Venv, cli: Cli, tmp_path: Path
) -> None:
    """Exit 1, nothing on stdout, no repository."""
    (lab.site / "sitecustomize.py").write_text("import os; os._exit(3)\n")

    with pytest.raises(InterpreterError, match="ended with status 3"):
        targets.environment_of(targets.find(str(lab.python), None))
    for verb in ("save", "freeze", "status", "diff"):
        ran = cli("--python", lab.python, verb)
        assert (ran.code, ran.out) == (1, ""), ran


def test_states_that_name_their_own_place_need_no_environment() -> None:
    """`gitsnap diff pc-one/lab: old.txt` works where nothing is active; `now` is another matter."""
    elsewhere = [snap.parse("pc-one/lab:"), snap.parse("old.txt")]

    assert targets.find_for(elsewhere, None, None).python is None
    assert targets.find_for([*elsewhere, snap.parse("now")], None, None).python is not None


@pytest.mark.skipif(shutil.which("pypy3") is None, reason="PyPy is not here")
def test_an_environment_of_pypy_is_read_as_its_own_pip_reads_it(tmp_path: Path) -> None:
    """Another interpreter, other folders, packages in its standard library; comments of ours left out."""
    subprocess.run(["pypy3", "-m", "venv", tmp_path / "pp"], check=True, capture_output=True)
    python = tmp_path / "pp" / "bin" / "python"
    info = next((tmp_path / "pp").glob("lib/*/site-packages")) / "X_y-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: X_y\nVersion: 1.0\n", encoding="utf-8")
    pip = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True).stdout

    found = targets.freeze_of(targets.environment_of(targets.find(str(python), None)))

    lines = found.partition("\n\n")[2].splitlines()
    assert [line for line in lines if not line.startswith("#")] == pip.splitlines()
    assert "X_y==1.0" in lines
    assert "[PyPy " in found
