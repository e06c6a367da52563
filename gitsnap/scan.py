"""Read an environment: the lines of `pip freeze`, without pip.

The rules are those of pip 26.3 with its importlib backend. Where pip's line could not be restored or would
leak a secret, a better line or a comment line stands instead. This module runs on each launch, so it imports
`os` and `sys` alone; what a rare line needs is imported there.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any
    from zipfile import ZipFile

    # Returns the first bytes of a file of the distribution's metadata folder ("/METADATA"; "" is the folder itself).
    Reader = Callable[[str, int], bytes]
    # Canonical name, version in the folder's name, folder that the metadata lies in, reader.
    Distribution = tuple[str, str, str, Reader]

# The head of METADATA holds name and version; the rest, a whole README perhaps, is read only if they are late.
_HEAD = 2048
_LIMIT = 1 << 20
# packed-refs of a large project is larger than any other file that is read.
_REFS_LIMIT = 1 << 26
# A FIFO or a terminal in the place of a file must not block the launch.
_FLAGS = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)

# `pip freeze` hides these (pip: metadata/base.py and commands/freeze.py).
_HIDDEN = frozenset({"argparse", "pip", "python", "wsgiref"})
_HIDDEN_BELOW_312 = _HIDDEN | {"distribute", "setuptools", "wheel"}

_WINDOWS = sys.platform == "win32"


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
    return lambda name, limit: _read(info + name, limit)


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
    text = os.fsdecode(_read(path, _LIMIT))
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
            return file.read(_LIMIT)
    except Exception:  # noqa: BLE001 - a damaged member raises what its decompressor likes: zlib.error, EOFError...
        return b""


# --- Names and versions ---


def _canonical(name: str) -> str:
    """Return the normalised name of PEP 503."""
    name = name.lower().replace("_", "-").replace(".", "-")
    while "--" in name:
        name = name.replace("--", "-")
    return name


def _is_name(name: str) -> bool:
    """Tell whether a name is one of PEP 508."""
    if not name.isascii():
        return False
    if name.isalnum():
        return True
    inner = name.replace("-", "").replace("_", "").replace(".", "")
    return inner.isalnum() and name[0].isalnum() and name[-1].isalnum()


def _is_identity(name: str) -> bool:
    """Tell whether pip lists a folder of this name (its pattern ignores case, also of letters beyond ASCII)."""
    return _is_name(name.removesuffix("\n").replace("\u017f", "s").replace("\u0131", "i"))


def _display_name(distribution: "Distribution") -> str:
    """Return the name as METADATA writes it, the canonical one if it does not."""
    identity, _, _, read = distribution
    first, _, rest = read("/METADATA", _HEAD).partition(b"\n")
    second, _, third = rest.partition(b"\n")
    if first.startswith(b"Metadata-Version:") and second.startswith(b"Name: ") and third:
        # Nearly every METADATA begins so; a name that is odd or goes on in the next line is left to `_fields`.
        name = second[6:].decode("latin-1")
        if _is_name(name) and b"\r" not in first and not third.startswith((b" ", b"\t")):
            return name
    name = _fields(read).get("name", identity)
    return identity if "\ufffd" in name else name


def _fields(read: "Reader") -> dict[str, str]:
    """Return name and version of the metadata as the e-mail parser of Python reads them."""
    fields: dict[str, str] = {}
    for limit in (_HEAD, _LIMIT):
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
    direct = _direct_url(read)
    pin = _pin(name, distribution)
    if direct is None:
        return _editable(name, location, pin) if links and _is_linked(name, links) else _pinned(name, pin)
    direct["url"] = url = _whole_url(direct["url"])
    path = _url_path(url) if url.startswith("file:") else None
    if direct.get("dir_info", {}).get("editable"):
        if path is None:
            return [_lost("its folder is on another machine", f"-e {url}")]
        return _editable(name, path, pin)
    line = _reference(name, direct)
    if url.startswith("file:") and not (path and os.path.exists(path)):
        # Often the folder of a build machine, while conda's channel or the index has the distribution itself.
        if read("/INSTALLER", 64).strip() == b"conda" or _canonical(name) in conda:
            return _pinned(name, pin)
        return [_lost("its folder or file is gone", line)]
    vcs = direct.get("vcs_info")
    if not _is_url(url) or any(char in line for char in ";\\") or (vcs and not _is_source(vcs)):
        return [_lost("its URL is not valid", line)]
    return _restorable(name, line, [])


def _pinned(name: str, line: str) -> list[str]:
    """Return the lines of a distribution that is known by its version alone."""
    version = line[len(name) :].lstrip("=")
    if line == f"{name}===None":
        return [_lost("it has no version", line)]
    if not _is_plain(version) or any(char in version for char in "#$;,()[]"):
        return [_lost("its version cannot be written", line)]
    if line.startswith(f"{name}==="):
        return _restorable(name, line, ["# not a version of PEP 440, an index may refuse it:"])
    if "+" in version:
        return _restorable(name, line, [_local_comment(name, version.partition("+")[2])])
    return _restorable(name, line, [])


def _local_comment(name: str, local: str) -> str:
    """Say where a version with a local part can come from: PyPI has none (PEP 440)."""
    if (
        name.lower().startswith("torch")
        and local.startswith(("cpu", "cu", "rocm", "xpu"))
        and local.isalnum()
    ):
        return f"# not on PyPI, needs: --extra-index-url https://download.pytorch.org/whl/{local}"
    return "# not on PyPI, needs the index or file that it came from:"


def _restorable(name: str, line: str, comments: list[str]) -> list[str]:
    """Return the line with its comments; a comment alone if pip could not read the line back."""
    if not _is_name(name):
        return [_lost("its name is not valid", line)]
    if not line.isprintable():
        return [_lost("it holds characters that cannot be written", line)]
    clean = redact(line)
    if clean != line:
        comments = [*comments, "# without its credentials:"]
    return [*comments, clean]


def _lost(reason: str, line: str) -> str:
    """Return the comment line that stands for a line which cannot be restored."""
    return f"# not restorable ({reason}): {_escape(redact(line))}"[:200]


def _escape(text: str) -> str:
    """Return *text* without control characters, line ends, surrogates and the like."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _is_plain(text: str) -> bool:
    """Tell whether a text can stand in a line without being cut or taken for something else."""
    return bool(text) and text.isprintable() and not any(char in text for char in " '\"\\")


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


