"""The door to uv and pip: get what lines name, into a folder that waits or into a new environment.

An installer gets a fresh file written from parsed values and only the options that stand here. Its own
configuration and variables hold, but for those that would lead what it installs elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gitsnap import pip_settings, requirement, uv
from gitsnap.child import call
from gitsnap.errors import InstallerError, UsageError
from gitsnap.line import redact
from gitsnap.model import printable
from gitsnap.pip_settings import PipSettings
from gitsnap.requirement import Requirement

UV, PIP = "uv", "pip"
_REASON = re.compile(r"^\s*(?:error|ERROR|cause|Caused by|╰─▶|├─▶)\s*:?\s*(?P<words>.+)", re.MULTILINE)
_VERSIONS = re.compile(r"\(from versions: (?!none)[^)]*\)")


@dataclass(frozen=True)
class Sources:
    """Where packages come from, beside what the installer's own configuration says."""

    find_links: tuple[str, ...] = ()
    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    offline: bool = False
    no_index: bool = False


@dataclass(frozen=True)
class Fetched:
    """What an installer got."""

    folders: tuple[Path, ...]
    """Each like a prefix: what lies in it belongs at the same place of the environment."""
    missing: Mapping[str, str]
    """Why a line could not be had, by canonical name."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Installer:
    """uv or pip, for one environment."""

    kind: str
    command: tuple[str, ...]
    python: str
    sources: Sources
    variables: Mapping[str, str]

    def fetch(self, requirements: Sequence[Requirement], folder: Path, checkouts: Path) -> Fetched:
        """Get, build and unpack *requirements* below *folder*; the environment is not touched.

        All at once; where that fails, one by one, so that all that cannot be had are known. Repositories of
        editable projects are cloned into *checkouts*.
        """
        return self._all(requirements, folder, checkouts)

    def install(self, requirements: Sequence[Requirement], checkouts: Path) -> Fetched:
        """Install *requirements* into the environment itself, which is a new one."""
        return self._all(requirements, None, checkouts)

    def _all(self, requirements: Sequence[Requirement], folder: Path | None, checkouts: Path) -> Fetched:
        missing: dict[str, str] = {}
        lines = {one.key: one.line for one in requirements}
        for one in requirements:
            if one.checkout:
                line, reason = _cloned(one, checkouts, self.variables, offline=self.sources.offline)
                lines[one.key] = line
                missing |= {one.key: reason} if reason else {}
        wanted = [one for one in requirements if one.key not in missing]
        if not wanted:
            return Fetched((), missing)
        ok, output = self._try(wanted, lines, folder / "all" if folder else None)
        if ok:
            return Fetched((folder / "all",) if folder else (), missing, _warnings(output))
        if len(wanted) == 1:
            return Fetched((), {**missing, wanted[0].key: self._reason(wanted[0], output)})
        return self._one_by_one(wanted, lines, folder, missing)

    def _one_by_one(
        self,
        wanted: Sequence[Requirement],
        lines: Mapping[str, str],
        folder: Path | None,
        missing: Mapping[str, str],
    ) -> Fetched:
        got: list[Path] = []
        lost: dict[str, str] = dict(missing)
        warnings: list[str] = []
        for one in wanted:
            place = folder / one.key if folder else None
            ok, output = self._try([one], lines, place)
            if not ok:
                lost[one.key] = self._reason(one, output)
                continue
            got += [place] if place else []
            warnings += _warnings(output)
        return Fetched(tuple(got), lost, tuple(warnings))

    def _try(
        self, wanted: Sequence[Requirement], lines: Mapping[str, str], folder: Path | None
    ) -> tuple[bool, str]:
        with tempfile.TemporaryDirectory(prefix="gitsnap-") as place:
            file = Path(place, "requirements.txt")
            # URLs may hold credentials: in a file that is ours alone, never among a process's arguments.
            options = [f"--index-url {self.sources.index_url}"] if self.sources.index_url else []
            options += [f"--extra-index-url {url}" for url in self.sources.extra_index_urls]
            text = "".join(f"{line}\n" for line in options)
            text += requirement.installer_text(wanted, lambda one: lines[one.key])
            file.write_text(text, encoding="utf-8")
            where = ["--prefix", str(folder)] if folder else []
            folders = [part for link in self.sources.find_links for part in ("--find-links", link)]
            arguments = [*self._options(), *where, *folders, "-r", str(file)]
            folder = Path(place) if self.kind == PIP else None
            status, output = call([*self.command, *arguments], self.variables, folder)
        return status == 0, output

    def _reason(self, one: Requirement, output: str) -> str:
        """Return why *one* could not be had, and what may help."""
        words = _words(output)
        local = (one.distribution.version or "").partition("+")[2]
        if local and one.form != "@":
            words += f"; builds with `+{local}` are on no default index: name theirs with `--extra-index-url`"
        if one.form == "===" and self.kind == UV:
            words += "; `--installer pip` may take it"
        return words

    def _options(self) -> list[str]:
        """Return what is always said to the installer."""
        offline = self.sources.offline
        if self.kind == UV:
            options = ["--python", self.python, "--no-deps", "--no-progress", "--color", "never"]
            if self.sources.extra_index_urls and "UV_INDEX_STRATEGY" not in self.variables:
                # As pip: an exact version is taken from whichever index has it.
                options += ["--index-strategy", "unsafe-best-match"]
            return [
                *options,
                *(["--offline"] if offline else []),
                *(["--no-index"] if self.sources.no_index else []),
            ]
        options = ["--no-deps", "--no-user", "--no-compile", "--ignore-installed", "--no-input", "--no-color"]
        return [*options, "--disable-pip-version-check", *(["--no-index"] if offline else [])]


def choose(
    python: str,
    version: tuple[int, int, int],
    prefix: Path,
    sources: Sources,
    variables: Mapping[str, str],
    kind: str | None = None,
) -> Installer:
    """Return the installer for the environment of *python* at *prefix*: uv where it is there, else pip.

    pip is the environment's own, else gitsnap's. Raises InstallerError where there is none.
    """
    sources = _checked(sources)
    program = uv.program(variables) if kind != PIP and version >= uv.OLDEST_PYTHON else None
    if program:
        told = pip_settings.uv_has_its_own(variables)
        settings = PipSettings() if told else pip_settings.read(prefix, variables)
        return _uv((program, "pip", "install"), python, sources, settings, variables)
    if kind == UV:
        raise InstallerError("uv is not here", hint="`pip install uv` beside gitsnap, or put uv on PATH")
    for command in ([python, "-m", "pip"], [sys.executable, "-m", "pip", "--python", python]):
        with tempfile.TemporaryDirectory(prefix="gitsnap-") as place:
            if call([*command, "--version"], variables, Path(place))[0] == 0:
                return Installer(PIP, (*command, "install"), python, sources, variables)
    raise InstallerError(
        "there is no pip to install with" if kind == PIP else "there is neither uv nor pip to install with",
        hint="`pip install uv` beside gitsnap, or `python -m ensurepip` in the environment",
    )


def _uv(
    command: tuple[str, ...],
    python: str,
    sources: Sources,
    settings: PipSettings,
    variables: Mapping[str, str],
) -> Installer:
    """Return uv with what pip is told of indexes, so that it matters not which of them installs."""
    together = Sources(
        (*sources.find_links, *settings.find_links),
        sources.index_url or _usable(settings.index_url),
        (*sources.extra_index_urls, *filter(_usable, settings.extra_index_urls)),
        sources.offline,
        sources.no_index or settings.no_index,
    )
    if settings.certificates and "SSL_CERT_FILE" not in variables:
        variables = {**variables, "SSL_CERT_FILE": settings.certificates}
    return Installer(UV, command, python, together, variables)


def _checked(sources: Sources) -> Sources:
    """Return *sources* with absolute folders; refuses an index that could carry an option into the installer's file."""
    for url in (sources.index_url, *sources.extra_index_urls):
        if url and not _usable(url):
            raise UsageError(f"`{printable(redact(url))}` is not the URL of an index")
    return replace(sources, find_links=tuple(map(_absolute, sources.find_links)))


