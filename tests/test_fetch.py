"""Fetch: what other machines have, in a place of its own; hostile content is harmless; a new disk goes on."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import gitsnap
from gitsnap import config, mirror
from gitsnap.actions import fetch, push, remote, wanted
from gitsnap.errors import GitsnapError, NotFoundError
from tests.conftest import Cli, Venv, git
from tests.machines import become, local, refs, save

MakeVenv = Callable[..., Venv]


@pytest.fixture
def stick(tmp_path: Path, make_venv: MakeVenv, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have two pushed snapshots of pc-one's lab on a stick, the second with a tag; be at pc-two."""
    place = tmp_path / "environments.git"
    become("pc-one", tmp_path, monkeypatch)
    remote.set_url(str(place))
    save(make_venv, numpy="1.0", six="1.0")
    save(make_venv, numpy="2.0", six="1.0")
    gitsnap.tag("worked", env="lab")
    push.push()
    become("pc-two", tmp_path, monkeypatch)
    remote.set_url(str(place))
    return place


def everything(folder: Path) -> dict[str, bytes]:
    """Return all files below *folder* but those of the state."""
    return {
        str(path): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "state" not in path.relative_to(folder).parts
    }


def test_after_a_fetch_all_verbs_name_what_another_machine_has(stick: Path, cli: Cli, tmp_path: Path) -> None:
    """Nothing local moves; without a fetch, one environment is fetched when it is asked for."""
    before = everything(tmp_path / "home-of-pc-two")

    assert "numpy==2.0" in cli.ok("show", "pc-one/lab:")
    assert "numpy  1.0 -> 2.0" in cli.ok("diff", "PC-One/LAB:latest~1", "pc-one/lab:worked")
    assert cli.ok("fetch").startswith("1 environment of 1 machine, 0 new or changed")

    assert cli.ok("log", "pc-one/lab:").count("\n") == 2
    assert "upgraded numpy 1.0 -> 2.0" in cli.ok("log", "pc-one/lab:", "--package", "numpy")
    assert "(worked)" in cli.ok("log", "pc-one/lab:")
    assert cli.ok("environments").startswith("pc-one/lab:  2")
    shown = cli("environments", "--json").json["fetched"][0]
    assert shown.keys() == {"machine", "environment", "newest", "fetched"}
    fetched = cli("fetch", "--json").json
    assert fetched.keys() == {
        "version",
        "url",
        "code",
        "message",
        "hint",
        "environments",
        "new",
        "others",
        "adopted",
    }
    assert everything(tmp_path / "home-of-pc-two") == before


def test_what_is_not_on_the_remote_is_12_with_near_names(stick: Path, cli: Cli) -> None:
    """Also on a machine that never fetched, and for names within a history."""
    cli.ok("fetch")
    for name in ("pc-one/lba:", "pc-one/lab:nothing", "pc-one/lab:now", "pc-one/lab:x.txt", "pc-two/lab:"):
        ran = cli("show", name)
        assert (ran.code, ran.out) == (12, ""), name
    assert "  pc-one/lab:\n" in cli("show", "pc-one/lba:").err
    assert cli("log", "nonsense").code == 2


