"""Healing: what a hand, a disk or a kill left is put right by the next save, or by `check --repair`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import check, store
from gitsnap.actions.check import Checked
from gitsnap.model import CURRENT
from gitsnap.oddstate import DamagedError
from tests.conftest import Cli, Venv, git
from tests.keeper import START, Keeper


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Keep a made-up environment with three snapshots."""
    keeper = Keeper(tmp_path / "envs" / "lab")
    keeper.fill(3)
    return keeper


def kept(keeper: Keeper) -> list[str]:
    """Return what is kept aside under the state path."""
    aside = keeper.store.aside
    return [path.read_text(encoding="utf-8") for path in sorted(aside.iterdir())] if aside.exists() else []


@pytest.mark.parametrize("which", ["current", "stamped"])
@pytest.mark.parametrize("how", ["edited", "deleted", "emptied", "a link", "staged"])
def test_a_file_touched_by_hand_is_written_again(keeper: Keeper, which: str, how: str) -> None:
    """Said in one line; what was written into it is kept first."""
    name = CURRENT if which == "current" else keeper.stamped()[0]
    path = keeper.path / name
    before = path.read_bytes()
    if how in {"deleted", "a link"}:
        path.unlink()
    if how == "a link":
        try:
            path.symlink_to("elsewhere")
        except OSError:
            pytest.skip("this system gives no links to ordinary users")
    elif how != "deleted":
        path.write_text("" if how == "emptied" else "a note of mine\n", encoding="utf-8")
    if how == "staged":
        keeper.git("add", name)

    saved = keeper.save("numpy==2")

    assert saved.is_new is False
    assert path.read_bytes() == before
    assert not path.is_symlink()
    keeper.assert_whole()
    expected = {"deleted": [], "emptied": [""], "a link": ["elsewhere"]}.get(how, ["a note of mine\n"])
    assert kept(keeper) == expected
    if how == "deleted":
        assert saved.healed == (f"`{name}` was missing; written again",)
    else:
        assert saved.healed[0].startswith(
            f"`{name}` was edited; the edited one is kept as `{keeper.store.aside}"
        )
        assert len(saved.healed) == (2 if how == "staged" else 1)


def test_a_save_says_what_it_healed_on_stderr(lab: Venv, cli: Cli, repository: Callable[..., Path]) -> None:
    """One line each; stdout has the answer alone."""
    cli.ok("--python", lab.python, "save")
    (repository() / CURRENT).unlink()

    ran = cli("--python", lab.python, "save")

    assert ran.code == 0
    assert "nothing changed" in ran.out
    assert "written again" not in ran.out
    assert f"`{CURRENT}` was missing; written again" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_two_edits_of_one_file_are_both_kept(keeper: Keeper) -> None:
    """The second does not overwrite the first."""
    for text in ("one\n", "two\n"):
        (keeper.path / CURRENT).write_text(text, encoding="utf-8")
        keeper.save("numpy==2")

    assert sorted(kept(keeper)) == ["one\n", "two\n"]


def test_a_lost_index_is_made_anew(keeper: Keeper) -> None:
    """Git would call every file deleted and new at once."""
    (keeper.path / ".git" / "index").unlink()

    saved = keeper.save("numpy==2")

    assert saved.healed == ("git's index was behind; brought up to date",)
    keeper.assert_whole()


def test_an_index_that_still_has_pruned_files_is_put_right(keeper: Keeper) -> None:
    """A kill between the commit and the index leaves that; the user's own staged file stays staged."""
    old = keeper.git("rev-parse", "HEAD").strip()
    store.prune(keeper.store, limit=1, now=keeper.clock)
    keeper.git("read-tree", old)
    (keeper.path / "notes.txt").write_text("mine\n", encoding="utf-8")
    keeper.git("add", "notes.txt")

    saved = keeper.save("numpy==2")

    assert saved.healed == ("git's index was behind; brought up to date",)
    assert keeper.git("status", "--porcelain") == "A  notes.txt\n"


