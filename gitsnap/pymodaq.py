"""The door to PyMoDAQ: where its own environment backups are, by its own configuration files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli

_HOME = ".pymodaq"
_FOLDER = "environments"
# Up to version 5.1 of pymodaq_utils, and since.
_FILES = ("config_pymodaq_utils.toml", "config/utils.toml")


def backups(variables: Mapping[str, str]) -> Path:
    """Return the folder that holds a folder of backups for each environment, whether it exists or not.

    PyMoDAQ reads the system's file, then the user's, key by key; where it may not write the system's folder, it
    uses the user's for both.
    """
    home = Path(os.path.expanduser("~"))
    places = [base / _HOME / name for base in (_system(variables), home) for name in _FILES]
    names = [folder for place in places if (folder := _setting(place))]
    return home / _HOME / (names[-1] if names else _FOLDER)


def _system(variables: Mapping[str, str]) -> Path:
    if sys.platform == "win32":
        return Path(variables.get("PROGRAMDATA", r"C:\ProgramData"))
    return Path("/Library/Application Support" if sys.platform == "darwin" else "/etc")


def _setting(file: Path) -> str:
    """Return `backup.folder` of a file; empty where it does not say."""
    try:
        content: dict[str, Any] = tomli.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return ""
    section = content.get("backup")
    folder = section.get("folder") if isinstance(section, dict) else None
    return folder if isinstance(folder, str) else ""
