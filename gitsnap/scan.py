"""Read an environment: the lines of `pip freeze`, without pip.

The rules are those of pip 26.3 with its importlib backend. Where pip's line could not be restored or would
leak a secret, a better line or a comment line stands instead. This module runs on each launch, so it imports
`os` alone; what a rare line needs is imported there.
"""

import os

from gitsnap import peek
from gitsnap.line import is_name, is_plain, lost, restorable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from zipfile import ZipFile

    # Returns the first bytes of a file of the distribution's metadata folder ("/METADATA"; "" is the folder itself).
    Reader = Callable[[str, int], bytes]
    # Canonical name, version in the folder's name, folder that the metadata lies in, reader.
    Distribution = tuple[str, str, str, Reader]

# The head of METADATA holds name and version; the rest, a whole README perhaps, is read only if they are late.
_HEAD = 2048

# `pip freeze` hides these (pip: metadata/base.py and commands/freeze.py).
_HIDDEN = frozenset({"argparse", "pip", "python", "wsgiref"})
_HIDDEN_BELOW_312 = _HIDDEN | {"distribute", "setuptools", "wheel"}


def freeze(paths: "Sequence[str]", python: tuple[int, int], prefix: str) -> list[str]:
    """Return the requirement lines of an environment, in pip's order."""
    hidden = _HIDDEN_BELOW_312 if python < (3, 12) else _HIDDEN
    found, links = _discover(paths)
    chosen = {}
    for distribution in found:
        name = _display_name(distribution)
        key = _canonical(name)
        if key not in hidden:
            # As pip: of two distributions that show the same name, the later one counts.
            chosen[key] = (name, distribution)
    conda = _conda_names(prefix)
    lines: list[str] = []
    for name, distribution in sorted(chosen.values(), key=lambda item: item[0].lower()):
        lines += _lines(name, distribution, links, conda)
    return lines


# --- Finding distributions (pip: metadata/importlib/_envs.py, importlib.metadata) ---


def _discover(paths: "Sequence[str]") -> "tuple[Iterable[Distribution], list[str]]":
    """Return the first distribution of each name, and the folders that hold .egg-link files."""
    found: dict[str, Distribution] = {}
    links = []
    for path in dict.fromkeys(filter(None, paths)):
        entries = _entries(path)
        _add(found, path, entries)
        eggs = [entry for entry in entries or () if entry[1:].endswith(".egg-link")]
        if eggs:
            links.append(path)
        for egg in eggs:
            target = _link_target(os.path.join(path, egg))
            if target:
                location = os.path.join(path, target)
                _add(found, location, _entries(location))
    return found.values(), links


def _entries(path: str) -> list[str] | None:
    """List a folder; None for what is no folder. A folder that cannot be read is an error.

    Else a failing disk or a changed permission would look like an empty environment.
    """
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        import errno

        if error.errno in {errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL}:
            return None
        raise


def _add(found: "dict[str, Distribution]", path: str, entries: list[str] | None) -> None:
    """Add the distributions of one path entry: the first one of a name wins."""
    infos = _zipped(path) if entries is None else _unpacked(path, entries)
    for entry, read in infos:
        name, version = _split(entry)
        identity = _canonical(name or _fields(read).get("name", ""))
        if identity not in found and _is_identity(identity):
            found[identity] = identity, version, path, read


def _unpacked(path: str, entries: list[str]) -> "Iterator[tuple[str, Reader]]":
    """Yield the metadata folders (or files) of a folder and their readers."""
    for entry in _infos(path, entries):
        yield entry, _reader(os.path.join(path, entry))


def _infos(path: str, entries: "Iterable[str]") -> list[str]:
    """Return the names of metadata folders in the order of the listing, the one of an egg last."""
    infos = [entry for entry in entries if entry.lower().endswith((".dist-info", ".egg-info"))]
    if os.path.basename(path).lower().endswith(".egg"):
        infos += [entry for entry in entries if entry.lower() == "egg-info"]
    return infos


def _reader(info: str) -> "Reader":
    """Return the reader of a metadata folder (or file) on disk."""
    return lambda name, limit: peek.read(info + name, limit)


