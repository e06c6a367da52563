"""Saving: one commit a change, in the environment's own repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.conftest import Cli, Venv


def test_a_first_save_makes_one_commit_with_two_equal_files(
    lab: Venv, cli: Cli, repository: Callable[..., Path], run_git: Callable[..., str]
) -> None:
    """The stamped file and `current.txt` hold the same bytes, and git agrees that nothing is left to do."""
    out = cli.ok("--python", lab.python, "save")

    place = repository("lab")
    [stamped] = place.glob("*_environment.txt")
    assert stamped.read_bytes() == (place / "current.txt").read_bytes()
    assert out.startswith(f"lab: saved snapshot {stamped.name[:14]}\n")
    assert run_git(place, "status", "--porcelain") == ""
    assert run_git(place, "rev-list", "--count", "HEAD").strip() == "1"
    lines = stamped.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"# executable: {lab.python}"
    assert lines[1].startswith("# version: 3.")
    assert lines[2:] == ["", "numpy==1.26.4", "six==1.16.0"]


def test_an_unchanged_environment_makes_no_commit_and_touches_no_file(
    lab: Venv, cli: Cli, repository: Callable[..., Path], run_git: Callable[..., str]
) -> None:
    """Git's own comparison of contents is the deduplication."""
    cli.ok("--python", lab.python, "save")
    before = {path: path.stat().st_mtime_ns for path in repository().iterdir() if path.is_file()}

    out = cli.ok("--python", lab.python, "save")

    assert "nothing changed since snapshot" in out
    assert run_git(repository(), "rev-list", "--count", "HEAD").strip() == "1"
    assert before == {path: path.stat().st_mtime_ns for path in repository().iterdir() if path.is_file()}
