"""The address of a remote: checked before git ever sees it, and the branch names of machines and environments.

A remote is a path (absolute or `~`) or a URL of the protocols file, ssh, http, https and git, or `user@host:path`.
It may hold `{machine}` and `{environment}`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass

from gitsnap.errors import UsageError
from gitsnap.model import printable

REMOTE = "gitsnap"
"""What the remote is called in the repository of each environment."""
_PROTOCOLS = ("file", "git", "http", "https", "ssh")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_SCP = re.compile(r"(?:(?P<user>[^@/:\\]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\\\[\]]{2,}):(?P<path>[^:].*)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_PLACEHOLDER = re.compile(r"\{[^{}]*\}|[{}]")
_PLACEHOLDERS = ("{machine}", "{environment}")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?")
_LONGEST = 60
_SUFFIX = re.compile(r"(?:-[0-9a-f]{8})?")
_FORMS = "an absolute path, or a URL such as `git@host:lab/environments.git` or `https://host/lab/environments.git`"
_KEPT_BY_GIT = (
    "leave them out of the URL; git asks for them once, at `gitsnap push`, and its credential helper keeps them: "
    "`git config --global credential.helper store` (Windows and macOS have one of their own)"
)


@dataclass(frozen=True)
class Address:
    """A remote as it was configured, checked; nothing in it is a secret or an option for git."""

    text: str

    @property
    def is_path(self) -> bool:
        """Whether it is a folder on this computer, a share or a stick."""
        return _is_path(self.text)

    @property
    def is_template(self) -> bool:
        """Whether there are several repositories: one for each machine, environment, or both."""
        return any(one in self.text for one in _PLACEHOLDERS)

    @property
    def names_environment(self) -> bool:
        """Whether each environment has a repository of its own."""
        return "{environment}" in self.text

    def url(self, machine: str, environment: str) -> str:
        """Return what git is given for one environment of one machine."""
        text = self.text.replace("{machine}", part(machine)).replace("{environment}", part(environment))
        return os.path.expanduser(text) if self.is_path else text

    @property
    def root(self) -> str:
        """The folder that a path names, up to its first placeholder; it is there, or the disk is not."""
        path = os.path.expanduser(self.text)
        return os.path.dirname(path.partition("{")[0]) if self.is_template else path

    @property
    def server(self) -> str:
        """Who has to answer: the host and its port, or the path."""
        if self.is_path:
            return self.root
        if _SCHEME.match(self.text):
            from urllib.parse import urlsplit

            return urlsplit(self.text).netloc.rpartition("@")[2] or self.text
        match = _SCP.fullmatch(self.text)
        return match["host"] if match else self.text


def parse(text: str) -> Address:
    """Return *text* as an address; raises UsageError for what git must not be given."""
    shown = printable(_hidden(text))
    if not text.strip() or text != text.strip() or not text.isprintable():
        raise UsageError(f"a remote is {_FORMS}, without control characters", hint="`gitsnap remote set URL`")
    if text.startswith("-"):
        raise UsageError(f"`{shown}` cannot be a remote: it begins with `-`", hint=f"a remote is {_FORMS}")
    for found in _PLACEHOLDER.findall(text):
        if found not in _PLACEHOLDERS:
            raise UsageError(
                f"`{printable(found)}` in `{shown}` stands for nothing",
                hint="`{machine}` and `{environment}` are filled in",
            )
    if not _is_path(text):
        _check_url(text, shown)
    return Address(text)


def _is_path(text: str) -> bool:
    if _SCHEME.match(text):
        return False
    return os.path.isabs(text) or text.startswith(("~", "/")) or bool(_DRIVE.match(text) and os.name == "nt")


def _check_url(text: str, shown: str) -> None:
    scheme = _SCHEME.match(text)
    if scheme:
        _check_scheme(text, scheme[1].lower(), shown)
        return
    match = _SCP.fullmatch(text)
    if match is None or _DRIVE.match(text):
        raise UsageError(f"`{shown}` is neither a path nor a URL", hint=f"a remote is {_FORMS}")
    _check_host(match["host"], match["user"] or "", match["path"], shown)


def _check_scheme(text: str, scheme: str, shown: str) -> None:
    from urllib.parse import unquote, urlsplit

    if scheme not in _PROTOCOLS:
        raise UsageError(
            f"`{printable(scheme)}://` is no protocol that gitsnap uses",
            hint=f"those are {', '.join(_PROTOCOLS)}; a remote is {_FORMS}",
        )
    try:
        parts = urlsplit(text)
        host, user, secret = parts.hostname or "", parts.username or "", parts.password
        _ = parts.port
    except ValueError:
        raise UsageError(f"`{shown}` is no URL that can be read", hint=f"a remote is {_FORMS}") from None
    if secret is not None or (user and scheme != "ssh") or (parts.query and scheme in {"http", "https"}):
        raise UsageError(
            f"the URL `{shown}` holds credentials, which gitsnap does not keep", hint=_KEPT_BY_GIT
        )
    if not unquote(text).isprintable() or (scheme != "file" and not host) or not parts.path.strip("/"):
        raise UsageError(f"`{shown}` names no repository on a server", hint=f"a remote is {_FORMS}")
    _check_host(host, user, "", shown)


def _check_host(host: str, user: str, path: str, shown: str) -> None:
    """Refuse what ssh or a server's shell would take for an option."""
    if any(one.startswith(("-", "%2d", "%2D")) for one in (host, user, path)) or " " in host + user:
        raise UsageError(
            f"`{shown}` cannot be a remote: a part of it begins with `-`", hint=f"a remote is {_FORMS}"
        )


