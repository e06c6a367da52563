"""The whole way of a PyMoDAQ user, with the real package and its real files: from the old backups to the way back."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import pymodaq
from tests.conftest import Cli, Venv
from tests.links import link
from tests.wheels import Lab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the story is told for Linux")
Git = Callable[..., str]
Where = Callable[..., Path]
# What an ordinary user's Python would say of the system's folder, also where the tests run as root.
ORDINARY = """
import sys
def _refuse(event, arguments):
    if event == "os.mkdir" and str(arguments[0]).startswith("/etc/.pymodaq"):
        raise PermissionError(13, "Permission denied")
sys.addaudithook(_refuse)
"""
BACKUP = (
    "from pymodaq_utils.environment import EnvironmentBackupManager; EnvironmentBackupManager().save_backup()"
)
# Older states, written by PyMoDAQ's own class as at those times.
OLDER = """
import sys
from pathlib import Path
from pymodaq_utils.environment import PythonEnvironment
[newest] = [PythonEnvironment.from_file(path) for path in Path(sys.argv[1]).glob("*_environment.txt")]
for day in range(1, 25):
    older = PythonEnvironment(filename=Path(sys.argv[1]) / f"202501{day:02d}101500_environment.txt")
    older.extend({line for line in newest._packages if not line.startswith("camera")} | {f"camera==0.{day}"})
    older.save()
"""
APPLICATION = """
import camera
assert camera.VERSION.startswith("1."), "camera has no grab() any more"
print("measuring with camera", camera.VERSION)
"""


@pytest.fixture
def lab(make_venv: Callable[..., Venv], tmp_path: Path) -> Lab:
    """Make an environment with the real pymodaq_utils, pip, and the driver of a camera in two versions."""
    if Path("/etc/.pymodaq").exists():
        pytest.skip("PyMoDAQ is configured on this system")
    place = make_venv("pymodaq-dev")
    link(place, "pymodaq_utils", "pip")
    (place.site / "ordinary_user.py").write_text(ORDINARY, encoding="utf-8")
    (place.site / "ordinary_user.pth").write_text("import ordinary_user\n", encoding="utf-8")
    found = Lab(place, tmp_path / "wheels")
    found.make(camera="1.0 2.0")
    found.install("camera==1.0")
    return found


def python(lab: Lab, *arguments: str) -> str:
    """Run a program in the environment, as PyMoDAQ's users do, with it active."""
    variables = {**os.environ, "VIRTUAL_ENV": str(lab.venv.prefix)}
    answer = subprocess.run(
        [lab.venv.python, *arguments], capture_output=True, text=True, env=variables, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_a_pymodaq_user_moves_over_and_comes_back_after_a_bad_update(
    lab: Lab, cli: Cli, home: Path, tmp_path: Path, repository: Where, run_git: Git
) -> None:
    """One command imports, the next launch saves, an update breaks the application, `rollback good` brings it back."""
    app = tmp_path / "app.py"
    app.write_text(APPLICATION, encoding="utf-8")
    python(lab, "-c", BACKUP)
    folder = home / ".pymodaq" / "environments" / "pymodaq-dev"
    python(lab, "-c", OLDER, str(folder))
    python(lab, "-c", BACKUP)
    originals = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert len(originals) == 25

    imported = cli.ok("import")

    place = repository("pymodaq-dev")
    assert imported.startswith("pymodaq-dev: took in 25 snapshots, 2025-01-01 10:15:00 to 20")
    assert originals == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert run_git(place, "rev-list", "--count", "HEAD").strip() == "25"
    assert "Upgrade camera 0.24 -> 1.0" in cli.ok("--env", "pymodaq-dev", "log", "-n", "0")

    # What PyMoDAQ wrote and what gitsnap finds is the same, byte for byte: nothing to save.
    assert "nothing changed" in cli.ok("--python", lab.venv.python, "save")

    (lab.venv.prefix / "bin" / "activate").write_text(
        f'VIRTUAL_ENV={shlex.quote(str(lab.venv.prefix))}; export VIRTUAL_ENV\nPATH="$VIRTUAL_ENV/bin:$PATH"\n',
        encoding="utf-8",
    )
    cli.ok("--python", lab.venv.python, "hook", "install", "venv")
    lab.venv.install(lens="1.0")
    assert launch(lab, app) == (0, "measuring with camera 1.0\n")
    assert run_git(place, "log", "-1", "--format=%s").strip() == "Add lens 1.0"

    lab.install("camera==2.0")
    status, _ = launch(lab, app)
    assert status == 1
    assert run_git(place, "log", "-1", "--format=%s").strip() == "Upgrade camera 1.0 -> 2.0"
    sources = ("--offline", "--find-links", lab.wheels)
    back = cli("--env", "pymodaq-dev", "rollback", "good", "--yes", *sources)

    assert back.code == 0, back
    assert launch(lab, app) == (0, "measuring with camera 1.0\n")
    marks = cli("--env", "pymodaq-dev", "log", "-n", "3", "--json").json["snapshots"]
    assert [one["is_good"] for one in marks] == [True, False, True]


def launch(lab: Lab, app: Path) -> tuple[int, str]:
    """Activate the environment and launch the application, as its user does in a shell."""
    gitsnap = shlex.join([sys.executable, "-m", "gitsnap", "run", "--python", str(lab.venv.python), "--"])
    code = f'. "$PLACE/bin/activate" && {gitsnap} python "$APP"'
    variables = {**os.environ, "PLACE": str(lab.venv.prefix), "APP": str(app)}
    answer = subprocess.run(["sh", "-c", code], capture_output=True, text=True, env=variables, check=False)
    assert "gitsnap" not in answer.stderr, answer.stderr
    return answer.returncode, answer.stdout


def test_an_unchanged_launch_costs_a_fraction_of_pymodaqs_own(lab: Lab, cli: Cli) -> None:
    """Measured in turn, so that a busy machine slows both."""
    python(lab, "-c", BACKUP)
    cli.ok("--python", lab.venv.python, "save")
    ours, theirs = [], []
    for _ in range(2):
        begun = time.monotonic()
        cli.hook("--python", lab.venv.python)
        middle = time.monotonic()
        python(lab, "-c", BACKUP)
        ours.append(middle - begun)
        theirs.append(time.monotonic() - middle)

    assert min(ours) * 3 < min(theirs)


def test_the_folder_is_the_one_that_the_real_package_uses(lab: Lab, home: Path) -> None:
    """Its own configuration says where, and ours reads the same files."""
    python(lab, "-c", BACKUP)
    settings = home / ".pymodaq" / "config" / "utils.toml"
    text = settings.read_text(encoding="utf-8")
    assert 'folder = "environments"' in text
    settings.write_text(text.replace('"environments"', '"kept/environments"'), encoding="utf-8")

    python(lab, "-c", BACKUP)

    assert pymodaq.backups(os.environ) == home / ".pymodaq" / "kept" / "environments"
    assert len(list(pymodaq.backups(os.environ).glob("pymodaq-dev/*_environment.txt"))) == 1
