"""Rollback: the environment is exactly in the state asked for afterwards, or exactly as it was."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gitsnap
from gitsnap import conda, installer, journal, selection
from gitsnap.actions import proposal
from gitsnap.actions import rollback as rolling
from gitsnap.errors import GitsnapError, NotFoundError, UnobtainableError, UntrustedTextError, UsageError
from gitsnap.installer import Sources
from tests.conftest import Cli, Venv
from tests.wheels import BACKENDS, FULL, Lab, needs_pip, wheel

SHA = "a" * 40


@pytest.fixture
def place(make_venv: Callable[..., Venv], tmp_path: Path) -> Lab:
    """Make an environment with `aa` 1.0 and `bb` 1.0 in it, saved, and wheels of `aa`, `bb` and `cc`."""
    lab = Lab(make_venv("lab"), tmp_path / "wheels")
    lab.make(aa="1.0 2.0", bb="1.0 2.0", cc="1.0")
    lab.install("aa==1.0", "bb==1.0")
    gitsnap.save(python=str(lab.venv.python))
    return lab


def back(lab: Lab, snap: str | None = None, **options: Any) -> rolling.RolledBack:
    """Roll *lab* back without any network."""
    sources = Sources(find_links=(str(lab.wheels),), offline=True)
    return gitsnap.rollback(snap, **{"python": str(lab.venv.python), "sources": sources, **options})


def command(lab: Lab, *arguments: object) -> list[object]:
    """Return the arguments of `gitsnap rollback` for *lab*, without any network."""
    return ["--python", lab.venv.python, "rollback", "--offline", "--find-links", lab.wheels, *arguments]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_rollback_gives_exactly_the_state_asked_for(place: Lab, backend: str) -> None:
    """Changed, added and removed packages; files, commands and data; and the next rollback undoes it."""
    before = place.files
    place.install("aa==2.0", "cc==1.0")
    place.uninstall("bb")
    after = place.files

    result = back(place, installer=backend)

    assert result.is_complete
    assert place.versions == {"aa": "1.0", "bb": "1.0"}
    assert _names(place.files) == _names(before)
    assert result.saved is not None
    assert result.saved.reason.startswith("rollback to 2")
    command_line = (place.venv.python.parent / "aa-tool").read_text(encoding="utf-8")
    assert str(place.venv.python) in command_line
    again = back(place, installer=backend)
    assert place.versions == {"aa": "2.0", "cc": "1.0"}
    assert _names(place.files) == _names(after)
    assert again.saved is not None
    assert [one.snapshot.stamp for one in gitsnap.snapshots(python=str(place.venv.python)).listed] == sorted(
        {again.saved.stamp, result.saved.stamp, result.safety, *_first(place)}, reverse=True
    )


def _names(files: dict[str, bytes]) -> set[str]:
    """Return the names without a note that uv alone leaves."""
    return {name for name in files if not name.endswith("uv_cache.json")}


def _first(place: Lab) -> list[str]:
    return [gitsnap.snapshots(python=str(place.venv.python)).listed[-1].snapshot.stamp]


def test_the_default_is_the_newest_snapshot_that_differs(place: Lab) -> None:
    """Also when the newest is the environment as it is, and an error when none differs."""
    with pytest.raises(GitsnapError, match="no snapshot differs"):
        back(place)
    place.install("aa==2.0")
    gitsnap.save(python=str(place.venv.python))

    assert back(place).safety
    assert place.versions["aa"] == "1.0"


def test_nothing_to_do_is_success_and_changes_nothing(place: Lab) -> None:
    """No safety snapshot, no new one."""
    result = back(place, "latest")

    assert (result.is_complete, result.safety, result.saved) == (True, "", None)


def test_only_and_except_take_back_what_was_chosen(place: Lab) -> None:
    """The others stay as they are."""
    place.install("aa==2.0", "bb==2.0", "cc==1.0")

    back(place, "latest", only=["AA"])
    assert place.versions == {"aa": "1.0", "bb": "2.0", "cc": "1.0"}
    back(place, "latest~2", except_=["cc"])
    assert place.versions == {"aa": "1.0", "bb": "1.0", "cc": "1.0"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_that_cannot_be_had_is_named_at_once_and_nothing_is_touched(
    place: Lab, backend: str
) -> None:
    """Each with its reason; `keep_going` does the rest."""
    before = place.files
    wheel(place.wheels, "dd", "1.0", damaged=True)
    lines = [
        "# version: 3",
        "aa==2.0",
        "nn==1.0",
        "bb==7.7+cu118",
        "dd==1.0",
        "ee @ file:///gone/ee-1.0-py3-none-any.whl",
    ]
    wanted = place.wheels / "wanted.txt"
    wanted.write_text("\n".join(lines[1:]) + "\n", encoding="utf-8")

    with pytest.raises(UnobtainableError) as caught:
        back(place, str(wanted), installer=backend, allow_source=True)

    assert {one.partition(":")[0] for one in caught.value.candidates} == {"nn", "bb", "dd", "ee"}
    assert "--extra-index-url" in next(one for one in caught.value.candidates if one.startswith("bb"))
    assert place.files == before
    if backend == "pip":
        return  # which is slow to start, and the rest does not depend on it
    result = back(place, str(wanted), installer=backend, allow_source=True, keep_going=True)
    assert not result.is_complete
    assert {one.name for one in result.missing} == {"nn", "bb", "dd", "ee"}
    assert place.versions == {"aa": "2.0", "bb": "1.0"}


def test_the_present_state_need_not_be_obtainable(place: Lab) -> None:
    """Going back needs no network for what is there now."""
    place.install("aa==2.0")
    (place.wheels / "aa-2.0-py3-none-any.whl").unlink()

    assert back(place).is_complete


def test_what_fails_in_the_middle_is_put_back(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the message says so; no journal is left."""
    place.install("aa==2.0", "cc==1.0")
    before = place.files
    real = os.link

    def link(source: Any, target: Any, **options: Any) -> None:
        if (
            str(target).startswith(str(place.venv.prefix))
            and "new" in str(source)
            and "part.py" in str(target)
        ):
            raise PermissionError(13, "Permission denied", str(target))
        real(source, target, **options)

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(shutil, "copy2", link)

    with pytest.raises(GitsnapError, match="put back to what it was"):
        back(place)

    assert place.files == before
    monkeypatch.undo()


