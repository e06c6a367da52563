"""The doors to installers, interpreters and installed files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import child, installed, installer, pip_settings, pythons, requirement, swap, uv
from gitsnap.errors import InstallerError, UsageError
from gitsnap.installer import Installer, Sources
from tests.conftest import Venv
from tests.wheels import Lab, wheel

_NOWHERE = Sources()
posix = pytest.mark.skipif(os.name == "nt", reason="a shell script stands for a program")
HERE = sys.version_info[:3]


def choose(prefix: Path, sources: Sources = _NOWHERE, kind: str | None = None) -> Installer:
    """Choose an installer for the Python that runs the tests."""
    return installer.choose(sys.executable, (3, 12, 0), prefix, sources, os.environ, kind)


@posix
def test_an_interrupted_installer_ends_with_all_that_it_started(tmp_path: Path) -> None:
    """A compiler that goes on building would write into a folder that is gone."""
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait"
    main = threading.main_thread().ident

    def interrupt() -> None:
        while not pids.exists() or pids.read_text(encoding="utf-8").count("\n") < 2:
            time.sleep(0.01)
        if main:
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        child.call(["sh", "-c", script], os.environ)
    thread.join()

    for pid in pids.read_text(encoding="utf-8").split():
        assert _is_gone(int(pid))


def _is_gone(pid: int) -> bool:
    """Tell whether a process ends within a moment; one that waits to be reaped has ended."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_is_not_there_is_an_error() -> None:
    """No traceback for a missing uv."""
    with pytest.raises(InstallerError, match="does not run"):
        child.call(["/nowhere/uv"], {})


def test_what_would_divert_an_installation_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's indexes hold; a target folder of theirs does not."""
    for name in ("PIP_TARGET", "PIP_INDEX_URL", "UV_SYSTEM_PYTHON", "PYTHONPATH", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "x")
    code = "import os; print(sorted(n for n in os.environ if n[:4] in ('PIP_', 'UV_S', 'UV_D') or n == 'PYTHONPATH'))"

    _, output = child.call([sys.executable, "-c", code], os.environ)

    assert output.strip() == "['PIP_INDEX_URL', 'UV_DEFAULT_INDEX']"


