"""conda's explicit list: exact, free of secrets, and never broken by what a record holds."""

from __future__ import annotations

import functools
import http.server
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import changes, conda, environment, scan
from gitsnap.errors import GitsnapError
from gitsnap.model import Distribution, Freeze
from tests._conda_channel import SITE, Channel, create, recreate

MD5 = "0123456789abcdef0123456789abcdef"
SHA256 = MD5 * 2
FORGE = "https://conda.anaconda.org/conda-forge"
HEAD = """\
# This file may be used to create an environment using:
# $ conda create --name <env> --file <this file>
"""
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the channel's Python is made for Linux")


def _meta(prefix: Path, **records: Any) -> Path:
    """Write records, by name: a dict as JSON, else bytes; return the prefix."""
    folder = prefix / "conda-meta"
    folder.mkdir(parents=True, exist_ok=True)
    for name, record in records.items():
        data = record if isinstance(record, bytes) else json.dumps(record).encode()
        (folder / f"{name}-1.0-h1_0.json").write_bytes(data)
    return prefix


def _lines(prefix: Path) -> list[str]:
    """Return the lines of the list below its mark."""
    text = conda.explicit(str(prefix))
    assert text is not None
    assert text.endswith("\n")
    return text.partition("\n@EXPLICIT\n")[2].split("\n")[:-1]


def _line(prefix: Path, url: object, **fields: object) -> str:
    """Return the line of a package `demo` with this URL."""
    [line] = _lines(_meta(prefix, demo={"url": url, **fields}))
    return line


def test_no_conda_environment_has_no_list(tmp_path: Path) -> None:
    """A venv has no `conda-meta`; conda's own shim only touches `conda-meta/history`."""
    assert conda.explicit(str(tmp_path)) is None
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "conda-meta" / "history").touch()
    assert conda.explicit(str(tmp_path)) is None


def test_the_list_is_that_of_conda(tmp_path: Path) -> None:
    """Platform, mark, one URL with its hash a line; sorted, with what needs a Python behind it."""
    _meta(
        tmp_path,
        zlib={"url": f"{FORGE}/linux-64/zlib-1.0-h1_0.conda", "md5": MD5, "subdir": "linux-64"},
        python={"url": f"{FORGE}/linux-64/python-1.0-h1_0.tar.bz2", "md5": MD5, "subdir": "linux-64"},
        attrs={"url": f"{FORGE}/noarch/attrs-1.0-h1_0.conda", "md5": MD5, "subdir": "noarch"},
    )
    assert conda.explicit(str(tmp_path)) == (
        f"{HEAD}# platform: linux-64\n"
        "@EXPLICIT\n"
        f"{FORGE}/linux-64/python-1.0-h1_0.tar.bz2#{MD5}\n"
        f"{FORGE}/linux-64/zlib-1.0-h1_0.conda#{MD5}\n"
        f"{FORGE}/noarch/attrs-1.0-h1_0.conda#{MD5}\n"
    )


@pytest.mark.parametrize("subdir", [None, "noarch", "linux-64\nevil", "nowhere-64", ["linux-64"]])
def test_a_platform_that_is_none_is_not_named(tmp_path: Path, subdir: object) -> None:
    """A platform that rattler does not know would make it refuse the file."""
    _meta(tmp_path, demo={"url": f"{FORGE}/noarch/demo-1.0-h1_0.conda", "subdir": subdir})
    text = conda.explicit(str(tmp_path))
    assert text == f"{HEAD}@EXPLICIT\n{FORGE}/noarch/demo-1.0-h1_0.conda\n"


@pytest.mark.parametrize("url", [None, "", 7, [], "<unknown>/linux-64/demo-1.0-h1_0.conda"])
def test_a_package_without_url_is_named(tmp_path: Path, url: object) -> None:
    """Nothing is lost in silence."""
    assert _line(tmp_path, url) == "# not restorable (its record has no URL): demo=1.0=h1_0"