@pytest.mark.parametrize("what", [".git", "everything", "all but .git", "the stamped files"])
def test_what_is_lost_comes_back_as_far_as_it_can(keeper: Keeper, what: str) -> None:
    """A lost `.git` begins a new history that takes in the stamped files; an empty folder begins from nothing."""
    files = {path.name: path.read_bytes() for path in keeper.path.glob("*.txt")}
    place = keeper.path
    for path in place.iterdir():
        if path.name == ".git" and what in {".git", "everything"}:
            shutil.rmtree(path)
        elif path.name != ".git" and (what in {"everything", "all but .git"} or (what == "the stamped files" and path.name != CURRENT)):  # fmt: skip
            path.unlink()

    saved = keeper.save("numpy==2")

    keeper.assert_whole()
    assert keeper.path == place
    if what == "everything":
        assert len(keeper.history()) == 1
        assert saved.healed == ()
    else:
        assert {path.name: path.read_bytes() for path in place.glob("*.txt")} == files
        assert len(keeper.history()) == 3
        assert saved.is_new is False
    if what == ".git":
        assert saved.healed[0] == "began a new history from the files in the folder: its `.git` was lost"
        assert [one.reason for one in keeper.history()] == ["found in the folder"] * 3
        assert [one.time.replace(tzinfo=None) for one in keeper.history()][-1] == START.replace(
            tzinfo=None, minute=25
        )
        assert kept(keeper) == []


def test_a_new_history_keeps_an_edited_current_aside(keeper: Keeper) -> None:
    """With `.git` lost nothing else says what `current.txt` was."""
    shutil.rmtree(keeper.path / ".git")
    (keeper.path / CURRENT).write_text("a note of mine\n", encoding="utf-8")

    saved = keeper.save("numpy==2")

    assert kept(keeper) == ["a note of mine\n"]
    assert any("belonged to no snapshot" in line for line in saved.healed)
    keeper.assert_whole()


def test_files_of_others_are_left_alone_in_a_new_history(keeper: Keeper, tmp_path: Path) -> None:
    """Never touched, moved or committed: only `check` names those that look like snapshots."""
    other = Keeper(tmp_path / "envs" / "other")
    strange = {
        "19990101000000_environment.txt": other.text("a==1"),
        "20990101000000_environment.txt": other.text("a==1"),
        "20980101000000_environment.txt": "no header\n",
        "20259999000000_environment.txt": keeper.text("no==1"),
        "notes.txt": "mine\n",
    }
    for name, text in strange.items():
        (keeper.path / name).write_text(text, encoding="utf-8")
    (keeper.path / "20970101000000_environment.txt").mkdir()
    shutil.rmtree(keeper.path / ".git")

    keeper.save("numpy==2")

    assert len(keeper.history()) == 3
    for name, text in strange.items():
        assert (keeper.path / name).read_text(encoding="utf-8") == text
        assert name not in keeper.git("ls-tree", "--name-only", "HEAD")
    assert keeper.git("status", "--porcelain").splitlines() == [f"?? {name}" for name in sorted(strange)]


def test_a_newer_stamped_file_of_this_environment_is_taken_in(keeper: Keeper) -> None:
    """Committed with its own date, under the newest that the environment equals."""
    (keeper.path / "20250131120000_environment.txt").write_text(keeper.text("numpy==7"), encoding="utf-8")

    saved = keeper.save("numpy==8", at=START.replace(hour=13))

    assert saved.healed == (
        "`20250131120000_environment.txt` was not in the history; committed with its own date",
    )
    assert [one.stamp for one in keeper.history()[:2]] == ["20250131132405", "20250131120000"]
    assert [one.subject for one in keeper.history()[:2]] == ["Upgrade numpy 7 -> 8", "Upgrade numpy 2 -> 7"]
    found = keeper.history()[1]
    assert found.time.replace(tzinfo=None) == START.replace(tzinfo=None, hour=12, minute=0, second=0)
    keeper.assert_whole()


def test_an_older_stamped_file_is_left_alone(keeper: Keeper) -> None:
    """Also where its header names this environment: history grows at its end."""
    older = keeper.path / "19990101000000_environment.txt"
    older.write_text(keeper.text("numpy==7"), encoding="utf-8")

    saved = keeper.save("numpy==3")

    assert saved.healed == ()
    assert len(keeper.history()) == 4
    assert keeper.git("status", "--porcelain") == f"?? {older.name}\n"


def test_an_older_stamped_file_is_named_by_check_alone(
    lab: Venv, cli: Cli, repository: Callable[..., Path]
) -> None:
    """History grows at its end; `import` brings in what is older."""
    cli.ok("--python", lab.python, "save")
    older = repository() / "19990101000000_environment.txt"
    shutil.copy(repository() / CURRENT, older)

    cli.ok("--python", lab.python, "save")

    checked = check(python=str(lab.python))
    assert (checked.problems, checked.strays, checked.snapshots) == ((), (older.name,), 1)
    assert git(repository(), "status", "--porcelain") == f"?? {older.name}\n"


