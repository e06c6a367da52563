"""Transfers: watched, ended with all they started, and asking nobody anything."""

from __future__ import annotations

import os
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import plumbing, transfer
from gitsnap.errors import RepositoryError
from gitsnap.transfer import Surroundings
from tests import servers

POSIX = pytest.mark.skipif(os.name == "nt", reason="scripts and process groups of POSIX")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Make an empty bare repository."""
    place = tmp_path / "bare.git"
    plumbing.make_bare(place)
    return place


def around(
    *, silence: float = 1.0, may_ask: bool = False, tell: Callable[[str], None] = transfer.unheard
) -> Surroundings:
    """Return the surroundings of a test."""
    return Surroundings(dict(os.environ), may_ask, tell, silence)


def assert_gone(port: int) -> None:
    """Check that nothing is left that talks to *port*; what was killed takes a moment to leave the list."""
    deadline = time.monotonic() + 5
    while (left := servers.processes(str(port))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left == []


@POSIX
@pytest.mark.parametrize("scheme", ["git", "http", "ssh"])
@pytest.mark.parametrize("may_ask", [False, True])
def test_a_silent_server_is_left_with_every_helper(
    scheme: str, may_ask: bool, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git's helpers would live on when it is killed alone."""
    monkeypatch.setattr(transfer, "_ASKED", 1.0)
    with servers.listening(servers.silent) as server:
        url = f"{scheme}://127.0.0.1:{server.port}/x.git"
        begun = time.monotonic()
        found = transfer.git(bare, ["ls-remote", "--", url], around(may_ask=may_ask))

        assert found.was_silent
        assert time.monotonic() - begun < 8
        assert_gone(server.port)


def program(folder: Path, name: str, body: str) -> Path:
    """Make an executable script."""
    place = folder / name
    place.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    place.chmod(place.stat().st_mode | stat.S_IEXEC)
    return place


@POSIX
def test_words_keep_a_transfer_alive_and_are_told(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow is not silent."""
    script = program(
        tmp_path, "ssh", "for i in 1 2 3 4 5; do printf 'step %s\\r' $i >&2; sleep 0.4; done; exit 1"
    )
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    told: list[str] = []

    found = transfer.git(bare, ["ls-remote", "--", "host:x"], around(tell=told.append))

    assert not found.was_silent
    assert [line for line in told if line.startswith("step")] == [f"step {number}" for number in range(1, 6)]


@POSIX
def test_a_helper_that_lives_on_holds_nothing_up(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ssh's shared connection does, with our pipe in its hands."""
    script = program(tmp_path, "ssh", "sleep 15 < /dev/null > /dev/null & exit 1")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    begun = time.monotonic()

    found = transfer.git(bare, ["ls-remote", "--", "host:x"], around(silence=10))

    assert not found.was_silent
    assert time.monotonic() - begun < 8


@POSIX
def test_an_interrupt_ends_what_was_started(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a push leaves no process."""

    def interrupted(*_: object) -> bool:
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "_wait", interrupted)
    with servers.listening(servers.silent) as server:
        with pytest.raises(KeyboardInterrupt):
            transfer.git(bare, ["ls-remote", "--", f"http://127.0.0.1:{server.port}/x"], around())
        assert_gone(server.port)


@POSIX
def test_nothing_is_asked_where_nobody_answers(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Askpass programs of git, ssh and the desktop are switched off; the user's own ssh command is kept."""
    asked = tmp_path / "asked"
    askpass = program(tmp_path, "askpass", f"touch {asked}; echo x")
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(askpass))
    monkeypatch.setenv("DISPLAY", ":0")
    ssh = program(tmp_path, "ssh", f'echo "$@" >> {tmp_path}/ssh-arguments; exit 1')
    plumbing.run(bare, "config", "core.askPass", str(askpass))
    plumbing.run(bare, "config", "core.sshCommand", str(ssh))

    def unauthorized(one: socket.socket) -> None:
        one.recv(65536)
        one.sendall(
            b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
        )

    with servers.listening(unauthorized) as server:
        found = transfer.git(
            bare, ["ls-remote", "--", f"http://127.0.0.1:{server.port}/x"], around(silence=10)
        )
    transfer.git(bare, ["ls-remote", "--", "host:x"], around(silence=10))

    assert "terminal prompts disabled" in found.words
    assert not asked.exists()
    assert "BatchMode=yes" in (tmp_path / "ssh-arguments").read_text(encoding="utf-8")


def test_plink_gets_its_own_option(bare: Path) -> None:
    """PuTTY knows no `-o`."""
    assert transfer._ssh(bare, {"GIT_SSH": r"C:\PuTTY\plink.exe"}).endswith(" -batch")
    assert transfer._ssh(bare, {**os.environ, "GIT_SSH": "/o'p/ssh"}).startswith(
        "'/o'\\''p/ssh' -o BatchMode=yes"
    )


@pytest.mark.parametrize("url", ["ext::sh -c true", "fd::3", "ftp://127.0.0.1/x", "--upload-pack=touch x"])
def test_other_protocols_and_options_are_git_s_to_refuse_too(url: str, bare: Path) -> None:
    """Whatever the user's configuration allows, and should an address ever slip through."""
    plumbing.run(bare, "config", "protocol.allow", "always")

    found = transfer.git(bare, ["ls-remote", "--", url], around(silence=10))

    assert found.status != 0
    assert any(word in found.words for word in ("not allowed", "blocked", "does not appear", "not a git"))


def test_git_that_does_not_start_is_told(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback."""
    monkeypatch.setattr("subprocess.Popen", _refuse)

    assert "git does not start" in transfer.git(bare, ["version"], around()).words


def _refuse(*_: object, **__: object) -> None:
    raise FileNotFoundError(2, "No such file or directory")


def test_plumbing_names_the_repository_that_it_cannot_use(tmp_path: Path) -> None:
    """And the reason."""
    with pytest.raises(RepositoryError, match="not a git repository"):
        plumbing.read(tmp_path, "for-each-ref")


def test_the_tree_of_a_process_has_its_children() -> None:
    """With a terminal there is no group to be killed."""
    if sys.platform == "win32":
        pytest.skip("`ps` is POSIX's")
    assert os.getpid() in transfer._tree(os.getppid())
    assert threading.active_count()