def _hidden(text: str) -> str:
    """Return *text* without what may be a secret: all between `://` and `@`, and a query."""
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    rest = text[scheme.end() :].partition("?")[0]
    user, at, host = rest.rpartition("@")
    if at and scheme[1].lower() == "ssh" and ":" not in user:
        return f"{scheme[0]}{rest}"
    return f"{scheme[0]}{host}"


def part(name: str) -> str:
    """Return *name* as one part of a branch name, the same for all names that differ in case alone.

    Letters and digits of any script, `.`, `_`, `+` and `-` stay, so that it is one folder on every server's disk.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())
    plain = "".join(letter if letter.isalnum() or letter in "._+-" else "-" for letter in folded)
    plain = _cut(re.sub(r"\.{2,}", ".", re.sub(r"-{2,}", "-", plain)).strip("-._+"))
    if plain.endswith(".lock"):
        plain = plain[: -len(".lock")] + "-lock"
    if _RESERVED.fullmatch(plain):
        plain = f"env-{plain}"
    return plain or "unnamed"


def _cut(name: str) -> str:
    """Shorten a name; git's servers keep each part in a file name of at most 255 bytes, a suffix still to come."""
    name = name[:_LONGEST]
    while len(name.encode("utf-8", "surrogatepass")) > 2 * _LONGEST:
        name = name[:-1]
    return name.rstrip("-._+")


def branch(machine: str, environment: str) -> str:
    """Return the branch of an environment: always two parts, so that none is a folder of another."""
    return f"{part(machine)}/{part(environment)}"


def is_branch_of(candidate: str, usual: str) -> bool:
    """Tell whether *candidate* is *usual*, or the one beside it that keeps another history apart."""
    return candidate.startswith(usual) and bool(_SUFFIX.fullmatch(candidate[len(usual) :]))


def beside(usual: str, commit: str) -> str:
    """Return the branch that keeps a history apart, by the first *commit* that the other lacks."""
    return f"{usual}-{commit[:8]}"


def is_ours(name: str) -> bool:
    """Tell whether a branch is named as gitsnap names them."""
    parts = name.split("/")
    return len(parts) == 2 and all(one == part(one) for one in parts)  # noqa: PLR2004 - machine and environment
