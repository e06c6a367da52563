"""Interpreters, asked what they are; and the names of environments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitsnap import environment
from gitsnap.errors import InterpreterError
from tests.conftest import Cli, Venv, git

POSIX = pytest.mark.skipif(os.name == "nt", reason="links and shell scripts are POSIX's")
VERSIONS = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


@pytest.fixture(scope="session")
def pythons() -> dict[str, Path]:
    """Find pyenv's interpreters, or the system's, while the home is still the user's."""
    root = Path(os.environ.get("PYENV_ROOT") or Path("~").expanduser() / ".pyenv")
    found = {}
    for version in VERSIONS:
        places = [*sorted(root.glob(f"versions/{version}.*/bin/python")), shutil.which(f"python{version}")]
        if places[0]:
            found[version] = Path(places[0])
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_python_is_understood(version: str, pythons: dict[str, Path]) -> None:
    """From 2.7 on: prefix, version and paths are what the interpreter itself says."""
    if version not in pythons:
        pytest.skip(f"there is no Python {version} here")
    python = pythons[version]

    found = environment.ask(str(python))

    code = "import sys; print([sys.prefix, ' '.join(sys.version.split()), [p for p in sys.path if p]])"
    said = subprocess.run([python, "-E", "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == str([str(found.prefix), found.version, list(found.paths)])
    assert ".".join(map(str, found.python)).startswith(version)
    assert found.real_executable == python.resolve()
    assert found.executable.exists()
    assert any(folder in found.paths for folder in found.folders)


def made_by_venv(python: Path, place: Path) -> None:
    """Make an environment with the standard library."""
    subprocess.run([python, "-m", "venv", "--without-pip", place], check=True, capture_output=True)


def made_by_virtualenv(python: Path, place: Path) -> None:
    """Make an environment with virtualenv."""
    pytest.importorskip("virtualenv")
    command = [
        sys.executable,
        "-m",
        "virtualenv",
        "-q",
        "--no-download",
        "--no-pip",
        "-p",
        str(python),
        str(place),
    ]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("virtualenv makes no environment here")


def made_by_uv(python: Path, place: Path) -> None:
    """Make an environment with uv."""
    program = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("uv is not installed")
    subprocess.run(
        [program, "venv", "-q", "--offline", "--python", python, place], check=True, capture_output=True
    )


def made_with_system_packages(python: Path, place: Path) -> None:
    """Make an environment that sees the base's packages."""
    command = [str(python), "-m", "venv", "--without-pip", "--system-site-packages", str(place)]
    subprocess.run(command, check=True, capture_output=True)


@pytest.mark.parametrize(
    "make",
    [made_by_venv, made_by_virtualenv, made_by_uv, made_with_system_packages],
    ids=lambda make: make.__name__,
)
@pytest.mark.parametrize("name", ["lab", "my lab (ünïcode)"])
def test_every_tool_s_environment_is_understood(
    make: Callable[[Path, Path], None], name: str, tmp_path: Path, cli: Cli
) -> None:
    """Its own packages are recorded, in a folder with spaces and other letters too."""
    place = tmp_path / name
    make(Path(sys.executable).resolve(), place)
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    found = environment.ask(str(python))

    assert found.prefix == place
    assert found.executable == python
    assert found.name == environment.safe_name(name)
    shared = [path for path in found.paths if "-packages" in path and not path.startswith(str(place))]
    assert bool(shared) == (make is made_with_system_packages)
    own = next(
        Path(path) for path in found.paths if path.startswith(str(place)) and path.endswith("-packages")
    )
    (own / "mine-1.0.dist-info").mkdir()
    assert "mine==1.0" in cli.ok("--python", place, "freeze").splitlines()


@POSIX
def test_an_interpreter_behind_links_is_the_environment_they_lead_to(lab: Venv, tmp_path: Path) -> None:
    """A link to a venv's `python` is no environment of its own, and neither is a link to its folder."""
    (tmp_path / "link").symlink_to(lab.prefix)

    found = environment.ask(str(tmp_path / "link" / "bin" / "python"))

    assert found.prefix.resolve() == lab.prefix.resolve()
    assert found.real_executable == Path(sys.executable).resolve()


def noisy(lab: Venv, text: str) -> None:
    """Give an environment a `sitecustomize`."""
    (lab.site / "sitecustomize.py").write_text(text)


def test_what_a_sitecustomize_prints_is_not_part_of_the_answer(lab: Venv, cli: Cli) -> None:
    """Before and after, on both streams, and marks that look like ours."""
    noisy(
        lab,
        "import atexit, sys\n"
        "forged = '<gitsnap:00,00,00,00,00,00,00:gitsnap>'\n"
        "print('noise'); print(forged); sys.stderr.write('noise\\n')\n"
        "atexit.register(print, forged); atexit.register(print, 'x' * 100000)\n",
    )

    assert environment.ask(str(lab.python)).prefix == lab.prefix

    out = cli.ok("--python", lab.python, "freeze")
    assert "noise" not in out
    assert "gitsnap" not in out


def test_variables_and_folder_of_the_shell_are_no_part_of_an_environment(
    lab: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHONPATH, PYTHONHOME and PYTHONNOUSERSITE are ignored, and no module of the current folder is run."""
    plain = environment.ask(str(lab.python))
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for name in ("binascii", "site", "sys", "sitecustomize"):
        (folder / f"{name}.py").write_text("raise SystemExit('run from the current folder')\n")
    monkeypatch.chdir(folder)
    for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.setenv("PYTHONINSPECT", "1")

    assert environment.ask(str(lab.python)) == plain


@POSIX
def test_a_wrapper_s_pythonpath_is_no_part_of_an_environment(lab: Venv, tmp_path: Path) -> None:
    """Some set-ups start Python through a script that exports one."""
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexport PYTHONPATH={tmp_path}\nexec {lab.python} "$@"\n')
    wrapper.chmod(0o755)

    assert environment.ask(str(wrapper)) == environment.ask(str(lab.python))


def test_the_user_site_of_a_base_interpreter_is_part_of_it(home: Path) -> None:
    """What `pip install --user` put there is what a launch finds."""
    base = environment.ask(str(Path(sys.executable).resolve()))
    [user] = [Path(folder) for folder in base.folders if str(home) in folder]

    user.mkdir(parents=True)

    assert str(user) in environment.ask(str(base.executable)).paths


def test_a_python_that_hangs_is_given_up(lab: Venv) -> None:
    """Patience ends."""
    noisy(lab, "import time; time.sleep(60)\n")
    start = time.monotonic()

    with pytest.raises(InterpreterError, match="no answer in 1 second"):
        environment.ask(str(lab.python), patience=1)

    assert time.monotonic() - start < 10


@POSIX
@pytest.mark.parametrize("what", ["sh", "text", "mute", "liar", "folder", "dangling", "noexec"])
def test_what_is_no_python_is_an_error_and_makes_no_repository(
    what: str, tmp_path: Path, cli: Cli, repository: Callable[..., Path]
) -> None:
    """Exit 1, nothing on stdout, nothing written, and no shell runs the question as a script."""
    place = tmp_path / what
    # ImageMagick's `import`, which a shell would find in the question, takes pictures of the screen.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "import").write_text("#!/bin/sh\n: > ran\n")
    (tmp_path / "bin" / "import").chmod(0o755)
    cli.variables["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    if what == "sh":
        place = Path("/bin/sh")
    elif what == "folder":
        place.mkdir()
    elif what == "dangling":
        place.symlink_to(tmp_path / "gone")
    else:
        text = {
            "text": "hello",
            "mute": "#!/bin/sh\n",
            "liar": "#!/bin/sh\necho '<00:,,,:gitsnap>'\n",
            "noexec": "",
        }
        place.write_text(text[what])
        place.chmod(0o644 if what == "noexec" else 0o755)

    for verb in ("save", "freeze", "status"):
        ran = cli("--python", place, verb)
        assert (ran.code, ran.out) == (1, ""), ran
        assert ran.err.startswith("error: `"), ran
        assert str(place) in ran.err
    assert not repository().parent.exists()
    assert not list(Path.cwd().glob("*"))


@POSIX
def test_an_environment_whose_base_was_deleted_is_an_error(lab: Venv, cli: Cli) -> None:
    """Named by its prefix, by its program, and as the active environment."""
    lab.python.unlink()
    lab.python.symlink_to("/nowhere/python3.12")

    for named in (lab.prefix, lab.python):
        ran = cli("--python", named, "save")
        assert (ran.code, ran.out) == (1, "")
        assert "/nowhere/python3.12` is gone" in ran.err
        assert "hint: " in ran.err


@POSIX
def test_no_hint_is_left_through_a_shim(lab: Venv, tmp_path: Path, cli: Cli, home: Path) -> None:
    """Behind pyenv's shim another Python may stand tomorrow, and nothing that a launch looks at would tell."""
    shim = tmp_path / "shims" / "python"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {lab.python} "$@"\n')
    shim.chmod(0o755)

    assert "lab: saved snapshot" in cli.ok("--python", shim, "save")

    assert not list(home.rglob("hints/*"))
    cli.ok("--python", lab.python, "save")
    assert len(list(home.rglob("hints/*"))) == 1


# --- Names ---


@pytest.mark.parametrize(
    ("folders", "config", "name"),
    [
        ("work/lab", "", "lab"),
        ("work/lab", "prompt = other\n", "other"),
        ("work/lab", "prompt = 'other lab'\n", "other-lab"),
        ("work/lab", 'prompt = "it\'s"\n', "it-s"),
        ("work/lab", "PROMPT=(other) \n", "other"),
        ("work/lab", "prompt =\n", "lab"),
        ("work/.venv", "", "work"),
        ("work/venv", "", "work"),
        ("work/env", "", "work"),
        ("work/.venv", "prompt = other\n", "other"),
        ("work/env3", "", "env3"),
    ],
)
def test_a_venv_is_called_by_its_prompt_or_folder(
    folders: str, config: str, name: str, make_venv: Callable[..., Venv]
) -> None:
    """The project's folder counts where the environment's own says nothing."""
    made = make_venv(folders)
    with (made.prefix / "pyvenv.cfg").open("a", encoding="utf-8") as stream:
        stream.write(config)

    assert environment.ask(str(made.python)).name == name


@pytest.mark.parametrize(
    ("folders", "folder", "name"),
    [
        ("conda/envs/lab", "conda-meta", "lab"),
        ("conda/envs/env", "conda-meta", "env"),
        ("project/env", "conda-meta", "project"),
        ("project/named", "conda-meta", "named"),
        ("miniforge3", "condabin", "base"),
    ],
)
def test_a_conda_environment_has_conda_s_name(
    folders: str, folder: str, name: str, make_venv: Callable[..., Venv]
) -> None:
    """By its folder in `envs`; conda's own is `base`; one that lies in a project has conda's name for none."""
    made = make_venv(folders)
    for inner in {"conda-meta", folder}:
        (made.prefix / inner).mkdir()

    assert environment.ask(str(made.python)).name == name


def test_a_base_python_is_called_by_its_version(pythons: dict[str, Path]) -> None:
    """The versions of pyenv have their own names."""
    assert pythons
    for version, python in pythons.items():
        is_pyenv = "versions" in python.parts
        expected = python.parent.parent.name if is_pyenv else f"system-{version}"
        assert environment.ask(str(python)).name == expected


ODD = [
    "", ".", "..", "/", "-x", "--help", "con", "NUL", "Aux.txt", "com1", "LPT9.log", "com¹", "con." + "x" * 90,
    "x" * 300, "é" * 300, "漢" * 300, "😀", "a😀b", "x.lock", "x.LOCK", "x.lock.lock", ".lock", "@{", "@", "a@{1}", "a..b",
    "a.-.b", "trailing. ", "trailing...", "a b\tc\n", "\u202eevil", "a\u200bb", "c:\\windows", "a:b", "a*?[~^", "\udcff",
    "\x00", "~user", "+", "_", "e\u0301", "ﬀ", "İ.lock", "x" * 75 + ".lockx", "x" * 79 + ".y", "con" + "." * 200 + "a",
]  # fmt: skip


def examples(test: Callable[..., None]) -> Callable[..., None]:
    """Try each odd name, whatever else is tried."""
    for name in ODD:
        test = example(name)(test)
    return test


@examples
@given(st.text(max_size=400))
@settings(deadline=None, database=None)
def test_a_safe_name_is_a_folder_and_a_ref_everywhere(name: str) -> None:
    """Never empty, never reserved, and the same when it is made safe again."""
    safe = environment.safe_name(name)

    assert safe
    assert environment.safe_name(safe) == safe
    assert all(letter.isalnum() or letter in "._+-" for letter in safe)
    assert safe[0] not in "._+-"
    assert safe[-1] not in "._+-"
    assert ".." not in safe
    assert not safe.lower().endswith(".lock")
    assert len(safe.encode()) <= 160
    stem = safe.partition(".")[0].lower()
    assert stem not in {"con", "prn", "aux", "nul"}
    assert not (len(stem) == 4 and stem[:3] in {"com", "lpt"} and stem[3] in "0123456789¹²³")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("lab 3.12", "lab-3.12"),
        ("e\u0301tude", "\u00e9tude"),
        ("\u5b9f\u9a13", "\u5b9f\u9a13"),
        ("c++", "c"),
        ("a+b", "a+b"),
        (".lab.", "lab"),
        ("con", "env-con"),
        ("x.lock", "x-lock"),
        ("../../etc", "etc"),
        ("\U0001f600", "environment"),
    ],
)
def test_a_safe_name_stays_as_near_as_it_may(name: str, safe: str) -> None:
    """Letters of every script stay, in the one form that macOS and others agree on."""
    assert environment.safe_name(name) == safe


def test_git_takes_every_safe_name(tmp_path: Path) -> None:
    """As a folder, and as a part of a branch's and a tag's name."""
    for name in ODD:
        safe = environment.safe_name(name)
        assert git(tmp_path, "check-ref-format", "--branch", safe).strip() == safe
        (tmp_path / safe).mkdir(exist_ok=True)


def test_names_that_differ_in_case_alone_get_repositories_apart(
    make_venv: Callable[..., Venv], cli: Cli
) -> None:
    """Windows and macOS would put them in one folder."""
    first, second = make_venv("a/Lab"), make_venv("b/lab")

    one, two = (json.loads(cli.ok("--python", made.python, "save", "--json")) for made in (first, second))

    assert one["environment"] == "Lab"
    assert two["environment"].startswith("lab-")
