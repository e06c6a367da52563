"""The command line: answers on stdout, conversation on stderr, JSON that is a promise, errors that teach."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Venv

SNAPSHOT = {"stamp", "commit", "time", "subject", "environment", "machine", "python", "reason", "tags"}
DIFF = {"changes", "python", "executable", "conda"}
KEYS: dict[tuple[str, ...], set[str]] = {
    ("save",): {"environment", "repository", "saved", "snapshot", "diff", "healed"},
    ("freeze",): {"executable", "python", "distributions", "text"},
    ("status",): {
        "environment",
        "prefix",
        "python",
        "repository",
        "newest",
        "clean",
        "drift",
        "failure",
        "trouble",
        "remote",
        "unfinished",
    },
    ("log",): {"environment", "snapshots", "more"},
    ("list",): {"environment", "snapshots", "more"},
    ("show",): {"label", "snapshot", "executable", "python", "distributions", "text"},
    ("diff",): {"before", "after", "differs", *DIFF},
    ("tag",): {"snapshots"},
    ("prune",): {"environment", "removed"},
    ("check",): {"environment", "repository", "snapshots", "problems", "strays", "repaired"},
}


@pytest.fixture
def saved(lab: Venv, cli: Cli) -> Venv:
    """Make an environment with two snapshots and a tag on the first."""
    cli.ok("--python", lab.python, "save", "-m", "first")
    cli.ok("--env", "lab", "tag", "worked")
    lab.install(numpy="2.0.1", rich="13.9")
    cli.ok("--env", "lab", "save")
    return lab


@pytest.mark.parametrize("verb", KEYS, ids=" ".join)
def test_json_is_one_object_with_a_version_and_known_keys(
    verb: tuple[str, ...], saved: Venv, cli: Cli
) -> None:
    """Programs read it: a key that goes missing breaks them."""
    ran = cli("--env", "lab", *verb, "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.json.keys() == {"version", *KEYS[verb]}
    assert ran.json["version"] == 1


def test_json_of_environments_and_config_has_known_keys(saved: Venv, cli: Cli) -> None:
    """These two verbs are about no single environment."""
    known = cli("environments", "--json").json
    config = cli("config", "--json").json

    assert known.keys() == {"version", "environments", "failures", "fetched"}
    assert known["environments"][0].keys() == {"name", "repository", "prefix", "gone", "newest", "trouble"}
    assert config.keys() == {"version", "config_path", "state_path", "files", "values"}


def test_the_parts_of_json_have_known_keys(saved: Venv, cli: Cli) -> None:
    """Snapshots and changes are the same wherever they stand."""
    listed = cli("--env", "lab", "log", "--json").json["snapshots"]
    changes = cli("--env", "lab", "diff", "worked", "latest", "--json").json["changes"]

    assert listed[0].keys() == {*SNAPSHOT, "is_now", "in_folder", "is_good", "changes"}
    assert (listed[0]["is_now"], listed[1]["tags"], listed[1]["reason"]) == (True, ["worked"], "first")
    assert [change["kind"] for change in changes] == ["upgraded", "added"]
    assert changes[0]["before"] == {"name": "numpy", "version": "1.26.4", "source": None, "restorable": True}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--env", "nope", "log"), 12),
        (("--env", "lab", "show", "latest~999"), 12),
        (("--env", "lab", "show", "2001-01-01"), 12),
        (("--env", "lab", "show", "20"), 12),
        (("--env", "lab", "show", "nothing"), 12),
        (("--env", "lab", "show", "missing.txt"), 12),
        (("--env", "lab", "show", "pc-nine/lab:"), 12),
        (("--env", "lab", "diff", "latest", "deadbeef"), 12),
        (("--env", "lab", "tag", "good"), 2),
        (("--env", "lab", "tag", "worked"), 2),
        (("--env", "lab", "tag", "-d", "none"), 12),
        (("--env", "lab", "tag", "x", "now"), 2),
        (("--env", "lab", "log", "--since", "soon"), 2),
        (("--env", "lab", "--python", "x", "log"), 2),
        (("--env", "lab", "show", ""), 2),
        (("frobnicate",), 2),
        (("log", "--frobnicate"), 2),
        (("run",), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_mistake_has_its_code_a_sentence_and_changes_nothing(
    arguments: tuple[str, ...],
    code: int,
    saved: Venv,
    cli: Cli,
    repository: Callable[..., Path],
    run_git: Callable[..., str],
) -> None:
    """Nothing on stdout, stderr has `error:` and no traceback; with `--json` the error is the answer."""
    before = run_git(repository(), "for-each-ref")

    ran = cli(*arguments)

    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("error: ")
    assert "Traceback" not in ran.err
    assert run_git(repository(), "for-each-ref") == before
    as_json = cli(*arguments, "--json") if arguments[0] != "run" else None
    if as_json and "--frobnicate" not in arguments:
        assert as_json.json["error"]["exit_code"] == code


def test_an_ambiguous_name_lists_its_candidates(saved: Venv, cli: Cli) -> None:
    """A user picks from what is shown."""
    ran = cli("--env", "lab", "show", "20")

    assert len(re.findall(r"^  \d{14}  ", ran.err, flags=re.MULTILINE)) == 2


def test_status_and_diff_tell_drift_by_exit_code_only_when_asked(saved: Venv, cli: Cli) -> None:
    """5 means that something differs."""
    assert cli("--env", "lab", "status", "--exit-code").code == 0
    saved.install(numpy="3.0")

    assert cli("--env", "lab", "status").code == 0
    assert cli("--env", "lab", "status", "--exit-code").code == 5
    assert cli("--env", "lab", "diff", "--exit-code").code == 5
    assert cli("--env", "lab", "diff", "latest", "latest", "--exit-code").code == 0


def test_a_fresh_environment_has_a_status_and_no_log(lab: Venv, cli: Cli) -> None:
    """`status` says how to begin; what needs a snapshot exits 10."""
    status = cli("--python", lab.python, "status")

    assert status.code == 0
    assert "`gitsnap save` takes the first snapshot" in status.out
    assert cli("--python", lab.python, "status", "--exit-code").code == 10
    for verb in ("log", "show", "diff", "prune", "check", "tag"):
        ran = cli("--python", lab.python, verb)
        assert (ran.code, ran.out) == (10, ""), verb


def test_an_environment_that_is_gone_can_still_be_read(saved: Venv, cli: Cli) -> None:
    """History outlives the environment; what needs its Python says so."""
    saved.python.unlink()

    assert cli("--env", "lab", "log").out.count("\n") == 2
    assert "numpy==1.26.4" in cli.ok("--env", "lab", "show", "worked")
    assert "(gone)" in cli.ok("envs")
    assert cli("--env", "lab", "diff").code == 12
    assert cli("--env", "lab", "status").code == 12


def test_the_environment_may_be_named_before_or_after_the_verb(saved: Venv, cli: Cli) -> None:
    """Users put options where they think of them."""
    assert cli.ok("--env", "lab", "log") == cli.ok("log", "--env", "lab") == cli.ok("list", "--env", "LAB")


def test_diff_compares_files_environments_and_dates(
    saved: Venv, cli: Cli, home: Path, make_venv: Callable[..., Venv]
) -> None:
    """Whatever a SNAP names can stand on either side."""
    office = make_venv("office", numpy="1.0")
    cli.ok("--python", office.python, "save")
    (home / "old.txt").write_text("numpy==0.9\n", encoding="utf-8")

    assert "numpy  0.9 -> 2.0.1" in cli.ok("--env", "lab", "diff", "old.txt", "latest")
    assert "numpy  2.0.1 -> 1.0" in cli.ok("--env", "lab", "diff", "lab:", "office:")
    assert "numpy  2.0.1 -> 1.0" in cli.ok("--env", "lab", "diff", "lab-pc/lab:", "office:latest")
    assert "nothing differs" in cli.ok("--env", "lab", "diff", "2999-01-01", "now")


def test_log_of_a_package_tells_when_it_changed(saved: Venv, cli: Cli) -> None:
    """Only the snapshots that changed it, and how; other names that contain it are not meant."""
    saved.install(numpy_financial="1.0")
    cli.ok("--env", "lab", "save")

    out = cli.ok("--env", "lab", "log", "--package", "NumPy")

    assert [line.split(") ")[-1].split("  ")[-1] for line in out.splitlines()] == [
        "upgraded numpy 1.26.4 -> 2.0.1",
        "added numpy 1.26.4",
    ]
    nothing = cli("--env", "lab", "log", "--package", "nothing")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "no snapshot fits\n")


def test_log_is_cut_at_n_and_says_so(saved: Venv, cli: Cli) -> None:
    """The newest first; older ones are offered on stderr."""
    ran = cli("--env", "lab", "log", "-n", "1")

    assert ran.out.count("\n") == 1
    assert "older ones" in ran.err
    assert cli("--env", "lab", "log", "-n", "0").out.count("\n") == 2
    assert cli("--env", "lab", "log", "--since", "2999-01-01").out == ""


def test_show_raw_gives_the_exact_bytes(saved: Venv, cli: Cli, repository: Callable[..., Path]) -> None:
    """A pipe into a file is a file that pip takes."""
    assert cli.ok("--env", "lab", "show", "--raw").encode() == (repository() / "current.txt").read_bytes()
    assert cli.ok("--env", "lab", "freeze").encode() == (repository() / "current.txt").read_bytes()


def test_a_reader_that_has_enough_is_no_error(saved: Venv) -> None:
    """`gitsnap log | head -1` ends in silence."""
    command = f"{sys.executable} -m gitsnap --env lab show | true"
    answer = subprocess.run(["sh", "-c", command], capture_output=True, check=False)

    assert answer.stderr == b""


def _in_a_terminal(arguments: list[str], variables: dict[str, str]) -> str:
    """Run gitsnap with a terminal for stdout; return what it shows."""
    import pty

    master, slave = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "gitsnap", *arguments],
        stdout=slave,
        env={**os.environ, **variables},
        check=True,
    )
    os.close(slave)
    shown = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(master)
    return shown.decode()


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX's")
def test_colour_is_for_terminals_that_want_it(saved: Venv, cli: Cli) -> None:
    """A pipe and `NO_COLOR` get plain text, and it says the same."""
    arguments = ["--env", "lab", "diff", "worked", "latest"]
    coloured = _in_a_terminal(arguments, {"TERM": "xterm"})

    assert "\033[32mupgraded\033[0m" in coloured
    assert "\033" not in _in_a_terminal(arguments, {"TERM": "xterm", "NO_COLOR": "1"})
    plain = cli.ok(*arguments)
    assert re.sub(r"\033\[\d*m", "", coloured).replace("\r\n", "\n") == plain


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX's")
def test_lines_fit_a_terminal_of_40_columns(saved: Venv) -> None:
    """What is too long is cut with an ellipsis, on a terminal alone."""
    shown = _in_a_terminal(["--env", "lab", "log"], {"TERM": "xterm", "COLUMNS": "40", "NO_COLOR": "1"})

    assert all(len(line) <= 40 for line in shown.splitlines())
    assert "…" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered_for(shell: str, saved: Venv, cli: Cli) -> None:
    """The script is written by click."""
    cli.variables["_GITSNAP_COMPLETE"] = f"{shell}_source"

    assert "_GITSNAP_COMPLETE" in cli().out


def test_names_of_environments_and_snapshots_complete(saved: Venv, cli: Cli) -> None:
    """`gitsnap --env l<TAB>` and `gitsnap show w<TAB>`."""
    cli.variables.update(_GITSNAP_COMPLETE="bash_complete", COMP_WORDS="gitsnap --env l", COMP_CWORD="2")
    assert cli().out == "plain,lab\n"
    cli.variables.update(COMP_WORDS="gitsnap --env lab show w", COMP_CWORD="4")
    assert cli().out == "plain,worked\n"


def test_a_bug_is_told_in_one_line_and_its_traceback_logged(
    lab: Venv, cli: Cli, home: Path, tmp_path: Path
) -> None:
    """Exit 3, the log named; no traceback for the user."""
    broken = "import gitsnap.cli, gitsnap.cli.render as r, sys; r.config = None; sys.exit(gitsnap.cli.main())"

    ran = cli("config", entry=("-c", broken))

    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("error: this is a bug in gitsnap: TypeError")
    assert "Traceback" not in ran.err
    log = next(home.rglob("gitsnap.log"))
    assert "Traceback" in log.read_text(encoding="utf-8")
    assert str(log) in ran.err


def test_the_python_api_gives_the_same_and_leaves_its_host_alone(saved: Venv) -> None:
    """Frozen values; variables, folder and loaded modules of the host are as they were."""
    code = (
        "import sys; before = set(sys.modules); import gitsnap, json, os; "
        "light = {'git', 'click', 'rich'} & set(sys.modules); was = dict(os.environ); "
        "s = gitsnap.save(env='lab'); log = gitsnap.snapshots(env='lab'); d = gitsnap.diff('worked', 'latest', env='lab'); "
        "print(json.dumps([s.is_new, len(log.listed), [c.name for c in d.diff.changes], was == dict(os.environ), sorted(light), "
        "gitsnap.status(env='lab').newest.stamp == s.newest.stamp, len(gitsnap.environments().known)]))"
    )
    variables = {**os.environ, "GIT_DIR": "/nowhere"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=variables)
    result: list[Any] = json.loads(answer.stdout or "[]")

    assert result == [False, 2, ["numpy", "rich"], True, [], True, 1], answer.stderr
