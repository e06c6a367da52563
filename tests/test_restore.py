"""Restore: a new environment with the snapshot's Python and exactly its packages, or none at all."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gitsnap
from gitsnap import conda_tool, installer, pythons
from gitsnap.actions import restore as restoring
from gitsnap.errors import GitsnapError, NotFoundError, UnobtainableError, UsageError
from gitsnap.installer import Sources
from tests.conftest import Cli, Venv
from tests.wheels import BACKENDS, Lab, needs_pip, wheel

HERE = ".".join(map(str, sys.version_info[:3]))


@pytest.fixture
def place(make_venv: Callable[..., Venv], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Make an environment with two packages in it, saved, and their wheels; no other Python is looked for."""
    monkeypatch.setattr(pythons, "_listed", lambda: iter(()))
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    lab = Lab(make_venv("lab"), tmp_path / "wheels")
    lab.make(aa="1.0 2.0", bb="1.0")
    lab.install("aa==1.0", "bb==1.0")
    gitsnap.save(python=str(lab.venv.python))
    return lab


def restore(lab: Lab, snap: str, into: Path, **options: Any) -> restoring.Restored:
    """Restore without any network."""
    sources = Sources(find_links=(str(lab.wheels),), offline=True)
    return gitsnap.restore(snap, into, python=str(lab.venv.python), **{"sources": sources, **options})


def snapshot(folder: Path, *lines: str, python: str = HERE) -> Path:
    """Write a snapshot file."""
    path = folder / "some.txt"
    text = f"# executable: /nowhere/bin/python\n# version: {python} (main) [GCC]\n\n" + "".join(
        f"{x}\n" for x in lines
    )
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_restore_makes_the_same_environment_anew(place: Lab, tmp_path: Path, backend: str) -> None:
    """Same Python, same freeze, every file there; and pip is in it."""
    into = tmp_path / "new"

    result = restore(place, "latest", into, installer=backend)

    assert (result.is_complete, result.python, result.count) == (True, HERE, 2)
    old, new = (
        gitsnap.freeze(python=str(prefix)).partition("\n\n")[2] for prefix in (place.venv.prefix, into)
    )
    assert new == old
    made = Venv(into)
    assert Lab(made, place.wheels).versions == {"aa": "1.0", "bb": "1.0"}
    if importlib.util.find_spec("ensurepip"):
        pip = [str(made.python), "-m", "pip", "--version"]
        assert subprocess.run(pip, capture_output=True, check=False).returncode == 0


def test_a_folder_that_is_not_empty_is_refused(place: Lab, tmp_path: Path) -> None:
    """Whatever lies there stays; an empty one will do."""
    into = tmp_path / "new"
    into.mkdir()
    (into / "mine.txt").write_text("mine", encoding="utf-8")

    with pytest.raises(UsageError, match="not empty"):
        restore(place, "latest", into)

    assert [path.name for path in into.iterdir()] == ["mine.txt"]
    (into / "mine.txt").unlink()
    assert restore(place, "latest", into).is_complete


