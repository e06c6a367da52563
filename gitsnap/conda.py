"""The door to conda's records: what conda installed, as the text that conda, mamba and rattler install from.

It has the form of `conda list --explicit --md5` and is written from `conda-meta/*.json`, so no conda is needed.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable

from gitsnap import selection
from gitsnap.errors import GitsnapError
from gitsnap.line import redact
from gitsnap.model import Distribution, printable

_HEAD = (
    "# This file may be used to create an environment using:",
    "# $ conda create --name <env> --file <this file>",
)
_FIELDS = ("url", "md5", "sha256", "subdir")
_MARK = "@EXPLICIT"
# No record of a real package comes near; what does is no record.
_LIMIT = 1 << 26
# One line that conda or mamba cannot read makes them refuse the whole file, so that only such lines are written.
_PACKAGE = re.compile(
    r"(?P<folder>(?:file|ftp|gcs|gs|https?|oci|s3)://[^\s\\?#]*)/"
    r"(?P<name>[^\s/\\?#]+)-(?P<version>[^\s/\\?#-]+)-(?P<build>[^\s/\\?#-]+)\.(?:conda|tar\.bz2)\Z"
)
_LOST = re.compile(r"# not restorable \([^)]*\): (?P<name>[^=]+)(?:=(?P<version>[^=]+)=(?P<build>.+))?\Z")
_PLATFORM = re.compile(r"(?:emscripten|freebsd|linux|osx|wasi|win|zos)-[a-z0-9]+\Z")
# Anaconda's servers take a token in the path; `t` may also be the name of a host.
_TOKEN = re.compile(r"(?<!:/)/t/[^/]*(?=/)")
# Every conda takes an md5, only newer ones a sha256: it stands where there is no md5.
_HASHES = (("md5", re.compile(r"[0-9a-f]{32}\Z")), ("sha256", re.compile(r"[0-9a-f]{64}\Z")))


def explicit(prefix: str) -> str | None:
    """Return the explicit list of the conda environment at *prefix*; None where conda has installed nothing.

    What cannot be restored from its record is named in a comment line. The order is by name, `noarch` packages
    last: micromamba links in the order of the file, and these need the Python. Dependencies do not decide it,
    as channels mend them later, and equal environments would have different texts.
    Raises GitsnapError where the records cannot be listed.
    """
    if not selection.is_conda(prefix):
        return None
    folder = os.path.join(prefix, "conda-meta")
    try:
        stems = sorted(name.removesuffix(".json") for name in os.listdir(folder) if name.endswith(".json"))
    except OSError as error:
        raise GitsnapError(f"`{printable(folder)}` cannot be read: {error.strerror}") from error
    if not stems:
        return None
    records = {stem: _record(os.path.join(folder, f"{stem}.json")) for stem in stems}
    lines = sorted((_line(stem, record) for stem, record in records.items()), key=_is_noarch)
    return "".join(f"{line}\n" for line in [*_HEAD, *_platform(records.values()), _MARK, *lines])


def parse(text: str) -> tuple[Distribution, ...]:
    """Return the packages that an explicit list names, also those that it says cannot be restored.

    The source is channel, platform and build: what tells two packages of one version apart.
    """
    return tuple(found for line in text.split("\n") if (found := _distribution(line.strip())))


def _record(path: str) -> dict[str, str] | None:
    """Return the fields of a record that count, where they are text; None where there is no readable record.

    A FIFO in its place must not block, and its list of files, often many megabytes, is not kept.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LIMIT:
            return None
        with open(path, encoding="utf-8") as stream:
            record = json.load(stream)
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    return {name: value for name in _FIELDS if isinstance(value := record.get(name), str)}


def _line(stem: str, record: dict[str, str] | None) -> str:
    """Return the line of one record, whose file is called *stem*, which is `name-version-build`."""
    if record is None:
        return _lost("its record cannot be read", stem)
    url = _clean(record.get("url", ""))
    # conda writes a URL that begins so where it does not know the channel.
    if not url or url.startswith("<unknown>"):
        return _lost("its record has no URL", stem)
    if not url.isprintable() or not _PACKAGE.match(url):
        return _lost("its URL is not one of a conda package", stem)
    return url + _fragment(record)


def _lost(reason: str, stem: str) -> str:
    """Return the comment line that stands for a package which cannot be restored."""
    parts = stem.rsplit("-", 2)
    named = "=".join(parts) if stem.count("-") > 1 and all(parts) else stem
    return printable(f"# not restorable ({reason}): {named}")


def _clean(url: str) -> str:
    """Return *url* without user, token, query and hash, and with nothing that conda would expand or cut."""
    url = redact(url).partition("#")[0].partition("?")[0]
    if not url.startswith("file:"):
        url = _TOKEN.sub("", url)
    return url.replace(" ", "%20").replace("$", "%24")


def _fragment(record: dict[str, str]) -> str:
    """Return the hash of the package file as the line's end; nothing where there is no valid one."""
    hashes = ((record.get(name, "").lower(), pattern) for name, pattern in _HASHES)
    return next((f"#{value}" for value, pattern in hashes if pattern.match(value)), "")


def _is_noarch(line: str) -> bool:
    """Tell whether a line names a package that is for every platform."""
    return line.rpartition("/")[0].endswith("/noarch")


def _platform(records: Iterable[dict[str, str] | None]) -> list[str]:
    """Return the line with the platform of most packages; none where no record tells it."""
    subdirs = (record.get("subdir", "") for record in records if record)
    counts = Counter(subdir for subdir in subdirs if _PLATFORM.match(subdir))
    return [f"# platform: {subdir}" for subdir, _ in counts.most_common(1)]


def _distribution(line: str) -> Distribution | None:
    """Return the package that a line names, if it names one."""
    if found := _PACKAGE.match(line.partition("#")[0]):
        place = "/".join(found["folder"].split("/")[-2:])
        return Distribution(found["name"], found["version"], f"{place}/{found['build']}")
    if found := _LOST.match(line):
        return Distribution(found["name"], found["version"], found["build"], restorable=False)
    return None
