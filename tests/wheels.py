"""Tiny real wheels, and real environments in which uv and pip install them without any network."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Venv

FULL = bool(os.environ.get("GITSNAP_FULL"))
"""Whether random walks and kills are done as often as the promises say, instead of a tenth of it."""

needs_pip = pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="these tests run without pip")
BACKENDS = ("uv", pytest.param("pip", marks=needs_pip))


def wheel(
    folder: Path, name: str, version: str, files: Mapping[str, str] | None = None, *, damaged: bool = False
) -> Path:
    """Write a wheel with a package, a module in it, a command and a data file, all of which tell the version."""
    info = f"{name}-{version}.dist-info"
    content = {
        f"{name}/__init__.py": f"from {name}.part import VERSION\n",
        f"{name}/part.py": f"VERSION = {version!r}\n# {version * 20}\n",
        f"{name}/only_in_{version.replace('.', '_')}/__init__.py": "",
        f"{name}-{version}.data/data/share/{name}/note.txt": f"{name} {version}\n",
        **(files or {}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name}-tool = {name}:main\n",
    }
    rows = [f"{path},sha256={_hash(text)},{len(text.encode())}" for path, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in content.items():
            archive.writestr(path, text)
    if damaged:
        data = place.read_bytes()
        place.write_bytes(data.replace(f"VERSION = {version!r}".encode(), b"V" * 7))
    return place


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Lab:
    """A real environment and a folder of wheels for it."""

    venv: Venv
    wheels: Path

    def make(self, **versions: str) -> None:
        """Write a wheel of each name in each version of `"1.0 2.0"`."""
        for name, several in versions.items():
            for version in several.split():
                wheel(self.wheels, name, version)

    def install(self, *lines: str) -> None:
        """Let uv put in exactly what *lines* name."""
        uv(
            "pip",
            "install",
            "--no-deps",
            "--offline",
            "--no-index",
            "--find-links",
            self.wheels,
            "--python",
            self.venv.python,
            *lines,
        )

    def uninstall(self, *names: str) -> None:
        """Let uv take out *names*."""
        uv("pip", "uninstall", "--python", self.venv.python, *names)

    @property
    def files(self) -> dict[str, bytes]:
        """Every file of the environment, but for what Python compiled."""
        found = (path for path in self.venv.prefix.rglob("*") if path.is_file() and path.suffix != ".pyc")
        return {str(path.relative_to(self.venv.prefix)): path.read_bytes() for path in found}

    @property
    def versions(self) -> dict[str, str]:
        """What the environment's own Python imports, by name."""
        names = sorted(info.name.partition("-")[0] for info in self.venv.site.glob("??-*.dist-info"))
        code = "import sys, importlib\nfor name in sys.argv[1:]: print(name, importlib.import_module(name).VERSION)"
        # Nothing compiled is written: what is compared must come from the rollback alone.
        answer = subprocess.run(
            [self.venv.python, "-B", "-c", code, *names], capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
        return dict(line.split() for line in answer.stdout.splitlines())


def uv(*arguments: object) -> None:
    """Run the real uv; it must succeed."""
    answer = subprocess.run(
        [sys.executable, "-m", "uv", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "UV_NO_CONFIG": "1"},
    )
    assert answer.returncode == 0, answer.stderr
