"""Every kind of server: two machines push, a third restores with nothing but the URL; and each failure's words."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import gitsnap
from gitsnap.actions import fetch, push, remote
from gitsnap.actions.compare import compare
from tests import servers
from tests.conftest import Cli, Venv
from tests.servers import Server


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Start each kind of server once, when it is asked for first."""
    running: dict[str, Server] = {}
    with contextlib.ExitStack() as stack:

        def start(kind: str) -> Server:
            if kind not in running:
                base = tmp_path_factory.mktemp(kind)
                running[kind] = stack.enter_context(servers.KINDS[kind](base))
            return running[kind]

        yield start


@pytest.fixture
def use(started: Callable[[str], Server], monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Server]:
    """Start a kind of server and be a user of it."""

    def user_of(kind: str) -> Server:
        server = started(kind)
        for name, value in server.variables.items():
            monkeypatch.setenv(name, value)
        return server

    return user_of


@pytest.fixture
def saved(lab: Venv, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """Save an environment once; nothing is pushed by itself."""
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "manual")
    gitsnap.save(python=str(lab.python))
    return lab


def become(machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to another computer: another home and another name."""
    monkeypatch.setenv("GITSNAP_HOME", str(tmp_path / machine))
    monkeypatch.setenv("GITSNAP_REMOTE_MACHINE", machine)


def unique(request: pytest.FixtureRequest) -> str:
    """Return a name for a repository that no other test has."""
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name) + ".git"


@pytest.mark.parametrize("kind", servers.KINDS)
def test_two_machines_push_and_a_third_reads_with_nothing_but_the_url(
    kind: str,
    use: Callable[[str], Server],
    make_venv: Callable[..., Venv],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Each has its branch; nothing else is needed to show, compare and restore."""
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "manual")
    url = use(kind).make(unique(request))
    for machine, version in (("pc-one", "1.0"), ("pc-two", "2.0")):
        become(machine, tmp_path, monkeypatch)
        lab = make_venv(machine, numpy=version)
        (lab.prefix / "pyvenv.cfg").write_text("home = x\nprompt = lab\n", encoding="utf-8")
        gitsnap.save(python=str(lab.python))
        gitsnap.tag("good-one", env="lab")
        remote.set_url(url)

        report = push.push()

        assert [(one.pushed.verdict.code, one.pushed.sent) for one in report.results] == [("ok", 1)], report
        assert push.push().results[0].pushed.sent == 0
    become("pc-three", tmp_path, monkeypatch)
    remote.set_url(url)

    compared = compare("pc-one/lab:", "pc-two/lab:good-one")

    assert [(str(one.before), str(one.after)) for one in compared.diff.changes] == [("1.0", "2.0")]
    assert {one.branch for one in fetch.fetch().found} == {"pc-one/lab", "pc-two/lab"}
    tested = remote.probe()
    assert (tested.reading.code, tested.writing.code, tested.branches) == ("ok", "ok", 2)


