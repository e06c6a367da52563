"""The README is true: its story runs, its table of exit codes holds, its commands are those that CI runs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gitsnap
from gitsnap import errors
from gitsnap.cli import BUG, INTERRUPTED, USAGE, commands
from tests.conftest import Venv
from tests.wheels import Lab

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_VOLATILE = [
    (r" {2,}", "  "),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "TIME"),
    (r"\b\d{14}", "STAMP"),
    (r"# version: .*", "# version: VERSION"),
    (r"\b3\.\d+\.\d+\b", "PYTHON"),
    (r"index [0-9a-f]{7}\.\.[0-9a-f]{7}", "index IDS"),
    (r"^[0-9a-f]{7} ", "ID "),
    (r"Python PYTHON \(.*\)", "Python PYTHON (PLACE)"),
]


def _steps() -> Iterator[tuple[str, str]]:
    """Yield each command of the console blocks with the output that the README prints."""
    for block in _BLOCK.findall(README):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def _plain(text: str) -> str:
    """Take out what differs from run to run: times, commit ids, the Python's version."""
    for pattern, word in _VOLATILE:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text


@pytest.mark.skipif(os.name == "nt", reason="the README's story is told in a POSIX shell")
def test_the_story_of_the_readme_runs_as_printed(
    home: Path, make_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    """Each `$` line is run in turn in one home, and its output is the README's."""
    lab = make_venv("lab")
    story = Lab(lab, tmp_path / "wheels")
    story.make(numpy="1.26.4 2.0.1", PySide6="6.8.1", scipy="1.14.0", six="1.16.0", rich="13.9.4")
    story.install("numpy==1.26.4", "PySide6==6.8.1", "scipy==1.14.0", "six==1.16.0")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, line in {
        "gitsnap": f'exec {shlex.quote(sys.executable)} -m gitsnap "$@"',
        "pip": "exit 0",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    # The packages of the story are tiny wheels in a folder, which pip and uv are told of as of any index.
    variables = {
        **os.environ,
        "PATH": f"{tools}:{os.environ['PATH']}",
        "PIP_FIND_LINKS": str(story.wheels),
        "PIP_NO_INDEX": "1",
    }
    ran = 0
    folder = home
    for command, expected in _steps():
        if command == "gitsnap diff" and ran == 1:
            story.install("numpy==2.0.1", "rich==13.9.4")
            story.uninstall("six")
        if command == "gitsnap import":
            _pymodaq(home)
        if command.startswith("cd "):
            folder = Path(command[3:].replace("~", str(home)))
            continue
        # A tool's environment is passed over, so that the active one is meant.
        named = _as_a_tool(command, lab).replace("/media", str(tmp_path / "media"))
        shell = f"cd {shlex.quote(str(folder))} && {named}"
        answer = subprocess.run(
            ["sh", "-c", shell], capture_output=True, text=True, env=variables, check=False
        )
        assert answer.returncode == 0, (command, answer)
        shown = answer.stdout
        for place, name in {
            lab.prefix: "/home/ada/envs/lab",
            home: "/home/ada",
            tmp_path / "media": "/media",
        }.items():
            shown = shown.replace(str(place), name)
        assert _plain(shown) == _plain(expected), command
        ran += 1

    assert ran >= 20


def _pymodaq(home: Path) -> None:
    """Make the folder that PyMoDAQ's own manager leaves: lines in any order, a failed freeze, a note."""
    folder = home / ".pymodaq" / "environments" / "pymodaq-dev"
    folder.mkdir(parents=True)
    head = "# executable: /home/ada/envs/pymodaq-dev/bin/python\n# version: 3.12.3 (main) [GCC 13.3.0]\n\n"
    for day in range(1, 26):
        (folder / f"202403{day:02d}100000_environment.txt").write_text(f"{head}six==1.16.0\nnumpy==1.{day}\n")
    (folder / "20240326100000_environment.txt").write_text(f"{head}numpy==1.25\nsix==1.16.0\n")
    (folder / "20240601090000_environment.txt").write_text(head)
    (folder / "notes.txt").write_text("mine\n")


def _as_a_tool(command: str, lab: Venv) -> str:
    """Name the environment where gitsnap's own would be chosen: the tests run from gitsnap's own."""
    if command == "gitsnap import":
        return command
    return command.replace("gitsnap ", f"gitsnap --python {shlex.quote(str(lab.python))} ", 1)


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    """Every code that a class or the command line can end with stands in the README."""
    rows = {int(code) for code in re.findall(r"^\| (\d+) \| ", README, flags=re.MULTILINE)}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    codes = {found.exit_code for found in classes if issubclass(found, errors.GitsnapError)}
    codes |= {0, BUG, INTERRUPTED, USAGE, commands.DRIFT, commands.NO_REPOSITORY, 4}

    assert rows == codes


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """What a contributor is told to run is what CI runs."""
    [command] = re.findall(r"^(python3 -m venv .*pytest.*)$", README, flags=re.MULTILINE)

    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_verb_and_every_public_name_can_be_used() -> None:
    """The README's verbs exist, and each public name loads."""
    for verb in commands.gitsnap.commands:
        assert re.search(rf"gitsnap {verb}\b|`{verb}`|`hook path`", README), verb
    for name in gitsnap.__all__:
        assert getattr(gitsnap, name) is not None
