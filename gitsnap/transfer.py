"""The door to other computers: one git command against a remote, watched, and ended when it goes silent.

The user's own git and ssh configuration is in force, as credential helpers, proxies and keys are theirs; what could
divert the command to another repository, run a hook or ask a question is not.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SILENCE = 20.0
"""After so many seconds without a sign of life a transfer is ended."""
_ASKED = 180.0
_LONGEST = 3600.0
_GRACE = 2.0
_KEPT_LENGTH = 200_000
_PROTOCOLS = "file:git:http:https:ssh"
# What would name another repository, trace secrets, or change what is sent.
_LEFT_OUT = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CEILING_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CURL_VERBOSE",
    "GIT_DEFAULT_HASH",
    "GIT_DIR",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_PUSH_OPTION_COUNT",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_TEMPLATE_DIR",
    "GIT_WORK_TREE",
)
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "fetch.fsckObjects": "false",
    "fetch.prune": "false",
    "fetch.pruneTags": "false",
    "fetch.recurseSubmodules": "false",
    "fetch.writeCommitGraph": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
    "push.useForceIfIncludes": "false",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "false",
}
_SSH_OPTIONS = (
    "BatchMode=yes",
    "ConnectTimeout=15",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "ControlMaster=no",
)


def unheard(*words: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Surroundings:
    """What a transfer may use of the user's: their variables, and the terminal for questions."""

    variables: Mapping[str, str]
    may_ask: bool = False
    """Whether git and ssh may ask for a password or a key's passphrase; never in the background."""
    tell: Callable[[str], None] = unheard
    """Called with what git says of its progress."""
    silence: float = SILENCE


@dataclass(frozen=True)
class Outcome:
    """How a git command ended."""

    status: int
    answer: str
    words: str
    was_silent: bool = False
    """Whether it was ended because nothing came for too long."""


def git(folder: Path, arguments: Sequence[str], around: Surroundings) -> Outcome:
    """Run git in the repository at *folder*, which may wait for another computer."""
    settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
    if not around.may_ask:
        settings += ["-c", "credential.interactive=false"]
    command = ["git", "-C", str(folder), *settings, *arguments]
    return _watched(command, _variables(folder, around), around)


def _variables(folder: Path, around: Surroundings) -> dict[str, str]:
    """Return the variables of a transfer: the user's, but for what could divert it."""
    inner = folder / ".git"
    found = {
        name: value
        for name, value in around.variables.items()
        if name not in _LEFT_OUT and not name.startswith("GIT_TRACE")
    }
    found |= {
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_DIR": str(inner if inner.is_dir() else folder),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
        "LANGUAGE": "",
    }
    return found if around.may_ask else found | _silenced(folder, found)


