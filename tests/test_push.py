"""Push: one branch an environment, nothing forced, nothing lost, and plain git does the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import gitsnap
from gitsnap import config, detached, files, launch, tries
from gitsnap.actions import fetch, push, remote
from gitsnap.errors import ConfigError, LockedError, NoRepositoryError, UsageError
from gitsnap.remote import Pushed
from gitsnap.verdict import Verdict
from tests import servers
from tests.conftest import Cli, Venv, git
from tests.machines import become, local, refs, save

MakeVenv = Callable[..., Venv]


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be at computer pc-one, whose remote is a bare repository on a stick."""
    become("pc-one", tmp_path, monkeypatch)
    place = tmp_path / "stick" / "environments.git"
    remote.set_url(str(place))
    return place


def pushed(name: str = "lab") -> Pushed:
    """Push one environment."""
    return push.push(env=name).results[0].pushed


def test_a_path_that_does_not_exist_is_made_a_bare_repository(stick: Path, make_venv: MakeVenv) -> None:
    """The branch is named after machine and environment; the second push has nothing to send."""
    save(make_venv, numpy="1.0")
    save(make_venv, "office", numpy="1.0")

    first = push.push()

    assert [(one.store.name, one.pushed.branch, one.pushed.sent) for one in first.results] == [
        ("lab", "pc-one/lab", 1),
        ("office", "pc-one/office", 1),
    ]
    assert refs(stick).keys() == {"heads/pc-one/lab", "heads/pc-one/office"}
    assert [one.pushed.sent for one in push.push().results] == [0, 0]


def test_plain_git_push_and_fetch_do_the_same(stick: Path, make_venv: MakeVenv) -> None:
    """Refspecs are configured in the repository, and what plain git pushed counts as pushed."""
    save(make_venv, numpy="1.0")
    pushed()
    place = save(make_venv, numpy="2.0")
    gitsnap.tag("worked", env="lab")

    git(local().path, "push")

    assert refs(stick) == {
        "heads/pc-one/lab": git(local().path, "rev-parse", "main").strip(),
        "tags/pc-one/lab/worked": git(local().path, "rev-parse", "main").strip(),
    }
    waiting = gitsnap.status(env="lab").waiting
    assert waiting is not None
    assert waiting.unsent == 0
    git(local().path, "fetch")
    assert "tags/pc-one/lab/worked" not in refs(local().path)
    assert git(local().path, "status", "--short", "--branch").splitlines() == ["## main...gitsnap/pc-one/lab"]
    gitsnap.save(python=str(place.python))


