"""The strict reading of snapshot text that may come from anywhere: only known forms reach an installer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_version

from gitsnap import freezefile
from gitsnap.errors import UntrustedTextError
from gitsnap.model import Distribution, Freeze, printable

_NAME = r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"
_PINNED = re.compile(_NAME + r"==(?P<version>[A-Za-z0-9][A-Za-z0-9.!+_-]*)")
_ARBITRARY = re.compile(_NAME + r"===(?P<version>[^\s;,#$)'\"\\]+)")
_DIRECT = re.compile(_NAME + r" @ (?P<source>\S+)")
_LOST = re.compile(r"# not restorable \((?P<reason>[^)]*)\): (?P<line>.*)")
_URL = re.compile(
    r"(?:(?:(?:git|hg|svn|bzr)\+)?(?:file|git|http|https|ssh)://(?P<host>[^/?#]*)|file:(?=/))(?P<rest>\S*)",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?:/|[A-Za-z]:/)\S*")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_HASH = re.compile(r"#sha256=[0-9a-f]{64}\Z")
_COMMIT = re.compile(r"(?P<url>git\+.*)@(?P<commit>[0-9a-f]{40})(?P<rest>#.*)?")


@dataclass(frozen=True)
class Requirement:
    """One line of a snapshot, taken apart; an installer gets what is put together from it again."""

    number: int
    """The number of its line in the text."""
    distribution: Distribution
    form: str
    """`==`, `===`, `@`, `-e`, or `#` for what its snapshot calls not restorable."""
    value: str
    """The version, URL or path; of what is not restorable, the line."""
    reason: str = ""
    """Why it is not restorable."""

    @property
    def key(self) -> str:
        """The canonical name of the project."""
        return self.distribution.key

    @property
    def line(self) -> str:
        """The line for an installer's file."""
        if self.form == "-e":
            return f"-e {self.value}"
        return f"{self.distribution.name}{f' {self.form} ' if self.form == '@' else self.form}{self.value}"

    @property
    def shown(self) -> str:
        """The line as a person may see it."""
        return printable(self.value if self.form == "#" else self.line)

    @property
    def is_obtainable(self) -> bool:
        """Whether an installer can be asked for it."""
        return self.form != "#"

    @property
    def runs_code(self) -> bool:
        """Whether getting it can run code of whoever wrote the line: all but a name with its version."""
        return self.form in {"@", "-e"}

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the user that are put into its URL."""
        return tuple(_VARIABLE.findall(self.value)) if self.runs_code else ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """What two lines must share to be the same state of a project.

        The version of an editable project is its folder's affair; a hash says nothing that its URL does not.
        """
        value = self.value
        if self.form == "==":
            value = canonicalize_version(value)
        elif self.form == "@":
            value = _HASH.sub("", value)
        elif self.form == "#":
            value = self.distribution.version or self.distribution.source or ""
        return (self.key, self.form, value)

    @property
    def checkout(self) -> tuple[str, str, str] | None:
        """The repository, commit and rest of an editable line that names a commit, else None."""
        found = _COMMIT.fullmatch(self.value) if self.form == "-e" else None
        return (found["url"], found["commit"], found["rest"] or "") if found else None


@dataclass(frozen=True)
class Text:
    """A snapshot file, strictly read."""

    freeze: Freeze
    requirements: tuple[Requirement, ...]

    @property
    def risky(self) -> tuple[Requirement, ...]:
        """The lines that can run code."""
        return tuple(one for one in self.requirements if one.runs_code)


def parse(text: str) -> Text:
    """Read the text of a snapshot; raises UntrustedTextError at the first line that is of no known form.

    Of two lines about one project the file is refused too: no environment holds both.
    """
    freeze = freezefile.parse(text)
    found: list[Requirement] = []
    note = ""
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if not line.isprintable():
            raise _refused(number, line, "it holds control characters")
        if line.startswith("#"):
            note = line if line.startswith("# Editable ") else note
            if one := _lost(number, line, note):
                found.append(one)
                note = ""
        elif line.strip():
            found.append(_read(number, line, note))
            note = ""
    if not found and not freezefile.has_header(text):
        raise UntrustedTextError(
            "the file has no requirement and no header of gitsnap's: it is no snapshot",
            hint="`gitsnap log` lists the snapshots",
        )
    _refuse_twins(found)
    lost = {one.key: one for one in found if not one.is_obtainable}
    lines = {one.key: one for one in found if one.is_obtainable}
    return Text(freeze, tuple({**lost, **lines}.values()))


def _read(number: int, line: str, note: str) -> Requirement:
    """Read one line by the first form that fits."""
    line = line.rstrip(" ")
    if line.startswith("-e "):
        return _editable(number, line, note)
    if match := _ARBITRARY.fullmatch(line) or _PINNED.fullmatch(line):
        form = "===" if match.re is _ARBITRARY else "=="
        return Requirement(
            number, Distribution(match["name"], match["version"], None), form, match["version"]
        )
    if match := _DIRECT.fullmatch(line):
        _check_url(number, line, match["source"])
        return Requirement(number, Distribution(match["name"], None, match["source"]), "@", match["source"])
    raise _refused(number, line, "it is not `name==version`, `name @ URL`, `-e …` or a comment")


def _editable(number: int, line: str, note: str) -> Requirement:
    source = line[3:]
    if _PATH.fullmatch(source):
        if any(letter in source for letter in "\\;'\"$[]#"):
            raise _refused(number, line, "its path holds characters that an installer reads as more")
    else:
        _check_url(number, line, source)
    named = freezefile.parse(f"{note}\n{line}\n").distributions
    if not named:
        raise _refused(number, line, "it names no project")
    return Requirement(number, named[0], "-e", source)


def _check_url(number: int, line: str, url: str) -> None:
    """Refuse a URL of another scheme, or with what an installer reads as more than a URL."""
    match = _URL.fullmatch(url)
    if not match:
        raise _refused(number, line, "its URL is none of file, http, https, ssh and git+…")
    user, _, host = (match["host"] or "").rpartition("@")
    if "${" in _VARIABLE.sub("", user) + host + match["rest"]:
        raise _refused(number, line, "a variable may stand in the user part of a URL alone")
    # A host or a revision that begins with a dash would be an option of ssh's or git's.
    if host.startswith("-") or "@-" in url or any(letter in url for letter in "\\;'\"`"):
        raise _refused(number, line, "its URL holds characters that an installer reads as more")


def _lost(number: int, line: str, note: str) -> Requirement | None:
    """Read the comment that stands for a line that cannot be restored, if it names a project."""
    match = _LOST.fullmatch(line)
    named = freezefile.parse(f"{note}\n{match['line']}\n").distributions if match else ()
    if not match or not named:
        return None
    one = named[0]
    lost = Distribution(one.name, one.version, one.source, restorable=False)
    return Requirement(number, lost, "#", match["line"], match["reason"])


def _refuse_twins(found: Iterable[Requirement]) -> None:
    seen: dict[str, int] = {}
    for one in filter(lambda one: one.is_obtainable, found):
        if one.key in seen:
            raise _refused(one.number, one.line, f"line {seen[one.key]} is about the same project")
        seen[one.key] = one.number


def _refused(number: int, line: str, reason: str) -> UntrustedTextError:
    return UntrustedTextError(
        f"line {number} is refused: `{printable(line.strip(), 100)}`: {reason}",
        hint="gitsnap restores only what `pip freeze` writes; nothing was changed",
    )


def freeze_of(requirements: Iterable[Requirement]) -> Freeze:
    """Return *requirements* as a freeze, to be compared and shown."""
    return Freeze("", "", tuple(one.distribution for one in requirements))


def listed(requirements: Iterable[Requirement], python: tuple[int, ...]) -> tuple[Requirement, ...]:
    """Return those of *requirements* that a freeze lists; pip and its like are in none (pip's own rule)."""
    hidden = {"argparse", "pip", "python", "wsgiref"}
    if python < (3, 12):
        hidden |= {"distribute", "setuptools", "wheel"}
    return tuple(one for one in requirements if one.key not in hidden)


def compose(requirements: Iterable[Requirement]) -> str:
    """Return a text that `parse` reads as *requirements* again."""
    return "# version: -\n" + "".join(_written(one) + "\n" for one in requirements)


def _written(one: Requirement) -> str:
    if one.form == "#":
        return f"# not restorable ({one.reason}): {one.value}"
    version = one.distribution.version
    if one.form == "-e" and version:
        return f"# Editable install with no version control ({one.distribution.name}=={version})\n{one.line}"
    return one.line


def by_key(requirements: Iterable[Requirement]) -> dict[str, Requirement]:
    """Return *requirements* by canonical name."""
    return {one.key: one for one in requirements}


def installer_text(
    requirements: Sequence[Requirement], write: Callable[[Requirement], str] | None = None
) -> str:
    """Return the file that an installer is given, written from the parsed values."""
    return "".join((write(one) if write else one.line) + "\n" for one in requirements)