def test_a_pruned_file_that_came_back_goes_again(keeper: Keeper) -> None:
    """A killed save left it, or a hand; one that differs from its snapshot is kept first."""
    first, second, _ = keeper.stamped()
    texts = {name: (keeper.path / name).read_bytes() for name in (first, second)}
    keeper.limit = 1
    store.prune(keeper.store, limit=1, now=keeper.clock)
    (keeper.path / first).write_bytes(texts[first])
    (keeper.path / second).write_text("a note of mine\n", encoding="utf-8")

    keeper.save("numpy==2")

    assert len(keeper.stamped()) == 1
    assert kept(keeper) == ["a note of mine\n"]
    keeper.assert_whole()


def test_a_lost_branch_is_put_back_where_its_log_says(keeper: Keeper) -> None:
    """A first save killed between git's log and its branch leaves that; no second history begins beside."""
    tip = keeper.git("rev-parse", "HEAD").strip()
    (keeper.path / ".git" / "refs" / "heads" / "main").unlink()

    saved = keeper.save("numpy==3")

    assert saved.healed[0] == f"the branch was lost; it is at its last commit {tip[:10]} again"
    assert len(keeper.history()) == 4
    assert keeper.git("rev-parse", "HEAD~1").strip() == tip
    keeper.assert_whole()


def test_a_lost_branch_of_a_broken_history_is_not_begun_anew(keeper: Keeper) -> None:
    """Nothing whole is left to go back to: a repair decides, not a save."""
    (keeper.path / ".git" / object_of(keeper, "HEAD~2")).unlink()
    (keeper.path / ".git" / "refs" / "heads" / "main").unlink()

    with pytest.raises(DamagedError, match="is lost"):
        keeper.save("numpy==3")


def damaged(keeper: Keeper, name: str, data: bytes) -> Path:
    """Overwrite a file of git's."""
    path = keeper.path / ".git" / name
    if path.exists():
        path.chmod(0o644)
    path.write_bytes(data)
    return path


def object_of(keeper: Keeper, name: str) -> str:
    """Return the file of the loose object that *name* names."""
    identity = keeper.git("rev-parse", name).strip()
    return f"objects/{identity[:2]}/{identity[2:]}"


DAMAGE: dict[str, Callable[[Keeper], object]] = {
    "empty ref": lambda keeper: damaged(keeper, "refs/heads/main", b""),
    "truncated ref": lambda keeper: damaged(keeper, "refs/heads/main", b"0123456"),
    "ref to nothing": lambda keeper: damaged(keeper, "refs/heads/main", b"1" * 40 + b"\n"),
    "lost ref": lambda keeper: (keeper.path / ".git" / "refs" / "heads" / "main").unlink(),
    "lost HEAD": lambda keeper: (keeper.path / ".git" / "HEAD").unlink(),
    "empty HEAD": lambda keeper: damaged(keeper, "HEAD", b""),
    "garbage HEAD": lambda keeper: damaged(keeper, "HEAD", b"\0\0\0\0"),
    "garbage index": lambda keeper: damaged(keeper, "index", b"no index"),
    "empty index": lambda keeper: damaged(keeper, "index", b""),
    "empty blob": lambda keeper: damaged(keeper, object_of(keeper, "HEAD:current.txt"), b""),
    "garbage blob": lambda keeper: damaged(keeper, object_of(keeper, "HEAD~2:current.txt"), b"garbage"),
    "lost blob": lambda keeper: (keeper.path / ".git" / object_of(keeper, "HEAD:current.txt")).unlink(),
}  # fmt: skip
LOSSES: dict[str, Callable[[Keeper], object]] = {
    "empty commit": lambda keeper: damaged(keeper, object_of(keeper, "HEAD"), b""),
    "empty tree": lambda keeper: damaged(keeper, object_of(keeper, "HEAD^{tree}"), b""),
    "first commit": lambda keeper: damaged(keeper, object_of(keeper, "HEAD~2"), b""),
    "no objects": lambda keeper: shutil.rmtree(keeper.path / ".git" / "objects"),
    "no ref, no log": lambda keeper: shutil.rmtree(damaged(keeper, "refs/heads/main", b"").parents[2] / "logs"),
}  # fmt: skip