def test_another_history_is_kept_and_ours_goes_beside_it(
    stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second computer of that name: chosen once, remembered without gitsnap's state, and said once."""
    save(make_venv, numpy="1.0")
    pushed()
    kept = refs(stick)
    become("PC-One", tmp_path / "other", monkeypatch)
    remote.set_url(str(stick))
    save(make_venv, numpy="9.0")
    first = git(local().path, "rev-parse", "main").strip()

    told = pushed()

    assert told.verdict.code == "other-history"
    assert told.verdict.is_good
    assert told.branch == f"pc-one/lab-{first[:8]}"
    assert "--adopt" in told.verdict.hint
    assert refs(stick) == {**kept, f"heads/{told.branch}": first}
    shutil.rmtree(config.load(os.environ).state_path)
    save(make_venv, numpy="9.1")
    again = pushed()
    assert (again.verdict.code, again.branch, again.sent) == ("ok", told.branch, 1)
    assert refs(stick)["heads/pc-one/lab"] == kept["heads/pc-one/lab"]


def test_a_cloned_disk_that_goes_on_by_itself_parts_ways_where_it_left(
    stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The suffix is of the first commit that the other lacks; a clone of the clone gets yet another."""
    save(make_venv, numpy="1.0")
    pushed()
    shutil.copytree(tmp_path / "home-of-pc-one", tmp_path / "image", symlinks=True)
    save(make_venv, numpy="2.0")
    pushed()
    branches = []
    for clone in ("a", "b"):
        (tmp_path / clone).mkdir()
        shutil.copytree(tmp_path / "image", tmp_path / clone / "home-of-pc-one", symlinks=True)
        become("pc-one", tmp_path / clone, monkeypatch)
        save(make_venv, numpy="3.0" if clone == "a" else "4.0")
        first = git(local().path, "rev-parse", "main").strip()
        told = pushed()
        assert (told.verdict.code, told.branch) == ("other-history", f"pc-one/lab-{first[:8]}")
        branches.append(told.branch)

    assert refs(stick, "refs/heads").keys() == {"heads/pc-one/lab", *(f"heads/{one}" for one in branches)}
    assert len(set(branches)) == 2


def test_a_remote_that_was_rewritten_is_kept_too(
    stick: Path, make_venv: MakeVenv, run_git: Callable[..., str]
) -> None:
    """Somebody forced it: what they put there stays."""
    save(make_venv, numpy="1.0")
    pushed()
    tree = run_git(stick, "hash-object", "-t", "tree", "-w", os.devnull).strip()
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    other = run_git(stick, *who, "commit-tree", "-m", "rewritten", tree).strip()
    run_git(stick, "update-ref", "refs/heads/pc-one/lab", other)
    save(make_venv, numpy="2.0")

    told = pushed()

    assert told.verdict.code == "other-history"
    assert refs(stick)["heads/pc-one/lab"] == other
    assert refs(stick)[f"heads/{told.branch}"] == refs(local().path)["heads/main"]


def test_a_remote_that_is_ahead_is_said_and_left(
    stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old image of the disk was put back: all that is here is there."""
    save(make_venv, numpy="1.0")
    pushed()
    shutil.copytree(tmp_path / "home-of-pc-one", tmp_path / "image" / "home-of-pc-one", symlinks=True)
    save(make_venv, numpy="2.0")
    pushed()
    there = refs(stick)
    become("pc-one", tmp_path / "image", monkeypatch)

    told = pushed()

    assert told.verdict.code == "ok"
    assert "--adopt" in told.verdict.hint
    assert refs(stick) == there


def test_tags_go_along_without_a_clash_and_a_moved_one_keeps_the_old(
    stick: Path, make_venv: MakeVenv
) -> None:
    """Two environments have the same tag; one moves its own."""
    for name in ("lab", "office"):
        save(make_venv, name, numpy="1.0")
        gitsnap.tag("worked", env=name)
    push.push()
    old = refs(stick)["tags/pc-one/lab/worked"]
    save(make_venv, numpy="2.0")
    gitsnap.untag("worked", env="lab")
    gitsnap.tag("worked", env="lab")
    new = refs(local().path)["tags/worked"]

    assert [one.pushed.verdict.code for one in push.push().results] == ["ok", "ok"]
    assert [one.pushed.verdict.code for one in push.push().results] == ["ok", "ok"]

    assert {name: commit for name, commit in refs(stick, "refs/tags").items() if "office" not in name} == {
        "tags/pc-one/lab/worked": old,
        f"tags/pc-one/lab/worked-{new[:8]}": new,
    }


def test_a_branch_that_is_in_the_way_is_an_error_with_a_remedy(
    stick: Path, make_venv: MakeVenv, run_git: Callable[..., str]
) -> None:
    """`pc-one` is a file where `pc-one/lab` needs a folder: it cannot be sent, and that is never 0."""
    save(make_venv, numpy="1.0")
    run_git(local().path, "push", str(stick), "main:refs/heads/pc-one")

    report = push.push()

    assert report.failed == 1
    assert report.results[0].pushed.verdict.code == "refused"
    assert "machine" in report.results[0].pushed.verdict.hint


def test_another_remote_knows_nothing_of_what_the_first_one_has(
    stick: Path, make_venv: MakeVenv, tmp_path: Path
) -> None:
    """After `remote set` to another place, all is to be sent again."""
    save(make_venv, numpy="1.0")
    gitsnap.tag("worked", env="lab")
    pushed()

    result = remote.set_url(str(tmp_path / "second.git"))

    assert result.unsent == 1
    assert pushed().sent == 1
    assert refs(tmp_path / "second.git") == refs(stick)


def test_machine_and_environment_in_the_path_give_one_repository_each(
    stick: Path, make_venv: MakeVenv, tmp_path: Path
) -> None:
    """They are made where the folder of all is; where that is gone, nothing is made in its place."""
    remote.set_url(str(tmp_path / "many" / "{machine}" / "{environment}.git"))
    save(make_venv, numpy="1.0")
    save(make_venv, "office", numpy="1.0")

    assert push.push().failed == 0

    assert refs(tmp_path / "many" / "pc-one" / "office.git").keys() == {"heads/pc-one/office"}
    assert {one.branch for one in fetch.fetch().found} == {"pc-one/lab", "pc-one/office"}
    assert remote.probe().writing.code == "ok"
    shutil.rmtree(tmp_path / "many")
    assert [one.pushed.verdict.code for one in push.push().results] == ["not-found", "not-found"]
    assert not (tmp_path / "many").exists()
    assert remote.probe().reading.code == "not-found"


def test_the_user_s_git_cannot_divert_or_break_a_push(
    stick: Path, make_venv: MakeVenv, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of a hook, signing, hooks and tags of theirs; their transport is in force."""
    save(make_venv, numpy="1.0")
    hooks = home / "hooks"
    hooks.mkdir()
    (hooks / "pre-push").write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    (hooks / "pre-push").chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks.as_posix()}\n[push]\n\tgpgSign = true\n\tfollowTags = true\n"
        "[remote]\n\tpushDefault = nowhere\n[transfer]\n\tfsckObjects = true\n"
        f'[url "{stick.parent.as_posix()}/"]\n\tinsteadOf = stick:\n',
        encoding="utf-8",
    )
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"):
        monkeypatch.setenv(name, str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))

    assert pushed().verdict.code == "ok"
    assert not (tmp_path / "trace").exists()
    monkeypatch.setenv("GITSNAP_REMOTE_URL", "stick:environments.git")
    assert pushed().verdict.code == "ok"


@pytest.mark.parametrize(
    "url", ["ext::sh -c touch% x", "-x", "--upload-pack=x", "../x", "x\ny", "https://a:b@c/d"]
)
def test_what_git_must_not_be_given_is_refused(url: str, stick: Path, cli: Cli) -> None:
    """2, before anything is written."""
    before = (config.load(os.environ).files[1]).read_bytes()

    ran = cli("remote", "set", "--", url)

    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: ")
    assert "a:b" not in ran.err
    assert config.load(os.environ).files[1].read_bytes() == before


def test_credentials_in_the_configuration_are_refused_and_never_shown(
    stick: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is git's credential helper."""
    monkeypatch.setenv("GITSNAP_REMOTE_URL", "https://token-123@example.org/x.git")

    ran = cli("remote")

    assert ran.code == 2
    assert "token-123" not in ran.out + ran.err
    assert "credential" in ran.err


def test_setting_keeps_comments_and_a_folder_with_other_things_is_refused(
    stick: Path, tmp_path: Path, cli: Cli
) -> None:
    """What the user wrote stays; `unset` takes one line away."""
    file = config.load(os.environ).files[1]
    file.write_text(
        "# mine\n[backup]\nlimit = 7   # a week\n\n[remote]\n# lab's\nurl = '/old'\n", encoding="utf-8"
    )

    cli.ok("remote", "set", stick)

    assert file.read_text(encoding="utf-8") == (
        f'# mine\n[backup]\nlimit = 7   # a week\n\n[remote]\n# lab\'s\nurl = "{stick}"\n'
    )
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    assert cli("remote", "set", tmp_path / "photos").code == 2
    cli.ok("remote", "unset")
    assert "url" not in file.read_text(encoding="utf-8")
    assert cli("remote").out == "no remote is set: snapshots are on this computer alone\n"
    with pytest.raises(UsageError):
        push.push()


def test_unset_leaves_no_trace_in_the_repositories(stick: Path, make_venv: MakeVenv) -> None:
    """Plain git has no remote any more, and what was sent stays there."""
    save(make_venv, numpy="1.0")
    pushed()

    assert remote.unset()

    assert "gitsnap" not in (local().path / ".git" / "config").read_text(encoding="utf-8")
    assert refs(local().path).keys() == {"heads/main"}
    assert refs(stick).keys() == {"heads/pc-one/lab"}


def test_a_variable_that_holds_over_the_file_is_named(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing the file would change nothing."""
    monkeypatch.setenv("GITSNAP_REMOTE_URL", str(stick))

    with pytest.raises(ConfigError, match="GITSNAP_REMOTE_URL"):
        remote.set_url("/elsewhere")


def test_exit_codes_and_json_of_push(stick: Path, make_venv: MakeVenv, cli: Cli, tmp_path: Path) -> None:
    """All failed 1, some failed 4, another push at work 11, nothing to send 10; the answer is printed in each case."""
    with pytest.raises(NoRepositoryError):
        push.push()
    assert cli("push").code == 10
    save(make_venv, numpy="1.0")
    save(make_venv, "office", numpy="1.0")
    ran = cli("push", "--json")
    assert (ran.code, ran.json.keys()) == (0, {"version", "url", "results"})
    assert ran.json["results"][0].keys() == {"environment", "branch", "sent", "code", "message", "hint"}
    git(local("office").path, "update-ref", "-d", "refs/heads/main")
    shutil.rmtree(local("office").path / ".git" / "objects")
    some = cli("push", "--json")
    assert (some.code, [one["code"] for one in some.json["results"]]) == (4, ["ok", "failed"])
    shutil.rmtree(stick)
    every = cli("push", "--env", "lab")
    assert every.code == 1
    assert every.out.startswith("lab  not-found  there is no repository `")
    assert "hint: " in every.err
    assert cli("fetch", "--json").code == 1
    assert cli("remote", "test").code == 1


def test_json_of_remote_is_a_promise(stick: Path, make_venv: MakeVenv, cli: Cli) -> None:
    """Programs read it: a key that goes missing breaks them."""
    save(make_venv, numpy="1.0")

    shown = cli("remote", "--json").json
    assert shown.keys() == {"version", "url", "push", "machine", "fetched", "environments"}
    assert shown["environments"] == [
        {"environment": "lab", "branch": "pc-one/lab", "unsent": 1, "trouble": None}
    ]
    assert cli("remote", "set", stick, "--json").json.keys() == {"version", "url", "file", "made", "unsent"}
    tested = cli("remote", "test", "--json").json
    assert tested.keys() == {"version", "url", "read", "write", "branches"}
    assert tested["read"] == {"code": "ok", "message": None, "hint": None}
    assert cli("remote", "unset", "--json").json == {"version": 1, "unset": True}
    assert cli("push", "--json").json["error"]["exit_code"] == 2


def test_another_push_at_work_is_11(
    stick: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time for each remote."""
    save(make_venv, numpy="1.0")
    monkeypatch.setattr(push, "_PATIENCE", 0.1)
    lock = push._lock(config.load(os.environ))

    with files.locked(lock, patience=0, what="it"), pytest.raises(LockedError) as caught:
        push.push()

    assert caught.value.exit_code == 11


def test_ten_computers_push_at_once(stick: Path, make_venv: MakeVenv, tmp_path: Path) -> None:
    """One server, one moment: all arrive, and its repository is whole."""
    lab = make_venv("lab", numpy="1.0")
    script = (
        "import gitsnap, sys; from gitsnap.actions import push, remote; "
        "gitsnap.save(python=sys.argv[1]); remote.set_url(sys.argv[2]); sys.exit(push.push().failed)"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(lab.python), str(stick)],
            env={
                **os.environ,
                "GITSNAP_HOME": str(tmp_path / f"home{number}"),
                "GITSNAP_REMOTE_MACHINE": f"pc-{number}",
            },
        )
        for number in range(10)
    ]

    assert [child.wait(60) for child in children] == [0] * 10
    assert refs(stick).keys() == {f"heads/pc-{number}/lab" for number in range(10)}
    servers.run("git", "-C", str(stick), "fsck", "--strict")


def test_ten_pushes_of_one_computer_in_the_background_send_all(
    stick: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One works, one waits, the others leave it to them."""
    save(make_venv, numpy="1.0")
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "auto")
    children = [
        subprocess.Popen([sys.executable, "-m", "gitsnap", "push", "--background"]) for _ in range(10)
    ]

    assert [child.wait(60) for child in children] == [0] * 10
    assert refs(stick) == {"heads/pc-one/lab": refs(local().path)["heads/main"]}


def wait_until(is_so: Callable[[], bool], patience: float = 20) -> None:
    """Wait for what a process in the background does."""
    deadline = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def test_a_new_snapshot_is_pushed_by_itself_and_the_launch_holds_no_pipe(
    stick: Path, make_venv: MakeVenv, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The launch's output ends with the launch; the push goes on."""
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "auto")
    lab = make_venv("lab", numpy="1.0")

    ran = cli.hook("--python", lab.python)

    assert (ran.code, ran.out, ran.err) == (0, "", "")
    wait_until(lambda: refs(stick).keys() == {"heads/pc-one/lab"})
    wait_until(lambda: not list((config.load(os.environ).state_path / "push").glob("*.json")))
    assert "all pushed to pc-one/lab" in cli.ok("--env", "lab", "status")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Note what is started in the background, and start nothing."""
    commands: list[list[str]] = []

    def start(command: list[str], variables: object, folder: str) -> bool:
        commands.append(list(command))
        return True

    monkeypatch.setattr(detached, "start", start)
    return commands


def test_a_push_that_is_due_costs_a_launch_one_process_and_one_that_is_not_none(
    stick: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
) -> None:
    """The time of one small file decides; a clock that was set back does not put it off for ever."""
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "auto")
    lab = make_venv("lab", numpy="1.0")
    shutil.rmtree(stick)

    def launched() -> int:
        started.clear()
        launch.save_before_launch(str(lab.python), None)
        return len(started)

    assert launched() == 1
    assert started[0][-2:] == ["push", "--background"]
    assert launched() == 0
    push.push_in_background()
    waiting = next((config.load(os.environ).state_path / "push").glob("*.json"))
    assert tries.read(waiting).code == "not-found"  # type: ignore[union-attr]
    assert launched() == 0
    os.utime(waiting, (1, 1))
    assert (launched(), launched()) == (1, 0)
    os.utime(waiting, (time.time() + 10**7,) * 2)
    assert (launched(), launched()) == (1, 0)
    remote.set_url(str(stick))
    os.utime(waiting, (1, 1))
    push.push_in_background()
    assert not waiting.exists()
    assert launched() == 0
    assert refs(stick).keys() == {"heads/pc-one/lab"}


def test_snapshots_from_before_the_remote_was_set_are_pushed_at_the_next_launch(
    stick: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
) -> None:
    """Nothing changed since, and yet there is something to send."""
    lab = save(make_venv, numpy="1.0")
    launch.save_before_launch(str(lab.python), None)
    assert started == []
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "auto")

    launch.save_before_launch(str(lab.python), None)
    launch.save_before_launch(str(lab.python), None)

    assert len(started) == 1


def test_status_says_what_is_not_pushed_since_when_and_why(
    stick: Path, make_venv: MakeVenv, cli: Cli
) -> None:
    """Without asking the remote; in JSON too."""
    save(make_venv, numpy="1.0")
    assert (
        "remote       1 snapshot not pushed; `gitsnap push` sends them" in cli("--env", "lab", "status").out
    )
    shutil.rmtree(stick)
    cli("push")
    save(make_venv, numpy="2.0")

    shown = cli.ok("--env", "lab", "status")
    told = cli("--env", "lab", "status", "--json").json["remote"]

    assert f"remote       2 snapshots not pushed since today: there is no repository `{stick}`" in shown
    assert told.keys() == {"branch", "unsent", "since", "code", "message", "hint"}
    assert (told["unsent"], told["code"]) == (2, "not-found")


def test_tries_wait_longer_each_time_and_garbled_ones_are_forgotten(tmp_path: Path) -> None:
    """Two minutes, four, eight … a day at most; the first time and the reason are kept."""
    file = tries.file_of(tmp_path, tmp_path / "lab", "url")
    now = datetime(2025, 1, 31, 12, tzinfo=timezone.utc)
    pauses = []
    for number in range(14):
        tries.failed(file, "lab", Verdict("unreachable", f"no {number}"), now + timedelta(days=number))
        pauses.append(file.stat().st_mtime - (now + timedelta(days=number)).timestamp())

    assert pauses[:3] == [120, 240, 480]
    assert pauses[-1] == 86400
    found = tries.read(file)
    assert found is not None
    assert (found.since, found.tries, found.message) == ("2025-01-31T12:00:00+00:00", 14, "no 13")
    for text in (
        "",
        "[]",
        "{}",
        json.dumps({"environment": 1, "since": "", "tries": 1}),
        '{"tries": 1, "x": ""}',
    ):
        file.write_text(text, encoding="utf-8")
        assert tries.read(file) is None


def test_a_background_process_finds_gitsnap_without_the_shell_s_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`PYTHONPATH` and the current folder are nobody's business there."""
    (tmp_path / "click.py").write_text("raise SystemExit(99)\n", encoding="ascii")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    answer = subprocess.run(detached.gitsnap("--version"), capture_output=True, text=True, check=False)

    assert answer.stdout.startswith("gitsnap "), answer.stderr
    monkeypatch.setattr(sys, "executable", "/opt/application")
    with pytest.raises(OSError, match="is no Python"):
        detached.gitsnap()
