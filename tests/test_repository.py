"""The door to git: no configuration, variable or odd state of the user's breaks or diverts a save."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

import gitsnap
from gitsnap import repository, snap, store
from gitsnap.errors import ForeignOwnerError, GitsnapError, RepositoryError
from gitsnap.model import CURRENT
from tests.conftest import Cli, Venv, git
from tests.keeper import Keeper

IDENTITY = ("-c", "user.name=I", "-c", "user.email=i@host")
HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "pre-auto-gc")  # fmt: skip
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system")
as_root = pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away"
)


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Keep a made-up environment."""
    return Keeper(tmp_path / "envs" / "lab")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Make a repository of the user's own, into which a stray variable would divert a save."""
    place = tmp_path / "project"
    place.mkdir()
    git(place, "init", "-q")
    (place / "a.txt").write_text("mine\n", encoding="utf-8")
    git(place, "add", "a.txt")
    git(place, *IDENTITY, "commit", "-qm", "Mine")
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "config").write_text("[core]\n\tbare = true\n", encoding="utf-8")
    return place


def strays(foreign: Path) -> dict[str, str]:
    """Return the variables that a git hook or a careless shell leaves behind."""
    inner = foreign / ".git"
    return {
        "GIT_DIR": str(inner),
        "GIT_INDEX_FILE": str(inner / "index"),
        "GIT_WORK_TREE": str(foreign),
        "GIT_OBJECT_DIRECTORY": str(inner / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(inner / "objects"),
        "GIT_COMMON_DIR": str(inner),
        "GIT_AUTHOR_DATE": "garbage",
        "GIT_COMMITTER_DATE": "garbage",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_DEFAULT_REF_FORMAT": "reftable",
        "GIT_CONFIG_PARAMETERS": "'core.bare=true'",
        "GIT_TEMPLATE_DIR": str(foreign.parent / "template"),
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_DIFF_OPTS": "--unified=0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_TRACE": "1",
        "GIT_PREFIX": "sub/",
    }


def untouched(foreign: Path) -> bool:
    """Tell whether the user's own repository is as `foreign` made it; afterwards the variables are gone."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        del os.environ[name]
    return (
        git(foreign, "status", "--porcelain") == ""
        and git(foreign, "rev-list", "--count", "--all").strip() == "1"
        and git(foreign, "fsck", "--no-progress", "--unreachable") == ""
    )


def assert_two_good_snapshots(keeper: Keeper) -> None:
    """Check that two saves made two plain commits with the exact bytes, and that git agrees."""
    keeper.assert_whole()
    assert keeper.git("rev-list", "--count", "HEAD").strip() == "2"
    assert keeper.git("symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert keeper.git("cat-file", "-p", f"HEAD:{CURRENT}") == keeper.text("numpy==1")
    assert "gpgsig" not in keeper.git("cat-file", "-p", "HEAD")


@pytest.mark.parametrize("name", [*strays(Path("x")), "all"])
def test_no_git_variable_diverts_a_save(
    keeper: Keeper, foreign: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """In a host process, whose variables are as they were afterwards."""
    every = strays(foreign)
    for variable, value in every.items() if name == "all" else [(name, every[name])]:
        monkeypatch.setenv(variable, value)
    before = dict(os.environ)

    keeper.fill(2)
    store.tag(keeper.store, "here", snap.Latest(0))
    store.prune(keeper.store, limit=2, now=keeper.clock)
    listed = keeper.history()

    assert dict(os.environ) == before
    assert untouched(foreign)
    assert len(listed) == 2
    assert not (keeper.path / ".git" / "hooks").exists()
    assert_two_good_snapshots(keeper)


def test_the_command_line_is_safe_from_all_of_them(
    lab: Venv, cli: Cli, foreign: Path, repository: Callable[..., Path], home: Path
) -> None:
    """GitPython asks git for its version when it is imported, before any of our remedies for a call."""
    cli.variables = strays(foreign)
    (home / ".gitconfig").write_text("[core\nbroken\n", encoding="utf-8")

    cli.ok("--python", lab.python, "save")
    lab.install(numpy="2.0")
    cli.ok("--python", lab.python, "save")
    hook = cli.hook("--python", lab.python)
    listed = cli("--python", lab.python, "log", "--json").json

    (home / ".gitconfig").unlink()
    assert (hook.code, hook.err) == (0, "")
    assert len(listed["snapshots"]) == 2
    assert untouched(foreign)
    assert git(repository(), "status", "--porcelain") == ""
    assert git(repository(), "rev-list", "--count", "HEAD").strip() == "2"


def test_a_host_with_a_broken_git_configuration_can_save(lab: Venv, foreign: Path, home: Path) -> None:
    """The library works and leaves its host's variables alone, also where importing GitPython fails at first."""
    (home / ".gitconfig").write_text("[core\nbroken\n", encoding="utf-8")
    story = (
        "import os, sys, gitsnap\n"
        "before = dict(os.environ)\n"
        "saved = gitsnap.save(python=sys.argv[1])\n"
        "assert dict(os.environ) == before\n"
        "print(saved.is_new)\n"
    )

    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", story, str(lab.python)],
        env={**os.environ, **strays(foreign)},
        capture_output=True,
        text=True,
        check=False,
    )

    (home / ".gitconfig").unlink()
    assert (answer.stdout, answer.stderr) == ("True\n", "")
    assert untouched(foreign)