@pytest.mark.parametrize("error", [KeyboardInterrupt, GitsnapError("broken")])
def test_whatever_goes_wrong_leaves_no_half_environment(
    place: Lab, tmp_path: Path, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C too."""

    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(installer.Installer, "install", fail)

    with pytest.raises((KeyboardInterrupt, GitsnapError)):
        restore(place, "latest", tmp_path / "new")

    assert not (tmp_path / "new").exists()


def test_lines_that_cannot_be_had_are_all_named(place: Lab, tmp_path: Path) -> None:
    """Nothing is made; `keep_going` makes the rest."""
    wheel(place.wheels, "dd", "1.0", damaged=True)
    lost = "# not restorable (its folder or file is gone): ee @ file:///gone/ee"
    wanted = str(snapshot(tmp_path, "aa==1.0", "nn==1.0", "dd==1.0"))

    with pytest.raises(UnobtainableError) as caught:
        restore(place, wanted, tmp_path / "new")
    assert {one.partition(":")[0] for one in caught.value.candidates} == {"nn", "dd"}
    assert not (tmp_path / "new").exists()
    wanted = str(snapshot(tmp_path, "aa==1.0", "nn==1.0", "dd==1.0", lost))
    result = restore(place, wanted, tmp_path / "new", keep_going=True)

    assert not result.is_complete
    assert {one.name for one in result.missing} == {"nn", "dd", "ee"}
    assert not result.differences


def test_a_python_that_is_not_here_is_an_error_with_those_that_are(place: Lab, tmp_path: Path) -> None:
    """`any_patch` goes on with the nearest patch release of the same x.y."""
    other = f"{sys.version_info[0]}.{sys.version_info[1]}.99"
    wanted = str(snapshot(tmp_path, "aa==1.0", python=other))

    with pytest.raises(NotFoundError, match=f"Python {other} is not on this computer") as caught:
        restore(place, wanted, tmp_path / "new")

    assert HERE in caught.value.candidates[0]
    assert "--any-patch" in caught.value.hint
    assert restore(place, wanted, tmp_path / "new", any_patch=True).python == HERE
    with pytest.raises(NotFoundError):
        restore(place, str(snapshot(tmp_path, "aa==1.0", python="3.2.1")), tmp_path / "no", any_patch=True)


def test_the_path_in_a_header_is_never_run(place: Lab, tmp_path: Path) -> None:
    """A file from elsewhere may name any program."""
    witness = tmp_path / "witness"
    evil = tmp_path / "python"
    evil.write_text(f"#!/bin/sh\ntouch {witness}\n", encoding="utf-8")
    evil.chmod(0o755)
    path = tmp_path / "evil.txt"
    path.write_text(f"# executable: {evil}\n# version: {HERE} (x)\n\naa==1.0\n", encoding="utf-8")

    assert restore(place, str(path), tmp_path / "new").is_complete
    assert not witness.exists()


def test_a_file_without_a_header_takes_the_python_in_use(place: Lab, tmp_path: Path) -> None:
    """As `pip install -r` would; one without any requirement is refused."""
    path = tmp_path / "plain.txt"
    path.write_text("aa==2.0\n", encoding="utf-8")

    assert restore(place, str(path), tmp_path / "new").python == HERE
    path.write_text("# a list\n", encoding="utf-8")
    with pytest.raises(GitsnapError, match="no snapshot"):
        restore(place, str(path), tmp_path / "other")


def test_lines_of_others_that_can_run_code_need_permission(place: Lab, tmp_path: Path, cli: Cli) -> None:
    """They are named with their numbers and the variables that go into them."""
    uri = (place.wheels / "bb-1.0-py3-none-any.whl").as_uri()
    wanted = snapshot(tmp_path, "aa==1.0", f"bb @ {uri}")
    words = [
        "--python",
        place.venv.python,
        "restore",
        wanted,
        "--into",
        tmp_path / "new",
        "--offline",
        "--find-links",
        place.wheels,
    ]

    ran = cli(*words)
    assert (ran.code, "line 5: bb @ file:" in ran.err) == (2, True)
    assert not (tmp_path / "new").exists()
    allowed = cli(*words, "--allow-source")
    assert allowed.code == 0, allowed
    assert "2 distributions, verified" in allowed.out


def test_dry_run_shows_python_and_packages(place: Lab, tmp_path: Path, cli: Cli) -> None:
    """Nothing is made; as JSON too."""
    words = ["--python", place.venv.python, "restore", "latest", "--into", tmp_path / "new", "--dry-run"]

    assert f"Python {HERE}" in cli.ok(*words)
    shown = cli(*words, "--json").json

    assert shown.keys() == {
        "version",
        "into",
        "source",
        "python",
        "interpreter",
        "conda",
        "note",
        "install",
        "missing",
        "runs_code",
    }
    assert not (tmp_path / "new").exists()


def test_the_result_as_json_has_known_keys(place: Lab, tmp_path: Path, cli: Cli) -> None:
    """Programs read it."""
    ran = cli("--python", place.venv.python, "restore", "latest", "--into", tmp_path / "new", "--offline",
              "--find-links", place.wheels, "--json")  # fmt: skip

    assert ran.code == 0, ran
    assert ran.json.keys() == {
        "version", "into", "source", "complete", "python", "distributions", "missing", "differences", "damage",
        "warnings",
    }  # fmt: skip


def test_an_editable_project_is_cloned_at_its_commit(
    place: Lab, tmp_path: Path, run_git: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With uv, which cannot do it by itself; a new freeze says the same line."""
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "ed"\nversion = "1.0"\n',
        encoding="utf-8",
    )
    (origin / "backend.py").write_text(_BACKEND, encoding="utf-8")
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a",
    }
    run_git(origin, "init", "-q", "-b", "main")
    run_git(origin, "add", ".")
    run_git(origin, "commit", "-q", "-m", "one", variables=who)
    commit = run_git(origin, "rev-parse", "HEAD").strip()
    run_git(origin, "commit", "-q", "--allow-empty", "-m", "two", variables=who)
    line = f"-e git+{origin.as_uri()}@{commit}#egg=ed"

    result = restore(place, str(snapshot(tmp_path, "aa==1.0", line)), tmp_path / "new", allow_source=True)

    assert result.is_complete, result
    assert line in gitsnap.freeze(python=str(tmp_path / "new"))
    assert run_git(tmp_path / "new" / "src" / "ed", "rev-parse", "HEAD").strip() == commit