@pytest.mark.parametrize(
    "url",
    [
        "demo-1.0-h1_0.conda",
        "@EXPLICIT",
        "-e git+https://host/evil",
        "javascript://host/c/demo-1.0-h1_0.conda",
        f"{FORGE}/linux-64/demo-1.0-h1_0.conda\nhttps://evil/linux-64/evil-1.0-0.conda",
        f"https://evil/\r\n/{FORGE}/linux-64/demo-1.0-h1_0.conda",
        f"{FORGE}/linux-64/\x1b[31mdemo-1.0-h1_0.conda",
        f"{FORGE}/linux-64/\ud800demo-1.0-h1_0.conda",
        f"{FORGE}/linux-64/\u2028demo-1.0-h1_0.conda",
        f"{FORGE}/linux-64/demo.conda",
        f"{FORGE}/linux-64/demo-1.0-h1_0.conda.exe",
        f"{FORGE}/noarch/demo-1.0-py3-none-any.whl",
        "https://demo-1.0-h1_0.conda",
        r"file:///C:\pkgs\demo-1.0-h1_0.conda",
    ],
)
def test_a_url_that_conda_could_not_read_is_a_comment(tmp_path: Path, url: str) -> None:
    """One line that conda cannot read makes it refuse all; and no value of a record makes a line of its own."""
    expected = "# not restorable (its URL is not one of a conda package): demo=1.0=h1_0"
    assert _line(tmp_path, url, md5=MD5) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"url": "https://host/c/linux-64/demo-1.0-h1_0.co',
        b'{"url": "\xe9"}',
        b"[1, 2]",
        b'"text"',
        b"[" * 100_000,
        b'{"size": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "truncated", "latin-1", "list", "text", "deep", "digits"],
)
def test_a_broken_record_is_named(tmp_path: Path, data: bytes) -> None:
    """The others are still listed."""
    sound = {"url": f"{FORGE}/linux-64/sound-1.0-h1_0.conda"}
    assert _lines(_meta(tmp_path, broken=data, sound=sound)) == [
        "# not restorable (its record cannot be read): broken=1.0=h1_0",
        f"{FORGE}/linux-64/sound-1.0-h1_0.conda",
    ]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFO, and links need a right")
def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder, a FIFO, a link to nowhere; and a file name cannot make a line either."""
    folder = _meta(tmp_path) / "conda-meta"
    (folder / "a-1-0.json").mkdir()
    os.mkfifo(folder / "b-1-0.json")
    (folder / "c-1-0.json").symlink_to(tmp_path / "nowhere")
    (folder / "d\n@EXPLICIT.json").touch()
    assert _lines(tmp_path) == [
        "# not restorable (its record cannot be read): a=1=0",
        "# not restorable (its record cannot be read): b=1=0",
        "# not restorable (its record cannot be read): c=1=0",
        r"# not restorable (its record cannot be read): d\n@EXPLICIT",
    ]


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing disk must not look like an environment without packages."""

    def refuse(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied")

    _meta(tmp_path)
    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(GitsnapError, match="conda-meta` cannot be read: Permission denied"):
        conda.explicit(str(tmp_path))


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"md5": MD5, "sha256": SHA256}, f"#{MD5}"),
        ({"md5": MD5.upper()}, f"#{MD5}"),
        ({"md5": f"{MD5}\nevil"}, ""),
        ({"md5": f"{MD5}\n"}, ""),
        ({"md5": "g" * 32}, ""),
        ({"md5": 1}, ""),
        ({"md5": None, "sha256": SHA256}, f"#{SHA256}"),
        ({"md5": MD5[1:], "sha256": SHA256[1:]}, ""),
    ],
)
def test_only_a_real_hash_is_written(tmp_path: Path, fields: dict[str, object], ending: str) -> None:
    """The md5 is what every version of every tool takes; sha256 stands in for it."""
    url = f"{FORGE}/linux-64/demo-1.0-h1_0.conda"
    assert _line(tmp_path, url, **fields) == url + ending


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://user:hush@host/c/linux-64/", "https://host/c/linux-64/"),
        ("https://hush@host:8080/c/linux-64/", "https://host:8080/c/linux-64/"),
        ("https://user:hu/sh@host/c/linux-64/", "https://host/c/linux-64/"),
        ("https://user:hu#sh?@host/c/linux-64/", "https://host/c/linux-64/"),
        ("https://host/t/tk-hush-1/c/linux-64/", "https://host/c/linux-64/"),
        ("https://host/t/tk_hush.1%2F/c/linux-64/", "https://host/c/linux-64/"),
        ("https://host/conda/t/hush/c/linux-64/", "https://host/conda/c/linux-64/"),
        ("https://host//t/hush/c/linux-64/", "https://host//c/linux-64/"),
        ("https://host/t//t/hush/c/linux-64/", "https://host/c/linux-64/"),
        ("https://t/c/linux-64/", "https://t/c/linux-64/"),
        ("s3://id:hush@bucket/linux-64/", "s3://bucket/linux-64/"),
        ("https://${USER}:${PASS}@host/c/linux-64/", "https://%24{USER}:%24{PASS}@host/c/linux-64/"),
        ("https://host/$HOME/linux-64/", "https://host/%24HOME/linux-64/"),
    ],
)
@pytest.mark.parametrize("tail", ["", "?X-Amz-Signature=hush", "#hush", "?a=1&token=hush#hush"])
def test_no_credential_is_written(tmp_path: Path, url: str, clean: str, tail: str) -> None:
    """Neither user, nor token, nor a signed query; and conda gets no variable to expand."""
    name = "demo-1.0-h1_0.conda"
    assert _line(tmp_path, url + name + tail, md5=MD5) == f"{clean}{name}#{MD5}"