# --- direct_url.json (PEP 610; pip: _vendor/packaging/direct_url.py) ---


def _direct_url(read: "Reader") -> "dict[str, Any] | None":
    """Return the direct_url.json of a distribution, None if there is no valid one."""
    data = read("/direct_url.json", _LIMIT)
    if not data:
        return None
    try:
        direct = _json(data.decode("utf-8"))
    except (ValueError, RecursionError, StopIteration):
        return None
    if not isinstance(direct, dict):
        return None
    direct = {key: value for key, value in direct.items() if value is not None}
    return direct if _is_valid(direct) else None


class _Context:
    """The settings of `json.loads`, for the scanner behind it."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = parse_constant = float
    parse_int = int
    memo: "dict[str, str]" = {}  # noqa: RUF012 - the scanner asks for the attribute and keeps a dict of its own


def _json(text: str) -> object:
    """Parse JSON; by the C scanner where there is one, as importing `json` costs as much as the launch itself."""
    text = text.strip(" \t\n\r")
    try:
        from _json import make_scanner

        context: Any = _Context
        scan = make_scanner(context)
    except (ImportError, AttributeError, TypeError):
        import json

        return json.loads(text)
    value, end = scan(text, 0)
    if end != len(text):
        raise ValueError(text)
    return value


def _is_valid(direct: "dict[str, Any]") -> bool:
    """Tell whether a direct_url.json has exactly one kind, and the types that pip asks for."""
    kinds = [kind for kind in ("vcs_info", "archive_info", "dir_info") if kind in direct]
    if len(kinds) != 1 or not _has(direct, url=str) or not _may_have(direct, subdirectory=str):
        return False
    info = direct[kinds[0]]
    if not isinstance(info, dict):
        return False
    if kinds == ["vcs_info"]:
        return _has(info, vcs=str, commit_id=str) and _may_have(info, requested_revision=str)
    if kinds == ["archive_info"]:
        return _may_have(info, hash=str, hashes=dict) and _hashes(info) is not None
    return _may_have(info, editable=bool) and _is_file_url(direct["url"])


def _has(info: "dict[str, Any]", **types: type) -> bool:
    """Tell whether each key has a value of its type."""
    return all(isinstance(info.get(key), kind) for key, kind in types.items())


def _may_have(info: "dict[str, Any]", **types: type) -> bool:
    """Tell whether each key has no value or one of its type."""
    return all(info.get(key) is None or isinstance(info[key], kind) for key, kind in types.items())


def _hashes(info: "dict[str, Any]") -> "dict[str, str] | None":
    """Return the hashes of an archive, the old single `hash` among them; None if they contradict each other."""
    hashes: dict[str, str] | None = info.get("hashes")
    legacy: str | None = info.get("hash")
    if hashes is not None and not all(isinstance(value, str) for value in hashes.values()):
        return None
    if legacy is None:
        return hashes or {}
    algorithm, equals, value = legacy.partition("=")
    if not equals:
        return None
    if hashes is None:
        return {algorithm: value}
    return hashes if hashes.get(algorithm) == value else None


def _is_file_url(url: str) -> bool:
    """Tell whether a URL is one of an absolute path."""
    if not url.startswith("file:"):
        return False
    rest = url[5:]
    return "/" in rest[2:] if rest.startswith("//") else rest.startswith("/")


def _whole_url(url: str) -> str:
    """Return a URL without white space, which would end it in a requirement line; in no form but one that is redacted."""
    url = "%20".join(url.split())
    return url if "://" in url or url.startswith("file:") else _without_user(url)


def _is_url(url: str) -> bool:
    """Tell whether pip can read a URL back."""
    scheme, colon, rest = url.partition("://")
    if " " in url or not url.isprintable():
        return False
    if not colon or not scheme.replace("+", "").replace("-", "").isalnum():
        return url.startswith("file:/")
    host = rest[: _find_first(rest, "/?#")].rpartition("@")[2]
    if host.isascii() and not any(char in host for char in "[]"):
        port = host.partition(":")[2]
        return not port or port.isdigit()
    from urllib.parse import urlsplit

    try:
        urlsplit(url)
    except ValueError:
        return False
    return True


def _is_source(vcs: "dict[str, Any]") -> bool:
    """Tell whether pip knows a version control system and a commit is given."""
    return vcs["vcs"] in {"bzr", "git", "hg", "svn"} and bool(vcs["commit_id"])


def _reference(name: str, direct: "dict[str, Any]") -> str:
    """Return `name @ URL` (pip: utils/direct_url_helpers.py)."""
    url = direct["url"]
    fragments = []
    if "vcs_info" in direct:
        info = direct["vcs_info"]
        url = f"{info['vcs']}+{url}@{info['commit_id']}"
    elif "archive_info" in direct:
        hashes = _hashes(direct["archive_info"]) or {}
        fragments = [f"{algorithm}={value}" for algorithm, value in hashes.items()][:1]
    if direct.get("subdirectory"):
        fragments.append(f"subdirectory={direct['subdirectory']}")
    return f"{name} @ {url}" + ("#" + "&".join(fragments) if fragments else "")


def _url_path(url: str) -> str | None:
    """Return the path of a file: URL, None if it is on another machine."""
    rest = url[5:].partition("#")[0].partition("?")[0]
    host = ""
    if rest.startswith("//"):
        host, slash, rest = rest[2:].partition("/")
        rest = slash + rest
    path = _unquote(rest)
    if host in {"", "localhost"}:
        return path[1:] if _WINDOWS and path[2:3] == ":" else path
    return f"//{host}{path}" if _WINDOWS else None


def _unquote(text: str) -> str:
    """Decode the %-escapes of a URL's path."""
    if "%" not in text:
        return text
    first, *parts = text.encode("utf-8", "surrogatepass").split(b"%")
    for part in parts:
        code = part[:2].decode("latin-1")
        is_hex = len(code) == 2 and all(char in "0123456789abcdefABCDEF" for char in code)  # noqa: PLR2004
        first += bytes.fromhex(code) + part[2:] if is_hex else b"%" + part
    return os.fsdecode(first)