@pytest.mark.parametrize(
    "settings",
    [
        "[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n[tag]\n\tgpgsign = true\n",
        "[core]\n\tautocrlf = true\n\teol = crlf\n\tsafecrlf = true\n",
        "[core]\n\texcludesFile = ~/excluded\n",
        '[core]\n\tattributesFile = ~/attributes\n[filter "x"]\n\tclean = rot13\n\trequired = true\n',
        "[init]\n\ttemplateDir = ~/template\n",
        "[init]\n\ttemplateDir = /nowhere\n",
        "[init]\n\tdefaultBranch = trunk\n\tdefaultObjectFormat = sha256\n",
        "[diff]\n\texternal = false\n\tmnemonicPrefix = true\n\tnoprefix = true\n[log]\n\tshowSignature = true\n\tdate = relative\n\tdecorate = full\n\tfollow = true\n",
        "[core]\n\tbare = true\n",
        "[core]\n\tfsmonitor = false\n\tuntrackedCache = true\n\tsplitIndex = true\n[index]\n\tversion = 4\n[feature]\n\tmanyFiles = true\n",
        "[core]\n\tlogAllRefUpdates = false\n\tpager = false\n[color]\n\tui = always\n[column]\n\tui = always\n",
        "[i18n]\n\tcommitEncoding = latin-1\n\tlogOutputEncoding = utf-16\n",
        "[gc]\n\tauto = 1\n[alias]\n\tlog = !false\n[transfer]\n\tfsckObjects = true\n",
    ],
    ids=lambda text: " ".join(line.strip() for line in text.splitlines()[:2]),
)  # fmt: skip
def test_no_setting_of_the_user_breaks_a_save(keeper: Keeper, home: Path, settings: str) -> None:
    """What git is told to do for the user's projects says nothing about ours."""
    (home / ".gitconfig").write_text(settings, encoding="utf-8")
    (home / "excluded").write_text("*.txt\n", encoding="utf-8")
    (home / "attributes").write_text("*.txt text eol=crlf filter=x ident\n", encoding="utf-8")
    (home / "template" / "info").mkdir(parents=True)
    (home / "template" / "info" / "exclude").write_text("*\n", encoding="utf-8")
    (home / "template" / "config").write_text("[core]\n\tbare = true\n", encoding="utf-8")

    keeper.fill(2)
    keeper.save("numpy==1")

    listed = keeper.history()
    (home / ".gitconfig").unlink()
    assert [one.subject for one in listed] == ["Upgrade numpy 0 -> 1", "First snapshot: 1 distribution"]
    assert_two_good_snapshots(keeper)


