"""What a transfer's end means: git's words read into a code, a sentence and a remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gitsnap.line import redact
from gitsnap.model import printable

OK = "ok"
UNREACHABLE = "unreachable"
NOT_FOUND = "not-found"
OTHER_HISTORY = "other-history"
CODES = (
    OK,
    UNREACHABLE,
    NOT_FOUND,
    "login",
    "host-key",
    "key-refused",
    "read-only",
    "refused",
    "disk-full",
    OTHER_HISTORY,
    "tls",
    "failed",
)
"""Every code that a result can have; `failed` is a fault on this computer, before anything was sent."""


@dataclass(frozen=True)
class Verdict:
    """How a transfer ended: one of CODES, a sentence, and what to do; both empty when all went well."""

    code: str
    message: str = ""
    hint: str = ""

    @property
    def is_good(self) -> bool:
        """Whether what was to be sent is there."""
        return self.code in {OK, OTHER_HISTORY}


GOOD = Verdict(OK)


@dataclass(frozen=True)
class Place:
    """What is named in a sentence: the remote, shown without secrets, and its server."""

    url: str
    server: str


# The first that fits holds: git says several things at once, the general one last.
_SIGNS: dict[str, tuple[str, ...]] = {
    "host-key": ("Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"),
    "key-refused": (
        r"Permission denied \(",
        "no mutual signature",
        "Too many authentication failures",
        "Load key .*: (?!No such)",
    ),
    "disk-full": ("No space left on device", "[Dd]isk quota", "Not enough space", "File too large"),
    "tls": ("certificate", "schannel", "gnutls_handshake", "SSL routines", "CAfile"),
    "login": (
        "Authentication failed",
        "could not read (?:Username|Password)",
        "Invalid username or (?:password|token)",
        "Access denied",
        "error: 401",
    ),
    "read-only": (
        "Read-only file system",
        "read[- ]only",
        "error: 403",
        "Permission (?:to .* )?denied",
        "[Nn]ot allowed to",
        "insufficient permission",
        "service not enabled",
        "unable to create (?:temporary|directory)",
    ),
    "owner": ("dubious ownership",),
    NOT_FOUND: (
        "does not appear to be a git repository",
        "not found",
        "does not exist",
        "not exported",
        "No such file or directory",
        "not a git repository",
        "Could not find repository",
    ),
    UNREACHABLE: (
        "[Cc]ould not resolve",
        "unable to look up",
        "Connection (?:refused|timed out|reset|closed)",
        "(?:unable|[Ff]ailed) to connect",
        "Couldn't connect",
        "Network is unreachable",
        "No route to host",
        "timed out",
        "too slow",
        "early EOF",
        "hung up",
        "RPC failed",
        "unexpected disconnect",
        "unexpectedly closed",
        "Empty reply",
        "Broken pipe",
        "Temporary failure in name",
        "Name or service not known",
        "Host is down",
        "Could not read from remote",
        r"error: 5\d\d",
    ),
}
_NOISE = re.compile(
    r"Please make sure you have the correct access rights|and the repository exists|failed to push some refs|"
    r"^To |^From |^Done$|^\s*$|Pseudo-terminal|^hint: |^Warning: Permanently added"
)


def silent(place: Place, seconds: float) -> Verdict:
    """Return the verdict on a server that gave no answer."""
    return Verdict(
        UNREACHABLE,
        f"`{place.server}` gave no answer for {seconds:.0f} seconds",
        "see whether it is up; what is not sent yet is sent later by itself, or by `gitsnap push`",
    )


def absent(place: Place) -> Verdict:
    """Return the verdict on a path that is not there."""
    return Verdict(
        NOT_FOUND,
        f"there is no repository `{place.url}`",
        f"connect the disk or share; for a new one, `gitsnap remote set {place.url}` makes it",
    )


def of_words(words: str, place: Place) -> Verdict:
    """Return the verdict on what git said as it failed, before anything was sent."""
    code = next((name for name, signs in _SIGNS.items() if re.search("|".join(signs), words)), "failed")
    return _said(code, place, _reason(words))


def of_refusal(reason: str, words: str, place: Place) -> Verdict:
    """Return the verdict on a branch or tag that the server did not take, with its *reason* and git's *words*."""
    signs = ((code, "|".join(_SIGNS[code])) for code in ("disk-full", "read-only"))
    code = next((code for code, sign in signs if re.search(sign, f"{words}\n{reason}")), "refused")
    if "; cannot create" in words:
        code = "in-the-way"
    told = [line for line in _lines(words) if line.startswith("remote:")]
    more = f": {'; '.join(line.removeprefix('remote:').strip() for line in told[:3])}" if told else ""
    return _said(code, place, f"{reason}{more}")


