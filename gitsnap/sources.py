"""Where a distribution came from, as pip writes it: direct URLs (PEP 610) and editable projects.

Read from `direct_url.json` and from the files of a checkout's `.git`; no program is run. Loaded only for an
environment that has such distributions.
"""

import os
import sys

from gitsnap import peek
from gitsnap.line import escape, find_first, is_plain, lost, redact, restorable, unquote, without_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# packed-refs of a large project is larger than any other file that is read.
_REFS_LIMIT = 1 << 26
_WINDOWS = sys.platform == "win32"

# --- direct_url.json (PEP 610; pip: _vendor/packaging/direct_url.py) ---


def direct(name: str, data: bytes, pin: str, *, is_conda: bool) -> list[str]:
    """Return the lines of a distribution with the direct_url.json *data*; none where its version says it all.

    pip takes an invalid direct_url.json for a missing one. What *is_conda* tells counts where a file is gone.
    """
    found = _parsed(data)
    if found is None:
        return []
    found["url"] = url = _whole_url(found["url"])
    path = _url_path(url) if url.startswith("file:") else None
    if found.get("dir_info", {}).get("editable"):
        if path is None:
            return [lost("its folder is on another machine", f"-e {url}")]
        return editable(name, path, pin)
    line = _reference(name, found)
    if url.startswith("file:") and not (path and os.path.exists(path)):
        return [] if is_conda else [lost("its folder or file is gone", line)]
    vcs = found.get("vcs_info")
    if not _is_url(url) or any(char in line for char in ";\\") or (vcs and not _is_source(vcs)):
        return [lost("its URL is not valid", line)]
    return restorable(name, line, [])


def _parsed(data: bytes) -> "dict[str, Any] | None":
    """Return a direct_url.json, None if it is not a valid one."""
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
    return url if "://" in url or url.startswith("file:") else without_user(url)


def _is_url(url: str) -> bool:
    """Tell whether pip can read a URL back."""
    scheme, colon, rest = url.partition("://")
    if " " in url or not url.isprintable():
        return False
    if not colon or not scheme.replace("+", "").replace("-", "").isalnum():
        return url.startswith("file:/")
    host = rest[: find_first(rest, "/?#")].rpartition("@")[2]
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
    path = unquote(rest)
    if host in {"", "localhost"}:
        return path[1:] if _WINDOWS and path[2:3] == ":" else path
    return f"//{host}{path}" if _WINDOWS else None


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


def editable(name: str, path: str, pin: str) -> list[str]:
    """Return the lines of an editable project: where its version control has it, else its folder."""
    location = os.path.normcase(os.path.abspath(path))
    is_here = os.path.isdir(location)
    comments, requirement = _source(name, location, pin) if is_here else ([_uncontrolled(pin)], "")
    comments = [escape(redact(comment)) for comment in comments]
    if requirement:
        return restorable(name, f"-e {requirement}", comments)
    if not is_here:
        return [*comments, lost("its folder or file is gone", f"-e {location}")]
    # pip splits the line as a shell does, cuts extras in brackets off and expands ${VARIABLES}.
    plain = is_plain(location) and not any(char in location for char in "#$[]{}")
    return restorable(name, f"-e {location if plain else _file_url(location)}", comments)


def _uncontrolled(pin: str) -> str:
    """Return pip's comment on an editable project without version control."""
    return f"# Editable install with no version control ({pin})"


def _source(name: str, location: str, pin: str) -> tuple[list[str], str]:
    """Return pip's comments on an editable project, and its requirement if version control has it."""
    if peek.exists(location, ".svn") or peek.exists(location, ".hg"):
        # Here pip would run svn or hg; without them it gives the folder and no comment.
        return [], ""
    here = peek.exists(location, ".git")
    if not here and peek.exists(location, ".bzr"):
        return [], ""
    repository = _find_repository(location)
    if repository is None:
        return [f"# Editable Git install with no remote ({pin})" if here else _uncontrolled(pin)], ""
    root, git = repository
    if not git:
        return [_UNKNOWN if here else _uncontrolled(pin)], ""
    return _git_source(name, location, pin, root, git)


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
        return [start, f"# '{without_user(remote)}'"], ""
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
    return os.fsdecode(peek.read(path, peek.LIMIT))


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
    data = peek.read(path, _REFS_LIMIT)
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
    return _is_url(url) and is_plain(url) and "#" not in url


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
