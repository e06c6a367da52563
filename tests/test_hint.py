"""The hint: one file for each way of naming an environment, and what it is checked against."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitsnap import hint, locations
from gitsnap.errors import ConfigError
from tests.conftest import git

POSIX = pytest.mark.skipif(os.name == "nt", reason="Windows tells its folders by a call")


@POSIX
@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"XDG_STATE_HOME": "/absolute/state"},
        {"XDG_STATE_HOME": ""},
        {"XDG_STATE_HOME": "relative"},
        {"GITSNAP_HOME": "/absolute"},
        {"GITSNAP_HOME": "~/here"},
        {"GITSNAP_HOME": "/absolute", "XDG_STATE_HOME": "/elsewhere"},
        {"GITSNAP_HOME": ""},
    ],
    ids=str,
)
def test_both_ways_lead_to_one_state_path(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The hint finds it without platformdirs, whose import costs more than the whole launch may."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert hint.state_path(os.environ) == str(locations.state_path(os.environ))


@POSIX
def test_a_home_that_is_not_absolute_has_no_hints(home: Path) -> None:
    """A hint in the working folder, or in the root of the file system, would be a surprise."""
    for variables in ({"HOME": ""}, {"HOME": "relative"}, {"GITSNAP_HOME": "relative"}):
        assert hint.state_path(variables) is None
        assert hint.file_of("python x", variables) is None
        assert hint.read("python x", variables) is None
    with pytest.raises(ConfigError, match="is not absolute"):
        locations.state_path({"GITSNAP_HOME": "relative"})


@POSIX
def test_macos_keeps_its_state_beside_the_configuration(home: Path) -> None:
    """There platformdirs has one folder for both, so that the state is a folder in it, as the hint has it."""
    from platformdirs.macos import MacOS

    dirs = MacOS("gitsnap", appauthor=False)

    assert (
        dirs.user_config_dir
        == dirs.user_state_dir
        == str(home / "Library" / "Application Support" / "gitsnap")
    )


def test_the_file_of_a_key_is_a_name_every_system_takes() -> None:
    """It is readable, and two keys never share one."""
    names = {
        hint.file_name(key)
        for key in ("python /a/b c", "python /a/b_c", "env lab", "env LAB", "env ../x\n\udcff")
    }

    assert len(names) == 5
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in names)
    assert len(hint.file_name("python " + "x" * 5000)) < 100


def test_the_name_of_a_file_is_the_same_in_every_process() -> None:
    """Python's own `hash` would not be."""
    code = "from gitsnap import hint; print(hint.file_name('env lab'))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert said == {f"{hint.file_name('env lab')}{os.linesep}".encode()}


FIELDS = hint.Hint.__slots__[2:]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0"), max_size=20),
        min_size=len(FIELDS),
        max_size=len(FIELDS),
    )
)
@settings(deadline=None, database=None)
def test_what_is_written_is_read(values: list[str]) -> None:
    """Line ends and bytes that are no UTF-8 too; a lone surrogate that stands for no byte cannot be written."""
    written = hint.Hint(format=hint.FORMAT, key="env lab", **dict(zip(FIELDS, values, strict=True)))
    try:
        data = hint.dump(written)
    except UnicodeEncodeError:
        return

    text = data.decode("utf-8", "surrogateescape").split("\0")

    assert text == [hint.FORMAT, "env lab", *values]


def test_a_hint_is_read_for_its_own_key_alone(home: Path) -> None:
    """Two keys of one hash would otherwise take each other's."""
    path = hint.file_of("env lab", os.environ)
    assert path is not None
    Path(path).parent.mkdir(parents=True)
    fields = dict.fromkeys(FIELDS, "a\r\nb\r")

    Path(path).write_bytes(hint.dump(hint.Hint(format=hint.FORMAT, key="env lab", **fields)))
    found = hint.read("env lab", os.environ)
    assert found is not None
    assert found.commit == "a\r\nb\r"

    Path(path).write_bytes(hint.dump(hint.Hint(format=hint.FORMAT, key="env other", **fields)))
    assert hint.read("env lab", os.environ) is None


@given(st.lists(st.text(st.characters(exclude_characters="\1"), min_size=1)))
@settings(deadline=None, database=None)
def test_a_list_survives_its_field(values: list[str]) -> None:
    """Split is the inverse of joined."""
    assert hint.split(hint.joined(values)) == values


def test_the_tip_is_that_of_main_while_main_is_checked_out(tmp_path: Path) -> None:
    """Loose, packed, on another branch, on none, before the first commit."""
    assert hint.tip(str(tmp_path)) is None
    git(tmp_path, "init", "-q", "-b", "main")
    assert hint.tip(str(tmp_path)) is None
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()

    assert hint.tip(str(tmp_path)) == commit
    git(tmp_path, "pack-refs", "--all")
    assert hint.tip(str(tmp_path)) == commit
    git(tmp_path, "checkout", "-q", "-b", "other")
    assert hint.tip(str(tmp_path)) is None
    git(tmp_path, "checkout", "-q", "--detach")
    assert hint.tip(str(tmp_path)) is None
