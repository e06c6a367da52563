"""Which environment is meant: each rule in its turn."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import gitsnap
from gitsnap import selection
from gitsnap.errors import InterpreterError, NotFoundError
from tests.conftest import Cli, Venv

Make = Callable[..., Venv]
POSIX = pytest.mark.skipif(os.name == "nt", reason="links and `bin` are POSIX's")


@dataclass
class Installed:
    """A gitsnap that is installed in an environment."""

    python: Path
    variables: dict[str, str] = field(default_factory=dict)

    def select(self, folder: Path | None = None, **variables: object) -> str:
        """Return the Python that it chooses, or what it says where there is none."""
        code = (
            "import os\nfrom gitsnap import selection\nfrom gitsnap.errors import GitsnapError\n"
            "try: print(selection.select(os.environ, os.getcwd()))\n"
            "except GitsnapError as error: print(error.exit_code, error.message)\n"
        )
        answer = subprocess.run(
            [self.python, "-c", code],
            env={**os.environ, **self.variables, **{name: str(value) for name, value in variables.items()}},
            cwd=folder,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        return answer.stdout.rstrip("\n")


SHARED = os.pathsep.join([str(Path(gitsnap.__file__).parent.parent), sysconfig.get_path("purelib")])


def install(made: Venv) -> Installed:
    """Install gitsnap in an environment: a `.pth` leads to this one and to what it needs."""
    (made.site / "gitsnap.pth").write_text(SHARED.replace(os.pathsep, "\n") + "\n", encoding="utf-8")
    return Installed(made.python)


def make_conda(make_venv: Make, name: str, *, base: bool = False) -> Venv:
    """Make what looks like an environment of conda's."""
    made = make_venv(name)
    (made.prefix / "conda-meta").mkdir()
    if base:
        (made.prefix / "condabin").mkdir()
    return made


@pytest.fixture
def tool(make_venv: Make) -> Installed:
    """Install gitsnap apart, as `uv tool install` does."""
    made = make_venv("tool")
    (made.prefix / "uv-receipt.toml").touch()
    return install(made)


@pytest.fixture
def base(tmp_path: Path) -> Installed:
    """Install gitsnap in a base Python, as a user installation is: it is on the path of that Python."""
    return Installed(Path(sys.executable).resolve(), {"PYTHONPATH": SHARED})


def test_the_environment_that_gitsnap_is_installed_in_comes_first(make_venv: Make, tmp_path: Path) -> None:
    """Whatever else is active: who installs it into an environment means that one."""
    own, other = make_venv("own"), make_venv("other")
    make_venv("project/.venv")

    chosen = install(own).select(
        tmp_path / "envs" / "project", VIRTUAL_ENV=other.prefix, CONDA_PREFIX=other.prefix
    )

    assert chosen == str(own.python)


@pytest.mark.parametrize("receipt", ["uv-receipt.toml", "pipx_metadata.json"])
def test_a_tool_s_environment_is_nobody_s(make_venv: Make, receipt: str) -> None:
    """What uv and pipx make for gitsnap alone holds nothing worth a snapshot."""
    own, other = make_venv("own"), make_venv("other")
    (own.prefix / receipt).touch()
    installed = install(own)

    assert installed.select(VIRTUAL_ENV=other.prefix) == str(other.python)
    assert installed.select() == "12 no environment is active here"


def test_then_virtual_env(tool: Installed, make_venv: Make, tmp_path: Path) -> None:
    """It stands before conda's variable and the folder."""
    active, conda = make_venv("active"), make_conda(make_venv, "envs/lab")
    make_venv("project/.venv")

    chosen = tool.select(tmp_path / "envs" / "project", VIRTUAL_ENV=active.prefix, CONDA_PREFIX=conda.prefix)

    assert chosen == str(active.python)


def test_then_conda_s_prefix_other_than_base(tool: Installed, make_venv: Make, tmp_path: Path) -> None:
    """An environment that was activated stands before the folder's."""
    conda = make_conda(make_venv, "envs/lab")
    make_venv("project/.venv")

    assert tool.select(tmp_path / "envs" / "project", CONDA_PREFIX=conda.prefix) == str(conda.python)


def test_then_the_folder_s_own_environment(tool: Installed, make_venv: Make, tmp_path: Path) -> None:
    """Here or above; it stands before conda's base, which every shell activates."""
    conda = make_conda(make_venv, "miniforge3", base=True)
    near = make_venv("project/.venv")
    deep = tmp_path / "envs" / "project" / "src" / "deep"
    deep.mkdir(parents=True)

    for folder in (deep, deep.parent, deep.parent.parent):
        assert tool.select(folder, CONDA_PREFIX=conda.prefix) == str(near.python)
    nearer = make_venv("project/src/.venv")
    assert tool.select(deep, CONDA_PREFIX=conda.prefix) == str(nearer.python)
    assert tool.select(deep.parent.parent) == str(near.python)


