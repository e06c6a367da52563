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
        for entry in infos:
            head = _head(os.path.join(path, entry))
            if not head:
                return ""
            parts += (os.fsencode(entry), head)
    return digest(b"\0".join(parts))


def _head(info: str) -> bytes:
    """Return the first bytes of a distribution's METADATA; none where they do not tell all."""
    head = peek.read(info + "/METADATA", _HEAD)
    # The last line of a full head may be cut: it tells nothing.
    lines = head if len(head) < _HEAD else head[: head.rfind(b"\n")]
    plain = head.startswith(b"Metadata-Version:") and b"\nName: " in lines and b"\nVersion: " in lines
    return head if plain and not os.access(info + "/direct_url.json", os.F_OK) else b""


def digest(data: bytes) -> str:
    """Return a digest of *data*, from the C module itself: importing `hashlib` costs a third of a launch."""
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=16).hexdigest()
