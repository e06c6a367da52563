"""The snapshots of one environment: one commit each, in history's order, pruned, tagged, found."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gitsnap import snap, stamp, store
from gitsnap.errors import NoRepositoryError, NotFoundError, UsageError
from gitsnap.model import CURRENT
from tests.conftest import Cli, Venv
from tests.keeper import PARIS, START, Keeper

SECOND = timedelta(seconds=1)
YEAR = timedelta(days=365)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Keep a made-up environment."""
    return Keeper(tmp_path / "envs" / "lab")


def found(keeper: Keeper, text: str) -> str:
    """Return the stamp of the snapshot that the SNAP *text* names."""
    with store.reading(keeper.store) as repo:
        return store.find(repo, snap.parse(text)).stamp  # type: ignore[arg-type]  # these name snapshots


def test_one_commit_adds_updates_and_prunes(keeper: Keeper) -> None:
    """The stamped file, `current.txt` and what is past the limit change at once or not at all."""
    keeper.limit = 2
    one, two, three = keeper.fill(3)

    changed = keeper.git("show", "--no-renames", "--format=", "--name-status", "HEAD").splitlines()

    assert changed == [f"D\t{one.file_name}", f"A\t{three.file_name}", f"M\t{CURRENT}"]
    assert keeper.stamped() == [two.file_name, three.file_name]
    assert keeper.git("rev-list", "--count", "HEAD").strip() == "3"
    keeper.assert_whole()


def test_subject_body_and_trailers_say_it_all(keeper: Keeper) -> None:
    """`git log` tells what changed, where, on what, and why."""
    keeper.save("numpy==1.26.4", "six==1.16.0")
    keeper.save("numpy==2.0.1", "h5py==3.1", "six==1.16.0", reason="before the camera driver")

    assert keeper.git("log", "-1", "--format=%B") == (
        "Add 1, upgrade 1\n\n  Add h5py 3.1\n  Upgrade numpy 1.26.4 -> 2.0.1\n\n"
        "Snapshot: 20250131112605\nEnvironment: lab\nMachine: lab-pc\nPython: 3.12.3\n"
        "Reason: before the camera driver\n\n"
    )
    assert keeper.git("log", "-1", "--format=%s", "HEAD~1") == "First snapshot: 2 distributions\n"
    assert keeper.git("log", "-1", "--format=%(trailers:key=Snapshot,valueonly)").strip() == "20250131112605"


def test_hostile_reason_and_names_cannot_forge_a_snapshot(keeper: Keeper) -> None:
    """Text from outside stays on its line, and escape sequences do not reach a terminal."""
    keeper.save("a==1", reason="\x1b[31mredx\n\nSnapshot: 20200101000000")

    text = keeper.git("log", "-1", "--format=%B")
    assert "Reason: \\x1b[31mredx\\n\\nSnapshot: 20200101000000\n" in text
    assert [one.stamp for one in keeper.history()] == ["20250131112505"]
    with pytest.raises(NotFoundError):
        found(keeper, "20200101000000")