def test_another_s_snapshot_is_never_taken_for_our_own(
    stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even under our machine's name: its lines may run another's code."""
    become("pc-one", tmp_path / "new", monkeypatch)
    remote.set_url(str(stick))

    found = wanted.wanted(wanted.target_of("pc-one/lab:", None, None), "pc-one/lab:")

    assert found.state.fetched
    assert not found.is_own


def hostile(stick: Path, branch: str, entries: dict[str, tuple[str, bytes]], message: str = "") -> None:
    """Put a commit with whatever a tree can hold on a branch of the remote."""
    tree = b""
    for name, (mode, data) in sorted(entries.items()):
        blob = subprocess.run(
            ["git", "-C", str(stick), "hash-object", "-w", "--stdin"],
            input=data,
            capture_output=True,
            check=True,
        ).stdout.decode()
        tree += f"{mode} {name}\0".encode() + bytes.fromhex(blob.strip())
    stored = subprocess.run(
        ["git", "-C", str(stick), "hash-object", "-t", "tree", "-w", "--literally", "--stdin"],
        input=tree,
        capture_output=True,
        check=True,
    ).stdout.decode()
    text = message or "Add x\n\nSnapshot: 20250131112405\nEnvironment: lab\nMachine: pc-one\n"
    who = ("-c", "user.name=x", "-c", "user.email=x@x")
    commit = git(stick, *who, "commit-tree", "-m", text, stored.strip()).strip()
    git(stick, "update-ref", f"refs/heads/{branch}", commit)


FILE, LINK = "100644", "120000"
HOSTILE: dict[str, dict[str, tuple[str, bytes]]] = {
    "link": {"current.txt": (LINK, b"/etc/passwd")},
    "large": {"current.txt": (FILE, b"x" * 6_000_000)},
    "escape": {"current.txt": (FILE, b"numpy==1.0\n"), "../escaped": (FILE, b"x")},
    "dot-git": {"current.txt": (FILE, b"numpy==1.0\n"), ".git": (FILE, b"gitdir: /tmp\n")},
    "linked": {
        "current.txt": (FILE, b"numpy==1.0\n"),
        "20250131112405_environment.txt": (LINK, b"/etc/passwd"),
    },
    "empty": {"other.txt": (FILE, b"x")},
    "words": {"current.txt": (FILE, b"\x1b[31mred\x1b[0m==1.0\n\xff\xfe\n-r /etc/passwd\n")},
}


def test_hostile_content_is_harmless(
    stick: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links are no files, names never reach the disk, large ones are not read; the rest is still there."""
    for name, entries in HOSTILE.items():
        hostile(stick, f"evil/{name}", entries)
    hostile(stick, "main", {"README.md": (FILE, b"hello")})
    hostile(stick, "a/b/c", {"current.txt": (FILE, b"x==1\n")})
    hostile(
        stick,
        "evil/message",
        {"current.txt": (FILE, b"x==1\n")},
        "\x1b]0;x\x07\n\nSnapshot: 20250131112405\n",
    )

    ran = cli("fetch")

    assert ran.code == 0
    for name in ("evil/large", "evil/empty", "main", "a/b/c"):
        assert f"`{name}` is no environment of gitsnap's" in ran.err
    assert "\x1b" not in cli.ok("environments") + cli.ok("log", "evil/message:")
    assert cli("show", "evil/link:").code == 12
    assert "root:" not in cli("show", "evil/link:").out
    assert cli("show", "evil/large:").code == 1
    assert "\x1b" not in cli.ok("show", "evil/words:")
    assert "numpy==2.0" in cli.ok("show", "pc-one/lab:")
    become("evil", tmp_path, monkeypatch)
    remote.set_url(str(stick))
    adopted = {one.branch: one.what for one in fetch.fetch(adopt=True).adopted}
    assert adopted == {
        "evil/dot-git": "failed",
        "evil/escape": "failed",
        "evil/link": "failed",
        "evil/linked": "failed",
        "evil/message": "made",
        "evil/words": "made",
    }
    assert not list(tmp_path.rglob("escaped"))


def test_what_left_the_remote_leaves_the_list(stick: Path, cli: Cli) -> None:
    """The list is of what is there."""
    cli.ok("fetch")
    git(stick, "update-ref", "-d", "refs/heads/pc-one/lab")
    cli.ok("fetch")

    assert "pc-one" not in cli("environments").out


def many(stick: Path, machines: int, environments: int) -> None:
    """Put one snapshot a branch on the remote, for many machines."""
    lines = []
    for number in range(machines * environments):
        machine, name = f"pc-{number // environments}", f"env-{number % environments}"
        text = f"First snapshot: 1 distribution\n\nSnapshot: 20250131112405\nEnvironment: {name}\nMachine: {machine}\n"
        data = f"# executable: /x\n# version: 3.12.1\n\nnumpy==1.{number}\n"
        lines += [
            f"commit refs/heads/{machine}/{name}\ncommitter x <x@x> {1_700_000_000 + number} +0000\n",
            f"data {len(text)}\n{text}M 100644 inline current.txt\ndata {len(data)}\n{data}\n",
        ]
    command = ["git", "-C", str(stick), "fast-import", "--quiet"]
    subprocess.run(command, input="".join(lines).encode(), check=True)


def test_two_thousand_branches_of_two_hundred_machines_stay_usable(stick: Path, cli: Cli) -> None:
    """A whole institute in one repository."""
    many(stick, 200, 10)

    begun = time.monotonic()
    assert cli.ok("fetch").startswith("2001 environments of 201 machines, 2001 new")
    middle = time.monotonic()
    assert cli.ok("environments").count("\n") == 2001
    ended = time.monotonic()
    assert "numpy  1.0 -> 1.1999" in cli.ok("diff", "pc-0/env-0:", "pc-199/env-9:")

    assert middle - begun < 30
    assert ended - middle < 10


def again(stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be at pc-one with a new disk; only the remote is set."""
    become("pc-one", tmp_path / "new-disk", monkeypatch)
    remote.set_url(str(stick))


def whole(name: str = "lab") -> None:
    """Check that folder, index and history of an environment agree."""
    path = local(name).path
    assert git(path, "status", "--porcelain") == ""
    git(path, "fsck", "--strict")
    newest = max(path.glob("*_environment.txt"))
    assert newest.read_bytes() == (path / "current.txt").read_bytes()


def test_a_new_disk_goes_on_where_the_old_one_ended(
    stick: Path, make_venv: MakeVenv, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repositories are made, tags included, and belong to the first environment of that name that saves."""
    again(stick, tmp_path, monkeypatch)

    done = fetch.fetch(adopt=True).adopted

    assert [(one.environment, one.what) for one in done] == [("lab", "made")]
    whole()
    assert "belongs to the first environment" in cli.ok("environments")
    assert [one.tags for one in gitsnap.tags(env="lab")] == [("worked",)]
    save(make_venv, numpy="3.0")
    assert len(gitsnap.snapshots(env="lab").listed) == 3
    report = push.push()
    assert [(one.pushed.branch, one.pushed.verdict.code, one.pushed.sent) for one in report.results] == [
        ("pc-one/lab", "ok", 1)
    ]
    assert fetch.fetch(adopt=True).adopted == ()
    whole()


@pytest.mark.parametrize("was_pushed", [False, True])
def test_snapshots_taken_before_adopting_are_put_on_top(
    was_pushed: bool, stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content and dates as they were; where they were pushed beside already, that stays on the remote."""
    again(stick, tmp_path, monkeypatch)
    time.sleep(2.1)  # two saves in one second have the stamps of two
    save(make_venv, numpy="3.0", six="1.0")
    mine = gitsnap.snapshots(env="lab").listed[0].snapshot
    if was_pushed:
        assert push.push().results[0].pushed.verdict.code == "other-history"
    there = refs(stick)

    done = fetch.fetch(adopt=True).adopted

    assert [(one.environment, one.what) for one in done] == [("lab", "put-on-top")]
    found = [one.snapshot for one in gitsnap.snapshots(env="lab").listed]
    assert len(found) == 3
    assert (found[0].stamp, found[0].time, found[0].subject) == (
        mine.stamp,
        mine.time,
        "Upgrade numpy 2.0 -> 3.0",
    )
    assert mine.commit in refs(local().path, "refs/gitsnap/before").values()
    assert [one.tags for one in gitsnap.tags(env="lab")] == [("worked",)]
    whole()
    report = push.push()
    assert [(one.pushed.branch, one.pushed.verdict.code) for one in report.results] == [("pc-one/lab", "ok")]
    assert {name: refs(stick)[name] for name in there if name != "heads/pc-one/lab"} == {
        name: commit for name, commit in there.items() if name != "heads/pc-one/lab"
    }
    assert fetch.fetch(adopt=True).adopted == ()


def test_adopting_what_is_the_same_adds_nothing(
    stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment was built again exactly as it was, and saved: no commit without a change."""
    again(stick, tmp_path, monkeypatch)
    time.sleep(2.1)  # two saves in one second have the stamps of two
    save(make_venv, numpy="2.0", six="1.0")

    assert [one.what for one in fetch.fetch(adopt=True).adopted] == ["put-on-top"]

    assert len(gitsnap.snapshots(env="lab").listed) == 2
    assert not gitsnap.save(env="lab").is_new  # type: ignore[union-attr]
    whole()


def test_an_old_image_of_the_disk_is_brought_forward(
    stick: Path, make_venv: MakeVenv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is here is below what is there; a file edited by hand stops it, and nothing is lost."""
    become("pc-one", tmp_path, monkeypatch)
    path = local().path
    there = git(path, "rev-parse", "main").strip()
    git(path, "reset", "--hard", "--quiet", "main~1")
    git(path, "tag", "-d", "worked")
    (path / "current.txt").write_text("mine\n", encoding="utf-8")
    assert [one.what for one in fetch.fetch(adopt=True).adopted] == ["failed"]
    assert (path / "current.txt").read_text(encoding="utf-8") == "mine\n"
    git(path, "checkout", "--quiet", "--", "current.txt")

    assert [one.what for one in fetch.fetch(adopt=True).adopted] == ["continued"]

    assert git(path, "rev-parse", "main").strip() == there
    assert "tags/worked" in refs(path)
    whole()


def test_histories_that_overlap_are_not_mixed(
    stick: Path, make_venv: MakeVenv, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots here that are older than the newest there: kept apart, said, and 4."""
    again(stick, tmp_path, monkeypatch)
    save(make_venv, numpy="3.0")
    path = local().path
    mark = gitsnap.snapshots(env="lab").listed[0].snapshot.stamp
    old = git(path, "log", "-1", "--format=%B").replace(mark, "20010101000000")
    git(path, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "--amend", "-m", old)
    before = refs(path, "refs/heads")

    ran = cli("fetch", "--adopt")

    assert ran.code == 4
    assert "nothing was changed" in ran.out
    assert refs(path, "refs/heads") == before


def test_without_a_remote_nothing_is_fetched(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the way."""
    become("pc-one", tmp_path, monkeypatch)

    assert cli("fetch").code == 2
    assert "remote set" in cli("fetch").err
    with pytest.raises(NotFoundError, match="nothing is known here of machine"):
        fetch.single(config.load(os.environ), "pc-nine", "lab")


def test_a_remote_that_is_gone_still_shows_what_was_fetched(stick: Path, cli: Cli, tmp_path: Path) -> None:
    """The stick is in a drawer: the last fetch is shown, with its age."""
    cli.ok("fetch")
    stick.rename(tmp_path / "drawer")

    assert "(fetched 20" in cli.ok("diff", "pc-one/lab:latest~1", "pc-one/lab:")
    with pytest.raises(GitsnapError, match="there is no repository"):
        fetch.single(config.load(os.environ), "pc-one", "office")
    assert mirror.fetched_at(remote.mirror_of(config.load(os.environ)))