def _file_url(path: str) -> str:
    """Return the file: URL of an absolute path."""
    if _WINDOWS:
        path = path.replace("\\", "/")
        path = path if path.startswith("//") else f"///{path}"
        return "file:" + _quote(path)
    return "file://" + _quote(path)


def _quote(path: str) -> str:
    """Encode all but plain letters, digits and what a path needs."""
    plain = "/:_.-~" if _WINDOWS else "/_.-~"
    return "".join(
        chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in plain) else f"%{byte:02X}"
        for byte in os.fsencode(path)
    )


# --- Editable projects (pip: operations/freeze.py, vcs/git.py) ---


def _editable(name: str, path: str, pin: str) -> list[str]:
    """Return the lines of an editable project: where its version control has it, else its folder."""
    location = os.path.normcase(os.path.abspath(path))
    is_here = os.path.isdir(location)
    comments, requirement = _source(name, location, pin) if is_here else ([_uncontrolled(pin)], "")
    comments = [_escape(redact(comment)) for comment in comments]
    if requirement:
        return _restorable(name, f"-e {requirement}", comments)
    if not is_here:
        return [*comments, _lost("its folder or file is gone", f"-e {location}")]
    # pip splits the line as a shell does, cuts extras in brackets off and expands ${VARIABLES}.
    plain = _is_plain(location) and not any(char in location for char in "#$[]{}")
    return _restorable(name, f"-e {location if plain else _file_url(location)}", comments)


