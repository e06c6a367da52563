"""Real git servers on loopback: path, `file://`, git daemon, ssh, http and https with a password; and broken ones."""

from __future__ import annotations

import contextlib
import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

USER, PASSWORD = "ada", "correct-horse"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


@dataclass(frozen=True)
class Server:
    """A running server of bare repositories."""

    kind: str
    base: Path
    """Where its repositories lie."""
    prefix: str
    """What a repository's name is put behind to get its URL."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What a user of it has set: keys, known hosts, credential helper, authority."""

    def make(self, name: str = "environments.git") -> str:
        """Make a bare repository; returns its URL."""
        place = self.base / name
        place.mkdir(parents=True)
        run("git", "init", "-q", "--bare", "-b", "main", str(place))
        run("git", "-C", str(place), "config", "http.receivepack", "true")
        return self.url(name)

    def url(self, name: str = "environments.git") -> str:
        """Return the URL of a repository."""
        return f"{self.prefix}{name}"


def run(*command: str) -> str:
    """Run a command that must succeed, apart from the user's git configuration."""
    variables = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    answer = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=variables, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def program(name: str, package: str) -> str:
    """Return the absolute path of a server's program, or skip the test."""
    found = shutil.which(name, path=_PATH)
    if found is None or os.name == "nt":
        pytest.skip(f"`{name}` is not there (Debian: apt install {package})")
    return found


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def running(command: Sequence[str], port: int | Path, log: Path) -> Iterator[None]:
    """Run a server until the end, with all it starts; waits until it listens on *port* or a socket's path."""
    with log.open("ab") as stream:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
        try:
            deadline = time.monotonic() + 20
            while not _listens(port):
                if child.poll() is not None or time.monotonic() > deadline:
                    pytest.skip(f"{command[0]} does not start here: {log.read_text(errors='replace')[-300:]}")
                time.sleep(0.02)
            yield
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait(5)


def _listens(port: int | Path) -> bool:
    with socket.socket(socket.AF_INET if isinstance(port, int) else socket.AF_UNIX) as one:
        one.settimeout(1)
        with contextlib.suppress(OSError):
            one.connect(("127.0.0.1", port) if isinstance(port, int) else str(port))
            return True
    return False


@contextlib.contextmanager
def at_path(base: Path) -> Iterator[Server]:
    """Serve nothing: a folder, as on a share or a stick."""
    yield Server("path", base, f"{base}{os.sep}")


@contextlib.contextmanager
def at_file_url(base: Path) -> Iterator[Server]:
    """Serve nothing: a folder, named by a URL."""
    yield Server("file", base, f"{base.as_uri()}/")


@contextlib.contextmanager
def git_daemon(base: Path, *, writable: bool = True) -> Iterator[Server]:
    """Serve with `git daemon`; without *writable* it takes nothing, as it is by default."""
    if os.name == "nt":
        pytest.skip("`git daemon` is not used on Windows")
    port = free_port()
    allowed = ["--enable=receive-pack"] if writable else []
    command = [
        "git",
        "daemon",
        "--reuseaddr",
        "--export-all",
        *allowed,
        "--listen=127.0.0.1",
        f"--port={port}",
    ]
    with running([*command, f"--base-path={base}", str(base)], port, base / "daemon.log"):
        yield Server("git", base, f"git://127.0.0.1:{port}/")


@contextlib.contextmanager
def sshd(base: Path) -> Iterator[Server]:
    """Serve with OpenSSH, for a key that is in no agent."""
    daemon = program("sshd", "openssh-server")
    folder = base / "ssh"
    folder.mkdir(mode=0o700)
    port = free_port()
    for name in ("host", "id", "other"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    shutil.copy(folder / "id.pub", folder / "auth")
    kind, key = (folder / "host.pub").read_text(encoding="ascii").split()[:2]
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n", encoding="ascii")
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/auth\nPidFile none\n"
        "UsePAM no\nStrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        encoding="ascii",
    )
    command = [*_unshared(), daemon, "-D", "-e", "-f", str(folder / "config")]
    with running(command, port, folder / "log"):
        yield Server(
            "ssh",
            base,
            f"ssh://{getpass.getuser()}@127.0.0.1:{port}{base}/",
            {"GIT_SSH_COMMAND": ssh_command(folder)},
        )


def _unshared() -> list[str]:
    """Return what makes the folder that sshd wants as root, in a namespace of its own."""
    if os.geteuid() != 0 or Path("/run/sshd").is_dir():
        return []
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("sshd as root wants /run/sshd, and `unshare -m` is not allowed here")
    script = 'mount -t tmpfs t /run; mkdir -m755 /run/sshd; exec "$@"'
    return ["unshare", "-m", "sh", "-ec", script, "sh"]


def ssh_command(folder: Path, *, key: str = "id", known: str = "known") -> str:
    """Return the ssh command of a user who has *key* and trusts the hosts in *known*."""
    options = ("IdentitiesOnly=yes", f"UserKnownHostsFile={folder / known}", "IdentityAgent=none")
    return f"ssh -F /dev/null -i {shlex.quote(str(folder / key))} " + " ".join(f"-o {one}" for one in options)


