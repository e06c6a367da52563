"""Where pip's own configuration says that packages come from, for uv, which does not read it.

Whoever has told pip of a private index has told it once; a restore must not depend on which tool does it.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_KEYS = ("index-url", "extra-index-url", "find-links", "no-index", "cert")
_UVS_OWN = (
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_NO_INDEX",
)


@dataclass(frozen=True)
class PipSettings:
    """What pip is told about indexes."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    certificates: str = ""


def read(prefix: Path, variables: Mapping[str, str]) -> PipSettings:
    """Return pip's settings for the environment at *prefix*: system's, user's, its own, then variables."""
    values: dict[str, str] = {}
    for file in _files(prefix, variables):
        values.update(_values(file))
    for key in _KEYS:
        if value := variables.get(f"PIP_{key.replace('-', '_').upper()}"):
            values[key] = value
    return PipSettings(
        index_url=values.get("index-url", "").strip(),
        extra_index_urls=tuple(values.get("extra-index-url", "").split()),
        find_links=tuple(values.get("find-links", "").split()),
        no_index=values.get("no-index", "").strip().lower() in {"1", "true", "yes", "on", "t", "y"},
        certificates=values.get("cert", "").strip(),
    )


def uv_has_its_own(variables: Mapping[str, str]) -> bool:
    """Tell whether uv is told of indexes itself; then pip's settings are not its business."""
    if any(variables.get(name) for name in _UVS_OWN):
        return True
    return any(b"index" in text or b"find-links" in text for text in map(_bytes, _uv_files(variables)))


def _uv_files(variables: Mapping[str, str]) -> Iterator[Path]:
    home = Path(variables.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    yield from (Path("/etc/uv/uv.toml"), Path("/etc/xdg/uv/uv.toml"), home / "uv" / "uv.toml")
    for name in ("APPDATA", "PROGRAMDATA"):
        if folder := variables.get(name):
            yield Path(folder, "uv", "uv.toml")


def _files(prefix: Path, variables: Mapping[str, str]) -> Iterator[Path]:
    """Yield the files that pip reads, those that hold over others last (pip: configuration.py)."""
    named = variables.get("PIP_CONFIG_FILE", "")
    if named == os.devnull:
        return
    if sys.platform == "win32":
        for name in ("PROGRAMDATA", "APPDATA"):
            if folder := variables.get(name):
                yield Path(folder, "pip", "pip.ini")
        yield Path.home() / "pip" / "pip.ini"
    else:
        yield Path("/etc/pip.conf")
        for folder in variables.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep):
            yield Path(folder, "pip", "pip.conf")
        yield Path.home() / ".pip" / "pip.conf"
        home = variables.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        yield Path(home, "pip", "pip.conf")
        if sys.platform == "darwin":
            yield Path.home() / "Library" / "Application Support" / "pip" / "pip.conf"
    yield prefix / ("pip.ini" if sys.platform == "win32" else "pip.conf")
    if named:
        yield Path(named)


def _values(file: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(_bytes(file).decode("utf-8", "replace"))
    except configparser.Error:
        return {}
    sections = [section for section in ("global", "install") if parser.has_section(section)]
    return {
        key: parser.get(section, key)
        for section in sections
        for key in _KEYS
        if parser.has_option(section, key)
    }


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
