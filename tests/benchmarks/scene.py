"""What is measured: scratch environments of made-up distributions, and long histories in gitsnap's own form."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
LIMIT = 25
_WORDS = ("Async", "core", "data", "http", "image", "lab", "Motor", "num", "plot", "scan", "signal", "tool")
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT", "USERNAME")
_UNLISTED = ("pip", "setuptools")  # venv brings them, freezes leave them out
_FOLDER, _SUFFIX = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")


@dataclass(frozen=True)
class Environment:
    """A virtual environment in which most distributions are folders of metadata alone."""

    prefix: Path
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def program(self, name: str) -> str:
        """Return the path of a program in it."""
        return str(self.prefix / _FOLDER / (name + _SUFFIX))

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.program("python")

    @property
    def site(self) -> Path:
        """Its site-packages."""
        major, minor = sys.version_info[:2]
        inner = Path("Lib") if os.name == "nt" else Path("lib", f"python{major}.{minor}")
        return self.prefix / inner / "site-packages"

    def change(self) -> None:
        """Upgrade one distribution."""
        install(self.site, "Changing-thing", f"1.{next(self._versions)}")


def make_environment(prefix: Path, count: int, *, pip: bool = False) -> Environment:
    """Make a virtual environment of *count* distributions."""
    environment = _bare(prefix, pip=pip)
    _fill(environment, count)
    return environment


def _bare(prefix: Path, *, pip: bool) -> Environment:
    options = [] if pip else ["--without-pip"]
    subprocess.run([sys.executable, "-m", "venv", *options, str(prefix)], env=installing(), check=True)
    return Environment(prefix)


def _fill(environment: Environment, count: int) -> None:
    """Put made-up distributions beside those that are there, until there are *count* that a freeze lists."""
    present = [info.name.split("-")[0] for info in environment.site.glob("*.dist-info")]
    for number in range(count - 1 - sum(name not in _UNLISTED for name in present)):
        words = (_WORDS[number % len(_WORDS)], _WORDS[number // len(_WORDS) % len(_WORDS)])
        install(environment.site, f"{'-_.'[number % 3].join(words)}{number}", f"{number % 7}.{number % 30}.1")
    environment.change()


def install(site: Path, name: str, version: str) -> None:
    """Put a distribution into *site*, an older version of it out, as an installer does: by folders."""
    stem = name.replace("-", "_")
    for old in site.glob(f"{stem}-*.dist-info"):
        shutil.rmtree(old)
    info = site / f"{stem}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(_metadata(name, version), encoding="utf-8")
    (info / "INSTALLER").write_text("pip\n", encoding="utf-8")
    (info / "WHEEL").write_text(
        "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", encoding="utf-8"
    )
    (info / "RECORD").write_text(f"{info.name}/METADATA,,\n{info.name}/RECORD,,\n", encoding="utf-8")


def _metadata(name: str, version: str) -> str:
    """Return metadata as they are on the index: three to six kilobytes."""
    chosen = random.Random(name)  # noqa: S311 - the same metadata on every run
    head = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Made up for a benchmark"]
    head += ["Author-email: Somebody <somebody@example.org>\nLicense: MIT\nRequires-Python: >=3.8"]
    head += [f"Project-URL: Page {page}, https://example.org/{name}/{page}" for page in range(4)]
    head += [f"Classifier: Programming Language :: Python :: 3.{minor}" for minor in range(8, 15)]
    head += [f"Requires-Dist: {word.lower()}>={chosen.randrange(9)}.0" for word in chosen.sample(_WORDS, 6)]
    return (
        "\n".join(head) + "\n\n" + "A line of the description, as long as most.\n" * chosen.randrange(50, 110)
    )


def installing() -> dict[str, str]:
    """Return the variables for making environments: the user's, byte code written."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def variables(home: Path) -> dict[str, str]:
    """Return the variables that all is measured under: a home of its own, nothing of the user's."""
    home.mkdir(exist_ok=True)
    found = {name: value for name, value in os.environ.items() if name in _KEPT}
    found |= {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "GITSNAP_BACKUP_FOLDER": str(home / "repositories"),
    }
    # Windows tells its folders by a call that no variable of ours can divert.
    return found | ({"GITSNAP_HOME": str(home / "gitsnap")} if os.name == "nt" else {})


