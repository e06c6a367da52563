"""The recipes of the README for tools that need no installer of ours: direnv, uv run, VS Code."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Venv

pytestmark = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")
Where = Callable[..., Path]
SCRIPTS = str(Path(sys.executable).parent)


def run(*command: object, folder: Path) -> str:
    """Run a tool with gitsnap on PATH; it must succeed."""
    answer = subprocess.run(
        list(map(str, command)),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin", "UV_NO_CONFIG": "1"},
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_direnv_saves_when_the_folder_is_entered(lab: Venv, tmp_path: Path, repository: Where) -> None:
    """The line stands below the one that activates the environment."""
    if not shutil.which("direnv"):
        pytest.skip("direnv is not installed")
    line = 'command -v gitsnap-hook >/dev/null && gitsnap-hook --python "$VIRTUAL_ENV" </dev/null'
    (tmp_path / ".envrc").write_text(f'export VIRTUAL_ENV="{lab.prefix}"\n{line}\n', encoding="utf-8")
    run("direnv", "allow", folder=tmp_path)

    out = run("direnv", "exec", tmp_path, "sh", "-c", 'echo "$VIRTUAL_ENV"', folder=tmp_path)

    assert out == f"{lab.prefix}\n"
    assert (repository() / "current.txt").exists()


def test_uv_run_saves_before_it_starts(tmp_path: Path, repository: Where) -> None:
    """With gitsnap apart from the project, and the project's environment in `.venv`."""
    project = tmp_path / "bench"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "bench"\nversion = "1"\nrequires-python = ">=3.10"\n'
    )
    (project / "app.py").write_text("import sys; print(sys.prefix)\n")
    uv = (sys.executable, "-m", "uv")

    run(*uv, "sync", "--offline", "--python", sys.executable, folder=project)
    apart = run("gitsnap", "run", "--python", ".venv", "--", ".venv/bin/python", "app.py", folder=project)
    inside = run(*uv, "run", "--offline", "gitsnap", "run", "--", "python", "app.py", folder=project)

    assert apart == inside == f"{project / '.venv'}\n"
    assert (repository("bench") / "current.txt").exists()


def test_the_task_of_vs_code_is_json_that_names_the_hook(
    lab: Venv, tmp_path: Path, repository: Where
) -> None:
    """VS Code itself cannot be had here: its command is run as it would."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    found = re.search(r'```json\n(\{\n  "version": "2\.0\.0",.*?)```', text, re.DOTALL)
    if not found:
        pytest.skip("the README has no task for VS Code")
    [task] = json.loads(found[1])["tasks"]
    words = [
        word.replace("${workspaceFolder}/.venv", str(lab.prefix)) for word in (task["command"], *task["args"])
    ]

    run(*words, folder=tmp_path)

    assert (repository() / "current.txt").exists()
    assert task["runOptions"] == {"runOn": "folderOpen"}