@pytest.mark.parametrize("attributes", ["* text eol=crlf\n", "*.txt filter=x ident export-subst\n", "*.txt diff=x merge=x -diff\n"])  # fmt: skip
def test_no_attributes_in_the_folder_change_a_byte(keeper: Keeper, attributes: str) -> None:
    """A `.gitattributes` beside our files has less to say than what gitsnap wrote into `.git`."""
    keeper.save("numpy==0")
    (keeper.path / ".gitattributes").write_text(attributes, encoding="utf-8")
    keeper.git("add", ".gitattributes")
    keeper.git(*IDENTITY, "commit", "-qm", "Mine")

    keeper.save("numpy==1")

    assert keeper.git("cat-file", "-p", f"HEAD:{CURRENT}") == keeper.text("numpy==1")
    (keeper.path / CURRENT).unlink()
    keeper.git("checkout", "--", CURRENT)
    assert (keeper.path / CURRENT).read_bytes() == keeper.text("numpy==1").encode()
    assert keeper.git("status", "--porcelain") == ""


@posix
@pytest.mark.parametrize("where", ["core.hooksPath", "local core.hooksPath", ".git/hooks"])
def test_no_hook_runs(keeper: Keeper, home: Path, where: str) -> None:
    """Neither one that fails nor one that does something else."""
    keeper.save("numpy==0")
    hooks = keeper.path / ".git" / "hooks" if where == ".git/hooks" else home / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in HOOKS:
        (hooks / name).write_text(f"#!/bin/sh\necho {name} >> {home / 'ran'}\nexit 1\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    if where == "core.hooksPath":
        (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n", encoding="utf-8")
    elif where == "local core.hooksPath":
        keeper.git("config", "core.hooksPath", str(hooks))

    keeper.save("numpy==1")
    store.tag(keeper.store, "here", snap.Latest(0))
    store.untag(keeper.store, "here")

    assert not (home / "ran").exists()
    (home / ".gitconfig").unlink(missing_ok=True)
    for name in HOOKS:
        (hooks / name).unlink()
    assert_two_good_snapshots(keeper)


@pytest.mark.parametrize(
    ("settings", "identity"),
    [
        ("", "gitsnap <gitsnap@localhost>"),
        ("[user]\n\tname = Ada Lovelace\n\temail = ada@host\n", "Ada Lovelace <ada@host>"),
        ("[user]\n\tname = Ada\n", "Ada <gitsnap@localhost>"),
        ("[user]\n\tuseConfigOnly = true\n", "gitsnap <gitsnap@localhost>"),
        (
            '[user]\n\tname = "A\\nda <x> y"\n\temail = "<a@b>\\n\\ntree 0"\n',
            "Ada x y <a@btree 0>",
        ),
        ('[user]\n\tname = " .,;: "\n\temail = ""\n', "gitsnap <gitsnap@localhost>"),
        ("[user]\n\tname = Zoë Ünal\n\temail = z@host\n", "Zoë Ünal <z@host>"),
        ("[user\nbroken", "gitsnap <gitsnap@localhost>"),
    ],
    ids=["none", "set", "name alone", "config only", "hostile", "punctuation", "letters", "broken"],
)
def test_the_identity_is_the_user_s_or_gitsnap_s(
    keeper: Keeper, home: Path, settings: str, identity: str
) -> None:
    """A missing one is no error, and no name can break a commit's header."""
    (home / ".gitconfig").write_text(settings, encoding="utf-8")
    keeper.save("numpy==1")
    (home / ".gitconfig").unlink()

    assert keeper.git("log", "-1", "--format=%an <%ae>\n%cn <%ce>").splitlines() == [identity] * 2
    keeper.assert_whole()


def test_git_missing_is_an_error_with_a_remedy(lab: Venv, cli: Cli, home: Path) -> None:
    """Nothing is made, nothing on stdout."""
    cli.variables = {"PATH": str(home)}

    ran = cli("--python", lab.python, "save")

    assert (ran.code, ran.out) == (1, "")
    assert "git is not installed, or not on PATH" in ran.err
    assert "https://git-scm.com/downloads" in ran.err
    assert list(home.rglob("*_environment.txt")) == []


@posix
def test_a_git_that_is_too_old_is_an_error_with_a_remedy(
    lab: Venv, cli: Cli, home: Path, repository: Callable[..., Path]
) -> None:
    """The version that is needed is named, and nothing is made."""
    (home / "git").write_text("#!/bin/sh\necho git version 1.8.3\n", encoding="utf-8")
    (home / "git").chmod(0o755)
    cli.variables = {"PATH": f"{home}{os.pathsep}{os.environ['PATH']}"}

    ran = cli("--python", lab.python, "save")

    assert (ran.code, ran.out) == (1, "")
    assert "git 1.8.3 is too old: gitsnap needs 2.32 or newer" in ran.err
    assert "hint: install git" in ran.err
    assert not repository().exists() or list(repository().iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_no_child_of_git_is_left(keeper: Keeper) -> None:
    """GitPython keeps `git cat-file` running for as long as a repository is open."""
    keeper.fill(2)
    keeper.history()
    with store.reading(keeper.store) as repo:
        repo.read(keeper.history()[0].commit, CURRENT)
    (keeper.path / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(GitsnapError):
        keeper.save("numpy==9")

    assert _children() == []


def _children() -> list[str]:
    """Return the commands of this process's children."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = place.read_text(encoding="utf-8").partition(" (")[2].rpartition(") ")
        except OSError:
            continue
        if int(rest.split()[1]) == os.getpid():
            found.append(name)
    return found


def _merge(keeper: Keeper) -> None:
    keeper.git("switch", "-qc", "other")
    keeper.git(*IDENTITY, "commit", "-q", "--allow-empty", "-m", "other")
    keeper.git("switch", "-q", "main")
    keeper.git(*IDENTITY, "merge", "-q", "--no-ff", "--no-commit", "other")


def _bare(keeper: Keeper) -> None:
    place = keeper.path
    bare = place.parents[1] / "bare"
    git(place, "clone", "-q", "--bare", str(place), str(bare))
    place.rename(place.parents[1] / "aside")
    bare.rename(place)


def _file(keeper: Keeper) -> None:
    place = keeper.path
    place.rename(place.parents[1] / "aside")
    place.write_text("a file\n", encoding="utf-8")


def _git_file(keeper: Keeper) -> None:
    inner = keeper.path / ".git"
    inner.rename(inner.parents[2] / "aside")
    inner.write_text("gitdir: ../../aside\n", encoding="utf-8")


def _objects_lost(keeper: Keeper) -> None:
    (keeper.path / ".git" / "objects").rename(keeper.path / ".git" / "things")


def _object_empty(keeper: Keeper) -> None:
    commit = keeper.git("rev-parse", "HEAD").strip()
    place = keeper.path / ".git" / "objects" / commit[:2] / commit[2:]
    place.chmod(0o644)
    place.write_bytes(b"")


def _git(keeper: Keeper, *arguments: str) -> None:
    keeper.git(*arguments)


ODD: dict[str, tuple[Callable[[Keeper], None], str, str]] = {
    "merge": (_merge, "a merge is half done", "merge --abort"),
    "cherry-pick": (
        lambda keeper: (keeper.path / ".git" / "CHERRY_PICK_HEAD").touch(),
        "a cherry-pick is half done",
        "cherry-pick --abort",
    ),
    "rebase": (
        lambda keeper: (keeper.path / ".git" / "rebase-merge").mkdir(),
        "a rebase is half done",
        "rebase --abort",
    ),
    "detached": (
        lambda keeper: _git(keeper, "checkout", "-q", "--detach"),
        "a single commit is checked out",
        "switch main",
    ),
    "branch": (
        lambda keeper: _git(keeper, "switch", "-qc", "other"),
        "branch `other` is checked out",
        "switch main",
    ),
    "bare": (_bare, "is a bare repository", "git clone"),
    "file": (_file, "is a file, not a repository", "gitsnap save"),
    "git file": (_git_file, "is a file, not a folder", "gitsnap save"),
    "objects": (_objects_lost, "is damaged", "gitsnap check --repair"),
    "object": (_object_empty, "is damaged", "gitsnap check --repair"),
}


def _everything(folder: Path) -> dict[str, bytes]:
    """Return every file under *folder*, but for git's logs of what it was asked."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("state", ODD)
def test_an_odd_state_is_an_error_with_the_command_that_mends_it(keeper: Keeper, state: str) -> None:
    """A save exits 1 and changes nothing."""
    make, message, remedy = ODD[state]
    keeper.fill(2)
    place = keeper.path
    make(keeper)
    before = _everything(place.parent)

    with pytest.raises(RepositoryError, match=message) as caught:
        keeper.save("numpy==2")

    assert caught.value.exit_code == 1
    assert remedy in caught.value.hint
    assert str(place) in caught.value.message
    assert _everything(place.parent) == before


@pytest.mark.parametrize("state", ["merge", "detached", "branch", "bare", "file"])
@posix
def test_the_named_command_mends_it(
    keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """The hint is not a guess: after it a save works again, blanks in the path or not."""
    monkeypatch.setenv("GITSNAP_BACKUP_FOLDER", str(tmp_path / "my environments"))
    keeper.fill(2)
    ODD[state][0](keeper)
    with pytest.raises(RepositoryError) as caught:
        keeper.save("numpy==2")

    for command in caught.value.hint.split("`")[1::2]:
        if command != "gitsnap save":
            subprocess.run(command, shell=True, check=True, capture_output=True)  # noqa: S602 - as a user would

    keeper.save("numpy==3")
    keeper.assert_whole()


def test_an_odd_state_exits_1_on_the_command_line(
    lab: Venv, cli: Cli, repository: Callable[..., Path]
) -> None:
    """With the message and its remedy on stderr, and nothing on stdout."""
    cli.ok("--python", lab.python, "save")
    git(repository(), "switch", "-qc", "other")

    for verb in ("save", "check", "prune"):
        ran = cli("--python", lab.python, verb)

        assert (ran.code, ran.out) == (1, "")
        assert "branch `other` is checked out" in ran.err
        assert f"git -C {repository()} switch main" in ran.err


@as_root
def test_a_repository_of_another_user_is_refused_to_root(keeper: Keeper) -> None:
    """Its owner could not save there any more."""
    keeper.fill(1)
    before = _everything(keeper.path)
    _give_away(keeper.path)

    with pytest.raises(
        ForeignOwnerError, match="belongs to another user, and gitsnap runs as root"
    ) as caught:
        keeper.save("numpy==2")

    assert caught.value.exit_code == 1
    assert "as that user" in caught.value.hint
    assert _everything(keeper.path) == before


@as_root
def test_reading_another_user_s_repository_needs_the_user_s_word(keeper: Keeper, home: Path) -> None:
    """Git's own `safe.directory` decides; gitsnap never overrides it."""
    keeper.fill(1)
    _give_away(keeper.path)

    with pytest.raises(ForeignOwnerError, match="belongs to another user") as caught:
        keeper.history()

    command = caught.value.hint.split("`")[1]
    assert command == f"git config --global --add safe.directory {keeper.path}"
    subprocess.run(command.split(), check=True)
    assert len(keeper.history()) == 1


@as_root
def test_root_makes_no_repository_in_another_user_s_folder(keeper: Keeper) -> None:
    """Not even the first one."""
    folder = keeper.path.parent
    folder.mkdir(parents=True)
    _give_away(folder)

    with pytest.raises(ForeignOwnerError):
        keeper.save("numpy==1")

    assert list(folder.iterdir()) == []


def _give_away(folder: Path) -> None:
    for place in (folder, *folder.rglob("*")):
        os.chown(place, 65534, 65534)


def test_a_repository_behind_a_link_is_an_ordinary_one(keeper: Keeper, tmp_path: Path) -> None:
    """Many keep their configuration elsewhere and link it."""
    real = tmp_path / "dotfiles"
    real.mkdir()
    keeper.path.parent.parent.mkdir(parents=True)
    try:
        keeper.path.parent.symlink_to(real, target_is_directory=True)
    except OSError:
        pytest.skip("this system gives no links to ordinary users")

    keeper.fill(2)

    assert_two_good_snapshots(keeper)
    assert "worktree" not in (real / "lab" / ".git" / "config").read_text(encoding="utf-8")


def test_a_repository_inside_a_user_s_own_is_ours_alone(keeper: Keeper, tmp_path: Path) -> None:
    """A home folder under version control does not get our commits."""
    keeper.path.parent.mkdir(parents=True)
    git(keeper.path.parent, "init", "-q")

    keeper.fill(2)

    assert_two_good_snapshots(keeper)
    assert not (keeper.path.parent / ".git" / "refs" / "heads" / "main").exists()


@pytest.mark.parametrize("name", ["é ü", "-x", "a'b", "日本"])
def test_a_folder_of_any_name_works(
    keeper: Keeper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """Blanks, quotes, dashes and other scripts in a path are no trouble."""
    monkeypatch.setenv("GITSNAP_BACKUP_FOLDER", str(tmp_path / name))

    keeper.fill(2)

    assert_two_good_snapshots(keeper)


def test_maintenance_starts_only_when_it_is_needed(keeper: Keeper) -> None:
    """A few snapshots start nothing; hundreds of loose objects are packed, detached, while saves go on."""
    keeper.fill(2)
    sampled = next(
        b"%d" % number for number in count() if repository.blob_id(b"%d" % number).startswith("17")
    )
    with repository.opened(keeper.path) as repo:
        repo.store("blob", sampled)
    assert not repository.needs_maintenance(keeper.path)
    with repository.opened(keeper.path) as repo:
        for number in range(1200):
            repo.store("blob", b"%d" % number)
    assert repository.needs_maintenance(keeper.path)

    keeper.save("numpy==2")

    _wait_for(lambda: list(keeper.path.glob(".git/objects/pack/*.pack")), keeper)
    _wait_for(lambda: not _children(), keeper)
    keeper.save("numpy==3")
    keeper.assert_whole()


def _wait_for(condition: Callable[[], object], keeper: Keeper) -> None:
    deadline = time.monotonic() + 30
    while not condition() or (keeper.path / ".git" / "gc.pid").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_snapshot_costs_little_after_maintenance(keeper: Keeper) -> None:
    """A hundred lines of which one changes: some 500 bytes, and at most 600."""
    lines = [f"package-{number}=={number}.0" for number in range(110)]
    sizes = []
    for turn in range(2):
        for number in range(20):
            lines[(number * 37) % 110] = f"package-x{number}=={turn}.{number}"
            keeper.save(*lines)
        keeper.git("gc", "-q")
        packs = [*keeper.path.glob(".git/objects/pack/*.pack"), *keeper.path.glob(".git/objects/pack/*.idx")]
        sizes.append(sum(path.stat().st_size for path in packs))

    assert (sizes[1] - sizes[0]) / 20 <= 600
    keeper.assert_whole()


def test_saves_work_beside_git_s_own_maintenance(keeper: Keeper) -> None:
    """Packing objects and refs while snapshots are taken loses neither."""
    keeper.fill(3)
    over = threading.Event()

    def pack() -> None:
        while not over.is_set():
            keeper.git("gc", "-q")

    packer = threading.Thread(target=pack)
    packer.start()
    try:
        keeper.fill(12, first=3)
    finally:
        over.set()
        packer.join()

    assert len(keeper.history()) == 15
    keeper.assert_whole()


def test_a_public_name_loads_the_library(lab: Venv) -> None:
    """`gitsnap.save()` is the whole of it."""
    saved = gitsnap.save(python=str(lab.python))

    assert isinstance(saved, store.Saved)
    assert saved.is_new