def _split(entry: str) -> tuple[str, str]:
    """Return name and version of a metadata folder's name (pip: metadata/importlib/_compat.py)."""
    stem = entry[:-10]
    if entry.endswith(".dist-info"):
        name, dash, version = stem.partition("-")
        return (name, version) if dash else ("", "")
    stem = entry[:-9]
    if entry.endswith(".egg-info") and stem.strip("."):
        return stem.partition("-")[0], ""
    return "", ""


def _link_target(path: str) -> str:
    """Return the first line of an .egg-link that is not empty."""
    text = os.fsdecode(peek.read(path, peek.LIMIT))
    return next(filter(None, map(str.strip, text.splitlines())), "")


def _zipped(path: str) -> "Iterable[tuple[str, Reader]]":
    """Return the metadata folders in a zip file or zipped egg; a wheel holds none that is installed."""
    if not os.path.isfile(path) or _is_wheel(path):
        return []
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(path) as archive:
            tops = dict.fromkeys(name.split("/", 1)[0] for name in archive.namelist())
            return [(entry, _zipped_reader(archive, entry)) for entry in _infos(path, tops)]
    except (OSError, ValueError, BadZipFile, NotImplementedError):
        return []


def _is_wheel(path: str) -> bool:
    """Tell whether pip takes a file for a wheel by its name (PEP 427)."""
    if not path.endswith(".whl"):
        return False
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        parse_wheel_filename(os.path.basename(path))
    except InvalidWheelFilename:
        return False
    return True


def _zipped_reader(archive: "ZipFile", entry: str) -> "Reader":
    """Return the reader of a metadata folder in a zip, whose files are read here, while it is open."""
    names = ("/METADATA", "/PKG-INFO", "/direct_url.json", "/INSTALLER")
    files = {name: _zipped_file(archive, entry + name) for name in names}
    return lambda name, limit: files.get(name, b"")[:limit]


def _zipped_file(archive: "ZipFile", name: str) -> bytes:
    """Return the first bytes of a file in a zip; none if it is missing or damaged."""
    try:
        with archive.open(name) as file:
            return file.read(peek.LIMIT)
    except Exception:  # noqa: BLE001 - a damaged member raises what its decompressor likes: zlib.error, EOFError...
        return b""


# --- Names and versions ---


def _canonical(name: str) -> str:
    """Return the normalised name of PEP 503."""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def _is_identity(name: str) -> bool:
    """Tell whether pip lists a folder of this name (its pattern ignores case, also of letters beyond ASCII)."""
    return is_name(name.removesuffix("\n").replace("\u017f", "s").replace("\u0131", "i"))


def _display_name(distribution: "Distribution") -> str:
    """Return the name as METADATA writes it, the canonical one if it does not."""
    identity, _, _, read = distribution
    first, _, rest = read("/METADATA", _HEAD).partition(b"\n")
    second, _, third = rest.partition(b"\n")
    if first.startswith(b"Metadata-Version:") and second.startswith(b"Name: ") and third:
        # Nearly every METADATA begins so; a name that is odd or goes on in the next line is left to `_fields`.
        name = second[6:].decode("latin-1")
        if is_name(name) and b"\r" not in first and not third.startswith((b" ", b"\t")):
            return name
    name = _fields(read).get("name", identity)
    return identity if "\ufffd" in name else name


def _fields(read: "Reader") -> dict[str, str]:
    """Return name and version of the metadata as the e-mail parser of Python reads them."""
    fields: dict[str, str] = {}
    for limit in (_HEAD, peek.LIMIT):
        data = read("/METADATA", limit) or read("/PKG-INFO", limit) or read("", limit)
        fields, ended = _headers(data, len(data) == limit)
        if ended or len(fields) == 2:  # noqa: PLR2004 - both
            break
    return fields


def _headers(data: bytes, cut: bool) -> tuple[dict[str, str], bool]:
    """Return the first Name and Version of e-mail headers, and whether the headers end in *data*.

    White space around a value is no part of it.
    """
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").decode("utf-8", "replace").split("\n")
    if cut:
        lines.pop()
    found: dict[str, list[str]] = {}
    ended = not cut
    value: list[str] | None = None
    for line in lines:
        if line.startswith((" ", "\t")):
            if value is not None:
                value.append(line)
            continue
        value = None
        if line.startswith("From "):
            continue
        key, colon, text = line.partition(":")
        if not colon or not key.isascii() or not key.isprintable() or " " in key:
            ended = True
            break
        if key.lower() in {"name", "version"}:
            value = [text]
            found.setdefault(key.lower(), value)
    return {key: "\n".join(value).strip() for key, value in found.items()}, ended