def _uncontrolled(pin: str) -> str:
    """Return pip's comment on an editable project without version control."""
    return f"# Editable install with no version control ({pin})"


def _source(name: str, location: str, pin: str) -> tuple[list[str], str]:
    """Return pip's comments on an editable project, and its requirement if version control has it."""
    if _exists(location, ".svn") or _exists(location, ".hg"):
        # Here pip would run svn or hg; without them it gives the folder and no comment.
        return [], ""
    here = _exists(location, ".git")
    if not here and _exists(location, ".bzr"):
        return [], ""
    repository = _find_repository(location)
    if repository is None:
        return [f"# Editable Git install with no remote ({pin})" if here else _uncontrolled(pin)], ""
    root, git = repository
    if not git:
        return [_UNKNOWN if here else _uncontrolled(pin)], ""
    return _git_source(name, location, pin, root, git)


def _exists(folder: str, name: str) -> bool:
    """Tell whether a folder has an entry."""
    return os.path.exists(os.path.join(folder, name))


_UNKNOWN = "## !! Could not determine repository location"


def _git_source(name: str, location: str, pin: str, root: str, git: str) -> tuple[list[str], str]:
    """Return pip's comments and requirement for a project in a git repository."""
    common = _common(git)
    settings = _config(_text(os.path.join(common, "config")))
    remote = _remote(settings)
    if remote is None:
        return [f"# Editable Git install with no remote ({pin})"], ""
    url = _remote_url(remote)
    if url is None:
        start = f"# Editable Git install ({pin}) with either a deleted local remote or invalid URI:"
        return [start, f"# '{_without_user(remote)}'"], ""
    if ("extensions.refstorage", "reftable") in settings:
        return [f"# Editable Git install whose commit cannot be read, its refs are in a reftable ({pin})"], ""
    commit = _commit(git, common)
    if commit is None:
        return [_UNKNOWN], ""
    requirement = f"git+{url}@{commit}#egg={name.replace('-', '_')}"
    folder = _subfolder(location, root)
    if folder:
        requirement += f"&subdirectory={_shell(folder)}"
    return [], requirement


