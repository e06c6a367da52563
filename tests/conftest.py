"""Fixtures: a home of its own for every test, and small real environments and repositories."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gitsnap import locations

# A shared machine may be slow for a moment: what a property test checks is not time.
settings.register_profile("gitsnap", deadline=None)
settings.load_profile("gitsnap")
# A shell that starts us in the background has these ignored, and what we start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGQUIT"):
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
_KEPT = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "COMSPEC",
    "PATHEXT",
    "USERNAME",
    "PYENV_ROOT",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the user's home, git configuration and variables unreachable; return a home of the test's own."""
    place = tmp_path / "home"
    place.mkdir()
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(("PYTEST", "COV", "HYPOTHESIS")):
            monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(place))
    monkeypatch.setenv("LOCALAPPDATA", str(place / "AppData" / "Local"))
    if os.name == "nt":
        # Windows tells its folders by a call that no variable of ours can divert.
        monkeypatch.setenv("GITSNAP_HOME", str(place / "gitsnap"))
    monkeypatch.setenv("GITSNAP_REMOTE_MACHINE", "lab-pc")
    monkeypatch.chdir(place)
    return place


@dataclass
class Venv:
    """A real virtual environment without pip, in which distributions are folders of metadata."""

    prefix: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.prefix / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def site(self) -> Path:
        """Its site-packages."""
        inner = "Lib" if os.name == "nt" else f"lib/python{sys.version_info[0]}.{sys.version_info[1]}"
        return self.prefix / inner / "site-packages"

    def install(self, **versions: str) -> None:
        """Put distributions in, an older version of the same name out."""
        for name, version in versions.items():
            self.remove(name)
            info = self.site / f"{name}-{version}.dist-info"
            info.mkdir(parents=True)
            text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            (info / "METADATA").write_text(text, encoding="utf-8")

    def remove(self, *names: str) -> None:
        """Take distributions out."""
        for name in names:
            for info in self.site.glob(f"{name}-*.dist-info"):
                shutil.rmtree(info)


@pytest.fixture
def make_venv(tmp_path: Path) -> Callable[..., Venv]:
    """Make virtual environments: `make_venv("lab", numpy="1.0")`."""

    def make(name: str = "lab", **versions: str) -> Venv:
        place = Venv(tmp_path / "envs" / name)
        if os.name == "nt":
            venv.create(place.prefix, with_pip=False)
        else:
            base = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
            (place.prefix / "bin").mkdir(parents=True)
            place.python.symlink_to(base)
            settings = f"home = {base.parent}\ninclude-system-site-packages = false\n"
            (place.prefix / "pyvenv.cfg").write_text(settings, encoding="utf-8")
        place.site.mkdir(parents=True, exist_ok=True)
        place.install(**versions)
        return place

    return make


@pytest.fixture
def lab(make_venv: Callable[..., Venv]) -> Venv:
    """Make an environment called `lab` with two distributions."""
    return make_venv("lab", numpy="1.26.4", six="1.16.0")


@dataclass
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer, read as JSON."""
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs gitsnap as a user does, in a process of its own."""

    variables: dict[str, str] = field(default_factory=dict)

    def __call__(
        self,
        *arguments: object,
        folder: Path | None = None,
        entry: Sequence[str] = ("-m", "gitsnap"),
        stdin: str = "",
    ) -> Ran:
        """Run `gitsnap` with *arguments*."""
        answer = subprocess.run(
            [sys.executable, *entry, *map(str, arguments)],
            capture_output=True,
            env={**os.environ, **self.variables},
            cwd=folder,
            input=stdin.encode(),
            check=False,
            timeout=120,
        )
        return Ran(answer.returncode, answer.stdout.decode("utf-8"), answer.stderr.decode("utf-8"))

    def ok(self, *arguments: object, **options: Any) -> str:
        """Run `gitsnap` and return its answer; it must succeed and say nothing else."""
        ran = self(*arguments, **options)
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.out

    def hook(self, *arguments: object, **options: Any) -> Ran:
        """Run `gitsnap-hook`."""
        return self(
            *arguments,
            entry=("-c", "import sys; from gitsnap.launch import main; sys.exit(main())"),
            **options,
        )


@pytest.fixture
def cli() -> Cli:
    """Run gitsnap in a process of its own."""
    return Cli()


@pytest.fixture
def repository() -> Callable[..., Path]:
    """Tell where the repository of an environment is."""

    def place(name: str = "lab") -> Path:
        return locations.config_path(os.environ) / "environments" / name

    return place


def git(folder: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Run the real git in *folder*; it must succeed."""
    answer = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, **(variables or {})},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


@pytest.fixture
def run_git() -> Callable[..., str]:
    """Run the real git in a folder."""
    return git


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the time zone of the tests that are about clocks."""
    import time

    monkeypatch.setenv("TZ", "Europe/Paris")
    if hasattr(time, "tzset"):
        time.tzset()
    yield
    monkeypatch.delenv("TZ")
    if hasattr(time, "tzset"):
        time.tzset()
