"""The configuration: what comes first, and a clear message for each mistake."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import config, locations
from gitsnap.errors import ConfigError, UnknownKeyError
from tests.conftest import Cli, Venv

LINUX = pytest.mark.skipif(os.name == "nt", reason="XDG variables move the folders on Linux")
ORDINARY = pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="no permission keeps root or Windows from reading"
)


@pytest.fixture
def user() -> Path:
    """Return the user's configuration file, whose folder is there."""
    path = locations.config_files(os.environ)[1]
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the system's configuration file, whose folder is there."""
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    path = tmp_path / "xdg" / "gitsnap" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


def source(found: config.Config, key: str) -> str:
    """Return where a value comes from."""
    return next(origin.source for origin in found.origins if origin.key == key)


def test_without_a_file_the_defaults_hold(home: Path) -> None:
    """Nothing needs to be configured."""
    found = config.load({})

    assert (found.keep_backup, found.limit) == (True, 25)
    assert found.folder == locations.config_path({}) / "environments"
    assert found.machine
    assert {origin.source for origin in found.origins} == {"default"}


@LINUX
def test_variables_come_before_the_user_s_file_before_the_system_s(user: Path, system: Path) -> None:
    """Key by key, not file by file."""
    system.write_text('[backup]\nlimit = 1\nfolder = "/system"\nkeep_backup = false\n')
    user.write_text('[backup]\nlimit = 2\nfolder = "/user"\n[remote]\nmachine = "mine"\n')

    found = config.load({"GITSNAP_BACKUP_LIMIT": "3"})

    assert (found.limit, found.folder, found.keep_backup, found.machine) == (3, Path("/user"), False, "mine")
    assert source(found, "backup.limit") == "GITSNAP_BACKUP_LIMIT"
    assert source(found, "backup.folder") == str(user)
    assert source(found, "backup.keep_backup") == str(system)


def test_a_byte_order_mark_and_windows_line_ends_are_taken(user: Path) -> None:
    """Windows' editors write them."""
    user.write_bytes(b"\xef\xbb\xbf[backup]\r\nlimit = 3\r\n")

    assert config.load({}).limit == 3


def test_empty_files_and_sections_say_nothing(user: Path) -> None:
    """A file of comments is no mistake."""
    user.write_text("# nothing yet\n[backup]\n[remote]\n")

    assert config.load({}).limit == 25


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("envs", "{config}/envs"),
        ("/data/envs", "/data/envs"),
        ("~/envs", "{home}/envs"),
        ("../x", "{config}/../x"),
    ],
)
@LINUX
def test_the_folder_is_absolute_or_beside_the_configuration(
    text: str, folder: str, user: Path, home: Path
) -> None:
    """`~` is the home."""
    user.write_text(f'[backup]\nfolder = "{text}"\n')

    expected = folder.format(config=locations.config_path({}), home=home)
    assert str(config.load({}).folder) == expected