def _shell(text: str) -> str:
    """Write a text so that it is one word for a shell, as pip splits option lines."""
    return "".join(f"\\{char}" if char in " '\"\\" else char for char in text)


def _find_repository(location: str) -> tuple[str, str] | None:
    """Return work tree and git folder that hold a location, as git finds them; no git folder if it is broken."""
    folder = os.path.realpath(location)
    device = _device(folder)
    while device is not None and _device(folder) == device:
        git = os.path.join(folder, ".git")
        if os.path.isfile(git):
            git = os.path.join(folder, _text(git).removeprefix("gitdir:").strip())
            return folder, git if _is_git_folder(git) else ""
        if _is_git_folder(git):
            return folder, git
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return None


def _device(folder: str) -> int | None:
    """Return the number of a folder's file system (git does not look beyond it), None if it is gone."""
    try:
        return os.stat(folder).st_dev
    except (OSError, ValueError):
        return None


def _is_git_folder(git: str) -> bool:
    """Tell whether git takes a folder for a repository (git: is_git_directory)."""
    head = _text(os.path.join(git, "HEAD")).strip()
    if not (head.startswith("ref:") or _is_commit(head)):
        return False
    common = _common(git)
    return os.path.isdir(os.path.join(common, "objects")) and os.path.isdir(os.path.join(common, "refs"))


def _common(git: str) -> str:
    """Return the folder that the work trees of a repository share."""
    return os.path.normpath(os.path.join(git, _text(os.path.join(git, "commondir")).strip()))


def _text(path: str) -> str:
    """Return the text of a small file, nothing if there is none."""
    return os.fsdecode(_read(path, _LIMIT))


def _commit(git: str, common: str) -> str | None:
    """Return the commit of HEAD, None if it has none yet."""
    value = _text(os.path.join(git, "HEAD")).strip()
    for _ in range(5):
        if not value.startswith("ref:"):
            break
        ref = value[4:].strip()
        if not ref.startswith("refs/") or ".." in ref:
            return None
        value = (
            _text(os.path.join(git, ref)).strip()
            or _text(os.path.join(common, ref)).strip()
            or _packed(os.path.join(common, "packed-refs"), ref)
        )
    return value if _is_commit(value) else None


def _packed(path: str, ref: str) -> str:
    """Return the commit of a ref in packed-refs, nothing if it is not there."""
    data = _read(path, _REFS_LIMIT)
    end = data.find(b" " + os.fsencode(ref) + b"\n")
    return data[data.rfind(b"\n", 0, end) + 1 : end].decode("latin-1") if end > 0 else ""


def _is_commit(text: str) -> bool:
    """Tell whether a text is an object id, of SHA-1 or SHA-256."""
    return len(text) in {40, 64} and all(char in "0123456789abcdef" for char in text)


def _subfolder(location: str, root: str) -> str:
    """Return the project's folder below the work tree, nothing if it is the root or cannot be found.

    pip reckons from the git folder, so that for work trees and submodules its path climbs out of the clone.
    """
    folder = os.path.realpath(location)
    while not (
        os.path.isfile(os.path.join(folder, "pyproject.toml"))
        or os.path.isfile(os.path.join(folder, "setup.py"))
    ):
        parent = os.path.dirname(folder)
        if folder in {parent, root}:
            return ""
        folder = parent
    if folder == root or not folder.startswith(os.path.join(root, "")):
        return ""
    return folder[len(os.path.join(root, "")) :].replace(os.sep, "/")


def _remote(settings: list[tuple[str, str]]) -> str | None:
    """Return the URL that pip takes for the remote: of `origin`, else the first (pip: vcs/git.py)."""
    # pip reads the lines of `git config --get-regexp` and cuts them at white space.
    lines = [f"{key} {_joined(value)}" for key, value in settings if _is_remote_key(key)]
    lines = [line for text in lines for line in text.splitlines() if " " in line]
    line = next(
        (line for line in lines if line.startswith("remote.origin.url ")), lines[0] if lines else None
    )
    return None if line is None else line.split(" ")[1].strip()