@pytest.mark.parametrize(
    "when",
    [
        datetime(2025, 7, 1, 9, 0, 0, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        datetime(2025, 7, 1, 9, 0, 0, tzinfo=timezone(timedelta(hours=5, minutes=45))),
        datetime(2101, 2, 3, 4, 5, 6, tzinfo=PARIS),
        datetime(2345, 2, 3, 4, 5, 6, tzinfo=timezone.utc),
    ],
    ids=str,
)
def test_both_dates_are_the_snapshot_s_with_its_offset(keeper: Keeper, when: datetime) -> None:
    """Given explicitly, past 2100 too, and read back the same."""
    made = keeper.save("a==1", at=when).newest

    dates = keeper.git("log", "-1", "--date=format:%Y-%m-%dT%H:%M:%S%z", "--format=%ad %cd").split()
    assert dates == [when.strftime("%Y-%m-%dT%H:%M:%S%z")] * 2
    assert made.stamp == stamp.of(when)
    assert keeper.history()[0] == made
    assert keeper.history()[0].time == when
    keeper.assert_whole()


def test_a_clock_before_1970_is_no_obstacle(keeper: Keeper) -> None:
    """A computer with an empty battery wakes up there; git knows no such time."""
    keeper.save("a==1", at=datetime(1970, 1, 1, 0, 30, 0, tzinfo=PARIS))

    keeper.assert_whole()


def test_a_journey_changes_the_offset_and_not_the_order(keeper: Keeper) -> None:
    """Flying west sets the wall clock back by hours: names still sort as history does."""
    keeper.save("a==1", at=START)
    west = timezone(timedelta(hours=-8))
    keeper.save("a==2", at=(START + timedelta(hours=2)).astimezone(west))
    keeper.save("a==3", at=(START + timedelta(hours=3)).astimezone(west))

    history = keeper.history()
    assert [one.stamp for one in history] == ["20250131112407", "20250131112406", "20250131112405"]
    assert [one.time.utcoffset() for one in history[:2]] == [timedelta(hours=-8)] * 2
    assert history[0].time == START + timedelta(hours=3)


def test_two_in_a_second_are_two_snapshots(keeper: Keeper) -> None:
    """The second takes the next second's name, and keeps its own date."""
    keeper.save("a==1", at=START)
    second = keeper.save("a==2", at=START).newest

    assert second.stamp == stamp.of(START + SECOND)
    assert second.time == START
    assert keeper.stamped() == ["20250131112405_environment.txt", "20250131112406_environment.txt"]


def test_the_hour_that_comes_twice_keeps_the_order(keeper: Keeper) -> None:
    """At the end of summer time 02:30 follows 02:59."""
    summer = timezone(timedelta(hours=2))
    keeper.save("a==1", at=datetime(2025, 10, 26, 2, 59, 0, tzinfo=summer))
    keeper.save("a==2", at=datetime(2025, 10, 26, 2, 30, 0, tzinfo=PARIS))

    assert [one.stamp for one in keeper.history()] == ["20251026025901", "20251026025900"]
    assert keeper.stamped()[-1] == keeper.history()[0].file_name


@pytest.mark.parametrize("jump", [-timedelta(hours=1), -YEAR, 74 * YEAR], ids=["hour", "year", "future"])
def test_history_keeps_its_order_whatever_the_clock_does(keeper: Keeper, jump: timedelta) -> None:
    """The last that was taken is the newest, and pruning goes by that."""
    keeper.limit = 3
    first = keeper.fill(2)
    keeper.clock += jump
    there = keeper.fill(2, first=2)
    keeper.clock -= jump
    back = keeper.fill(2, first=4)

    taken = [*first, *there, *back]
    assert [one.stamp for one in reversed(keeper.history())] == [one.stamp for one in taken]
    assert len({one.stamp for one in taken}) == 6
    assert keeper.stamped() == sorted(one.file_name for one in taken[-3:])
    assert found(keeper, "latest") == taken[-1].stamp
    assert found(keeper, "latest~3") == taken[2].stamp
    keeper.assert_whole()


def test_a_clock_set_back_never_gives_a_pruned_stamp_again(keeper: Keeper) -> None:
    """A stamp names one snapshot, also when its file is gone."""
    keeper.limit = 1
    old = keeper.save("a==1", at=START).newest
    keeper.save("a==2", at=START + YEAR)

    again = keeper.save("a==3", at=START).newest

    assert keeper.stamped() == [again.file_name]
    assert again.stamp == stamp.of(START + SECOND)
    assert found(keeper, old.stamp) == old.stamp


def test_there_and_back_again_are_three_snapshots(keeper: Keeper) -> None:
    """The same content as before the last is a change; the same as the last is none."""
    for content in ("a==1", "a==2", "a==1", "a==1"):
        keeper.save(content)

    assert len(keeper.history()) == 3
    assert keeper.git("rev-parse", "HEAD:current.txt") == keeper.git("rev-parse", "HEAD~2:current.txt")


def test_git_decides_what_has_changed(keeper: Keeper) -> None:
    """The content of `HEAD:current.txt` counts, not what the file in the folder or its time says."""
    keeper.save("a==1")
    (keeper.path / CURRENT).write_text(keeper.text("a==2"), encoding="utf-8")

    assert keeper.save("a==1").is_new is False
    assert keeper.save("a==2").is_new is True


def test_a_user_s_commit_of_another_current_is_seen(keeper: Keeper) -> None:
    """Whoever commits something else there gets the truth on top of it."""
    keeper.save("a==1")
    (keeper.path / CURRENT).write_text("mine\n", encoding="utf-8")
    keeper.git("-c", "user.name=I", "-c", "user.email=i@host", "commit", "-aqm", "Mine")

    assert keeper.save("a==1").is_new is True
    keeper.assert_whole()


def test_the_limit_keeps_the_newest_and_history_keeps_all(keeper: Keeper) -> None:
    """A pruned snapshot can be named, shown and compared."""
    keeper.limit = 3
    taken = keeper.fill(6)

    assert keeper.stamped() == [one.file_name for one in taken[3:]]
    assert [one.stamp for one in keeper.history()] == [one.stamp for one in reversed(taken)]
    for name in ("latest~5", taken[0].stamp, taken[0].commit[:10], "2025-01-31T11:25"):
        assert found(keeper, name) == taken[0].stamp
    with store.reading(keeper.store) as repo:
        assert store.text_of(repo, taken[0]) == keeper.text("numpy==0").encode()


def test_a_pinned_file_stays_and_takes_no_place(keeper: Keeper) -> None:
    """The limit counts what is not pinned."""
    keeper.limit = 2
    taken = keeper.fill(2)
    store.tag(keeper.store, "before-update", snap.parse("latest~1"))  # type: ignore[arg-type]  # a snapshot's

    taken += keeper.fill(3, first=2)

    assert keeper.stamped() == [taken[0].file_name, *(one.file_name for one in taken[-2:])]
    assert found(keeper, "before-update") == taken[0].stamp
    assert found(keeper, "Before-Update") == taken[0].stamp
    store.untag(keeper.store, "before-update")
    taken += keeper.fill(1, first=9)
    assert keeper.stamped() == [one.file_name for one in taken[-2:]]


def test_a_tag_does_not_bring_a_pruned_file_back(keeper: Keeper) -> None:
    """It names what is in the history; the folder stays as it is."""
    keeper.limit = 1
    first, second = keeper.fill(2)

    tagged = store.tag(keeper.store, "old", snap.parse("latest~1"))  # type: ignore[arg-type]  # a snapshot's

    assert tagged.tags == ("old",)
    assert tagged.stamp == first.stamp
    keeper.save("numpy==9")
    assert first.file_name not in keeper.stamped()
    assert second.file_name not in keeper.stamped()
    keeper.assert_whole()


@pytest.mark.parametrize("how", ["annotated", "plain"])
def test_the_user_s_own_tags_pin_too(keeper: Keeper, how: str) -> None:
    """Tags are git's, and made with git they count."""
    keeper.limit = 1
    first, *_ = keeper.fill(1)
    identity = ["-c", "user.name=I", "-c", "user.email=i@host"]
    keeper.git(*identity, "tag", *(["-a", "-m", "why"] if how == "annotated" else []), "mine")
    keeper.fill(2, first=1)

    assert first.file_name in keeper.stamped()
    assert found(keeper, "mine") == first.stamp


@pytest.mark.parametrize("name", ["Before", "before", "BEFORE"])
def test_tags_that_differ_in_case_alone_clash(keeper: Keeper, name: str) -> None:
    """On Windows and macOS they would be one file."""
    keeper.fill(2)
    store.tag(keeper.store, "before", snap.Latest(1))

    with pytest.raises(UsageError, match="a tag `before` already"):
        store.tag(keeper.store, name, snap.Latest(0))

    assert keeper.git("tag", "-l") == "before\n"


@pytest.mark.parametrize(
    "name",
    ["good", "latest", "now", "@", "2025", "20250131112405", "2025-01-31", "abcdef1", "a b", "-x", "..", "a..b", "a.lock", "x/y", "x:y", "", "a.txt", "é\n"],
)  # fmt: skip
def test_refused_tags_make_no_ref(lab: Venv, cli: Cli, repository: Callable[..., Path], name: str) -> None:
    """Whatever could mean another snapshot, or a ref that some system refuses, exits 2."""
    from gitsnap import save, tag

    save(python=str(lab.python))

    with pytest.raises(UsageError):
        tag(name, python=str(lab.python))

    assert list((repository() / ".git" / "refs" / "tags").rglob("*")) == []


def test_foreign_files_are_never_removed(keeper: Keeper) -> None:
    """Only files that gitsnap wrote go; a user's, committed or not, whatever its name, stay."""
    keeper.limit = 1
    keeper.save("a==1")
    mine = ["notes.txt", "19990101000000_environment.txt"]
    for name in mine:
        (keeper.path / name).write_text("mine\n", encoding="utf-8")
    keeper.git("add", *mine)
    keeper.git("-c", "user.name=I", "-c", "user.email=i@host", "commit", "-qm", "Mine")
    (keeper.path / "draft.txt").write_text("not committed\n", encoding="utf-8")
    keeper.fill(3)
    store.prune(keeper.store, limit=1, now=keeper.clock)

    assert sorted(path.name for path in keeper.path.glob("*.txt")) == sorted(
        [*mine, "draft.txt", CURRENT, keeper.history()[0].file_name]
    )
    assert keeper.git("status", "--porcelain") == "?? draft.txt\n"
    assert {*keeper.git("ls-tree", "--name-only", "HEAD").split()} >= {*mine}


def test_what_the_user_staged_stays_staged(keeper: Keeper) -> None:
    """A save commits its own files and no others."""
    keeper.save("a==1")
    (keeper.path / "notes.txt").write_text("mine\n", encoding="utf-8")
    keeper.git("add", "notes.txt")

    keeper.save("a==2")

    assert keeper.git("status", "--porcelain") == "A  notes.txt\n"
    assert "notes.txt" not in keeper.git("ls-tree", "--name-only", "HEAD")


def test_prune_is_one_commit_of_removals(keeper: Keeper) -> None:
    """A lowered limit applies at once, and is no snapshot."""
    taken = keeper.fill(5)

    pruned = store.prune(keeper.store, limit=2, now=keeper.clock)

    assert pruned.removed == tuple(one.file_name for one in reversed(taken[:3]))
    changed = keeper.git("show", "--no-renames", "--format=%s", "--name-status", "HEAD").split("\n\n")
    assert changed[0] == "Prune 3 files past the limit of 2"
    assert [line[0] for line in changed[1].splitlines()] == ["D", "D", "D"]
    assert [one.stamp for one in keeper.history()] == [one.stamp for one in reversed(taken)]
    assert found(keeper, "latest~1") == taken[3].stamp
    keeper.assert_whole()
    assert keeper.save("numpy==4").is_new is False


def test_prune_with_nothing_to_remove_makes_no_commit(keeper: Keeper) -> None:
    """No commit without a change."""
    keeper.fill(2)
    before = keeper.git("rev-parse", "HEAD")

    assert store.prune(keeper.store, limit=2, now=keeper.clock).removed == ()
    assert keeper.git("rev-parse", "HEAD") == before


def test_prune_keeps_an_edited_file_aside(keeper: Keeper) -> None:
    """What somebody wrote into a file goes nowhere unseen."""
    first, _ = keeper.fill(2)
    (keeper.path / first.file_name).write_text("a note of mine\n", encoding="utf-8")

    store.prune(keeper.store, limit=1, now=keeper.clock)

    [kept] = keeper.store.aside.iterdir()
    assert kept.read_text(encoding="utf-8") == "a note of mine\n"


@pytest.mark.parametrize("verb", ["prune", "tag", "untag", "read"])
def test_without_a_repository_nothing_is_made(keeper: Keeper, verb: str) -> None:
    """Only a save makes a repository; the others say that there is none."""
    own = keeper.store
    verbs: dict[str, Callable[[], object]] = {
        "prune": lambda: store.prune(own, limit=1, now=START),
        "tag": lambda: store.tag(own, "x", snap.Latest(0)),
        "untag": lambda: store.untag(own, "x"),
        "read": lambda: store.snapshots(own),
    }

    with pytest.raises(NoRepositoryError):
        verbs[verb]()

    assert not own.path.exists()
    assert not own.lock.exists()


def test_a_user_s_own_commit_is_no_snapshot(keeper: Keeper) -> None:
    """Counting back goes over snapshots, also where a commit quotes one's trailer."""
    first, second = keeper.fill(2)
    identity = ["-c", "user.name=I", "-c", "user.email=i@host"]
    quoted = f"About the last\n\nSnapshot: {second.stamp}\n\nbroke the camera"
    keeper.git(*identity, "commit", "-q", "--allow-empty", "-m", quoted)
    keeper.git(*identity, "commit", "-q", "--allow-empty", "-m", "Mine")

    assert [one.stamp for one in keeper.history()] == [second.stamp, first.stamp]
    assert found(keeper, "latest") == second.stamp
    assert found(keeper, "latest~1") == first.stamp
    assert keeper.save("numpy==1").is_new is False
    third = keeper.save("numpy==2").newest
    assert third.subject == "Upgrade numpy 1 -> 2"
    assert keeper.git("rev-list", "--count", "HEAD").strip() == "5"


def test_plain_git_works_there(keeper: Keeper, tmp_path: Path) -> None:
    """Nothing but git and text is needed to use the backups."""
    keeper.save("numpy==1.26.4", "six==1.16.0")
    keeper.save("numpy==2.0.1", "six==1.16.0")

    assert "-numpy==1.26.4\n+numpy==2.0.1\n" in keeper.git("log", "-p", CURRENT)
    assert "-numpy==1.26.4\n+numpy==2.0.1\n" in keeper.git("diff", "HEAD~1", "--", CURRENT)
    keeper.git("clone", "-q", str(keeper.path), str(tmp_path / "clone"))
    assert (tmp_path / "clone" / CURRENT).read_bytes() == (keeper.path / CURRENT).read_bytes()
    assert keeper.git("status", "--porcelain", "--branch") == "## main\n"
    assert keeper.git("stash", "list") == ""


def test_a_repository_is_gone_on_with_when_its_environment_is_gone(keeper: Keeper, tmp_path: Path) -> None:
    """An environment made anew elsewhere has the history of the old one."""
    keeper.save("a==1")
    moved = Keeper(tmp_path / "elsewhere" / "lab")

    moved.save("a==2")

    assert moved.path == keeper.path
    assert len(moved.history()) == 2
    assert store.remembered(moved.store) == str(moved.prefix)


@pytest.mark.parametrize("name", ["lab", "LAB"])
def test_a_living_namesake_gets_a_short_suffix(keeper: Keeper, tmp_path: Path, name: str) -> None:
    """Two environments of one name have two repositories, for good."""
    keeper.prefix.mkdir(parents=True)
    keeper.save("a==1")
    other = Keeper(tmp_path / "elsewhere" / "lab", name=name)
    other.prefix.mkdir(parents=True)

    other.save("b==1")
    other.save("b==2")
    keeper.save("a==2")

    assert other.path != keeper.path
    assert other.path.name.startswith(f"{name}-")
    assert len(other.path.name) == len("lab-") + 6
    assert len(other.history()) == len(keeper.history()) == 2
    assert other.git("log", "-1", "--format=%(trailers:key=Environment,valueonly)").strip() == other.path.name