def test_secrets_of_an_index_are_in_no_argument_list(
    make_venv: Callable[..., Venv], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every user of the computer sees those; they stand in a file of ours alone."""
    seen: list[list[str]] = []
    texts: list[str] = []

    def call(command: list[str], variables: object, folder: Path | None = None) -> tuple[int, str]:
        seen.append(command)
        if "-r" in command:
            texts.append(Path(command[-1]).read_text(encoding="utf-8"))
        return 0, ""

    monkeypatch.setattr(installer, "call", call)
    sources = Sources(
        index_url="https://ada:secret@host/simple", extra_index_urls=("https://tok@other/simple",)
    )
    lines = requirement.parse("six==1.0\n").requirements
    for kind in ("uv", "pip"):
        choose(tmp_path, sources, kind).fetch(lines, tmp_path, tmp_path)

    assert not [part for command in seen for part in command if "ada:" in part or "tok@" in part]
    assert all(text.splitlines()[-1] == "six==1.0" and "ada:secret" in text for text in texts)


@pytest.mark.parametrize("url", ["-r /etc/passwd", "https://host\n-r x", "host", "https://a b"])
def test_an_index_cannot_carry_options(url: str) -> None:
    """It stands on a line of the installer's file."""
    with pytest.raises(UsageError, match="not the URL of an index"):
        choose(Path(), Sources(index_url=url))


def test_without_any_installer_the_way_out_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither uv nor pip."""
    monkeypatch.setattr(uv, "program", lambda _: None)
    monkeypatch.setattr(installer, "call", lambda *_: (1, "No module named pip"))

    with pytest.raises(InstallerError) as caught:
        choose(Path())
    assert "`pip install uv` beside gitsnap" in caught.value.hint
    with pytest.raises(InstallerError, match="uv is not here"):
        choose(Path(), kind="uv")


_UV_SAYS = (
    "error: No solution found when resolving dependencies\n  cause: Because there is no version of a==9 and you "
    "require a==9, we can conclude that your requirements are unsatisfiable.\n"
)
_PIP_SAYS = (
    "ERROR: Could not find a version that satisfies the requirement a==9 (from versions: 1, 2)\n"
    "ERROR: No matching distribution found for a==9\n"
)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (_UV_SAYS, "there is no version of a==9"),
        (_PIP_SAYS, "a==9 (it has other versions)"),
        (
            "ERROR: Could not install packages due to an OSError: No such file: '/gone'\n",
            "No such file: '/gone'",
        ),
        ("warning: x\nerror: https://ada:secret@host/ failed\n", "https://host/ failed"),
        ("", "no reason given"),
    ],
)
def test_the_reason_is_what_the_installer_said_without_secrets(output: str, words: str) -> None:
    """In one line."""
    found = installer._words(output)

    assert words in found
    assert "secret" not in found


@posix
def test_a_python_is_run_and_asked_not_believed(tmp_path: Path) -> None:
    """A broken shim, a program that lies by its name, and one that hangs are passed over."""
    for name, text in {"broken": "exit 127", "liar": "echo 3.12.1"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)

    assert pythons.ask(str(tmp_path / "broken")) is None
    assert pythons.ask(str(tmp_path / "liar")) is None
    assert pythons.ask(str(tmp_path / "none")) is None
    found = pythons.ask(sys.executable)
    assert found is not None
    assert found.version == HERE


@posix
def test_a_python_is_found_among_pyenvs_and_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a broken shim too: it leads nowhere, and the next one is asked."""
    real = os.path.realpath(sys.executable)
    numbered = f"python{HERE[0]}.{HERE[1]}"
    (tmp_path / "shims").mkdir()
    (tmp_path / "shims" / numbered).write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    (tmp_path / "shims" / numbered).chmod(0o755)
    inner = tmp_path / "versions" / ".".join(map(str, HERE)) / "bin"
    inner.mkdir(parents=True)
    (inner / "python").symlink_to(real)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "_base_executable", "", raising=False)

    found, _ = pythons.find(HERE)

    assert found is not None
    assert found.version == HERE
    assert pythons.find((2, 0, 0)) == (None, [])


@pytest.mark.parametrize(
    ("header", "version"),
    [("3.12.3 (main, Jan 17 2025)", (3, 12, 3)), ("3.13.0rc1 (x)", (3, 13, 0)), ("3.12", None), ("", None)],
)
def test_the_version_is_read_from_the_header(header: str, version: tuple[int, int, int] | None) -> None:
    """All three numbers."""
    assert pythons.version_of(header) == version


def test_record_tells_files_and_damage(make_venv: Callable[..., Venv], tmp_path: Path) -> None:
    """A file that is missing, and one of another size; what Python compiled does not count."""
    lab = Lab(make_venv("lab"), tmp_path / "wheels")
    wheel(lab.wheels, "aa", "1.0")
    lab.install("aa==1.0")
    found = installed.find([str(lab.venv.site)])
    assert installed.damage(found["aa"]) == []
    names = installed.files_of(found["aa"], lab.venv.prefix)
    assert str(Path("share/aa/note.txt")) in names
    assert all((lab.venv.prefix / name).exists() for name in names)

    (lab.venv.site / "aa" / "part.py").unlink()
    (lab.venv.site / "aa" / "__init__.py").write_text("longer than before" * 9, encoding="utf-8")

    assert len(installed.damage(found["aa"])) == 2