@pytest.mark.parametrize(
    "folder", ["file:///home/t/my/pkgs", "file:///C:/Users/Zoë/pkgs", "file://server/share/t/x", "file://"]
)
def test_a_local_file_is_kept_as_it_is(tmp_path: Path, folder: str) -> None:
    """A folder called `t` is no token; only a space, which would cut a line in two, is written otherwise."""
    url = f"{folder}/demo-1.0-h1_0.conda"
    assert _line(tmp_path / "plain", url) == url
    assert _line(tmp_path / "space", url.replace("demo", "a b/demo")) == url.replace("demo", "a%20b/demo")


def test_parse_names_each_package() -> None:
    """Name, version and what tells builds and channels apart; those that cannot be restored too."""
    text = (
        f"{HEAD}# platform: linux-64\n@EXPLICIT\n"
        f"{FORGE}/linux-64/ca-certificates-2024.1.1-hbcca054_0.conda#{MD5}\r\n"
        f"{FORGE}/noarch/pytz-2024a-pyhd_0.tar.bz2\n"
        "# not restorable (its record has no URL): my-tool=1!2.0=0\n"
        "# not restorable (its record cannot be read): odd\n"
        "nonsense\n"
    )
    assert conda.parse(text) == (
        Distribution("ca-certificates", "2024.1.1", "conda-forge/linux-64/hbcca054_0"),
        Distribution("pytz", "2024a", "conda-forge/noarch/pyhd_0"),
        Distribution("my-tool", "1!2.0", "0", restorable=False),
        Distribution("odd", None, None, restorable=False),
    )


def test_two_lists_can_be_compared() -> None:
    """The rules for freezes tell upgraded from resourced, by build or by channel."""
    names = {
        "before": ["f/linux-64/a-1.0-0", "f/linux-64/b-1.0-0", "f/linux-64/c-1.0-0", "f/noarch/d-1-0"],
        "after": ["f/linux-64/a-1.1-0", "f/linux-64/b-1.0-1", "g/linux-64/c-1.0-0", "f/noarch/e-1-0"],
    }
    texts = {when: "".join(f"https://host/{name}.conda\n" for name in names[when]) for when in names}
    before, after = (Freeze("", "", conda.parse(texts[when])) for when in ("before", "after"))
    found = [(change.name, change.kind.value) for change in changes.compare(before, after).changes]
    assert found == [
        ("a", "upgraded"),
        ("b", "resourced"),
        ("c", "resourced"),
        ("d", "removed"),
        ("e", "added"),
    ]


_PIECES = st.sampled_from(
    ["https://", "file:///", "user:hush@", "host", "/t/hush/", "/", "-", "1.0", ".conda", "\n", "#", "?", " "]
)
_URLS = st.lists(_PIECES | st.text(max_size=3), max_size=12).map("".join)
_VALUES = st.none() | st.integers() | st.text() | _URLS | st.lists(st.text(), max_size=2)
_RECORDS = st.dictionaries(st.sampled_from(["url", "md5", "sha256", "subdir"]), _VALUES)


