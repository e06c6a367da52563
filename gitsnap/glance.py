"""A glance at an environment: the bytes that its lines are made of, read and summed up, not understood.

A launch compares the sum with that of the last save: at hundreds of distributions it costs half of a scan. It is
for plain environments alone; whatever is not plain is scanned.
"""

import os

from gitsnap import peek

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Name and version stand at the top of METADATA; a head that lacks one of them is not plain.
_HEAD = 512
_BENEATH = {os.open, os.access} <= os.supports_dir_fd


def glance(paths: "Sequence[str]") -> str:
    """Return a digest of all that the lines of a plain environment depend on; empty where it is not plain.

    Plain means: nothing but `.dist-info` folders that hold their name and version in the first bytes of METADATA,
    and no `direct_url.json`. Raises OSError where a folder cannot be read.
    """
    parts: list[bytes] = []
    for path in paths:
        try:
            entries = os.listdir(path)
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            return ""
        parts.append(os.fsencode(path))
        infos = [entry for entry in entries if entry[-5:].lower() in {"-info", "-link"}]
        if path[-4:].lower() == ".egg" or not all(entry.endswith(".dist-info") for entry in infos):
            return ""
        heads = _heads(path, infos)
        if len(heads) < len(infos):
            return ""
        parts += (os.fsencode("/".join(infos)), *heads)
    return digest(b"\0".join(parts))


def _heads(path: str, infos: "list[str]") -> "list[bytes]":
    """Return the first bytes of each METADATA, up to the first distribution that is not plain.

    Where the system can, names begin at the open folder: it need not walk the same long path a thousand times.
    """
    folder = os.open(path, os.O_RDONLY) if infos and _BENEATH else None
    start = "" if _BENEATH else path + os.sep
    heads = []
    try:
        for info in infos:
            head = peek.read(f"{start}{info}/METADATA", _HEAD, folder)
            if not _is_plain(head) or os.access(f"{start}{info}/direct_url.json", os.F_OK, dir_fd=folder):
                break
            heads.append(head)
    finally:
        if folder is not None:
            os.close(folder)
    return heads


def _is_plain(head: bytes) -> bool:
    """Tell whether the first bytes of METADATA hold name and version; a line that may be cut tells nothing."""
    end = len(head) if len(head) < _HEAD else head.rfind(b"\n")
    named = head.find(b"\nName: ", 0, end) > 0 and head.find(b"\nVersion: ", 0, end) > 0
    return named and head.startswith(b"Metadata-Version:")


def witness(prefix: str, folders: "Sequence[str]") -> str:
    """Return a text that is equal as long as the interpreter's sys.path is equal."""
    config = os.path.join(prefix, "pyvenv.cfg")
    lines = [f"pyvenv.cfg {os.path.exists(config)} {digest(peek.read(config, peek.LIMIT))}"]
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
    data = peek.read(os.path.join(folder, name), peek.LIMIT)
    paths = [line.rstrip() for line in os.fsdecode(data).splitlines()]
    paths = [path for path in paths if path and not path.startswith(("#", "import ", "import\t"))]
    there = "".join(str(int(peek.exists(folder, path))) for path in paths)
    return f"{name!a} {digest(data)} {there}"


def digest(data: bytes) -> str:
    """Return a digest of *data*, from the C module itself: importing `hashlib` costs a third of a launch."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16).hexdigest()