MISTAKES = {
    "an unknown key": ("[backup]\nlimits = 3\n", "`backup.limits`", "`backup.limit`"),
    "a key of another section": ("[remote]\nlimit = 3\n", "`remote.limit`", "`backup.limit`"),
    "a key outside a section": ("limit = 3\n", "`limit`", "`backup.limit`"),
    "an unknown section": ("[bakcup]\nlimit = 3\n", "`bakcup.limit`", "`backup.limit`"),
    "an unknown empty section": ("[zzz]\n", "`zzz`", "`backup.folder`"),
    "a section that is none": ("backup = 3\n", "`backup` must be a section", "README"),
    "a list of sections": ("[[backup]]\nlimit = 3\n", "`backup` must be a section", "README"),
    "no limit": ("[backup]\nlimit = 0\n", "`backup.limit` must be a whole number", "README"),
    "less than none": ("[backup]\nlimit = -3\n", "`backup.limit` must be a whole number", "README"),
    "words": ('[backup]\nlimit = "many"\n', "`backup.limit` must be a whole number", "README"),
    "truth": ("[backup]\nlimit = true\n", "`backup.limit` must be a whole number", "README"),
    "a part": ("[backup]\nlimit = 2.5\n", "`backup.limit` must be a whole number", "README"),
    "a list": ("[backup]\nlimit = [3]\n", "`backup.limit` must be a whole number", "README"),
    "a table": ("[backup.limit]\nx = 3\n", "`backup.limit` must be a whole number", "README"),
    "a number for a text": ("[backup]\nfolder = 3\n", "`backup.folder` must be a text", "README"),
    "an empty text": ('[backup]\nfolder = " "\n', "`backup.folder` must be a text", "README"),
    "a control character": (
        '[remote]\nmachine = "a\\u001b[31m"\n',
        "`remote.machine` must be a text",
        "README",
    ),
    "a word for truth": (
        '[backup]\nkeep_backup = "no"\n',
        "`backup.keep_backup` must be true or false",
        "README",
    ),
    "a number for truth": (
        "[backup]\nkeep_backup = 1\n",
        "`backup.keep_backup` must be true or false",
        "README",
    ),
    "no TOML": ("[backup\nlimit = 3\n", "line 1", "README"),
    "a key twice": ("[backup]\nlimit = 3\nlimit = 4\n", "line 3", "README"),
    "a number without end": (f"[backup]\nlimit = {'1' * 5000}\n", "digits", "README"),
    "brackets without end": (f"x = {'[' * 5000}\n", "config.toml", "README"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_names_file_and_key_and_changes_nothing(
    mistake: str, user: Path, lab: Venv, cli: Cli, repository: Callable[..., Path]
) -> None:
    """Exit 2, and the hint says what was meant or where to read."""
    text, said, advised = MISTAKES[mistake]
    user.write_text(text)

    ran = cli("--python", lab.python, "save")

    assert (ran.code, ran.out) == (2, "")
    message, _, advice = ran.err.partition("\nhint: ")
    assert message.startswith(f"error: {user}: "), ran.err
    assert said in message
    assert advised in advice
    assert message.count("\n") == 1
    assert "\x1b" not in ran.err
    assert not repository().exists()


@LINUX
def test_a_mistake_in_the_system_s_file_names_that_file(system: Path) -> None:
    """Else one would look for it in one's own."""
    system.write_text("[backup]\nlimit = 0\n")

    with pytest.raises(ConfigError, match=str(system)):
        config.load({})


def test_a_file_that_is_no_text_is_refused(user: Path) -> None:
    """An editor saved it in another encoding."""
    user.write_bytes('[remote]\nmachine = "Müller"\n'.encode("latin-1"))

    with pytest.raises(ConfigError, match=r"config\.toml: is not UTF-8 text \(byte 21\)"):
        config.load({})


def test_a_folder_in_place_of_the_file_is_refused(user: Path) -> None:
    """It is not taken for an absent file."""
    user.mkdir()

    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read"):
        config.load({})


@ORDINARY
def test_an_unreadable_file_is_refused(user: Path) -> None:
    """What it says may be `keep_backup = false`."""
    user.write_text("")
    user.chmod(0)

    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read: Permission denied"):
        config.load({})


def test_a_value_that_holds_a_password_is_not_shown(user: Path) -> None:
    """Messages are pasted into mails."""
    user.write_text('[backup]\nlimit = "https://me:secret@example.org"\n')

    with pytest.raises(ConfigError) as caught:
        config.load({})

    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("GITSNAP_BACKUP_LIMIT", "0", "GITSNAP_BACKUP_LIMIT: `backup.limit` must be"),
        ("GITSNAP_BACKUP_LIMIT", "-3", "GITSNAP_BACKUP_LIMIT: `backup.limit` must be"),
        ("GITSNAP_BACKUP_LIMIT", "²", "GITSNAP_BACKUP_LIMIT: `backup.limit` must be"),
        ("GITSNAP_BACKUP_LIMIT", "", "GITSNAP_BACKUP_LIMIT: `backup.limit` must be"),
        ("GITSNAP_BACKUP_LIMIT", "9" * 5000, "GITSNAP_BACKUP_LIMIT: `backup.limit`"),
        ("GITSNAP_BACKUP_KEEP_BACKUP", "maybe", "GITSNAP_BACKUP_KEEP_BACKUP: `backup.keep_backup` must be"),
        ("GITSNAP_BACKUP_FOLDER", "", "GITSNAP_BACKUP_FOLDER: `backup.folder` must be"),
        ("GITSNAP_BACKUP_LIMITS", "3", "`GITSNAP_BACKUP_LIMITS` is no key that gitsnap knows"),
        ("GITSNAP_BACKUP_FOLDER", "~nobody-here/x", "home folder that cannot be told"),
    ],
)
def test_a_variable_with_a_mistake_is_named(name: str, value: str, said: str) -> None:
    """One that sets nothing is a mistake too, else a slip of the pen would go unseen."""
    with pytest.raises(ConfigError) as caught:
        config.load({name: value})

    assert said in caught.value.message
    assert len(caught.value.message) < 300