def install_gitsnap(prefix: Path) -> Environment:
    """Install the checkout into an environment of its own, as a user does, with the newest pip that can be had."""
    tool = _bare(prefix, pip=True)
    # Scripts that an old pip writes import `re`, which costs half a bare interpreter.
    subprocess.run([tool.python, "-m", "pip", "-q", "install", "-U", "pip"], env=installing(), check=False)
    subprocess.run([tool.python, "-m", "pip", "-q", "install", str(CHECKOUT)], env=installing(), check=True)
    return tool


def install_pymodaq(prefix: Path, count: int) -> Environment | None:
    """Install PyMoDAQ's manager into an environment of *count* distributions; None where that cannot be done."""
    environment = _bare(prefix, pip=True)
    command = [environment.python, "-m", "pip", "-q", "install", "pymodaq_utils"]
    if subprocess.run(command, env=installing(), check=False).returncode:
        return None
    # It writes its configuration for all users where it may; a benchmark must not.
    settings = environment.site / "pymodaq_utils" / "config.py"
    text = settings.read_text(encoding="utf-8")
    if "Path('/etc')" not in text:
        return None
    settings.write_text(text.replace("Path('/etc')", "Path.home()"), encoding="utf-8")
    _fill(environment, count)
    return environment


def make_history(environment: Environment, repository: Path, count: int, under: Mapping[str, str]) -> None:
    """Replace the history in *repository* by *count* snapshots of 1 to 3 changes, the last being *environment*.

    The environment must just have been saved there; it is changed to what the history ends in. Git packs the
    result as it packs what saves left loose: without reusing a delta.
    """
    header, _, body = (repository / "current.txt").read_text(encoding="utf-8").partition("\n\n")
    pins = dict(line.split("==") for line in body.splitlines())
    stream = _git(repository, ["fast-import", "--quiet", "--force", "--date-format=raw"], under)
    if stream.stdin:
        for part in _commits(header, pins, environment.prefix.name, count):
            stream.stdin.write(part)
    stream.communicate()
    clean = "reflog expire --all --expire=now", "repack -q -a -d -f", "prune --expire=now", "reset -q --hard"
    for command in clean:
        _git(repository, command.split(), under).communicate()
    for name, version in pins.items():
        install(environment.site, name, version)


def _git(repository: Path, command: list[str], under: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["git", "-C", str(repository), *command], stdin=subprocess.PIPE, env=under)


def _commits(header: str, pins: dict[str, str], name: str, count: int) -> Iterator[bytes]:
    """Yield the history for `git fast-import`, an hour between snapshots; *pins* change as it goes."""
    chosen = random.Random(count)  # noqa: S311 - the same history on every run
    begin = datetime.now(timezone.utc) - timedelta(days=1, hours=count)
    stamps: list[str] = []
    for number in range(count):
        changed = chosen.sample(sorted(pins), chosen.randint(1, 3))
        said = [f"Upgrade {one} {pins[one]} -> 9.{number}" for one in changed]
        pins |= dict.fromkeys(changed, f"9.{number}")
        when = begin + timedelta(hours=number)
        stamps.append(when.strftime("%Y%m%d%H%M%S"))
        subject = said[0] if len(said) == 1 else f"Upgrade {len(said)}"
        trailers = f"Snapshot: {stamps[-1]}\nEnvironment: {name}\nMachine: lab-pc\nPython: 3.12.1\n"
        body = "".join(f"  {line}\n" for line in said)
        who = f"gitsnap <gitsnap@localhost> {int(when.timestamp())} +0000"
        text = header + "\n\n" + "".join(f"{one}=={version}\n" for one, version in pins.items())
        yield b"blob\nmark :1\n" + _data(text)
        yield f"commit refs/heads/main\nauthor {who}\ncommitter {who}\n".encode()
        yield _data(f"{subject}\n\n{body}\n{trailers}")
        for file in ("current.txt", f"{stamps[-1]}_environment.txt"):
            yield f"M 100644 :1 {file}\n".encode()
        if number >= LIMIT:
            yield f"D {stamps[number - LIMIT]}_environment.txt\n".encode()


def _data(text: str) -> bytes:
    data = text.encode()
    return b"data %d\n%b\n" % (len(data), data)


def size(folder: Path) -> int:
    """Return the bytes of all files in *folder*."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