def _joined(url: str) -> str:
    """Return a URL without white space in its user part: cut there it could not be told from a host."""
    return "".join(url.split()) if "@" in "".join(url.split(maxsplit=1)[1:]) else url


def _is_remote_key(key: str) -> bool:
    r"""Tell whether a key matches pip's pattern, `remote\..*\.url` anywhere."""
    _, found, rest = key.partition("remote.")
    return bool(found) and ".url" in rest


_SCHEMES = ("file", "git", "http", "https", "ssh")


def _remote_url(remote: str) -> str | None:
    """Return a remote as a URL that pip accepts, None if there is no such form (pip: _git_remote_to_pip_url)."""
    scheme, colon, _ = remote.partition("://")
    if colon and scheme.replace("_", "a").isalnum():
        gone = scheme == "file" and not os.path.exists(_url_path(remote) or "")
        return remote if scheme.lower() in _SCHEMES and _is_word_of_line(remote) and not gone else None
    # A relative path would be one from the current folder, which is no part of an environment.
    if os.path.isabs(remote) and os.path.exists(remote):
        return _file_url(os.path.normpath(remote))
    server, _, path = remote.partition(":")
    # `user:password@host/x` looks like the path `password@host/x` on a server.
    if not server or "/" in server or ":" in path or ("@" in path and "@" not in server):
        return None
    url = f"ssh://{server}/{path}"
    return url if (path[:1].isalnum() or path[:1] == "_") and _is_word_of_line(url) else None


def _is_word_of_line(url: str) -> bool:
    """Tell whether a URL can stand in an option line, with a fragment added to it."""
    return _is_url(url) and _is_plain(url) and "#" not in url


def _config(text: str) -> list[tuple[str, str]]:
    """Return the settings of a git configuration file in their order; `include` is not followed."""
    settings = []
    section = ""
    lines = iter(text.replace("\r\n", "\n").split("\n"))
    for raw in lines:
        line = raw.strip()
        while line.startswith("["):
            section, line = _section(line)
        key, _, value = line.partition("=")
        key = key.strip()
        if key and key[0] not in "#;":
            while value.endswith("\\") and not value.endswith("\\\\"):
                value = value[:-1] + next(lines, "")
            settings.append((f"{section}.{key.lower()}", _value(value)))
    return settings


def _section(line: str) -> tuple[str, str]:
    """Return the key of a section line and what stands behind it."""
    name, _, rest = line[1:].partition("]")
    if '"' not in name:
        return name.strip().lower(), rest.strip()
    name, _, rest = line[1:].partition('"')
    sub, _, rest = rest.partition('"]')
    sub = sub.replace('\\"', '"').replace("\\\\", "\\")
    return f"{name.strip().lower()}.{sub}", rest.strip()


def _value(text: str) -> str:
    """Return a value of a git configuration file without its quotes, escapes and comment."""
    out: list[str] = []
    keep = 0
    quoted = False
    chars = iter(text.strip())
    for char in chars:
        if char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        elif char == "\\":
            code = next(chars, "")
            out.append({"n": "\n", "t": "\t", "b": "\b"}.get(code, code))
        else:
            out.append(char)
        if quoted or not char.isspace():
            keep = len(out)
    return "".join(out[:keep])


# --- Secrets ---

_SECRET_WORDS = ("auth", "credential", "key", "pass", "pwd", "secret", "sig", "token")


def redact(text: str) -> str:
    """Return *text* (a URL, or a requirement line holding URLs) without credentials."""
    if "@" in text and "://" in text:
        first, *rest = text.split("://")
        text = "://".join([first, *map(_without_userinfo, rest)])
    if "=" in text and ("?" in text or "#" in text):
        text = _without_secrets(text)
    return text