def _pin(name: str, distribution: "Distribution") -> str:
    """Return `name==version`, or `name===version` where PEP 440 refuses the version, as pip does."""
    _, version, _, read = distribution
    if _is_normal(version):
        return f"{name}=={version}"
    written = _fields(read).get("version")
    normal = _normal(version or written)
    return f"{name}==={written}" if normal is None else f"{name}=={normal}"


def _normal(version: str | None) -> str | None:
    """Return the normal form of a version, None if PEP 440 refuses it."""
    if version is None or _is_normal(version):
        return version
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(version))
    except (InvalidVersion, ValueError):
        return None


def _is_normal(version: str) -> bool:
    """Tell whether a version is plainly in the normal form of PEP 440; False means only: ask packaging."""
    public, plus, local = version.partition("+")
    if plus and not all(_is_number(part) or _is_word(part) for part in local.split(".")):
        return False
    for mark in (".dev", ".post", "rc", "a", "b"):
        public, found, number = public.partition(mark)
        if found and not _is_number(number):
            return False
    return all(map(_is_number, public.split(".")))


def _is_number(text: str) -> bool:
    """Tell whether a text is a number as `str` would write it."""
    return text.isdigit() and text.isascii() and (text[0] != "0" or text == "0")


def _is_word(text: str) -> bool:
    """Tell whether a part of a local version is lower-case letters, perhaps with digits."""
    return text.isalnum() and text.isascii() and text == text.lower() and not text.isdigit()


# --- Lines (pip: operations/freeze.py) ---


def _lines(name: str, distribution: "Distribution", links: list[str], conda: set[str]) -> list[str]:
    """Return the lines of one distribution: comments, then its requirement."""
    _, _, location, read = distribution
    pin = _pin(name, distribution)
    data = read("/direct_url.json", peek.LIMIT)
    if data:
        from gitsnap import sources

        # Often the folder of a build machine, while conda's channel or the index has the distribution itself.
        is_conda = _canonical(name) in conda or read("/INSTALLER", 64).strip() == b"conda"
        lines = sources.direct(name, data, pin, is_conda=is_conda)
        if lines:
            return lines
    if links and _is_linked(name, links):
        from gitsnap import sources

        return sources.editable(name, location, pin)
    return _pinned(name, pin)


def _pinned(name: str, line: str) -> list[str]:
    """Return the lines of a distribution that is known by its version alone."""
    version = line[len(name) :].lstrip("=")
    if line == f"{name}===None":
        return [lost("it has no version", line)]
    if not is_plain(version) or any(char in version for char in "#$;,()[]"):
        return [lost("its version cannot be written", line)]
    if line.startswith(f"{name}==="):
        return restorable(name, line, ["# not a version of PEP 440, an index may refuse it:"])
    if "+" in version:
        return restorable(name, line, [_local_comment(name, version.partition("+")[2])])
    return restorable(name, line, [])


def _local_comment(name: str, local: str) -> str:
    """Say where a version with a local part can come from: PyPI has none (PEP 440)."""
    if (
        name.lower().startswith("torch")
        and local.startswith(("cpu", "cu", "rocm", "xpu"))
        and local.isalnum()
    ):
        return f"# not on PyPI, needs: --extra-index-url https://download.pytorch.org/whl/{local}"
    return "# not on PyPI, needs the index or file that it came from:"


def _is_linked(name: str, links: list[str]) -> bool:
    """Tell whether an .egg-link is named after the project (pip: utils/egg_link.py)."""
    safe = "".join(char if char == "." or (char.isascii() and char.isalnum()) else "-" for char in name)
    while "--" in safe:
        safe = safe.replace("--", "-")
    return any(
        os.path.isfile(os.path.join(link, f"{stem}.egg-link")) for link in links for stem in (safe, name)
    )


def _conda_names(prefix: str) -> set[str]:
    """Return the names of the packages that conda has a record of."""
    try:
        records = os.listdir(os.path.join(prefix, "conda-meta"))
    except (OSError, ValueError):
        return set()
    return {_canonical(record.rsplit("-", 2)[0]) for record in records}
