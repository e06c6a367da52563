"""Saving: one commit a change, in the environment's own repository."""

from __future__ import annotations

import json
import shutil
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


def _conda(lab: Venv, **builds: str) -> None:
    """Make records of conda packages, `name="version-build"`, in place of those that are there."""
    folder = lab.prefix / "conda-meta"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, rest in builds.items():
        version, build = rest.split("-")
        url = f"https://conda.example.org/forge/linux-64/{name}-{rest}.conda"
        record = {
            "name": name,
            "version": version,
            "build": build,
            "url": url,
            "md5": "0" * 32,
            "subdir": "linux-64",
        }
        (folder / f"{name}-{rest}.json").write_text(json.dumps(record), encoding="utf-8")


def test_a_conda_environment_has_its_explicit_list_beside_current(
    lab: Venv, cli: Cli, repository: Callable[..., Path], run_git: Callable[..., str]
) -> None:
    """The part that pip does not see is committed too; a change in it alone is a change."""
    _conda(lab, ffmpeg="6.0-h1")
    cli.ok("--python", lab.python, "save")
    [first] = repository().glob("*_environment.txt")
    _conda(lab, ffmpeg="6.1-h1", libdemo="1-0")

    status = cli.ok("--python", lab.python, "status")
    saved = cli.ok("--python", lab.python, "save")

    assert "upgraded    ffmpeg (conda)   6.0 from" in status
    assert "added       libdemo (conda)  1 from" in saved
    listed = (repository() / "conda-explicit.txt").read_text(encoding="utf-8")
    assert "@EXPLICIT\nhttps://conda.example.org/forge/linux-64/ffmpeg-6.1-h1.conda#" in listed
    assert run_git(repository(), "status", "--porcelain") == ""
    files = sorted(repository().glob("*_environment.txt"))
    assert len(files) == 2
    assert files[1].read_bytes() == first.read_bytes()
    assert run_git(repository(), "log", "-1", "--format=%s").strip() == "Add 1, upgrade 1"
    assert "nothing changed" in cli.ok("--python", lab.python, "save")


def test_a_conda_change_alone_is_seen_by_a_launch(
    lab: Venv, cli: Cli, repository: Callable[..., Path]
) -> None:
    """The names of the records tell."""
    _conda(lab, ffmpeg="6.0-h1")
    cli.hook("--python", lab.python)
    _conda(lab, ffmpeg="6.1-h1")
    cli.hook("--python", lab.python)

    assert len(list(repository().glob("*_environment.txt"))) == 2


def test_the_explicit_list_is_healed_and_leaves_with_conda(
    lab: Venv, cli: Cli, repository: Callable[..., Path], run_git: Callable[..., str]
) -> None:
    """An edited list is put right; an environment that conda made no more has none."""
    _conda(lab, ffmpeg="6.0-h1")
    cli.ok("--python", lab.python, "save")
    listed = (repository() / "conda-explicit.txt").read_bytes()
    (repository() / "conda-explicit.txt").write_text("mine", encoding="utf-8")

    assert "`conda-explicit.txt` was edited" in cli("--python", lab.python, "save").err
    assert (repository() / "conda-explicit.txt").read_bytes() == listed
    shutil.rmtree(lab.prefix / "conda-meta")
    cli.ok("--python", lab.python, "save")
    assert not (repository() / "conda-explicit.txt").exists()
    assert run_git(repository(), "status", "--porcelain") == ""