def test_a_result_that_is_not_as_planned_is_put_back(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that went missing while it was applied is seen by the RECORD check, not by a freeze."""
    place.install("aa==2.0")
    before = place.files
    real = journal.apply

    def apply(*arguments: Any) -> None:
        real(*arguments)
        (place.venv.site / "aa" / "part.py").write_text("broken", encoding="utf-8")

    monkeypatch.setattr(journal, "apply", apply)

    with pytest.raises(GitsnapError, match="not what was planned"):
        back(place)

    assert place.files == before


def test_files_that_two_projects_share_and_files_of_the_user_stay(place: Lab) -> None:
    """What goes is what one project alone has."""
    for name in ("n1", "n2"):
        wheel(place.wheels, name, "1.0", {"shared/__init__.py": "", f"shared/{name}.py": ""})
    place.install("n1==1.0", "n2==1.0")
    mine = place.venv.site / "n1" / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    gitsnap.save(python=str(place.venv.python))

    back(place, "latest", only=["n1"])
    assert (place.venv.site / "shared" / "n1.py").exists()
    place.uninstall("n2")
    place.install("n2==1.0")
    back(place, "latest~1", only=["n1"])

    assert not (place.venv.site / "shared" / "n1.py").exists()
    assert (place.venv.site / "shared" / "__init__.py").exists()
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_stale_compiled_file_is_never_run(place: Lab) -> None:
    """Python trusts time and size; a rollback within one second must not be fooled."""
    place.install("aa==2.0")
    py = place.venv.site / "aa" / "part.py"
    assert _import(place, "aa") == "2.0"
    os.utime(py, (1_000_000_000, 1_000_000_000))
    _import(place, "aa")

    back(place)
    os.utime(place.venv.site / "aa" / "part.py", (1_000_000_000, 1_000_000_000))

    assert _import(place, "aa") == "1.0"


def _import(place: Lab, name: str) -> str:
    code = f"import {name}; print({name}.VERSION)"
    return subprocess.run(
        [place.venv.python, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_gitsnap_and_what_it_needs_are_kept(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where gitsnap lives in the environment; that difference alone is success."""
    place.make(gitpython="3.1.0", gitsnap="0.1")
    place.install("gitpython==3.1.0", "gitsnap==0.1", "cc==1.0")
    monkeypatch.setattr(sys, "prefix", str(place.venv.prefix))

    result = back(place)

    assert sorted(one.name for one in result.kept) == ["gitpython", "gitsnap"]
    assert result.is_complete
    assert place.versions.keys() == {"aa", "bb"}
    assert (place.venv.site / "gitsnap" / "part.py").exists()


def test_a_snapshot_that_differs_in_what_gitsnap_needs_alone_is_passed_over(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Going back to it would change nothing, and so would each further rollback."""
    place.make(gitpython="3.0.0 3.1.0", gitsnap="0.1")
    place.install("gitpython==3.0.0", "gitsnap==0.1")
    gitsnap.save(python=str(place.venv.python))
    place.install("gitpython==3.1.0")
    monkeypatch.setattr(sys, "prefix", str(place.venv.prefix))

    with pytest.raises(NotFoundError, match="no snapshot differs"):
        back(place)

    place.install("cc==1.0")
    assert [change.name for change in back(place).changes.changes] == ["cc"]


def test_another_python_is_refused_with_the_way_out(place: Lab, tmp_path: Path) -> None:
    """Packages of another x.y do not fit."""
    old = tmp_path / "old.txt"
    old.write_text("# executable: /x/python\n# version: 3.2.1 (main)\n\naa==2.0\n", encoding="utf-8")

    with pytest.raises(GitsnapError) as caught:
        back(place, str(old))

    assert "restore" in caught.value.hint


def test_a_python_that_the_system_manages_is_refused(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """PEP 668; a venv of it is no such Python."""
    place.install("aa==2.0")
    (place.venv.site / "EXTERNALLY-MANAGED").write_text("[externally-managed]\n", encoding="utf-8")
    monkeypatch.setattr(selection, "is_venv", lambda prefix: False)

    with pytest.raises(GitsnapError, match="managed by the system"):
        back(place)


def test_what_conda_installed_is_refused_with_the_way_out(place: Lab) -> None:
    """Its own records would be wrong afterwards."""
    place.install("aa==2.0")
    (place.venv.site / "aa-2.0.dist-info" / "INSTALLER").write_text("conda\n", encoding="utf-8")

    with pytest.raises(GitsnapError, match="conda installed aa") as caught:
        back(place)

    assert "--except aa" in caught.value.hint
    assert f"conda install -p {place.venv.prefix} aa=1.0" in caught.value.hint


def test_what_conda_has_otherwise_besides_python_packages_is_left_and_listed(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library of conda's is part of the state, though pip knows nothing of it."""
    urls = "@EXPLICIT\nhttps://host/main/linux-64/hdf5-{}-h1_0.conda\n"
    monkeypatch.setattr(proposal, "conda_list", lambda *_: urls.format("1.12"))
    monkeypatch.setattr(conda, "explicit", lambda _: urls.format("1.14"))
    place.install("aa==2.0")

    result = back(place)

    assert [(one.name, "hdf5=1.12" in one.reason) for one in result.left] == [("hdf5", True)]
    assert not result.is_complete
    assert place.versions["aa"] == "1.0"


def test_what_lies_outside_the_prefix_is_left_and_listed(place: Lab, tmp_path: Path) -> None:
    """A folder that a `.pth` file adds belongs to somebody else."""
    outside = tmp_path / "outside"
    (outside / "zz-1.0.dist-info").mkdir(parents=True)
    (outside / "zz-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: zz\nVersion: 1.0\n", encoding="utf-8"
    )
    (place.venv.site / "zz.pth").write_text(f"{outside}\n", encoding="utf-8")
    place.install("aa==2.0")

    result = back(place)

    assert [one.name for one in result.left] == ["zz"]
    assert not result.is_complete
    assert place.versions["aa"] == "1.0"


def test_lines_of_others_that_can_run_code_need_permission(place: Lab, tmp_path: Path, cli: Cli) -> None:
    """`--yes` is no such permission; without it nothing is changed; a snapshot of this machine needs none."""
    source = place.wheels / "cc-1.0-py3-none-any.whl"
    foreign = tmp_path / "foreign.txt"
    foreign.write_text(f"aa==1.0\nbb==1.0\ncc @ {source.as_uri()}\n", encoding="utf-8")
    before = place.files

    ran = cli(*command(place, foreign, "--yes"))

    assert (ran.code, "--allow-source" in ran.err, "line 3: cc @ file:" in ran.err) == (2, True, True)
    assert place.files == before
    assert cli(*command(place, foreign, "--yes", "--allow-source")).code == 0
    assert place.versions["cc"] == "1.0"
    place.uninstall("cc")
    assert back(place).is_complete
    assert place.versions["cc"] == "1.0"


def test_text_that_is_no_freeze_is_refused(place: Lab, tmp_path: Path) -> None:
    """No option of a file from elsewhere reaches an installer."""
    evil = tmp_path / "evil.txt"
    evil.write_text("aa==2.0\n--index-url http://127.0.0.1:9/\n", encoding="utf-8")

    with pytest.raises(UntrustedTextError, match="line 2 is refused"):
        back(place, str(evil))


def test_without_a_terminal_and_without_yes_nothing_is_changed(place: Lab, cli: Cli) -> None:
    """The plan is shown, exit 2."""
    place.install("aa==2.0")
    before = place.files

    ran = cli(*command(place))

    assert (ran.code, place.files == before) == (2, True)
    assert "downgraded  aa  2.0 -> 1.0" in ran.out
    assert "--yes" in ran.err


def test_dry_run_shows_the_plan_and_changes_nothing(place: Lab, cli: Cli) -> None:
    """As text and as JSON."""
    place.install("aa==2.0", "cc==1.0")
    before = place.files

    assert "1 to install, 1 to remove" in cli.ok(*command(place, "--dry-run"))
    shown = cli(*command(place, "--dry-run", "--json")).json

    assert shown.keys() == {
        "version", "environment", "target", "diff", "install", "remove", "kept", "left", "missing", "runs_code"
    }  # fmt: skip
    assert [one["line"] for one in shown["install"]] == ["aa==1.0"]
    assert place.files == before


def test_the_result_as_json_has_known_keys(place: Lab, cli: Cli) -> None:
    """Programs read it."""
    place.install("aa==2.0")

    ran = cli(*command(place, "--yes", "--json"))

    assert ran.code == 0, ran
    assert ran.json.keys() == {
        "version", "environment", "target", "complete", "diff", "safety", "snapshot", "kept", "left", "missing",
        "differences", "damage", "warnings",
    }  # fmt: skip
    assert ran.json["complete"] is True


def test_the_answer_says_what_was_saved_and_to_restart(place: Lab, cli: Cli) -> None:
    """A running application goes on with the old files."""
    place.install("aa==2.0")

    out = cli.ok(*command(place, "--yes"))

    assert "rolled back to" in out
    assert "verified" in out
    assert "restart the applications" in out


def test_a_package_in_neither_state_is_a_mistake(place: Lab) -> None:
    """`--only` of a misspelled name must not be taken for "nothing to do"."""
    with pytest.raises(UsageError, match="neither in"):
        back(place, "latest", only=["axa"])


def test_an_editable_checkout_is_never_moved(place: Lab) -> None:
    """Its folder holds the user's work; what moves it is told."""
    text = gitsnap.freeze(python=str(place.venv.python))
    wanted = place.wheels / "wanted.txt"
    wanted.write_text(text + f"-e git+https://host.invalid/dd.git@{SHA}#egg=dd\n", encoding="utf-8")

    with pytest.raises(UnobtainableError) as caught:
        back(place, str(wanted), allow_source=True)

    assert caught.value.candidates[0].startswith("dd: ")


def test_the_safety_snapshot_is_made_even_where_nothing_is_saved_otherwise(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user who saves nothing can still undo."""
    monkeypatch.setenv("GITSNAP_BACKUP_KEEP_BACKUP", "false")
    place.install("aa==2.0")

    result = back(place, "latest")

    assert result.safety
    back(place)
    assert place.versions["aa"] == "2.0"


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_walks_end_in_exactly_the_state_asked_for(
    make_venv: Callable[..., Venv], tmp_path: Path, backend: str, pytestconfig: pytest.Config
) -> None:
    """Installs, removals, upgrades and rollbacks in any order: the promise is 200 walks, CI runs a tenth."""
    # pip starts slowly, so that it walks less.
    walks = {"uv": (17, 150), "pip": (3, 50)}[backend][FULL]
    chance = random.Random(f"walks {backend}")  # noqa: S311 - a walk that failed must be walked again
    names = ("aa", "bb", "cc", "dd")
    wheels = Lab(make_venv("unused"), tmp_path / "wheels")
    wheels.make(**dict.fromkeys(names, "1.0 2.0 3.0"))
    for number in range(walks):
        lab = Lab(make_venv(f"walk{number}"), wheels.wheels)
        python = str(lab.venv.python)
        gitsnap.save(python=python)
        known: dict[str, dict[str, str]] = {}
        for _ in range(chance.randint(2, 5)):
            _step(lab, chance, names)
            saved: Any = gitsnap.save(python=python)
            known[saved.newest.stamp] = lab.versions
            stamp = chance.choice(list(known))
            result = back(lab, stamp, installer=backend)
            assert result.is_complete
            assert lab.versions == known[stamp], (number, stamp)
            assert not list(lab.venv.prefix.rglob("*.gitsnap-part"))
        shutil.rmtree(lab.venv.prefix)


def _step(lab: Lab, chance: random.Random, names: tuple[str, ...]) -> None:
    """Install and remove some packages at random."""
    chosen = chance.sample(names, chance.randint(1, len(names)))
    gone = [name for name in chosen if chance.random() < 0.3 and name in lab.versions]
    if gone:
        lab.uninstall(*gone)
    lines = [f"{name}=={chance.choice(('1.0', '2.0', '3.0'))}" for name in chosen if name not in gone]
    if lines:
        lab.install(*lines)


@needs_pip
def test_the_backend_asked_for_is_the_one_that_is_used(place: Lab) -> None:
    """Of pip, gitsnap has one though the environment has none of its own."""
    sources = Sources()
    chosen = [
        installer.choose(str(place.venv.python), (3, 12, 0), place.venv.prefix, sources, os.environ, kind)
        for kind in ("uv", "pip")
    ]

    assert [one.kind for one in chosen] == ["uv", "pip"]


_SLOW = """
import os, pathlib, time
def build_wheel(*arguments, **options):
    pathlib.Path({pid!r}).write_text(str(os.getpid()))
    time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C reaches a whole console there")
@pytest.mark.parametrize("verb", ["rollback", "restore"])
def test_ctrl_c_ends_the_installer_and_leaves_the_old_state(place: Lab, tmp_path: Path, verb: str) -> None:
    """Exit 130; what was being built goes on no longer; of a restore nothing is left."""
    pid, project = tmp_path / "pid", tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "slow"\nbackend-path = ["."]\n'
        '[project]\nname = "slow"\nversion = "1.0"\n',
        encoding="utf-8",
    )
    (project / "slow.py").write_text(_SLOW.format(pid=str(pid)), encoding="utf-8")
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = tmp_path / "wanted.txt"
    wanted.write_text(f"# version: {version} (x)\n\naa==2.0\nslow @ {project.as_uri()}\n", encoding="utf-8")
    before = place.files
    words = ["--yes"] if verb == "rollback" else ["--into", tmp_path / "new"]
    words = [
        "--python",
        place.venv.python,
        verb,
        wanted,
        "--allow-source",
        "--offline",
        "--find-links",
        place.wheels,
        *words,
    ]
    child = subprocess.Popen(
        [sys.executable, "-m", "gitsnap", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not pid.exists() or not pid.read_text(encoding="utf-8"):
        assert child.poll() is None, child.communicate()
        time.sleep(0.02)

    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=30)

    assert child.returncode == 130, said
    assert "interrupted" in said
    assert place.files == before
    assert not (tmp_path / "new").exists()
    assert _ends(int(pid.read_text(encoding="utf-8")))
    assert gitsnap.status(python=str(place.venv.python)).newest is not None


def _ends(pid: int) -> bool:
    """Tell whether a process ends within a moment; one that waits to be reaped has ended."""
    for _ in range(100):
        state = subprocess.run(
            ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
        ).stdout
        if not state.strip() or state.startswith("Z"):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX's")
@pytest.mark.parametrize(
    ("typed", "code", "version"), [("n\n", 1, "2.0"), ("\n", 1, "2.0"), ("y\n", 0, "1.0")]
)
def test_on_a_terminal_it_asks(place: Lab, typed: str, code: int, version: str) -> None:
    """The plan stands above the question; the default is no."""
    import pty

    place.install("aa==2.0")
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    words = [sys.executable, "-m", "gitsnap", *map(str, command(place))]
    child = subprocess.Popen(words, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True)
    os.close(theirs)
    assert child.stdout is not None
    shown = child.stdout.read()
    child.stdout.close()
    assert child.wait(timeout=60) == code
    os.close(ours)

    assert "downgraded  aa  2.0 -> 1.0" in shown
    assert place.versions["aa"] == version