def test_a_record_cannot_name_files_outside_the_environment(
    make_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    """A rollback takes out what RECORD lists, and a wheel may list anything."""
    lab = make_venv("lab", evil="1.0")
    mine = tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    info = next(lab.site.glob("evil-*"))
    (info / "RECORD").write_text(f"../../../../../mine.txt,,\n{mine},,\nevil.py,,\n", encoding="utf-8")

    assert installed.files_of(installed.find([str(lab.site)])["evil"], lab.prefix) == {
        os.path.relpath(lab.site / "evil.py", lab.prefix)
    }


def test_gitsnaps_own_needs_are_walked() -> None:
    """What it imports, and what that imports."""
    needed = installed.needed_by_gitsnap()

    assert {"gitsnap", "pip", "gitpython", "gitdb", "smmap", "rich", "click", "packaging"} <= needed
    assert "pytest" not in needed


def test_a_swap_goes_forward_and_back_from_anywhere(tmp_path: Path) -> None:
    """Twice in a row does no harm; folders that become empty go, those that belong to the environment stay."""
    prefix, new, kept = (tmp_path / name for name in ("prefix", "new", "kept"))
    for path, text in {
        "lib/a.py": "1",
        "lib/old/b.py": "1",
        "lib/__pycache__/a.cpython-312.pyc": "x",
    }.items():
        (prefix / path).parent.mkdir(parents=True, exist_ok=True)
        (prefix / path).write_text(text, encoding="utf-8")
    (new / "lib").mkdir(parents=True)
    (new / "lib" / "a.py").write_text("2", encoding="utf-8")
    swap.keep(prefix, kept, ["lib/a.py", "lib/old/b.py"])
    one = swap.Swap(
        prefix, kept, ("lib/a.py", "lib/old/b.py"), {"lib/a.py": new / "lib" / "a.py"}, frozenset({"lib"})
    )

    for _ in range(2):
        swap.forward(one)
        assert swap.files_in(prefix) == ["lib/a.py"]
        assert (prefix / "lib" / "a.py").read_text(encoding="utf-8") == "2"
        assert not (prefix / "lib" / "old").exists()
    for _ in range(2):
        swap.back(one)
        assert swap.files_in(prefix) == ["lib/a.py", "lib/old/b.py"]
        assert (prefix / "lib" / "a.py").read_text(encoding="utf-8") == "1"


def test_links_are_kept_as_links(tmp_path: Path) -> None:
    """Packages of conda hold them, and what they point at may be elsewhere."""
    if os.name == "nt":
        pytest.skip("links need a privilege on Windows")
    prefix, kept = tmp_path / "prefix", tmp_path / "kept"
    prefix.mkdir()
    (prefix / "link").symlink_to("nowhere")

    swap.keep(prefix, kept, ["link"])
    swap.keep(prefix, kept, ["link"])

    assert os.readlink(kept / "link") == "nowhere"
    assert swap.files_in(kept) == ["link"]


def test_uv_is_found(tmp_path: Path) -> None:
    """That of `gitsnap[uv]`."""
    program = uv.program(os.environ)

    assert program
    assert subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0


def test_uv_is_told_what_pip_is_told_of_indexes(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files in pip's order, then variables; a private index is configured once."""
    folder = home / ".pip"
    folder.mkdir()
    (folder / "pip.conf").write_text(
        "[global]\nindex-url = https://one/simple\nextra-index-url =\n  https://two/simple\n  https://three/simple\n"
        "[install]\nno-index = true\n",
        encoding="utf-8",
    )
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://four/simple\n", encoding="utf-8")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels /more")

    found = pip_settings.read(tmp_path, os.environ)

    assert found.index_url == ("https://four/simple" if os.name != "nt" else "")
    assert found.find_links == ("/wheels", "/more")
    if os.name != "nt":
        assert (found.extra_index_urls, found.no_index) == (
            ("https://two/simple", "https://three/simple"),
            True,
        )
        told = choose(tmp_path, kind="uv").sources
        assert (told.index_url, told.find_links) == ("https://four/simple", ("/wheels", "/more"))
        monkeypatch.setenv("UV_DEFAULT_INDEX", "https://five/simple")
        assert choose(tmp_path, kind="uv").sources == Sources()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert pip_settings.read(tmp_path, os.environ).index_url == ""