def checked(keeper: Keeper, monkeypatch: pytest.MonkeyPatch, *, repair: bool = False) -> Checked:
    """Check the made-up environment, in which the action's own save is ours."""
    from gitsnap.actions import check as action

    monkeypatch.setattr("gitsnap.actions.target.find", lambda *_: None)
    monkeypatch.setattr("gitsnap.actions.target.store_of", lambda _: keeper.store)

    def repaired(*_: object) -> tuple[str, ...]:
        return (*store.mend(keeper.store), *keeper.save("numpy==2").healed)

    monkeypatch.setattr(action, "_repair", repaired)
    return action.check(repair=repair)


@pytest.mark.parametrize("what", [*DAMAGE, *LOSSES])
def test_check_finds_and_repair_mends(keeper: Keeper, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """A damage loses no snapshot; a loss none whose file is in the folder. What cannot be mended is kept aside."""
    history = [(one.stamp, one.commit) for one in keeper.history()]
    place = keeper.path
    before = {path.name: path.read_bytes() for path in place.glob("*.txt")}
    {**DAMAGE, **LOSSES}[what](keeper)

    found = checked(keeper, monkeypatch)
    mended = checked(keeper, monkeypatch, repair=True)

    assert found.problems
    assert mended.problems == ()
    assert mended.repaired
    assert checked(keeper, monkeypatch).problems == ()
    keeper.assert_whole()
    assert [one.stamp for one in keeper.history()] == [stamp for stamp, _ in history]
    if what in DAMAGE:
        assert [one.commit for one in keeper.history()] == [commit for _, commit in history]
        assert list(place.glob(".git.broken-*")) == []
    else:
        [aside] = place.glob(".git.broken-*")
        assert any(str(aside) in line for line in mended.repaired)
        if what in {"empty commit", "empty tree"}:
            assert [one.commit for one in keeper.history()][1:] == [commit for _, commit in history[1:]]
    assert {path.name: path.read_bytes() for path in place.glob("*.txt")} == before


def test_repair_deletes_nothing_that_cannot_be_read(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken object and a broken index are kept, each where the answer says."""
    damaged(keeper, object_of(keeper, "HEAD:current.txt"), b"half of an obj")
    damaged(keeper, "index", b"no index")

    mended = checked(keeper, monkeypatch, repair=True)

    inner = keeper.path / ".git"
    assert (inner / "index.broken-1").read_bytes() == b"no index"
    assert [path.read_bytes() for path in (inner / "gitsnap" / "broken").iterdir()] == [b"half of an obj"]
    assert any(str(inner / "index.broken-1") in line for line in mended.repaired)
    assert any(str(inner / "gitsnap" / "broken") in line for line in mended.repaired)


@pytest.mark.parametrize(
    "what", [what for what in DAMAGE if what not in {"lost ref", "lost blob", "garbage blob"}]
)
def test_a_save_in_a_damaged_repository_says_how_to_mend_it(keeper: Keeper, what: str) -> None:
    """It never guesses: a second history beside a lost one would be worse than none."""
    DAMAGE[what](keeper)

    with pytest.raises(DamagedError) as caught:
        keeper.save("numpy==3")

    assert caught.value.exit_code == 1
    assert "gitsnap check --repair" in caught.value.hint


def test_check_on_the_command_line(lab: Venv, cli: Cli, repository: Callable[..., Path]) -> None:
    """It exits 1 with the command that mends it; after that all is well."""
    cli.ok("--python", lab.python, "save")
    cli.ok("--python", lab.python, "check")
    (repository() / CURRENT).write_text("mine\n", encoding="utf-8")
    (repository() / ".git" / "refs" / "heads" / "main").write_text("", encoding="utf-8")

    bad = cli("--python", lab.python, "check")
    mended = cli("--python", lab.python, "check", "--repair", "--json")

    assert bad.code == 1
    assert "gitsnap check --repair" in bad.err
    assert (mended.code, mended.json["problems"]) == (0, [])
    assert len(mended.json["repaired"]) == 2
    cli.ok("--python", lab.python, "check")
    assert git(repository(), "status", "--porcelain") == ""


def test_check_finds_what_a_save_would_heal(keeper: Keeper, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edited and missing files, each by its name."""
    first, second, _ = keeper.stamped()
    (keeper.path / first).write_text("mine\n", encoding="utf-8")
    (keeper.path / second).unlink()

    assert sorted(checked(keeper, monkeypatch).problems) == [
        f"`{first}` was edited in the folder",
        f"`{second}` is missing in the folder",
    ]
    assert checked(keeper, monkeypatch, repair=True).problems == ()