_BACKEND = """
import os, zipfile
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "ed-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        archive.writestr("ed.pth", os.getcwd())
        archive.writestr("ed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: ed\\nVersion: 1.0\\n")
        archive.writestr("ed-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr("ed-1.0.dist-info/RECORD", "ed.pth,,\\ned-1.0.dist-info/METADATA,,\\ned-1.0.dist-info/WHEEL,,\\ned-1.0.dist-info/RECORD,,\\n")
    return name
build_wheel = build_editable
"""


def test_a_snapshot_on_a_new_computer_needs_no_environment(
    place: Lab, tmp_path: Path, cli: Cli, home: Path
) -> None:
    """A file is restored where none is active: gitsnap lives in a tool's environment there."""
    wanted = snapshot(tmp_path, "aa==1.0")
    code = (
        "import sys, gitsnap.selection as s; s._own_environment = lambda *a: False\n"
        "from gitsnap.errors import NotFoundError\n"
        "def none(*a, **k): raise NotFoundError('none')\n"
        "s._base = none\nfrom gitsnap.cli import main; sys.exit(main())"
    )

    ran = cli(
        "restore",
        wanted,
        "--into",
        tmp_path / "new",
        "--offline",
        "--find-links",
        place.wheels,
        entry=("-c", code),
    )

    assert ran.code == 0, ran


@needs_pip
def test_the_plain_way_works_with_nothing_but_pip(
    place: Lab, tmp_path: Path, repository: Callable[..., Path]
) -> None:
    """`pip install --no-deps -r FILE` on the very file of a snapshot."""
    [file] = repository("lab").glob("*_environment.txt")
    into = tmp_path / "plain"
    options = ["--no-deps", "--no-index", "--find-links", str(place.wheels), "--target", str(into)]
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "-r", file],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PIP_CONFIG_FILE": os.devnull},
    )

    assert answer.returncode == 0, answer.stderr
    assert {path.name for path in into.glob("*.dist-info")} == {"aa-1.0.dist-info", "bb-1.0.dist-info"}