def _said(code: str, place: Place, reason: str) -> Verdict:
    sentence, hint = _SENTENCES[code]
    shown = f" ({reason})" if reason else ""
    message = sentence.format(url=place.url, server=place.server) + shown
    return Verdict(
        "refused" if code in {"owner", "in-the-way"} else code,
        printable(message, 300),
        hint.format(url=place.url, server=place.server),
    )


_SENTENCES = {
    UNREACHABLE: (
        "could not reach `{server}`",
        "see whether this computer is on the network and the server is up; it is tried again by itself, or by `gitsnap push`",
    ),
    NOT_FOUND: (
        "there is no repository `{url}`, or it may not be seen",
        "make an empty one on the server, or correct its address: `gitsnap remote set URL`",
    ),
    "login": (
        "`{server}` asks for a name and password, and none that it takes is known here",
        (
            "run `gitsnap push` in a terminal once, with a credential helper that keeps them: `git config --global "
            "credential.helper store`; many servers want an access token as the password"
        ),
    ),
    "host-key": (
        "`{server}` is not a known ssh host, or its key has changed",
        "connect once by hand, compare the key and accept it: `ssh {server}`",
    ),
    "key-refused": (
        "`{server}` takes none of this user's ssh keys",
        "add your public key (`~/.ssh/id_ed25519.pub`) to your account there; a key with a passphrase has to be in the ssh agent",
    ),
    "read-only": (
        "`{url}` may be read but not written",
        "ask for the right to push there, or name another repository: `gitsnap remote set URL`",
    ),
    "refused": (
        "`{server}` did not take it",
        "its reason stands in brackets; a rule of the server has to be changed there",
    ),
    "in-the-way": (
        "another branch on the remote is in the way",
        "delete or rename that branch there, or name this machine otherwise: `machine` in section `[remote]`",
    ),
    "owner": (
        "`{url}` belongs to another user of this computer, and git does not trust it",
        "if you do: `git config --global --add safe.directory {url}`",
    ),
    "disk-full": (
        "the disk of `{server}` is full",
        "make room there; it is tried again by itself, or by `gitsnap push`",
    ),
    "tls": (
        "the certificate of `{server}` is not trusted here",
        "for a server with an authority of its own: `git config --global http.sslCAInfo FILE`; also see that the clock is right",
    ),
    "failed": (
        "git could not do it",
        "try it by hand: `git -C REPOSITORY push`; `gitsnap environments` lists the repositories",
    ),
}


def _lines(words: str) -> list[str]:
    """Return what git said, a line each, without progress and what says nothing."""
    parts = (part.strip() for part in re.split(r"[\r\n]+", words))
    return [redact(part) for part in parts if part and not _NOISE.search(part) and "% (" not in part]


def _reason(words: str) -> str:
    """Return the line that tells most: the one that a sign is in, else the last."""
    lines = _lines(words)
    every = (line for signs in _SIGNS.values() for line in lines if re.search("|".join(signs), line))
    found = next(every, lines[-1] if lines else "")
    return re.sub(r"^(?:(?:fatal|error|remote): )+", "", found)