def test_a_folder_that_is_no_environment_is_passed_over(
    tool: Installed, make_venv: Make, tmp_path: Path
) -> None:
    """A `.venv` without pyvenv.cfg, or a file of that name."""
    near = make_venv("project/.venv")
    inner = tmp_path / "envs" / "project" / "src"
    (inner / ".venv").mkdir(parents=True)

    assert tool.select(inner) == str(near.python)
    (inner / ".venv").rmdir()
    (inner / ".venv").write_text("elsewhere")
    assert tool.select(inner) == str(near.python)


def test_then_conda_s_base(tool: Installed, make_venv: Make, base: Installed) -> None:
    """It stands before the Python that gitsnap happens to run in."""
    conda = make_conda(make_venv, "miniforge3", base=True)

    assert tool.select(CONDA_PREFIX=conda.prefix) == str(conda.python)
    assert base.select(CONDA_PREFIX=conda.prefix) == str(conda.python)


def test_at_last_the_base_that_gitsnap_is_installed_in(
    base: Installed, make_venv: Make, tmp_path: Path
) -> None:
    """Nothing is active: a user or base installation means its own Python, but not before all else."""
    active = make_venv("active")
    make_venv("project/.venv")

    assert base.select(tmp_path) == str(base.python)
    assert base.select(VIRTUAL_ENV=active.prefix) == str(active.python)
    assert base.select(tmp_path / "envs" / "project") == str(
        tmp_path / "envs" / "project" / ".venv" / "bin" / "python"
    )


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_a_variable_that_points_nowhere_is_an_error(
    tool: Installed, make_venv: Make, tmp_path: Path, variable: str
) -> None:
    """It is no fall-through: the snapshot of another environment would be a surprise."""
    make_venv("project/.venv")

    said = tool.select(tmp_path / "envs" / "project", **{variable: tmp_path / "gone"})

    assert said == f"12 {variable} names {str(tmp_path / 'gone')!r}, and there is no such folder"
    assert tool.select(tmp_path, **{variable: tmp_path}).startswith(
        f"1 {variable} names {str(tmp_path)!r}, and there is no Python"
    )


def test_an_empty_variable_is_none(tool: Installed, make_venv: Make, tmp_path: Path) -> None:
    """Some shells empty what they should unset."""
    near = make_venv("project/.venv")

    assert tool.select(tmp_path / "envs" / "project", VIRTUAL_ENV="", CONDA_PREFIX="") == str(near.python)


@POSIX
def test_a_deleted_folder_has_no_environment(tool: Installed, tmp_path: Path) -> None:
    """Nothing is above a folder that is gone, and that is no crash."""
    code = "import os; from gitsnap import hint; print(hint.key_of(None, None, {'VIRTUAL_ENV': os.environ['LAB']}))"
    script = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    answer = subprocess.run(
        ["sh", "-c", script, "sh", tool.python, "-c", code],
        env={**os.environ, "LAB": str(tool.python.parent.parent)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout == f"python {tool.python}\n"


def test_the_environment_that_is_meant_is_the_one_that_is_saved(make_venv: Make, cli: Cli) -> None:
    """From end to end, by the real command."""
    own = make_venv("own", numpy="1.0")
    install(own)
    answer = subprocess.run([own.python, "-m", "gitsnap", "save"], capture_output=True, text=True, check=True)

    assert answer.stdout.startswith("own: saved snapshot ")
    assert "numpy==1.0" in cli.ok("--env", "own", "show", "--raw").splitlines()


# --- `--python` ---


def test_python_takes_a_program_a_prefix_and_a_command(lab: Venv, home: Path) -> None:
    """All name one environment; `~` is the home."""
    variables = {"PATH": os.pathsep.join(["", "/nowhere", str(lab.python.parent)])}

    for named in (str(lab.python), str(lab.prefix), str(lab.prefix) + os.sep):
        assert selection.from_path(named, {}) == str(lab.python)
    assert selection.from_path("python", variables) == str(lab.python)
    (home / "lab").symlink_to(lab.prefix, target_is_directory=True)
    assert selection.from_path("~/lab", {}) == str(home / "lab" / lab.python.relative_to(lab.prefix))


def test_python_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    """A path, a command, an empty text."""
    for named in (str(tmp_path / "gone"), "no-such-command", ""):
        with pytest.raises(NotFoundError, match="`--python` names"):
            selection.from_path(named, {"PATH": str(tmp_path)})
    with pytest.raises(InterpreterError, match="no Python in it"):
        selection.from_path(str(tmp_path), {})


@POSIX
def test_without_python_and_python3_the_oldest_numbered_one_counts(tmp_path: Path) -> None:
    """Some systems have `python3.9` and `python3.10` alone; the digits are numbers, not letters."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python3.10", "python3.9", "python3.9-config", "python3."):
        (folder / name).touch()

    assert selection.interpreter(str(tmp_path)) == str(folder / "python3.9")
    (folder / "python3").touch()
    assert selection.interpreter(str(tmp_path)) == str(folder / "python3")
    (folder / "python").touch()
    assert selection.interpreter(str(tmp_path)) == str(folder / "python")


def test_naming_two_environments_is_a_mistake(lab: Venv, cli: Cli) -> None:
    """Exit 2, nothing done."""
    ran = cli("--python", lab.python, "--env", "lab", "save")

    assert (ran.code, ran.out) == (2, "")