@given(
    st.lists(_RECORDS.map(lambda record: json.dumps(record).encode()) | st.binary(), min_size=1, max_size=5)
)
def test_no_record_breaks_the_list(records: list[bytes]) -> None:
    """Whatever the files hold, there is one line for each, and it is a comment or a URL."""
    with tempfile.TemporaryDirectory() as folder:
        prefix = _meta(Path(folder), **{f"demo{number}": data for number, data in enumerate(records)})
        lines = _lines(prefix)
        assert len(lines) == len(records)
        assert len(conda.parse("\n".join(lines))) == len(records)
        for line in lines:
            assert line.isprintable()
            assert line.startswith(("# not restorable (", "https://", "file:///"))


@given(st.text())
def test_parse_takes_any_text(text: str) -> None:
    """A list that someone has edited is no reason to crash."""
    assert all(found.name for found in conda.parse(text))


@pytest.mark.parametrize("url", ["https://" + "a-" * 200_000, "https://" + "/" * 400_000, "/t/" * 200_000])
def test_a_long_url_takes_no_longer(tmp_path: Path, url: str) -> None:
    """No pattern looks at a text again and again."""
    assert _line(tmp_path, url).startswith("# not restorable")
    assert conda.parse(url) == ()


@pytest.fixture
def channel(tmp_path: Path) -> Channel:
    """Make a channel with a package that is no Python's and one that is for every platform."""
    pytest.importorskip("rattler", reason="py-rattler makes the conda environments")
    made = Channel(tmp_path / "lab")
    made.add("libdemo-1.0-h1_0", {"lib/libdemo.txt": b"hello\n"}, ending=".tar.bz2")
    info = "site-packages/labtool-1.2.dist-info"
    # conda-build leaves the folder of the machine that built the package.
    build = {"url": "file:///home/conda/feedstock_root/work", "dir_info": {}}
    files: dict[str, bytes | Path] = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: labtool\nVersion: 1.2\n",
        f"{info}/INSTALLER": b"conda\n",
        f"{info}/direct_url.json": json.dumps(build).encode(),
    }
    made.add("labtool-1.2-pyhd_0", files, noarch="python", depends=["python"])
    return made


@on_linux
def test_a_real_conda_environment_is_saved_and_made_again(tmp_path: Path, channel: Channel) -> None:
    """An environment that a conda installer made: its Python runs, and the list alone makes an equal one."""
    channel.add_python()
    prefix, again = tmp_path / "physics", tmp_path / "again"
    create(prefix, channel.root.as_uri(), ["python", "libdemo", "labtool"])

    found = environment.ask(str(prefix / "bin" / "python"))
    assert (found.name, found.prefix) == ("physics", prefix)
    if str(prefix / SITE) not in found.paths:
        pytest.skip("this Python does not look for packages where conda puts them")
    assert scan.freeze(found.paths, found.python[:2], str(prefix)) == ["labtool==1.2"]

    text = conda.explicit(str(prefix))
    assert text is not None
    assert text.startswith(f"{HEAD}# platform: linux-64\n@EXPLICIT\n")
    packages = [
        (subdir, name, facts["md5"])
        for subdir in channel.index
        for name, facts in channel.index[subdir].items()
    ]
    expected = [f"{channel.root.as_uri()}/{subdir}/{name}#{md5}" for subdir, name, md5 in sorted(packages)]
    assert _lines(prefix) == expected

    recreate(again, text)
    assert conda.explicit(str(again)) == text
    assert environment.ask(str(again / "bin" / "python")).version == found.version
    assert (again / "lib" / "libdemo.txt").read_bytes() == b"hello\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[http.server.HTTPServer]:
    """Serve the folder by HTTP, its channels also behind a token in the path."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            return super().translate_path(path.replace("/t/tk-hush", ""))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is its parent's
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening
        listening.shutdown()


@on_linux
def test_a_private_channels_secrets_stay_out(
    tmp_path: Path, channel: Channel, server: http.server.HTTPServer
) -> None:
    """An installer writes password and token into its records; the list holds neither."""
    place = f"127.0.0.1:{server.server_port}"
    prefix = tmp_path / "private"
    create(prefix, f"http://user:pw-hush@{place}/t/tk-hush/lab", ["libdemo"])
    [record] = (prefix / "conda-meta").glob("*.json")
    assert f"user:pw-hush@{place}/t/tk-hush/" in record.read_text(encoding="utf-8")

    md5 = channel.index["linux-64"]["libdemo-1.0-h1_0.tar.bz2"]["md5"]
    assert _lines(prefix) == [f"http://{place}/lab/linux-64/libdemo-1.0-h1_0.tar.bz2#{md5}"]
