"""Hooks as text: a guarded block in a file of someone else, and how each shell quotes. Pure; bytes in, bytes out.

What is added can be taken out again byte for byte: the first line of the block says what was added besides it.
"""

from __future__ import annotations

import re
from enum import Enum

_NAME = b"gitsnap hook"
_AFTER_END = b", after a line end of its own"
_OWN_FILE = b", in a file of its own"
_BLOCK = re.compile(
    rb"(?P<before>\r?\n)?^(?P<comment>@rem|#) >>> gitsnap hook(?P<how>, [a-z ]+)? >>>\r?\n"
    rb"(?P<body>(?:(?!(?:@rem|#) (?:>>>|<<<) gitsnap hook).*\n)*?)"
    rb"(?P=comment) <<< gitsnap hook <<<(?:\r?\n|\Z)",
    re.MULTILINE,
)


class Shell(Enum):
    """The shells that a hook can be written for, by the ending of their scripts."""

    SH = "sh"
    FISH = "fish"
    POWERSHELL = "ps1"
    CMD = "cmd"


def quoted(text: str, shell: Shell) -> str:
    """Return *text* as one word of *shell*."""
    match shell:
        case Shell.SH:
            return "'" + text.replace("'", "'\\''") + "'"
        case Shell.FISH:
            return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
        case Shell.POWERSHELL:
            # It takes the typographic quotes for quotes too.
            return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"
        case Shell.CMD:
            return '"' + text.replace("%", "%%") + '"'


def filled(template: str, **words: str) -> str:
    """Return *template* with each `@NAME@` replaced by its word."""
    return re.sub(r"@([A-Z]+)@", lambda found: words.get(found[1], found[0]), template)


def add(data: bytes | None, body: str, shell: Shell) -> bytes:
    """Return the file *data* (None: there is none) with the block *body*, in the place of an older block or at the end."""
    old = _BLOCK.search(data or b"")
    # A block goes on with the line ends that it has: by them it can tell what was added before it.
    end = _line_end(old[0].lstrip(b"\r\n") if old else data or b"", shell)
    lines = [line.encode("utf-8", "surrogateescape") + end for line in body.splitlines()]
    if data is None:
        return _block(lines, _OWN_FILE, end, shell)
    if old:
        block = _block(lines, old["how"] or b"", end, shell)
        return data[: old.start()] + (old["before"] or b"") + block + data[old.end() :]
    if data and not data.endswith(b"\n"):
        return data + end + _block(lines, _AFTER_END, end, shell)
    return data + _block(lines, b"", end, shell)


def _block(lines: list[bytes], how: bytes, end: bytes, shell: Shell) -> bytes:
    comment = b"@rem" if shell is Shell.CMD else b"#"
    first = b"%s >>> %s%s >>>%s" % (comment, _NAME, how, end)
    return first + b"".join(lines) + b"%s <<< %s <<<%s" % (comment, _NAME, end)


def _line_end(data: bytes, shell: Shell) -> bytes:
    """Return how lines end in *data*, or, where it has none, in scripts of *shell*."""
    first = data.partition(b"\n")
    if first[1]:
        return b"\r\n" if first[0].endswith(b"\r") else b"\n"
    return b"\r\n" if shell is Shell.CMD else b"\n"


def remove(data: bytes) -> bytes | None:
    """Return the file *data* without the block; None where nothing is left and the block had made the file."""
    made = False
    while old := _BLOCK.search(data):
        head, tail = data[: old.start()], data[old.end() :]
        # What someone added below the block must not be joined to the line above it.
        before = old["before"] or b""
        if old["how"] == _AFTER_END and not tail:
            before = before.removesuffix(_line_end(old[0].lstrip(b"\r\n"), Shell.SH))
        data = head + before + tail
        made = made or old["how"] == _OWN_FILE
    return None if made and not data else data


def block_in(data: bytes) -> bytes | None:
    """Return the block in the file *data*, None where there is none that is whole."""
    old = _BLOCK.search(data)
    return old[0].lstrip(b"\r\n") if old else None