@contextlib.contextmanager
def http(base: Path, *, tls: bool = False) -> Iterator[Server]:
    """Serve with nginx and git's own CGI program, asking for a name and password."""
    nginx, fcgiwrap = program("nginx", "nginx-light"), program("fcgiwrap", "fcgiwrap")
    folder = base / ("https" if tls else "http")
    folder.mkdir()
    port, gate = free_port(), folder / "fcgi.sock"
    hashed = run("openssl", "passwd", "-apr1", PASSWORD).strip()
    (folder / "users").write_text(f"{USER}:{hashed}\n", encoding="ascii")
    scheme, listen = ("https", f"127.0.0.1:{port} ssl") if tls else ("http", f"127.0.0.1:{port}")
    certificate = _certificate(folder) if tls else ""
    (folder / "conf").write_text(_nginx(base, folder, listen, certificate), encoding="ascii")
    kept = folder / "credentials"
    kept.write_text(f"{scheme}://{USER}:{PASSWORD}@127.0.0.1%3a{port}\n", encoding="ascii")
    variables = _configured({"credential.helper": f"store --file={kept}"})
    if tls:
        variables["GIT_SSL_CAINFO"] = str(folder / "cert.pem")
    gate_command = [fcgiwrap, "-c", "4", "-s", f"unix:{gate}"]
    with (
        running(gate_command, gate, folder / "gate.log"),
        running(
            [nginx, "-e", str(folder / "err0"), "-p", str(folder), "-c", str(folder / "conf")],
            port,
            folder / "log",
        ),
    ):
        yield Server(scheme, base, f"{scheme}://127.0.0.1:{port}/", variables)


def _configured(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which git has *settings*, as if they were in the user's configuration."""
    found = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _certificate(folder: Path) -> str:
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
        "-addext", names, "-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"),
    )  # fmt: skip
    return f"ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;"


def _nginx(base: Path, folder: Path, listen: str, certificate: str) -> str:
    backend = Path(run("git", "--exec-path").strip(), "git-http-backend")
    temporary = " ".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    given = {
        "SCRIPT_FILENAME": str(backend),
        "GIT_PROJECT_ROOT": str(base),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": "$uri",
        "QUERY_STRING": "$query_string",
        "REQUEST_METHOD": "$request_method",
        "CONTENT_TYPE": "$content_type",
        "CONTENT_LENGTH": "$content_length",
        "REMOTE_USER": "$remote_user",
        "REMOTE_ADDR": "$remote_addr",
        "HTTP_CONTENT_ENCODING": "$http_content_encoding",
        "GIT_PROTOCOL": "$http_git_protocol",
    }
    parameters = " ".join(f"fastcgi_param {name} {value};" for name, value in given.items())
    return (
        f"daemon off; master_process off; pid {folder}/pid; error_log {folder}/err; events {{ }}\n"
        f"http {{ {temporary} client_max_body_size 0; access_log {folder}/access;\n"
        f"server {{ listen {listen}; {certificate}\n"
        f"location / {{ auth_basic x; auth_basic_user_file {folder}/users; {parameters} fastcgi_pass unix:{folder}/fcgi.sock; }} }} }}\n"
    )


KINDS: dict[str, Callable[[Path], contextlib.AbstractContextManager[Server]]] = {
    "path": at_path,
    "file": at_file_url,
    "git": git_daemon,
    "ssh": sshd,
    "http": http,
    "https": lambda base: http(base, tls=True),
}


@dataclass
class Listener:
    """A server of one port that does with each connection what it is told."""

    port: int
    connections: int = 0


@contextlib.contextmanager
def listening(handle: Callable[[socket.socket], None]) -> Iterator[Listener]:
    """Accept connections on loopback and hand each to *handle* in a thread of its own."""
    gate = socket.create_server(("127.0.0.1", 0))
    found = Listener(int(gate.getsockname()[1]))
    ended = threading.Event()
    gate.settimeout(0.1)

    def accept() -> None:
        while not ended.is_set():
            with contextlib.suppress(TimeoutError):
                one, _ = gate.accept()
                found.connections += 1
                threading.Thread(target=_handled, args=(one, handle), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        gate.close()


def _handled(one: socket.socket, handle: Callable[[socket.socket], None]) -> None:
    with one, contextlib.suppress(OSError):
        handle(one)


def silent(one: socket.socket) -> None:
    """Read and never answer, until the other side is gone."""
    one.settimeout(90)
    while one.recv(65536):
        pass


def dying(port: int, after: int) -> Callable[[socket.socket], None]:
    """Return what passes a connection on to *port* and cuts it once *after* bytes came from the client."""

    def handle(one: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as other:
            threading.Thread(target=_copied, args=(other, one), daemon=True).start()
            left = after
            while left > 0 and (part := one.recv(min(left, 4096))):
                left -= len(part)
                other.sendall(part)
            for end in (one, other):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    return handle


def _copied(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


def processes(mark: str) -> list[str]:
    """Return the command lines of all processes in which *mark* stands."""
    if sys.platform == "win32":
        return []
    answer = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=False
    ).stdout
    return [line for line in answer.splitlines() if mark in line and "ps -A" not in line]
