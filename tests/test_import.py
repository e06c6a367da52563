"""Import: the backups of PyMoDAQ become the beginning of an environment's history, and stay as they were."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsnap import config, history, store
from gitsnap.actions.importing import import_files
from gitsnap.history import OverlapError, Past, Terms
from tests.conftest import Cli, Venv

Git = Callable[..., str]
Where = Callable[..., Path]
START = datetime(2024, 3, 1, 10, 0, 0)  # noqa: DTZ001 - stamps are local time
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def header(executable: object = "/home/ada/.virtualenvs/lab/bin/python") -> str:
    """Return the head of a file as PyMoDAQ writes it."""
    return f"# executable: {executable}\n# version: 3.11.2 (main, Jan 17 2025, 18:03:48) [GCC 13.3.0]\n\n"


def name(number: int) -> str:
    """Return the name of the file of the day *number*."""
    return f"{START + timedelta(days=number):%Y%m%d%H%M%S}_environment.txt"


@pytest.fixture
def backups(home: Path) -> Path:
    """Return PyMoDAQ's folder of the environment `lab`."""
    place = home / ".pymodaq" / "environments" / "lab"
    place.mkdir(parents=True)
    return place


def backup(
    folder: Path, number: int, *lines: str, executable: object = "/home/ada/.virtualenvs/lab/bin/python"
) -> Path:
    """Write one backup with its lines in random order."""
    path = folder / name(number)
    shuffled = random.sample(lines, len(lines))
    path.write_text(header(executable) + "".join(f"{line}\n" for line in shuffled), encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return every file below *folder*, with its time."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def subjects(run_git: Git, place: Path) -> list[str]:
    """Return the subjects of the history, oldest first."""
    return run_git(place, "log", "--reverse", "--format=%s").splitlines()


def sound(run_git: Git, place: Path) -> None:
    """Check what holds after whatever was done: git finds nothing wrong and nothing left to do."""
    run_git(place, "fsck", "--strict")
    assert run_git(place, "status", "--porcelain") == ""
    newest = max(path for path in place.glob("*_environment.txt"))
    assert newest.read_bytes() == (place / "current.txt").read_bytes()
    assert not list(place.glob(".*part"))


def test_each_backup_becomes_a_snapshot_with_its_own_date(
    backups: Path, cli: Cli, repository: Where, run_git: Git
) -> None:
    """In order of their stamps; the folder then holds what a save would have left."""
    backup(backups, 2, "numpy==2.0.1", "six==1.16.0")
    backup(backups, 0, "six==1.16.0", "numpy==1.26.4")
    backup(backups, 1, "numpy==1.26.4", "rich==13.9.4", "six==1.16.0")
    before = contents(backups)

    out = cli.ok("import")

    assert out == "lab: took in 3 snapshots, 2024-03-01 10:00:00 to 2024-03-03 10:00:00\n"
    assert contents(backups) == before
    place = repository("lab")
    sound(run_git, place)
    assert subjects(run_git, place) == [
        "First snapshot: 2 distributions",
        "Add rich 13.9.4",
        "Remove 1, upgrade 1",
    ]
    assert (place / "current.txt").read_text(encoding="utf-8") == header() + "numpy==2.0.1\nsix==1.16.0\n"
    dates = run_git(place, "log", "--reverse", "--format=%ad %cd", "--date=format-local:%Y%m%d%H%M%S").split()
    assert dates == [stamp for number in range(3) for stamp in [name(number)[:14]] * 2]
    log = cli("--env", "lab", "log", "--json").json["snapshots"]
    assert log[0]["reason"] == f"imported from {name(2)}"
    assert log[0]["python"] == "3.11.2"


def test_importing_twice_adds_nothing(backups: Path, cli: Cli, repository: Where, run_git: Git) -> None:
    """Nor does a backup that came meanwhile bring the older ones again."""
    backup(backups, 0, "numpy==1.0")
    cli.ok("import")
    tip = run_git(repository(), "rev-parse", "HEAD")

    assert cli.ok("import") == "lab: nothing new\n  1 file was in the history already\n"
    assert run_git(repository(), "rev-parse", "HEAD") == tip
    backup(backups, 1, "numpy==2.0")
    assert cli.ok("import").startswith("lab: took in 1 snapshot, 2024-03-02 10:00:00\n")
    assert subjects(run_git, repository()) == ["First snapshot: 1 distribution", "Upgrade numpy 1.0 -> 2.0"]
    sound(run_git, repository())


def test_the_report_names_what_was_left_out_and_why(
    backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """Equal states in a row come in once; everything else is named, and lies where it lay."""
    backup(backups, 0, "numpy==1.0", "six==1.0")
    backup(backups, 1, "six==1.0", "numpy==1.0")
    backup(backups, 2, "six==1.0")
    backup(backups, 3, "numpy==1.0", "six==1.0")
    backup(backups, 4)
    (backups / name(5)).write_text("voltage\n", encoding="utf-8")
    (backups / "20990101000000_environment.txt").write_text("six==1.0\n", encoding="utf-8")
    (backups / "20240401_scan.h5").write_bytes(bytes(2 << 20))
    (backups / "notes.txt").write_text("numpy==1.0\n", encoding="utf-8")
    (backups / "old").mkdir()
    before = contents(backups)

    ran = cli("import", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert ran.json.keys() == {"version", "folder", "environments", "left_out"}
    [one] = ran.json["environments"]
    assert one.keys() == {"environment", "repository", "imported", "known", "repeated", "kept", "refused"}
    assert [snapshot["stamp"] for snapshot in one["imported"]] == [name(number)[:14] for number in (0, 2, 3)]
    assert [item["path"] for item in one["repeated"]] == [str(backups / name(1))]
    assert {Path(item["path"]).name: item["reason"] for item in ran.json["left_out"]} == {
        name(4): "it names no package: its freeze had failed",
        name(5): "line 1 is not of a freeze: voltage",
        "20990101000000_environment.txt": "its date is in the future",
        "20240401_scan.h5": "it is too large for a list of packages",
        "notes.txt": "its name has no date",
        "old": "it is a folder",
    }
    assert contents(backups) == before
    text = cli("import").out
    assert "  1 file says the same as the one before\n" in text
    assert f"  {backups / 'notes.txt'}: its name has no date\n" in text
    sound(run_git, repository())


def test_without_a_valid_file_no_repository_is_made(backups: Path, cli: Cli, repository: Where) -> None:
    """And the error names what there is."""
    backup(backups, 0)

    ran = cli("import")

    assert ran.code == 12
    assert f"{name(0)}: it names no package" in ran.err
    assert not repository().parent.exists()


@pytest.mark.parametrize("arguments", [(), ("missing",)])
def test_a_folder_that_is_not_there_is_said(arguments: tuple[str, ...], cli: Cli, home: Path) -> None:
    """With or without a PATH."""
    ran = cli("import", *arguments)

    assert ran.code == 12
    assert ran.err.startswith("error: there is no folder `")


def test_the_files_of_several_interpreters_in_one_folder_are_told_apart(
    backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """PyMoDAQ names the folder after a variable, which may be another environment's."""
    for number in range(4):
        owner = ("one", "two/.venv")[number % 2]
        backup(backups, number, f"numpy=={number}", executable=f"/srv/{owner}/bin/python")

    out = cli.ok("import")

    assert out.splitlines() == [
        "one: took in 2 snapshots, 2024-03-01 10:00:00 to 2024-03-03 10:00:00",
        "two: took in 2 snapshots, 2024-03-02 10:00:00 to 2024-03-04 10:00:00",
    ]
    assert subjects(run_git, repository("two")) == ["First snapshot: 1 distribution", "Upgrade numpy 1 -> 3"]
    refused = cli("import", "--as", "both")
    assert refused.code == 2
    assert "/srv/two/.venv" in refused.err


def test_two_lost_environments_of_one_name_get_two_histories(backups: Path, cli: Cli, home: Path) -> None:
    """They are known by their folders."""
    for number, owner in enumerate(("a", "b")):
        folder = home / "freezes" / f"f{owner}"
        folder.mkdir(parents=True)
        backup(folder, 0, f"numpy=={number}", executable=f"/srv/{owner}/lab/bin/python")
        backup(folder, 1, "numpy==9", executable="/srv/third/bin/python")

    found = cli("import", home / "freezes", "--json").json["environments"]

    names = [one["environment"] for one in found]
    assert names[0] == "lab"
    assert names[1] == "third"
    assert names[2].startswith("lab-")
    assert [len(one["imported"]) for one in found] == [1, 1, 1]


def test_an_environment_that_is_still_there_goes_on_with_its_history(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """The next save adds one commit to the imported ones; that the Python went by another name is no change."""
    backup(backups, 0, "numpy==1.0", "six==1.16.0", executable=lab.prefix / "bin" / "python3")

    cli.ok("import")
    out = cli.ok("--python", lab.python, "save")

    assert out.startswith("lab: saved snapshot ")
    assert subjects(run_git, repository()) == [
        "First snapshot: 2 distributions",
        subjects(run_git, repository())[1],
    ]
    assert str(lab.python) in (repository() / "current.txt").read_text(encoding="utf-8")
    first = run_git(repository(), "show", "HEAD~1:current.txt")
    assert first.startswith(f"# executable: {lab.python}\n")


def test_snapshots_that_were_never_pushed_are_put_on_top(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """Same content and dates; tags go along; the old tip is kept; launches go on."""
    cli.ok("--python", lab.python, "save", "-m", "first")
    cli.ok("--env", "lab", "tag", "worked")
    lab.install(numpy="2.0.1")
    cli.ok("--env", "lab", "save")
    place = repository()
    old = run_git(place, "rev-parse", "HEAD").strip()
    format_ = "--format=%an%n%ae%n%at %ct %ai%n%B"
    said = [run_git(place, "log", "-1", format_, one) for one in ("HEAD", "HEAD~1")]
    texts = [run_git(place, "show", f"{one}:current.txt") for one in ("HEAD", "HEAD~1")]
    for number in range(3):
        backup(backups, number, f"numpy==1.{number}", executable=lab.python)

    out = cli.ok("import")

    assert out.splitlines()[0] == "lab: took in 3 snapshots, 2024-03-01 10:00:00 to 2024-03-03 10:00:00"
    sound(run_git, place)
    assert run_git(place, "rev-list", "--count", "HEAD").strip() == "5"
    assert texts == [run_git(place, "show", f"{one}:current.txt") for one in ("HEAD", "HEAD~1")]
    assert said[0] == run_git(place, "log", "-1", format_)
    # The first is the first no more: it says what it changed.
    again = run_git(place, "log", "-1", format_, "HEAD~1")
    assert ", add 1, upgrade 1\n" in again
    assert said[1].split("\n")[:3] == again.split("\n")[:3]
    assert said[1].rstrip().rpartition("\n\n")[2] == again.rstrip().rpartition("\n\n")[2]
    assert run_git(place, "rev-parse", "worked") == run_git(place, "rev-parse", "HEAD~1")
    assert run_git(place, "for-each-ref", "--format=%(objectname)", "refs/gitsnap/before/").split() == [old]
    assert cli.hook("--env", "lab").err == ""
    assert "nothing changed" in cli.ok("--env", "lab", "save")
    assert cli.ok("--env", "lab", "show", "--raw", "worked").endswith("numpy==1.26.4\nsix==1.16.0\n")


def test_a_first_snapshot_that_says_the_same_as_the_newest_backup_is_there_once(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """No commit without a change; its tag names the state, whose older date holds."""
    cli.ok("--python", lab.python, "save")
    cli.ok("--env", "lab", "tag", "worked")
    version = (repository() / "current.txt").read_text(encoding="utf-8").splitlines()[1]
    backup(backups, 0, "numpy==1.0", executable=lab.python)
    path = backup(backups, 1, "numpy==1.26.4", "six==1.16.0", executable=lab.python)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], version, *lines[2:], ""]), encoding="utf-8")

    cli.ok("import")

    assert run_git(repository(), "rev-list", "--count", "HEAD").strip() == "2"
    assert run_git(repository(), "rev-parse", "worked") == run_git(repository(), "rev-parse", "HEAD")
    sound(run_git, repository())
    assert "nothing changed" in cli.ok("--env", "lab", "save")


def test_backups_beside_snapshots_that_say_the_same_are_known(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """Where both were in use for a while, a second import does not stumble over it."""
    cli.ok("--python", lab.python, "save")
    now = datetime.now() + timedelta(seconds=3)  # noqa: DTZ005 - stamps are local time
    text = header(lab.python) + "six==1.16.0\nnumpy==1.26.4\n"
    (backups / f"{now:%Y%m%d%H%M%S}_environment.txt").write_text(text, encoding="utf-8")

    assert cli.ok("import").startswith("lab: nothing new\n")
    assert run_git(repository(), "rev-list", "--count", "HEAD").strip() == "1"


def test_backups_among_the_snapshots_are_refused_and_as_is_the_way_out(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """Nothing is changed; with another name they get a history of their own."""
    cli.ok("--python", lab.python, "save")
    now = datetime.now() + timedelta(seconds=3)  # noqa: DTZ005 - stamps are local time
    backup(backups, 0, "numpy==0.1", executable=lab.python)
    text = header(lab.python) + "numpy==0.2\n"
    (backups / f"{now:%Y%m%d%H%M%S}_environment.txt").write_text(text, encoding="utf-8")
    tip = run_git(repository(), "rev-parse", "HEAD")

    ran = cli("import")

    assert ran.code == 1
    assert "1 of the 2 states are not older than its snapshot" in ran.err
    assert "--as NAME" in ran.err
    assert run_git(repository(), "rev-parse", "HEAD") == tip
    assert cli.ok("import", "--as", "lab-old").startswith("lab-old: took in 2 snapshots")
    assert "nothing changed" in cli.ok("--python", lab.python, "save")
    assert cli("import", "--as", "a/b").code == 2


def test_snapshots_that_were_pushed_stay_where_they_are(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where, tmp_path: Path
) -> None:
    """Else the remote and this computer would have two histories."""
    cli.ok("--python", lab.python, "save")
    run_git(tmp_path, "init", "--quiet", "--bare", "server.git")
    run_git(repository(), "remote", "add", "server", str(tmp_path / "server.git"))
    run_git(repository(), "push", "--quiet", "server", "main")
    backup(backups, 0, "numpy==0.1", executable=lab.python)

    ran = cli("import")

    assert ran.code == 1
    assert "were pushed" in ran.err
    assert run_git(repository(), "rev-list", "--count", "HEAD").strip() == "1"


def test_one_refused_environment_does_not_keep_the_others_out(
    lab: Venv, backups: Path, cli: Cli, home: Path
) -> None:
    """Exit code 4: partly done."""
    cli.ok("--python", lab.python, "save")
    now = datetime.now() + timedelta(seconds=3)  # noqa: DTZ005 - stamps are local time
    text = header(lab.python) + "numpy==0.2\n"
    (backups / f"{now:%Y%m%d%H%M%S}_environment.txt").write_text(text, encoding="utf-8")
    backup(backups, 0, "numpy==0.1", executable=lab.python)
    other = backups.parent / "other"
    other.mkdir()
    backup(other, 0, "numpy==1", executable="/srv/other/bin/python")

    ran = cli("import")

    assert ran.code == 4
    assert "other: took in 1 snapshot" in ran.out
    picked = cli("import", "--python", lab.python)
    assert picked.code == 1
    assert "other" not in picked.out


def test_any_folder_of_dated_freezes_is_taken_in(
    cli: Cli, tmp_path: Path, run_git: Git, repository: Where
) -> None:
    """The folder's name is the environment's; of two files of one day the second is a second later."""
    folder = tmp_path / "bench"
    folder.mkdir()
    (folder / "2025-01-31.txt").write_text("numpy==1.0\n", encoding="utf-8")
    (folder / "2025-01-31 later.txt").write_text("numpy==2.0\n", encoding="utf-8")
    (folder / "2025-02-01 18-30.txt").write_text("numpy==3.0\n", encoding="utf-16")

    out = cli.ok("import", folder)

    assert out == "bench: took in 3 snapshots, 2025-01-31 00:00:00 to 2025-02-01 18:30:00\n"
    assert len(subjects(run_git, repository("bench"))) == 3
    assert cli.ok("import", folder).startswith("bench: nothing new\n")
    assert cli.ok("import", folder / "2025-01-31.txt", "--as", "one").startswith("one: took in 1 snapshot")


def test_the_folder_of_pymodaq_is_found_by_its_own_files(home: Path, cli: Cli) -> None:
    """The user's file over the system's, the new name over the old one."""
    root = home / ".pymodaq"
    (root / "config").mkdir(parents=True)
    for folder in ("old", "new"):
        (root / folder / "lab").mkdir(parents=True)
        backup(root / folder / "lab", 0, f"{folder}==1")
    (root / "config_pymodaq_utils.toml").write_text('[backup]\nfolder = "old"\n', encoding="utf-8")
    old = cli("import", "--json").json["folder"]
    (root / "config" / "utils.toml").write_text('[backup]\nfolder = "new"\n', encoding="utf-8")
    new = cli("import", "--as", "new", "--json").json["folder"]
    (root / "config" / "utils.toml").write_text("[backup\n", encoding="utf-8")
    broken = cli("import", "--as", "broken", "--json").json["folder"]

    assert (old, new, broken) == (str(root / "old"), str(root / "new"), str(root / "old"))


def test_the_limit_holds_and_the_history_keeps_all(
    backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """As for a save: the newest files stay in the folder, pruned snapshots can still be named."""
    cli.variables["GITSNAP_BACKUP_LIMIT"] = "4"
    for number in range(10):
        backup(backups, number, f"numpy==1.{number}")

    cli.ok("import")

    assert sorted(path.name for path in repository().glob("*_environment.txt")) == [
        name(n) for n in range(6, 10)
    ]
    assert cli.ok("--env", "lab", "show", "--raw", name(0)[:14]).endswith("numpy==1.0\n")
    sound(run_git, repository())


def test_a_thousand_backups_come_in_within_seconds(
    backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """In one pack, some hundred bytes each."""
    lines = {f"package-{number}": 0 for number in range(100)}
    for number in range(1000):
        lines[f"package-{number % 100}"] += 1
        backup(backups, number - 200, *(f"{key}==1.{value}" for key, value in lines.items()))
    begun = time.monotonic()

    out = cli.ok("import")

    assert time.monotonic() - begun < 30
    assert "took in 1000 snapshots" in out
    pack = repository() / ".git" / "objects" / "pack"
    assert sum(path.stat().st_size for path in pack.iterdir()) < 1000 * 800
    sound(run_git, repository())


@pytest.mark.skipif(os.name == "nt", reason="kills of POSIX")
@pytest.mark.parametrize("number", range(6))
def test_an_import_that_is_killed_leaves_all_as_it_was_or_done(
    number: int, lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """The branch and the tags move at once; whatever else is missing, the next import and save put right."""
    cli.ok("--python", lab.python, "save")
    cli.ok("--env", "lab", "tag", "worked")
    for day in range(200):
        backup(backups, day, f"numpy==1.{day}", executable=lab.python)
    text = run_git(repository(), "show", "HEAD:current.txt")
    child = subprocess.Popen([sys.executable, "-m", "gitsnap", "import"], stdout=subprocess.PIPE)
    time.sleep(0.25 + 0.12 * number)
    child.kill()
    child.communicate()

    run_git(repository(), "fsck", "--strict")
    assert int(run_git(repository(), "rev-list", "--count", "HEAD")) in {1, 201}
    assert run_git(repository(), "show", "HEAD:current.txt") == text
    assert run_git(repository(), "rev-parse", "worked") == run_git(repository(), "rev-parse", "HEAD")
    assert cli("import").code == 0
    assert cli("--env", "lab", "save").code == 0
    assert int(run_git(repository(), "rev-list", "--count", "HEAD")) == 201
    sound(run_git, repository())
    assert run_git(repository(), "for-each-ref", "refs/gitsnap/scaffold") == ""


STATES = st.lists(st.dictionaries(st.sampled_from("abcd"), st.integers(1, 3), min_size=1), max_size=6)


@settings(max_examples=15)
@given(older=STATES, newer=STATES, limit=st.integers(1, 4))
def test_a_history_grows_by_what_is_given_and_nothing_else(
    older: list[dict[str, int]],
    newer: list[dict[str, int]],
    limit: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever states are put below whatever snapshots: each is there with its text, in order, and git is content."""
    found = config.load({"GITSNAP_HOME": str(tmp_path_factory.mktemp("home"))})
    place = store.named(found, "lab")
    terms = Terms(limit=limit, machine="lab-pc", now=NOW)

    def past(states: list[dict[str, int]], year: int) -> list[Past]:
        texts = [header() + "".join(f"{key}=={state[key]}\n" for key in sorted(state)) for state in states]
        distinct = [text for at, text in enumerate(texts) if at == 0 or text != texts[at - 1]]
        return [Past(f"{year}0101{at:06d}", text.encode(), "x") for at, text in enumerate(distinct)]

    top, below = past(newer, 2020), past(older, 2010)
    for part in (top, below, top, below):
        if part:
            history.grow(place, part, terms)
    wanted = [one.text for one in below + top]
    if below and top and below[-1].text == top[0].text:
        del wanted[len(below)]

    if not wanted:
        assert not place.exists
        return
    with store.reading(place) as repo:
        chain = repo.chain()
        assert [repo.read(commit, "current.txt") for commit in chain] == wanted
        assert repo.problems() == []
        assert repo.index_differences() == []
        stamped = [one for one in repo.entries(chain[-1]) if one != "current.txt"]
    assert len(stamped) == min(limit, len(wanted))
    assert {path.name for path in place.path.iterdir()} == {*stamped, "current.txt", ".git"}
    assert (place.path / "current.txt").read_bytes() == wanted[-1]


def test_a_fetched_history_takes_the_local_snapshots_on_top(
    lab: Venv, backups: Path, cli: Cli, run_git: Git, repository: Where
) -> None:
    """What `fetch --adopt` needs: commits of another history stay as they are, ours get new ones."""
    backup(backups, 0, "numpy==1.0", executable="/srv/lab/bin/python")
    cli.ok("import", "--as", "other")
    cli.ok("--python", lab.python, "save")
    place = repository("lab")
    run_git(place, "fetch", "--quiet", str(repository("other")), "main:refs/remotes/server/other")
    base = run_git(place, "rev-parse", "refs/remotes/server/other").strip()
    found = store.named(config.load(dict(os.environ)), "lab")
    terms = Terms(limit=25, machine="lab-pc", now=NOW)

    grown = history.put_on_top(found, base, terms)

    assert run_git(place, "rev-list", "HEAD~1").split() == [base]
    assert grown.kept == "refs/gitsnap/before/20260101000000"
    assert len(list(place.glob("*_environment.txt"))) == 2
    sound(run_git, place)
    with pytest.raises(OverlapError, match="pushed"):
        history.put_on_top(found, base, terms)


def test_the_library_imports_too(backups: Path) -> None:
    """It raises and prints nothing."""
    backup(backups, 0, "numpy==1.0")

    result = import_files(backups)

    assert [len(one.added) for one in result.brought] == [1]
    assert (
        json.dumps([one.subject for one in result.brought[0].added]) == '["First snapshot: 1 distribution"]'
    )
