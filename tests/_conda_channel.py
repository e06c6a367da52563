"""A conda channel made on the spot: a Python that runs, and two small packages, without any network.

The Python is this machine's base interpreter: its program is copied, as a link would make the base its prefix;
its library is linked.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

NUMBER = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = f"lib/python{NUMBER}/site-packages"
PLATFORM: Final = "linux-64"
_BLOCK = 1 << 16


class Channel:
    """A folder that conda's tools take for a channel."""

    def __init__(self, root: Path) -> None:
        """Make an empty channel."""
        self.root = root
        self.index: dict[str, dict[str, Any]] = {PLATFORM: {}, "noarch": {}}
        for subdir in self.index:
            (root / subdir).mkdir(parents=True)
            self._write_index(subdir)

    def add(
        self, stem: str, files: Mapping[str, bytes | Path], *, ending: str = ".conda", **index: Any
    ) -> str:
        """Add a package of these files (bytes, or the target of a link) and return the md5 of its archive."""
        name, version, build = stem.rsplit("-", 2)
        noarch = "noarch" in index
        subdir = "noarch" if noarch else PLATFORM
        facts = {
            "name": name,
            "version": version,
            "build": build,
            "build_number": 0,
            "depends": [],
            "subdir": subdir,
            **index,
        }
        info = {
            "info/index.json": _json(facts),
            "info/paths.json": _json(_paths(files)),
            "info/files": "\n".join(files).encode(),
        }
        if noarch:
            info["info/link.json"] = _json({"noarch": {"type": "python"}, "package_metadata_version": 1})
        data = _archive(stem, info, files) if ending == ".conda" else _tar({**info, **files}, "w:bz2")
        (self.root / subdir / (stem + ending)).write_bytes(data)
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(data).hexdigest()
        self.index[subdir][stem + ending] = {**facts, "size": len(data), "md5": md5, "sha256": sha256}
        self._write_index(subdir)
        return md5

    def add_python(self) -> str:
        """Add the base interpreter as the package `python`; return the md5 of its archive."""
        version = ".".join(map(str, sys.version_info[:3]))
        return self.add(f"python-{version}-0_cpython", _python())

    def _write_index(self, subdir: str) -> None:
        packages = self.index[subdir]
        old = {name: facts for name, facts in packages.items() if name.endswith(".tar.bz2")}
        new = {name: facts for name, facts in packages.items() if name not in old}
        text = {"info": {"subdir": subdir}, "packages": old, "packages.conda": new, "repodata_version": 1}
        (self.root / subdir / "repodata.json").write_bytes(_json(text))


def create(prefix: Path, channel: str, specs: list[str]) -> None:
    """Solve and install as conda does."""
    import rattler

    async def work() -> None:
        gateway = rattler.Gateway(cache_dir=prefix.parent / "repodata")
        records = await rattler.solve(
            sources=[channel], specs=specs, platforms=[PLATFORM, "noarch"], gateway=gateway
        )
        await _install(records, prefix)

    asyncio.run(work())


def recreate(prefix: Path, text: str) -> None:
    """Install what an explicit list names from its `file:` URLs, each file checked by its md5; nothing is solved."""
    import rattler
    from rattler.explicit_environment import ExplicitEnvironmentSpec

    async def work() -> None:
        records = []
        for entry in ExplicitEnvironmentSpec.from_str(text).packages:
            url, _, md5 = entry.url.partition("#")
            record = await rattler.RepoDataRecord.from_package_archive(_checked(url, md5))
            record.url, record.md5 = url, bytes.fromhex(md5)
            records.append(record)
        await _install(records, prefix)

    asyncio.run(work())


def _checked(url: str, md5: str) -> Path:
    """Return the path of a `file:` URL, whose file must have this md5."""
    path = Path(url2pathname(urlsplit(url).path))
    assert hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == md5
    return path


async def _install(records: Any, prefix: Path) -> None:
    """Link packages into a prefix, through a cache beside it."""
    import rattler

    cache = prefix.parent / f"{prefix.name}-packages"
    await rattler.install(records, prefix, cache_dir=cache, show_progress=False)


def _python() -> dict[str, bytes | Path]:
    """Return the files of the package that holds the base interpreter."""
    base = Path(sys.base_prefix)
    library = f"lib/python{NUMBER}"
    program = Path(os.path.realpath(sys.executable))
    files: dict[str, bytes | Path] = {f"bin/python{NUMBER}": program.read_bytes()}
    files["bin/python"] = Path(f"python{NUMBER}")
    entries = [
        path for path in (base / library).iterdir() if path.name not in {"site-packages", "__pycache__"}
    ]
    files |= {f"{library}/{path.name}": path for path in entries}
    files |= {f"lib/{path.name}": path for path in (base / "lib").glob("libpython*")}
    files[f"{SITE}/README.txt"] = b"For packages.\n"
    return files


def _paths(files: Mapping[str, bytes | Path]) -> dict[str, Any]:
    """Return the contents of `paths.json`."""
    paths = []
    for name, content in files.items():
        data = content if isinstance(content, bytes) else b""
        kind = "hardlink" if isinstance(content, bytes) else "softlink"
        digest = hashlib.sha256(data).hexdigest()
        paths.append({"_path": name, "path_type": kind, "sha256": digest, "size_in_bytes": len(data)})
    return {"paths": paths, "paths_version": 1}


def _archive(stem: str, info: Mapping[str, bytes | Path], files: Mapping[str, bytes | Path]) -> bytes:
    """Return a `.conda` file: a zip that is not compressed, of two tar files that are."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", '{"conda_pkg_format_version": 2}')
        archive.writestr(f"pkg-{stem}.tar.zst", _zstandard(_tar(files, "w")))
        archive.writestr(f"info-{stem}.tar.zst", _zstandard(_tar(info, "w")))
    return stream.getvalue()


def _tar(files: Mapping[str, bytes | Path], mode: Any) -> bytes:
    """Return a tar file; a path stands for a link to it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = tarfile.SYMTYPE, str(content)
                archive.addfile(member)
    return stream.getvalue()


def _zstandard(data: bytes) -> bytes:
    """Return a Zstandard frame that holds the data as it is (RFC 8878): Python has no such compressor yet."""
    parts = [data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)]
    frame = b"\x28\xb5\x2f\xfd" + b"\xa0" + len(data).to_bytes(4, "little")
    for number, part in enumerate(parts, 1):
        frame += (len(part) << 3 | (number == len(parts))).to_bytes(3, "little") + part
    return frame


def _json(value: object) -> bytes:
    """Return JSON as bytes."""
    return json.dumps(value).encode()