_CONDA = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests._conda_channel import recreate
words = sys.argv[1:]
assert words[:3] == ["create", "--yes", "--quiet"], words
Path({log!r}).write_text(" ".join(words), encoding="utf-8")
recreate(Path(words[words.index("-p") + 1]), Path(words[words.index("--file") + 1]).read_text(encoding="utf-8"))
# Its threads may still want the interpreter while that ends, which ends in an abort now and then.
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the channel is one of linux-64")
def test_condas_part_comes_from_its_explicit_list_then_pips(
    place: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real conda installer behind the name of one; what pip had installed is put in after it."""
    pytest.importorskip("rattler", reason="py-rattler makes the conda environments")
    if "deb_system" in sysconfig.get_scheme_names():
        pytest.skip("this Python does not look for packages where conda puts them")
    from tests._conda_channel import SITE, Channel

    channel = Channel(tmp_path / "channel")
    channel.add("libdemo-1.0-h1_0", {"lib/libdemo.txt": b"hello\n"})
    channel.add_python()
    urls = [
        f"{channel.root.as_uri()}/{subdir}/{name}#{facts['md5']}"
        for subdir in channel.index
        for name, facts in channel.index[subdir].items()
    ]
    text = "\n".join([f"# platform: {conda_tool.this_platform()}", "@EXPLICIT", *urls, ""])
    tools = tmp_path / "tools"
    tools.mkdir()
    program, log = tools / "micromamba", tmp_path / "log"
    root = str(Path(__file__).parent.parent)
    program.write_text(_CONDA.format(python=sys.executable, root=root, log=str(log)), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setattr(restoring, "conda_list", lambda *_: text)

    made = restoring.design(
        "latest",
        tmp_path / "new",
        python=str(place.venv.python),
        sources=Sources((str(place.wheels),), offline=True),
    )
    assert made.conda is not None
    assert (len(made.conda.packages), made.python, made.risky) == (2, None, [])
    if subprocess.run([program, "create"], capture_output=True, check=False).returncode == 0:
        pytest.fail("the program must refuse what it does not know")
    result = restoring.carry_out(made)

    assert result.is_complete
    assert "--offline" in log.read_text(encoding="utf-8")
    assert (tmp_path / "new" / "lib" / "libdemo.txt").read_bytes() == b"hello\n"
    assert (tmp_path / "new" / SITE / "aa" / "part.py").exists()


def test_without_a_conda_here_packages_are_taken_by_name_and_version(
    place: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says so, and how much of conda's part that leaves out."""
    url = "https://conda.example.org/main/linux-64/hdf5-1.14-h1_0.conda"
    monkeypatch.setattr(restoring, "conda_list", lambda *_: f"@EXPLICIT\n{url}\n")
    monkeypatch.setattr(conda_tool, "find", lambda _: None)

    made = restoring.design("latest", tmp_path / "new", python=str(place.venv.python))

    assert made.conda is None
    assert "1 other conda package" in made.note


@pytest.mark.parametrize(
    "line",
    [
        "--file=/etc/passwd",
        "numpy=1.0",
        "https://host/x.sh",
        "https://host/main/linux-64/a-1-0.conda#evil",
        "a\x1b",
    ],
)
def test_a_conda_list_from_elsewhere_is_read_strictly(line: str) -> None:
    """Only URLs of conda packages, each with its hash or none."""
    with pytest.raises(GitsnapError, match="line 2 of the conda list is refused"):
        conda_tool.read(f"@EXPLICIT\n{line}\n")


def test_conda_urls_of_others_need_permission(
    place: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each can run code; on another platform they are taken by name and version from the same channels."""
    url = "https://conda.example.org/main/linux-64/hdf5-1.14-h1_0.conda"
    monkeypatch.setattr(restoring, "conda_list", lambda *_: f"# platform: win-99\n@EXPLICIT\n{url}\n")
    monkeypatch.setattr(conda_tool, "find", lambda _: "/nowhere/conda")
    seen: list[list[str]] = []

    def call(command: list[str], *_: object) -> tuple[int, str]:
        seen.append(command)
        return 1, "no such channel"

    monkeypatch.setattr(conda_tool, "call", call)
    wanted = str(snapshot(tmp_path, "aa==1.0"))

    made = restoring.design(wanted, tmp_path / "new", python=str(place.venv.python))
    assert made.risky == [f"line 3 of the conda list: {url}"]
    with pytest.raises(UsageError, match="can run code"):
        restoring.carry_out(made)
    with pytest.raises(GitsnapError, match="no such channel"):
        restoring.carry_out(made, allow_source=True)
    assert seen[0][-4:] == ["--override-channels", "-c", "https://conda.example.org/main", "hdf5=1.14"]
    assert not (tmp_path / "new").exists()