def _without_userinfo(rest: str) -> str:
    """Drop the user part from what stands behind `://`."""
    end = _find_first(rest, "/?# \t\r\n")
    user, at, host = rest[:end].rpartition("@")
    if at:
        return rest if _is_safe_user(user) else host + rest[end:]
    _, colon, port = rest[:end].rpartition(":")
    if colon and port and not port.isdigit() and not port.endswith("]"):
        # No port, so a password that holds one of the characters that end the host.
        stop = _find_first(rest, " \t\r\n")
        _, at, host = rest[:stop].partition("@")
        return host + rest[stop:] if at else rest
    return rest


def _find_first(text: str, chars: str) -> int:
    """Return where the first of some characters stands, the length of the text if none does."""
    return next((index for index, char in enumerate(text) if char in chars), len(text))


def _is_safe_user(user: str) -> bool:
    """Tell whether a user part is no secret: `git`, or `${VAR}` once or twice (PEP 610; pip expands upper case)."""
    return user == "git" or (user.count(":") < 2 and all(map(_is_placeholder, user.split(":"))))  # noqa: PLR2004


def _is_placeholder(text: str) -> bool:
    """Tell whether a text is `${VAR}`."""
    name = text[2:-1]
    return (
        text == f"${{{name}}}"
        and name == name.upper()
        and name.isascii()
        and name.replace("_", "A").isalnum()
    )


def _without_user(url: str) -> str:
    """Return an address of any form without its user part."""
    url = "".join(url.split())
    if "://" in url:
        return redact(url)
    user, at, host = url.rpartition("@")
    return redact(host if at and user != "git" else url)


def _without_secrets(text: str) -> str:
    """Mask the values of secret parameters in queries and fragments."""
    starts = [index for index, char in enumerate(text) if char in "?&;#" or char.isspace()]
    pieces = map(slice, [0, *starts], [*starts, len(text)])
    return "".join(_masked(text[piece]) for piece in pieces)


def _masked(piece: str) -> str:
    """Mask the value of a parameter, which begins with the character in front of it, if it is a secret."""
    name, _, value = piece.partition("=")
    return f"{name}=****" if value and piece[0] in "?&;#" and _is_secret(name) else piece


def _is_secret(name: str) -> bool:
    """Tell whether a parameter of this name is likely a secret."""
    name = _unquote(name).lower()
    return any(word in name for word in _SECRET_WORDS)


# --- Witness ---


def witness(prefix: str, folders: "Sequence[str]") -> str:
    """Return a text that is equal as long as the interpreter's sys.path is equal."""
    config = os.path.join(prefix, "pyvenv.cfg")
    lines = [f"pyvenv.cfg {os.path.exists(config)} {_fingerprint(_read(config, _LIMIT))}"]
    for folder in folders:
        try:
            names = sorted(name for name in os.listdir(folder) if name.endswith(".pth"))
        except (OSError, ValueError):
            lines.append(f"{folder!a} missing")
            continue
        lines.append(ascii(folder))
        lines += [_path_file(folder, name) for name in names]
    return "\n".join(lines)


def _path_file(folder: str, name: str) -> str:
    """Return what sys.path depends on in a .pth file: its bytes, and which of the paths it names exist."""
    data = _read(os.path.join(folder, name), _LIMIT)
    paths = [line.rstrip() for line in os.fsdecode(data).splitlines()]
    paths = [path for path in paths if path and not path.startswith(("#", "import ", "import\t"))]
    there = "".join(str(int(_exists(folder, path))) for path in paths)
    return f"{name!a} {_fingerprint(data)} {there}"


def _fingerprint(data: bytes) -> str:
    """Return a number for some bytes. They may hold secrets, and importing hashlib costs as much as Python itself."""
    return f"{int.from_bytes(data + bytes([1]), 'big') % (2**127 - 1):x} {len(data)}"


def _read(path: str, limit: int) -> bytes:
    """Return the first bytes of a file; none if it is missing, unreadable or no file."""
    try:
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(handle, limit)
    except OSError:
        return b""
    finally:
        os.close(handle)
