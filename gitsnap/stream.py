"""Many commits as one text for `git fast-import`, which makes a thousand in the time of ten others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

_FILE = 0o100644


@dataclass(frozen=True)
class Kept:
    """An entry of a folder that git has already."""

    mode: int
    blob: str


@dataclass(frozen=True)
class Draft:
    """A commit to be made on top of the draft before it: how its folder differs from that one's, and its words."""

    changed: Mapping[str, bytes | Kept]
    removed: Collection[str]
    text: bytes
    """The whole message."""
    author: bytes
    """Name, address, seconds and offset, as git stores them."""
    committer: bytes


def written(drafts: Sequence[Draft], ref: str, base: str | None) -> Iterator[bytes]:
    """Yield the parts of the text: the commit of each draft has its number, from 1 on, as its mark.

    The drafts become a chain on top of the commit *base*, or of nothing; *ref* names its end.
    """
    mark = len(drafts)
    for number, draft in enumerate(drafts, 1):
        marks: dict[bytes, int] = {}
        for content in draft.changed.values():
            if isinstance(content, bytes) and content not in marks:
                mark += 1
                marks[content] = mark
                yield b"blob\nmark :%d\n" % mark + _data(content)
        yield b"commit %s\nmark :%d\n" % (ref.encode("ascii"), number)
        yield b"author %s\ncommitter %s\n" % (draft.author, draft.committer) + _data(draft.text)
        if number == 1 and base:
            yield b"from %s\n" % base.encode("ascii")
        for name in draft.removed:
            yield b"D %s\n" % _path(name)
        for name, content in draft.changed.items():
            if isinstance(content, Kept):
                yield b"M %06o %s %s\n" % (content.mode, content.blob.encode("ascii"), _path(name))
            else:
                yield b"M %06o :%d %s\n" % (_FILE, marks[content], _path(name))
    yield b"done\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _path(name: str) -> bytes:
    """Return a name as git reads it in quotes."""
    plain = name.encode("utf-8", "surrogateescape").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"' + plain.replace(b"\n", b"\\n") + b'"'