def test_an_unknown_variable_suggests_the_nearest() -> None:
    """As an unknown key does."""
    with pytest.raises(UnknownKeyError) as caught:
        config.load({"GITSNAP_REMOTE_MASCHINE": "x"})

    assert caught.value.hint == "did you mean `GITSNAP_REMOTE_MACHINE`?"


def test_variables_take_the_words_of_toml(home: Path) -> None:
    """In any case."""
    for word, value in (("true", True), ("False", False), ("FALSE", False)):
        assert config.load({"GITSNAP_BACKUP_KEEP_BACKUP": word}).keep_backup is value


def test_what_was_good_is_remembered_and_garbage_is_not(home: Path) -> None:
    """A launch goes on with it; a key that the remembered one lacks has its default."""
    assert config.remembered({}) is None
    good = config.load({"GITSNAP_BACKUP_LIMIT": "7"})

    config.remember(good)

    again = config.remembered({})
    assert again is not None
    assert (again.limit, again.folder, again.machine) == (good.limit, good.folder, good.machine)
    place = good.state_path / "last-good-config.json"
    place.write_text('{"backup.limit": 3}')
    assert (config.remembered({}) or good).limit == 3
    for text in ("", "[]", "nonsense", '{"backup.limit": 0}', "[" * 100000, '"text"'):
        place.write_text(text)
        assert config.remembered({}) is None


def test_a_save_remembers_the_configuration_for_launches(lab: Venv, cli: Cli, user: Path) -> None:
    """A launch may be the first to meet the broken file."""
    user.write_text("[backup]\nlimit = 7\n")
    cli.ok("--python", lab.python, "save")

    user.write_text("[backup\n")

    assert (config.remembered({}) or config.load({})).limit == 7


def test_config_shows_each_value_and_its_source(user: Path, cli: Cli) -> None:
    """For people, for programs, and the path alone."""
    user.write_text("[backup]\nlimit = 7\n")
    cli.variables["GITSNAP_BACKUP_KEEP_BACKUP"] = "false"

    out = cli.ok("config")
    shown = cli("config", "--json").json

    assert str(user) in out
    assert "GITSNAP_BACKUP_KEEP_BACKUP" in out
    assert shown["version"] == 1
    assert "7" in out
    assert cli.ok("config", "--path") == f"{user}\n"


def test_config_tells_the_path_of_a_broken_file(user: Path, cli: Cli) -> None:
    """One needs it to mend the file."""
    user.write_text("[backup\n")

    assert cli.ok("config", "--path") == f"{user}\n"
    ran = cli("config", "--json")
    assert ran.code == 2
    assert ran.json["error"]["exit_code"] == 2