def no_key(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a key that the server does not know."""
    monkeypatch.setenv("GIT_SSH_COMMAND", servers.ssh_command(server.base / "ssh", key="other"))


def unknown_host(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never have been there."""
    monkeypatch.setenv("GIT_SSH_COMMAND", servers.ssh_command(server.base / "ssh", known="none"))


def no_login(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no password for it, and an askpass program that would ask."""
    monkeypatch.setenv("GIT_CONFIG_COUNT", "0")
    monkeypatch.setenv("GIT_ASKPASS", "/nowhere/askpass")
    monkeypatch.setenv("SSH_ASKPASS", "/nowhere/askpass")


def wrong_login(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a password that is no longer right."""
    kept = server.base / server.kind / "wrong"
    text = (server.base / server.kind / "credentials").read_text(encoding="ascii")
    kept.write_text(text.replace(servers.PASSWORD, "battery-staple"), encoding="ascii")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", f"store --file={kept}")


def no_authority(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not trust who signed its certificate."""
    monkeypatch.delenv("GIT_SSL_CAINFO")


@pytest.mark.parametrize(
    ("kind", "spoil", "code", "remedy"),
    [
        ("ssh", no_key, "key-refused", "add your public key"),
        ("ssh", unknown_host, "host-key", "connect once by hand"),
        ("http", no_login, "login", "credential"),
        ("https", no_login, "login", "credential"),
        ("http", wrong_login, "login", "credential"),
        ("https", no_authority, "tls", "http.sslCAInfo"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_who_may_not_is_told_why_and_what_to_do(
    kind: str,
    spoil: Callable[[Server, pytest.MonkeyPatch], None],
    code: str,
    remedy: str,
    use: Callable[[str], Server],
    saved: Venv,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Nothing is asked, nothing hangs, and no password is in any word."""
    server = use(kind)
    url = server.make(unique(request))
    remote.set_url(url)
    spoil(server, monkeypatch)

    found = push.push().results[0].pushed.verdict

    assert found.code == code, found
    assert remedy in found.hint
    assert servers.PASSWORD not in f"{found}"
    assert remote.probe().reading.code == code


@pytest.mark.parametrize("kind", ["git", "ssh", "http", "file", "path"])
def test_a_repository_that_is_not_there(
    kind: str, use: Callable[[str], Server], saved: Venv, request: pytest.FixtureRequest
) -> None:
    """It is not made on a server; a path that vanished is a disk that is not there, and nothing is made in its place."""
    server = use(kind)
    url = server.url(unique(request))
    remote.set_url(url)
    if kind == "path":
        shutil.rmtree(url)

    found = push.push().results[0].pushed.verdict

    assert found.code == "not-found", found
    assert "remote set" in found.hint
    assert not (server.base / unique(request)).exists()
    assert fetch.fetch().verdict.code == "not-found"


def test_nobody_listens_or_the_name_is_unknown(saved: Venv) -> None:
    """A failure of the network is never a mistake of the user's."""
    for url in (
        f"git://127.0.0.1:{servers.free_port()}/x.git",
        f"http://127.0.0.1:{servers.free_port()}/x.git",
        f"ssh://127.0.0.1:{servers.free_port()}/x.git",
        "http://no-such-host.invalid/x.git",
    ):
        remote.set_url(url)
        found = push.push().results[0].pushed.verdict
        assert found.code == "unreachable", (url, found)
        assert found.message.startswith("could not reach `")


@pytest.mark.parametrize("kind", ["path", "git", "http"])
def test_a_server_that_takes_nothing(
    kind: str, use: Callable[[str], Server], saved: Venv, request: pytest.FixtureRequest
) -> None:
    """A rule of the server's is quoted."""
    server = use(kind)
    url = server.make(unique(request))
    hook = server.base / unique(request) / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'only on Mondays' >&2\nexit 1\n", encoding="ascii")
    hook.chmod(0o755)
    remote.set_url(url)

    found = push.push().results[0].pushed.verdict

    assert found.code == "refused"
    assert "only on Mondays" in found.message


def test_a_git_daemon_that_only_serves(saved: Venv, tmp_path: Path) -> None:
    """It says the same as of a repository that is not there; asking it tells."""
    base = tmp_path / "served"
    base.mkdir()
    with servers.git_daemon(base, writable=False) as server:
        remote.set_url(server.make())

        assert push.push().results[0].pushed.verdict.code == "read-only"
        tested = remote.probe()
        assert (tested.reading.code, tested.writing.code) == ("ok", "read-only")


def _mounted(place: Path, *options: str) -> Callable[[], None]:
    """Mount a small disk at *place*, or skip the test; returns what takes it away again."""
    place.mkdir()
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root mounts disks")
    if subprocess.run(
        ["mount", "-t", "tmpfs", *options, "t", str(place)], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting is not allowed here")

    def unmount() -> None:
        subprocess.run(["umount", "-l", str(place)], check=True)

    return unmount


@pytest.mark.parametrize(("state", "code"), [("full", "disk-full"), ("read-only", "read-only")])
def test_a_disk_that_is_full_or_read_only(
    state: str, code: str, saved: Venv, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The stick is as it was, and what was there before is intact."""
    disk = tmp_path / "stick"
    request.addfinalizer(_mounted(disk, "-o", "size=1m"))
    remote.set_url(str(disk / "environments.git"))
    assert push.push().failed == 0
    saved.install(numpy="2.0")
    gitsnap.save(env="lab")
    if state == "full":
        with contextlib.suppress(OSError), (disk / "film").open("wb") as stream:
            stream.write(b"x" * 2_000_000)
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)

    found = push.push().results[0].pushed.verdict

    assert found.code == code, found
    servers.run("git", "-C", str(disk / "environments.git"), "fsck", "--strict")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_path_that_may_not_be_written(saved: Venv, tmp_path: Path) -> None:
    """Another's share."""
    place = tmp_path / "share.git"
    remote.set_url(str(place))
    for folder in [place, *place.rglob("*")]:
        if folder.is_dir():
            folder.chmod(0o555)

    assert push.push().results[0].pushed.verdict.code == "read-only"
    assert remote.probe().writing.code == "read-only"


def test_a_server_that_dies_midway_leaves_both_sides_whole(
    use: Callable[[str], Server], saved: Venv, request: pytest.FixtureRequest
) -> None:
    """What came is not half a snapshot; the next push sends the rest."""
    server = use("git")
    url = server.make(unique(request))
    port = int(url.split(":")[2].split("/")[0])
    for after in (20, 300, 700):
        with servers.listening(servers.dying(port, after)) as cut:
            remote.set_url(url.replace(f":{port}/", f":{cut.port}/"))
            found = push.push().results[0].pushed.verdict
            assert found.code in {"unreachable", "ok"}, found
            assert cut.connections
    remote.set_url(url)
    assert push.push().failed == 0
    servers.run("git", "-C", str(server.base / unique(request)), "fsck", "--strict")


def test_a_push_in_the_background_to_a_silent_server_is_gone_within_a_minute(
    saved: Venv, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the launch nor anything after it waits; status tells; no process is left."""
    monkeypatch.setenv("GITSNAP_REMOTE_PUSH", "auto")
    with servers.listening(servers.silent) as server:
        url = f"http://127.0.0.1:{server.port}/environments.git"
        monkeypatch.setenv("GITSNAP_REMOTE_URL", url)
        saved.install(numpy="9.0")
        begun = time.monotonic()
        ran = cli.hook("--python", saved.python)
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert time.monotonic() - begun < 10
        deadline = begun + 60
        while (
            time.monotonic() < deadline
            and not (gitsnap.status(env="lab").waiting or pytest.fail("no remote")).message
        ):
            time.sleep(0.5)
        told = gitsnap.status(env="lab").waiting
        while servers.processes(str(server.port)) and time.monotonic() < deadline:
            time.sleep(0.2)

        assert told is not None
        assert (told.unsent, told.code) == (2, "unreachable")
        assert "gave no answer for 20 seconds" in told.message
        assert servers.processes(str(server.port)) == []
        assert server.connections


def test_a_port_that_speaks_no_git(saved: Venv) -> None:
    """Something else is there."""

    def greet(one: socket.socket) -> None:
        one.sendall(b"220 mail.example.org ESMTP\r\n")
        one.recv(1000)

    with servers.listening(greet) as server:
        remote.set_url(f"git://127.0.0.1:{server.port}/x.git")
        found = push.push().results[0].pushed.verdict
        assert found.code in {"unreachable", "failed"}
        assert found.hint