def _usable(url: str) -> str:
    """Return *url* if it is one, else nothing."""
    return url if url.isprintable() and "://" in url and " " not in url else ""


def _absolute(link: str) -> str:
    return link if "://" in link else os.path.abspath(os.path.expanduser(link))


def _cloned(
    one: Requirement, checkouts: Path, variables: Mapping[str, str], *, offline: bool
) -> tuple[str, str]:
    """Clone the repository of an editable line; returns the line for its folder, and why it could not be had.

    gitsnap clones for itself: uv cannot, and pip would reset a folder that is there, with the user's work in it.
    """
    url, commit, rest = one.checkout or ("", "", "")
    folder = checkouts / one.key
    subfolder = re.search(r"[#&]subdirectory=([^&]+)", rest)
    place = folder / subfolder[1] if subfolder else folder
    if ".." in place.parts:
        return "", "its subdirectory leads out of its repository"
    line = f"-e {place.as_uri()}"
    if folder.exists():
        status, output = call(["git", "-C", str(folder), "rev-parse", "HEAD"], variables)
        if status == 0 and output.strip() == commit:
            return line, ""
        return "", f"`{folder}` is in the way; move it"
    address = re.sub(
        r"\$\{([A-Z0-9_]+)\}", lambda found: variables.get(found[1], found[0]), url.removeprefix("git+")
    )
    part = folder.with_name(f"{folder.name}.gitsnap-part")
    shutil.rmtree(part, ignore_errors=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    for command in (
        ["git", "clone", "--quiet", "--no-checkout", "--", address, str(part)],
        ["git", "-C", str(part), "checkout", "--quiet", "--detach", commit],
    ):
        allowed = "file" if offline else "file:git:http:https:ssh"
        status, output = call(command, variables, GIT_ALLOW_PROTOCOL=allowed)
        if status:
            shutil.rmtree(part, ignore_errors=True)
            return "", _words(output)
    part.rename(folder)
    return line, ""


def _warnings(output: str) -> tuple[str, ...]:
    """Return the lines that say that a version was yanked."""
    lines = [line.strip() for line in output.splitlines()]
    return tuple(
        printable(redact(re.sub(r"^(?:warning|WARNING): ", "", line))) for line in lines if "yanked" in line
    )


def _words(output: str) -> str:
    """Return what an installer said went wrong, in one line."""
    found = [match["words"].strip() for match in _REASON.finditer(output)]
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    # uv gives the cause last; pip says first what is wrong, then what follows from it.
    words = next(
        (one for one in found if "from versions" in one),
        found[-1] if found else (lines or ["no reason given"])[-1],
    )
    words = _VERSIONS.sub("(it has other versions)", words).removesuffix(
        ", we can conclude that your requirements are unsatisfiable."
    )
    return printable(redact(words), 300)