def _silenced(folder: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which neither git, ssh nor a helper of theirs asks anything."""
    return {
        "GCM_GUI_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        # Empty is not unset: it keeps git from SSH_ASKPASS and core.askPass too.
        "GIT_ASKPASS": "",
        "GIT_SSH_COMMAND": _ssh(folder, variables),
        "GIT_TERMINAL_PROMPT": "0",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
    }


def _ssh(folder: Path, variables: Mapping[str, str]) -> str:
    """Return the user's ssh command with the options by which it asks nothing and does not wait for ever."""
    command = variables.get("GIT_SSH_COMMAND") or _configured_ssh(folder, variables)
    if not command:
        program = variables.get("GIT_SSH") or "ssh"
        command = "'" + program.replace("'", "'\\''") + "'"
    if "plink" in command.lower():
        return f"{command} -batch"
    return " ".join([command, *(f"-o {option}" for option in _SSH_OPTIONS)])


def _configured_ssh(folder: Path, variables: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "config", "core.sshCommand"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=dict(variables),
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.decode("utf-8", "surrogateescape").strip()


@dataclass
class _Reader:
    """Reads one pipe of a command; every byte is a sign of life."""

    stream: IO[bytes]
    heard: Callable[[bytes], None]
    parts: list[bytes] = field(default_factory=list)

    def run(self) -> None:
        """Read until the pipe ends, and close it; what is too much to be kept still counts as a sign of life."""
        kept = 0
        with self.stream, contextlib.suppress(OSError, ValueError):
            while part := os.read(self.stream.fileno(), 65536):
                self.heard(part)
                if kept < _KEPT_LENGTH:
                    self.parts.append(part)
                    kept += len(part)

    @property
    def text(self) -> str:
        """All that was read."""
        return b"".join(self.parts).decode("utf-8", "replace")


class _Watch:
    """When a command last gave a sign of life."""

    def __init__(self, around: Surroundings) -> None:
        """Begin to wait; before its first words a command may be asking the user something."""
        self._tell = around.tell
        self.begun = self.last = time.monotonic()
        self._patience = max(_ASKED, around.silence) if around.may_ask else around.silence
        self._silence = around.silence

    def heard(self, part: bytes) -> None:
        """Note a sign of life, and pass on what it says."""
        self.last = time.monotonic()
        self._patience = self._silence
        lines = part.decode("utf-8", "replace").replace("\r", "\n").split("\n")
        line = next((line.strip() for line in reversed(lines) if line.strip()), "")
        if line:
            self._tell(line)

    @property
    def is_over(self) -> bool:
        """Whether it has been silent, or at work, for too long."""
        now = time.monotonic()
        return now - self.last > self._patience or now - self.begun > _LONGEST


def _watched(command: Sequence[str], variables: Mapping[str, str], around: Surroundings) -> Outcome:
    """Run *command*; end it with all it started once it is silent for too long, or when we are interrupted."""
    watch = _Watch(around)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(variables),
            **_apart(may_ask=around.may_ask),
        )
    except OSError as error:
        return Outcome(127, "", f"git does not start: {error.strerror}")
    readers = [_Reader(stream, watch.heard) for stream in (child.stdout, child.stderr) if stream is not None]
    threads = [threading.Thread(target=reader.run, daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    try:
        silent = _wait(child, watch)
    except BaseException:
        _end(child, apart=not around.may_ask)
        raise
    if silent:
        _end(child, apart=not around.may_ask)
    # A helper that lives on, such as ssh's shared connection, may hold the pipe: it is not waited for.
    for thread in threads:
        thread.join(1.0)
    status = child.poll()
    answer, words = (reader.text for reader in readers)
    return Outcome(-1 if status is None else status, answer, words, silent)


def _apart(*, may_ask: bool) -> dict[str, Any]:
    """Return how a command is started apart from the terminal; one that may ask stays with it."""
    if sys.platform == "win32":
        return {"creationflags": 0 if may_ask else 0x08000200}  # CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP
    return {"start_new_session": not may_ask}


def _wait(child: subprocess.Popen[bytes], watch: _Watch) -> bool:
    """Wait for *child*; tell whether it went silent first."""
    while not watch.is_over:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.2)
            return False
    return True


def _end(child: subprocess.Popen[bytes], *, apart: bool) -> None:
    """End *child* and everything that it started: git leaves its helpers behind when it is killed alone."""
    if sys.platform == "win32":
        with contextlib.suppress(OSError):
            subprocess.run(["taskkill", "/T", "/F", "/PID", str(child.pid)], capture_output=True, check=False)
        _reap(child)
        return
    tree = [child.pid] if apart else _tree(child.pid)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in tree:
            with contextlib.suppress(OSError):
                (os.killpg if apart else os.kill)(process, number)
        _reap(child)
    if child.returncode is None:
        # It hangs in a dead file system. Nothing more can be done; Python would warn that it still runs.
        child.returncode = -signal.SIGKILL


def _reap(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE)


def _tree(process: int) -> list[int]:
    """Return *process* and all that descend from it."""
    answer = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False
    ).stdout
    parents = [tuple(map(int, line.split())) for line in answer.splitlines() if line.strip()]
    found = [process]
    for one in found:
        found += [child for child, parent in parents if parent == one]
    return found
