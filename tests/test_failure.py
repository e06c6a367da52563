"""The last failure of each environment: kept, recognised however it was named, forgotten after a good save."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gitsnap import failure, hint
from gitsnap.failure import Failure

NOW = datetime(2025, 1, 31, 11, 24, 5, tzinfo=timezone(timedelta(hours=1)))


def test_the_time_of_the_first_of_equal_failures_stays(tmp_path: Path) -> None:
    """It tells for how long launches have failed."""
    failure.record(tmp_path, "env lab", "no git", NOW)
    failure.record(tmp_path, "env lab", "no git", NOW + timedelta(days=90))

    assert failure.all_in(tmp_path) == (Failure("env lab", "2025-01-31T11:24:05+01:00", "no git"),)

    failure.record(tmp_path, "env lab", "full disk", NOW + timedelta(days=90))
    assert [kept.message for kept in failure.all_in(tmp_path)] == ["full disk"]


def test_failures_are_listed_oldest_first_and_garbled_ones_left_out(tmp_path: Path) -> None:
    """The files may be cut short or edited."""
    failure.record(tmp_path, "env b", "second", NOW + timedelta(hours=1))
    failure.record(tmp_path, "env a", "first", NOW)
    for name, text in (("x", ""), ("y", "[]"), ("z", '{"key": 1, "time": 2, "message": 3}'), ("w", "\udcff")):
        (tmp_path / f"{name}.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    assert [kept.message for kept in failure.all_in(tmp_path)] == ["first", "second"]
    assert failure.all_in(tmp_path / "nowhere") == ()


LAB = os.path.join(os.sep, "envs", "lab")


@pytest.mark.parametrize(
    ("key", "is_about"),
    [
        ("env lab", True),
        ("env LAB", True),
        ("env lab2", False),
        (f"python {os.path.join(LAB, 'bin', 'python')}", True),
        (f"python {os.path.join(LAB, 'Scripts', 'python.exe')}", True),
        (f"python {os.path.join(LAB, 'python.exe')}", True),
        (f"python {os.path.join(LAB, 'envs', 'inner', 'bin', 'python')}", False),
        (f"python {os.path.join(LAB + '2', 'bin', 'python')}", False),
        ("python /shims/python", True),
        ("python /shims/python3", False),
        (failure.UNKNOWN, True),
    ],
)
def test_a_failure_is_about_an_environment_however_it_was_named(key: str, is_about: bool) -> None:
    """By its name, by its program, by the shim that was asked for, or by nothing that could be found out."""
    assert Failure(key, "", "").concerns("python /shims/python", "lab", LAB) == is_about


def test_a_failure_by_path_is_about_no_environment_whose_prefix_is_unknown() -> None:
    """A repository may not remember it."""
    assert not Failure("python /bin/python", "", "").concerns("env lab", "lab", None)


def test_a_good_save_forgets_the_environment_s_failures_alone(tmp_path: Path) -> None:
    """Others go on failing."""
    folder = tmp_path / "failures"
    for key in ("env lab", f"python {os.path.join(LAB, 'bin', 'python')}", failure.UNKNOWN, "env other"):
        failure.record(folder, key, "no git", NOW)

    failure.clear(folder, "env lab", "lab", LAB)

    assert [kept.key for kept in failure.all_in(folder)] == ["env other"]
    assert [path.stem for path in folder.iterdir()] == [hint.file_name("env other")]


def test_what_cannot_be_written_is_no_failure_of_its_own(tmp_path: Path) -> None:
    """The disk may be what is full."""
    (tmp_path / "file").touch()

    failure.record(tmp_path / "file" / "failures", "env lab", "full disk", NOW)
    failure.clear(tmp_path / "file" / "failures", "env lab", "lab", None)
