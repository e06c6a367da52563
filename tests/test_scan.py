"""Tests of the scan: what it reads, what it prints instead of pip's line, what it loads and what it costs."""

import email
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from gitsnap import glance, scan, sources
from gitsnap.line import is_name, redact, unquote

PARSER = Path(__file__).with_name("_scan_parser.py")
NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
FORMS = re.compile(rf"#.*|{NAME}===?\S+|{NAME} @ \S+|-e \S.*")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GITHUB = "https://github.com/o/foo.git"

posix = pytest.mark.skipif(
    os.name == "nt", reason="needs what Windows has not: FIFOs, modes, any byte in a name"
)
# A test builds files for each example, which on a busy machine takes longer than hypothesis' default.
relaxed = settings(deadline=None, max_examples=100)


def frozen(*paths: Path, python: tuple[int, int] = (3, 12), prefix: Path | str = "/nowhere") -> list[str]:
    """Freeze these paths."""
    return scan.freeze([str(path) for path in paths], python, str(prefix))


def dist(
    site: Path, stem: str = "foo-1.0", metadata: str | bytes | None = None, **files: str | bytes
) -> Path:
    """Write the metadata folder of a distribution."""
    info = site / f"{stem}.dist-info"
    info.mkdir(parents=True)
    name, _, version = stem.partition("-")
    files["METADATA"] = metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    for file, data in files.items():
        (info / file.replace("__", ".")).write_bytes(data if isinstance(data, bytes) else data.encode())
    return info


def direct(site: Path, url: str, stem: str = "foo-1.0", **info: object) -> Path:
    """Write a distribution with a direct_url.json, of an archive if nothing else is told."""
    text = json.dumps({"url": url, **(info or {"archive_info": {}})})
    return dist(site, stem, direct_url__json=text)


def editable(site: Path, location: Path, stem: str = "foo-1.0") -> Path:
    """Write an editable distribution."""
    return direct(site, location.as_uri(), stem, dir_info={"editable": True})


def project(folder: Path) -> Path:
    """Make the folder of a Python project."""
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return folder


def write_git(git: Path, *, head: str = COMMIT, remote: str | None = GITHUB, config: str = "") -> Path:
    """Write the files of a git repository that is at a commit."""
    for name in ("objects", "refs"):
        (git / name).mkdir(parents=True)
    (git / "HEAD").write_text(f"{head}\n")
    (git / "config").write_text((f'[remote "origin"]\n\turl = {remote}\n' if remote else "") + config)
    return git


def accepted(texts: list[str]) -> list[object]:
    """Return what pip's own parser makes of requirement files."""
    command = [sys.executable, str(PARSER)]
    done = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=False)
    if done.returncode and "No module named 'pip'" in done.stderr:
        pytest.skip("pip is not installed beside pytest")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


# --- Lines that pip's would not do for: each row of the table, read back by pip's own parser ---


def conda_by_installer(folder: Path) -> list[str]:
    """Tell conda's build folder by INSTALLER."""
    info = direct(folder / "site", "file:///croot/numpy_1/work", "numpy-1.26.4", dir_info={})
    (info / "INSTALLER").write_text("conda\n")
    return ["numpy==1.26.4"]


def conda_by_record(folder: Path) -> list[str]:
    """Tell conda's build folder by conda's own record of the package."""
    direct(folder / "site", "file:///D:/bld/my_pkg/work", "my_pkg-2.0", dir_info={})
    (folder / "conda-meta").mkdir()
    (folder / "conda-meta" / "my.pkg-2.0-py312_0.json").write_text("{}")
    return ["my_pkg==2.0"]


def editable_with_space(folder: Path) -> list[str]:
    """Use a path that pip would cut at the space."""
    location = project(folder / "my proj's [x] ${HOME}#1")
    editable(folder / "site", location)
    quoted = urllib.parse.quote(str(location)) if os.name != "nt" else location.as_uri()[7:]
    return ["# Editable install with no version control (foo==1.0)", f"-e file://{quoted}"]


def editable_gone(folder: Path) -> list[str]:
    """Use an editable whose folder is gone."""
    editable(folder / "site", folder / "gone")
    path = os.path.normcase(folder / "gone")
    return [
        "# Editable install with no version control (foo==1.0)",
        f"# not restorable (its folder or file is gone): -e {path}"[:200],
    ]


def file_gone(folder: Path) -> list[str]:
    """Use a file that is gone: a private name may be another's on PyPI."""
    direct(folder / "site", "file:///gone/foo.whl")
    return ["# not restorable (its folder or file is gone): foo @ file:///gone/foo.whl"]


def worktree(folder: Path) -> list[str]:
    """Use a linked work tree: pip's subdirectory would climb out of it."""
    main = write_git(project(folder / "repo") / ".git", head="ref: refs/heads/main")
    linked = main / "worktrees" / "tree"
    linked.mkdir(parents=True)
    (linked / "HEAD").write_text("ref: refs/heads/side\n")
    (linked / "commondir").write_text("../..\n")
    (main / "refs" / "heads").mkdir()
    (main / "refs" / "heads" / "side").write_text(f"{COMMIT}\n")
    tree = project(folder / "tree" / "py")
    (folder / "tree" / ".git").write_text(f"gitdir: {linked}\n")
    editable(folder / "site", tree)
    return [f"-e git+{GITHUB}@{COMMIT}#egg=foo&subdirectory=py"]


def submodule(folder: Path) -> list[str]:
    """Use a submodule, whose `.git` names its folder by a relative path."""
    write_git(folder / "outer" / ".git" / "modules" / "sub")
    sub = project(folder / "outer" / "sub")
    (sub / ".git").write_text("gitdir: ../.git/modules/sub\n")
    editable(folder / "site", sub)
    return [f"-e git+{GITHUB}@{COMMIT}#egg=foo"]


def subdirectory_with_space(folder: Path) -> list[str]:
    """Use a project folder with a space below a repository's root."""
    write_git(folder / "repo" / ".git")
    editable(folder / "site", project(folder / "repo" / "my py"))
    return [rf"-e git+{GITHUB}@{COMMIT}#egg=foo&subdirectory=my\ py"]


def reftable(folder: Path) -> list[str]:
    """Use a repository whose refs are in a format that is not read."""
    location = project(folder / "repo")
    write_git(
        location / ".git", head="ref: refs/heads/.invalid", config="[extensions]\nrefStorage = reftable\n"
    )
    editable(folder / "site", location)
    reason = "whose commit cannot be read, its refs are in a reftable"
    return [f"# Editable Git install {reason} (foo==1.0)", f"-e {path_or_url(location)}"]


def path_or_url(location: Path) -> str:
    """Return how a plain path is given: pip cannot read the backslashes of Windows back."""
    return location.as_uri() if os.name == "nt" else str(location)


def no_version(folder: Path) -> list[str]:
    """Give no version, where pip prints None."""
    info = folder / "site" / "foo.egg-info"
    info.mkdir(parents=True)
    (info / "PKG-INFO").write_text("Name: foo\n")
    return ["# not restorable (it has no version): foo===None"]


def unknown_version(folder: Path) -> list[str]:
    """Use a version that no index has: kept, with a warning."""
    dist(folder / "site", "foo-unknown")
    return ["# not a version of PEP 440, an index may refuse it:", "foo===unknown"]


def broken_version(folder: Path) -> list[str]:
    """Use versions that would be read as a marker, a comment or two."""
    dist(folder / "site", "a-x", "Metadata-Version: 2.1\nName: a\nVersion: 1 ; python_version<'3'\n")
    dist(folder / "site", "b-x", "Metadata-Version: 2.1\nName: b\nVersion: 1#2\n")
    dist(folder / "site", "c-x", "Metadata-Version: 2.1\nName: c\nVersion: 1\n  2\n")
    return [
        "# not restorable (its version cannot be written): a===1 ; python_version<'3'",
        "# not restorable (its version cannot be written): b===1#2",
        "# not restorable (its version cannot be written): c===1\\n  2",
    ]


def local_version(folder: Path) -> list[str]:
    """Use local versions, which PyPI has not; that of PyTorch names its index."""
    dist(folder / "site", "foo-1.0+local.1")
    dist(folder / "site", "torch-2.1.0+cu118")
    return [
        "# not on PyPI, needs the index or file that it came from:",
        "foo==1.0+local.1",
        "# not on PyPI, needs: --extra-index-url https://download.pytorch.org/whl/cu118",
        "torch==2.1.0+cu118",
    ]


def credentials(folder: Path) -> list[str]:
    """Drop the user part, mask secret parameters, keep placeholders."""
    git = {"vcs": "git", "commit_id": COMMIT}
    site = folder / "site"
    direct(site, "https://user:pw@h.org/a.zip", "a-1")
    direct(site, "https://TOKEN@h.org/b.git", "b-1", vcs_info=git)
    direct(site, "https://h.org/c.zip?private_token=pw&x=1", "c-1")
    direct(site, "https://${USER}:${TOKEN}@h.org/d.zip", "d-1")
    direct(site, "ssh://git@h.org/e.git", "e-1", vcs_info=git)
    location = project(folder / "repo")
    write_git(location / ".git", remote="https://user:pw@h.org/f.git")
    editable(site, location, "f-1")
    told = "# without its credentials:"
    return [
        *(told, "a @ https://h.org/a.zip"),
        *(told, f"b @ git+https://h.org/b.git@{COMMIT}"),
        *(told, "c @ https://h.org/c.zip?private_token=****&x=1"),
        "d @ https://${USER}:${TOKEN}@h.org/d.zip",
        f"e @ git+ssh://git@h.org/e.git@{COMMIT}",
        *(told, f"-e git+https://h.org/f.git@{COMMIT}#egg=f"),
    ]


def invalid_remotes(folder: Path) -> list[str]:
    """Give the folder for a remote that pip cannot clone from, and no user part in the comment."""
    expected = []
    for number, (remote, shown) in enumerate(
        (
            ("https:/user:pw@h.org/x", "h.org/x"),
            ("user:pw@h.org:x", "h.org:x"),
            ("persistent-https://user:pw@h.org/x", "persistent-https://h.org/x"),
            ("https://user:pw/x@h.org:y/x", "https://h.org:y/x"),
        )
    ):
        location = project(folder / f"repo{number}")
        write_git(location / ".git", remote=remote)
        editable(folder / "site", location, f"a{number}-1")
        text = f"# Editable Git install (a{number}==1) with either a deleted local remote or invalid URI:"
        expected += [text, f"# '{shown}'", f"-e {path_or_url(location)}"]
    return expected


def hostile_names(folder: Path) -> list[str]:
    """Use names that pip would print raw: as an option, as a second line, with an escape code."""
    for number, name in enumerate(
        ("--index-url=https://evil.org", "a\n  b", "c\x1b[2J", "d e", "", "h\u00e9")
    ):
        dist(folder / "site", f"x{number}-1", f"Metadata-Version: 2.1\nName: {name}\n")
    return [
        "# not restorable (its name is not valid): ==1",
        "# not restorable (its name is not valid): --index-url=https://evil.org==1",
        "# not restorable (its name is not valid): a\\n  b==1",
        "# not restorable (its name is not valid): c\\x1b[2J==1",
        "# not restorable (its name is not valid): d e==1",
        "# not restorable (its name is not valid): h\u00e9==1",
    ]


def hostile_urls(folder: Path) -> list[str]:
    """Use URLs that pip could not read back."""
    site = folder / "site"
    direct(site, "", "a-1")
    direct(site, "https://h.org/x;y", "b-1")
    direct(site, "https://h.org/\x00", "c-1")
    direct(site, "no-url", "d-1")
    direct(site, "https://h.org/x", "e-1", vcs_info={"vcs": "cvs", "commit_id": "1"})
    direct(site, "https://h.org/x", "f-1", vcs_info={"vcs": "git", "commit_id": ""})
    direct(site, "https://[h.org/x", "g-1")
    direct(site, "file://other.host/x", "h-1", dir_info={"editable": True})
    reason = "# not restorable (its URL is not valid):"
    return [
        f"{reason} a @ ",
        f"{reason} b @ https://h.org/x;y",
        f"{reason} c @ https://h.org/\\x00",
        f"{reason} d @ no-url",
        f"{reason} e @ cvs+https://h.org/x@1",
        f"{reason} f @ git+https://h.org/x@",
        f"{reason} g @ https://[h.org/x",
        "# not restorable (its folder is on another machine): -e file://other.host/x",
    ]


def url_with_space(folder: Path) -> list[str]:
    """Use a URL with a space, which pip prints and which ends it."""
    direct(folder / "site", "https://h.org/a b.zip")
    return ["foo @ https://h.org/a%20b.zip"]


ROWS = [
    conda_by_installer,
    conda_by_record,
    editable_with_space,
    editable_gone,
    file_gone,
    worktree,
    submodule,
    subdirectory_with_space,
    reftable,
    no_version,
    unknown_version,
    broken_version,
    local_version,
    credentials,
    invalid_remotes,
    hostile_names,
    url_with_space,
    pytest.param(hostile_urls, marks=posix),
]


@pytest.mark.parametrize("row", ROWS)
def test_better_line(row: Callable[[Path], list[str]], tmp_path: Path) -> None:
    """Print the better line, in an allowed form that pip's own parser accepts."""
    expected = row(tmp_path)
    lines = frozen(tmp_path / "site", prefix=tmp_path)
    assert lines == expected
    assert all(FORMS.fullmatch(line) and len(line) < 400 for line in lines)
    (read,) = accepted(["".join(f"{line}\n" for line in lines)])
    assert isinstance(read, list), read
    assert len(read) == sum(not line.startswith("#") for line in lines)


def test_line_of_a_path_that_exists_is_pips(tmp_path: Path) -> None:
    """Keep the file: URL of a conda package whose folder is here."""
    info = direct(tmp_path / "site", tmp_path.as_uri(), dir_info={})
    (info / "INSTALLER").write_text("conda\n")
    assert frozen(tmp_path / "site") == [f"foo @ {tmp_path.as_uri()}"]


def test_comment_is_cut(tmp_path: Path) -> None:
    """Cut the comment that stands for a line, as text from outside may be of any length."""
    dist(tmp_path, metadata=f"Metadata-Version: 2.1\nName: {'a b' * 500}\n")
    (line,) = frozen(tmp_path)
    assert len(line) == 200


def test_every_written_line_is_read_back_by_pip(tmp_path: Path) -> None:
    """Print no live line that pip's parser refuses, whatever version and name are odd."""
    odd = [
        "1",
        "1.0rc1",
        "01.0",
        "v1",
        "1.0+A-b",
        "x",
        "1,2",
        "1;2",
        "1)",
        "(1)",
        "1*",
        "\u00e9",
        "'1'",
        '"',
        "1\\",
        "@",
        "$1",
    ]
    odd += [
        "${HOME}",
        "=1",
        "==",
        "<1",
        "~=1",
        "a b",
        "-r x",
        "#",
        "1!2",
        "!1",
        "[x]",
        "\u00a01",
        "\u2028",
        "1.0.",
        "",
    ]
    for number, version in enumerate(odd):
        dist(
            tmp_path / "site",
            f"a{number}-not a version",
            f"Metadata-Version: 2.1\nName: a{number}\nVersion: {version}\n",
        )
    urls = [
        "https://h.org/'x",
        'https://h.org/"x',
        "https://h.org/x#y z",
        "https://h.org/[x]",
        "https://h.org:x/y",
        "https://h\u2100/",
    ]
    urls += [
        "HTTPS://h.org/x",
        "https://[::1]/x",
        "https://[::x]/x",
        "https://h.org/\u00e9",
        "https://h.org/x ; y",
        "file:///tmp",
        "a:b",
    ]
    for number, url in enumerate(urls):
        direct(tmp_path / "site", url, f"b{number}-1")
    lines = frozen(tmp_path / "site")
    live = [line for line in lines if not line.startswith("#")]
    assert len(live) > 20
    assert all(FORMS.fullmatch(line) for line in lines)
    assert [line for line, read in zip(live, accepted(live), strict=True) if not isinstance(read, list)] == []


# --- Parsing, against the parsers that pip uses ---

HEADERS = st.lists(
    st.one_of(
        st.sampled_from(
            ["Name: foo", "Version: 1.0", "NAME:bar", "Metadata-Version: 2.1", " folded", "\tfolded", "", "x"]
        ),
        st.sampled_from(
            ["From a", ": x", "Name : y", "K\u00e9y: x", "name:  z  ", "Summary: \x0c\x85\u2028", "A" * 2000]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    ),
    max_size=12,
)


def read_from(data: bytes) -> Callable[[str, int], bytes]:
    """Return a reader whose METADATA is *data*."""
    return lambda name, limit: data[:limit] if name == "/METADATA" else b""


@relaxed
@given(lines=HEADERS, end=st.sampled_from(["\n", "\r\n", "\r"]))
@example(lines=["Name: a" + "b" * 2037, "Version: 1"], end="\n")
@example(lines=["X: " + "b" * 2040, "Name: a"], end="\n")
def test_headers_are_those_of_the_email_parser(lines: list[str], end: str) -> None:
    """Read Name and Version as importlib.metadata does: by Python's e-mail parser, in universal newlines."""
    text = end.join(lines)
    message = email.message_from_string(re.sub("\r\n|\r", "\n", text))
    expected = {key: str(message[key]).strip() for key in ("name", "version") if message[key] is not None}
    assert scan._fields(read_from(text.encode())) == expected


@relaxed
@given(data=st.binary(max_size=300) | HEADERS.map(lambda lines: "\n".join(lines).encode()))
def test_shown_name_is_that_of_the_headers(data: bytes) -> None:
    """Take the short way only where it gives what the long one does."""
    shown = scan._display_name(("identity", "1", "/x", read_from(data)))
    name = scan._fields(read_from(data)).get("name", "identity")
    assert shown == ("identity" if "\ufffd" in name else name)


@given(
    st.text("0123456789.abcrvdevpost+-_!", max_size=12)
    | st.from_regex(r"[01]?\.[0-9](rc|a|b)?[01]?(\.post1)?(\.dev0)?")
)
def test_version_is_that_of_packaging(version: str) -> None:
    """Normalise versions as PEP 440 says, also where packaging is not asked."""
    try:
        expected: str | None = str(Version(version))
    except InvalidVersion:
        expected = None
    assert scan._normal(version) == expected


@given(st.text("aZ-_.0\u017f", max_size=12))
def test_name_is_that_of_packaging(name: str) -> None:
    """Normalise names as PEP 503 says, and know those of PEP 508."""
    assert scan._canonical(name) == canonicalize_name(name)
    pattern = r"([A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9])"
    assert is_name(name) == bool(re.fullmatch(pattern, name, re.IGNORECASE | re.ASCII))
    canonical = canonicalize_name(name)
    assert scan._is_identity(canonical) == bool(re.match(f"^{pattern}$", canonical, re.IGNORECASE))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, st.text(" \t\r\n", max_size=3), st.text('{}[]",:x \u00a0', max_size=3))
def test_json_is_that_of_json(value: object, space: str, tail: str) -> None:
    """Read JSON as `json.loads` does, and refuse what it refuses."""
    text = space + json.dumps(value) + tail
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises((ValueError, StopIteration)):
            sources._json(text)
    else:
        assert sources._json(text) == expected


def test_json_without_the_c_scanner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fall back to `json` where Python has no C scanner (PyPy) or another one."""
    monkeypatch.setitem(sys.modules, "_json", None)
    assert sources._json(' {"a": [1, null]} ') == {"a": [1, None]}


def kinds(value: st.SearchStrategy[object]) -> st.SearchStrategy[dict[str, object]]:
    """Return direct_url.json files that are nearly right."""
    text = st.sampled_from(
        ["file:///x", "https://h/x", "file:x", "file://h", "a=1", "a", "git", "", "https://[x"]
    )
    hashes = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12") | value, max_size=2)
    keys = ["vcs", "commit_id", "requested_revision", "hash", "editable"]
    field = st.sampled_from(keys).flatmap(lambda key: st.tuples(st.just(key), text | value))
    info = st.builds(
        lambda fields, hashes: {**dict(fields), **({"hashes": hashes} if hashes else {})},
        st.lists(field, max_size=4),
        hashes | st.none(),
    )
    return st.fixed_dictionaries(
        {"url": text | value},
        optional={
            "vcs_info": info | value,
            "archive_info": info | value,
            "dir_info": info | value,
            "subdirectory": text | value,
        },
    )


@relaxed
@given(kinds(st.none() | st.booleans() | st.integers()))
def test_direct_url_is_valid_as_for_packaging(data: dict[str, object]) -> None:
    """Refuse the direct_url.json that packaging's class, which pip uses, refuses."""
    module = pytest.importorskip("packaging.direct_url", reason="this packaging is too old")
    try:
        module.DirectUrl.from_dict(data)
        expected = True
    except (module.DirectUrlValidationError, ValueError):
        expected = False
    if str(data["url"]).startswith("https://["):
        return  # what pip ends with an error on is shown in a comment
    direct = sources._parsed(json.dumps(data).encode())
    assert (direct is not None) == expected


@given(st.text(max_size=20) | st.text("%20aFf", max_size=12))
def test_unquote_is_that_of_urllib(text: str) -> None:
    """Decode %-escapes; bytes that are no text stay what the file system knows."""
    expected = os.fsdecode(urllib.parse.unquote_to_bytes(text))
    assert unquote(text) == expected


# --- Nothing stops a scan, nothing slows it down ---

FILE = st.binary(max_size=60) | st.sampled_from(
    [b"{}", b"[]", b'{"url": "\\ud800"}', b'{"url": 1e999}', b"[" * 5000]
)
STEM = st.text(st.characters(codec="utf-8", exclude_characters='/\\:*?"<>|\0'), min_size=1, max_size=20)


@relaxed
@given(
    stem=STEM,
    suffix=st.sampled_from([".dist-info", ".egg-info", ".DIST-INFO", ".egg-link", ".egg"]),
    files=st.dictionaries(
        st.sampled_from(["METADATA", "PKG-INFO", "direct_url.json", "INSTALLER", "RECORD"]), FILE
    ),
    as_file=st.booleans(),
)
def test_nothing_on_disk_stops_the_scan(
    stem: str, suffix: str, files: dict[str, bytes], as_file: bool
) -> None:
    """Give lines of the allowed forms, which UTF-8 can write, for whatever lies in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder, (stem.strip(". ") or "x") + suffix)
        try:
            if as_file:
                entry.write_bytes(files.get("METADATA", b""))
            else:
                entry.mkdir()
                for name, data in files.items():
                    (entry / name).write_bytes(data)
        except OSError:
            return  # no name on this file system
        dist(Path(folder), "good-1.0")
        lines = frozen(Path(folder), entry, entry / "METADATA")
        assert "good==1.0" in lines
        assert all(FORMS.fullmatch(line) and line.isprintable() for line in lines)
        "\n".join(lines).encode()


@relaxed
@given(kinds(st.none() | st.booleans()), st.text(max_size=8), st.text(max_size=8))
@example({"url": "file:///a%00b", "dir_info": {"editable": True}}, "", "")
@example({"url": "file:///%ff\ud800", "dir_info": {"editable": True}}, "", "")
def test_no_direct_url_stops_the_scan(data: dict[str, object], name: str, version: str) -> None:
    """Give lines of the allowed forms for any direct_url.json."""
    with tempfile.TemporaryDirectory() as folder:
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        dist(Path(folder), "foo-bad", text.encode("utf-8", "replace"), direct_url__json=json.dumps(data))
        assert all(FORMS.fullmatch(line) and line.isprintable() for line in frozen(Path(folder)))


@relaxed
@given(
    st.lists(
        st.sampled_from(
            ["[remote", '"a', "]", "url", "=", "\\", '"', "\n", " ", "#", "x", '[remote "o"]\n', "\0"]
        ),
        max_size=15,
    )
)
def test_no_git_configuration_stops_the_scan(parts: list[str]) -> None:
    """Read any configuration without an error."""
    sources._remote(sources._config("".join(parts)))


@posix
def test_undecodable_names(tmp_path: Path) -> None:
    """Pass over a folder whose name is no text; show an editable path that is none as a URL that can be read back."""
    site = os.fsencode(tmp_path)
    os.mkdir(site + b"/f\xff-1.0.dist-info")
    location = site + b"/p\xff"
    os.mkdir(location)
    dist(
        tmp_path,
        direct_url__json=json.dumps({"url": f"{tmp_path.as_uri()}/p%FF", "dir_info": {"editable": True}}),
    )
    assert frozen(tmp_path)[1:] == [f"-e {tmp_path.as_uri()}/p%FF"]


@posix
def test_fifos_do_not_block(tmp_path: Path) -> None:
    """Take a FIFO for a missing file, wherever a file is read."""
    info = dist(tmp_path, "foo-1.0")
    for path in (
        "METADATA",
        "PKG-INFO",
        "direct_url.json",
        "INSTALLER",
        "../x.egg-link",
        "../y.pth",
        "../pyvenv.cfg",
    ):
        (info / path).unlink(missing_ok=True)
        os.mkfifo(info / path)
    os.mkfifo(tmp_path / "bar-2.0.dist-info")
    repo = project(tmp_path / "repo")
    write_git(repo / ".git")
    (repo / ".git" / "config").unlink()
    os.mkfifo(repo / ".git" / "config")
    editable(tmp_path, repo, "baz-1.0")
    comment = "# Editable Git install with no remote (baz==1.0)"
    assert frozen(tmp_path, tmp_path / "y.pth") == ["bar==2.0", comment, f"-e {repo}", "foo==1.0"]
    assert glance.witness(str(tmp_path), [str(tmp_path)])


def test_only_the_head_of_a_large_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a few bytes of 50 MB of METADATA; if the name is not there, no more than a bounded part."""
    head = dist(tmp_path, "foo-1.0", "Metadata-Version: 2.1\nName: FOO\nVersion: 1.0\n") / "METADATA"
    late = dist(tmp_path, "bar-1.0", b"X: " + b"x" * 1_100_000 + b"\nName: BAR\n") / "METADATA"
    for path in (head, late):
        os.truncate(path, 50_000_000)
    sizes = []
    real = os.read

    def read(handle: int, limit: int) -> bytes:
        data = real(handle, limit)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(os, "read", read)
    assert frozen(tmp_path) == ["bar==1.0", "FOO==1.0"]
    assert sum(sizes) < 2_200_000
    assert sum(sizes) - 2 * 1024 * 1024 < 20_000


def seconds(work: Callable[[], object]) -> float:
    """Return the shortest CPU time of three runs."""
    times = []
    for _ in range(3):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def test_five_thousand_distributions(tmp_path: Path) -> None:
    """Take ten times as long for ten times as many, not a hundred times; also with .egg-link files and conda."""
    for number in range(5000):
        dist(tmp_path / ("few" if number < 500 else "many"), f"pkg{number}-1.0")
    (tmp_path / "many" / "x.egg-link").write_text("../few")
    few = seconds(lambda: frozen(tmp_path / "few"))
    many = seconds(lambda: frozen(tmp_path / "many"))
    assert len(frozen(tmp_path / "many")) == 5000
    assert many < 60 * few


@pytest.mark.parametrize(
    "make",
    [
        lambda size: b"X: y\n" + b" folded\n" * (size // 8),
        lambda size: b"Name: y\n" + b" folded\n" * (size // 8),
        lambda size: b"X: y\n" * (size // 5),
        lambda size: b"Name: " + b"-" * size,
        lambda size: b"\r" * size,
    ],
)
def test_hostile_metadata_is_linear(make: Callable[[int], bytes]) -> None:
    """Read METADATA in time that grows with its size alone."""
    small = seconds(partial(scan._fields, read_from(make(100_000))))
    large = seconds(partial(scan._fields, read_from(make(1_000_000))))
    assert large < 60 * max(small, 0.001)


# --- What cannot be read is an error, what is not there is not ---


def test_unreadable_folder_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise where a folder of the environment cannot be listed: it must not become an empty snapshot."""

    def listdir(path: str) -> list[str]:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", listdir)
    with pytest.raises(PermissionError):
        frozen(tmp_path)


@posix
@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root may read everything")
def test_really_unreadable_folder_is_an_error(tmp_path: Path) -> None:
    """Raise where the mode of a folder forbids to list it."""
    tmp_path.chmod(0)
    with pytest.raises(PermissionError):
        frozen(tmp_path)
    tmp_path.chmod(0o700)


def test_missing_and_impossible_paths_are_skipped(tmp_path: Path) -> None:
    """Skip what cannot be a folder: missing, a file, a loop of links, a name that is too long or holds NUL."""
    dist(tmp_path / "site")
    (tmp_path / "file").touch()
    paths = [
        tmp_path / "missing",
        tmp_path / "file",
        tmp_path / "file" / "x",
        tmp_path / ("x" * 5000),
        Path("a\0b"),
    ]
    if os.name != "nt":
        (tmp_path / "loop").symlink_to(tmp_path / "loop")
        paths.append(tmp_path / "loop")
    assert frozen(*paths, tmp_path / "site") == ["foo==1.0"]
    assert scan.freeze(["", str(tmp_path / "site")], (3, 12), "") == ["foo==1.0"]


def test_unreadable_metadata_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what the folder's name tells where METADATA cannot be read, as pip does."""
    dist(tmp_path, "Foo_Bar-1.0")
    real = os.open

    def denied(path: str, flags: int, dir_fd: int | None = None) -> int:
        if path.endswith("METADATA"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags)

    monkeypatch.setattr(os, "open", denied)
    assert frozen(tmp_path) == ["foo-bar==1.0"]


def test_damaged_zip(tmp_path: Path) -> None:
    """Give what a zip's table of contents tells where a member cannot be read."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("foo-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: FOO\n" * 50)
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    assert frozen(path) == ["foo==1.0"]


def test_python_decides_what_is_hidden(tmp_path: Path) -> None:
    """Hide the build tools below Python 3.12 (pip: commands/freeze.py)."""
    for name in ("setuptools", "wheel", "distribute", "pip", "foo"):
        dist(tmp_path, f"{name}-1.0")
    assert frozen(tmp_path, python=(3, 11)) == ["foo==1.0"]
    assert frozen(tmp_path, python=(3, 12)) == [
        "distribute==1.0",
        "foo==1.0",
        "setuptools==1.0",
        "wheel==1.0",
    ]


# --- What a scan loads ---

LOADED = """
import os, sys
sys.path.insert(0, sys.argv[1])
before = set(sys.modules)
from gitsnap import glance, scan
lines = scan.freeze([sys.argv[2]], (3, 12), sys.argv[3])
glance.witness(sys.argv[3], [sys.argv[2]])
print(*sorted(set(sys.modules) - before), len(lines))
"""


def loaded(site: Path) -> list[str]:
    """Return the modules that a scan loads in a new interpreter, and the number of its lines."""
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        LOADED,
        str(Path(scan.__file__).parent.parent),
        str(site),
        str(site.parent),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_plain_environment_loads_nothing(tmp_path: Path) -> None:
    """Load three small modules of our own, and of the library what Python has loaded already."""
    for number, version in enumerate(
        ("1.0", "2.0rc1", "1.0.post2", "3.dev1", "2024.1", "1.0+cu118", "1.0+ab.1")
    ):
        dist(tmp_path / "site", f"pkg{number}-{version}")
    (tmp_path / "site" / "x.pth").write_text("/nowhere\nimport os\n")
    (tmp_path / "site" / "foo.egg-link").write_text("/nowhere\n")
    assert set(loaded(tmp_path / "site")) - {"_blake2"} == {
        "gitsnap",
        "gitsnap.glance",
        "gitsnap.line",
        "gitsnap.peek",
        "gitsnap.scan",
        "9",
    }


def test_ordinary_direct_urls_load_no_json(tmp_path: Path) -> None:
    """Load nothing but the C scanner for editables and direct URLs."""
    pytest.importorskip("_json", reason="this Python has no C scanner")
    location = project(tmp_path / "repo")
    write_git(location / ".git")
    editable(tmp_path / "site", location, "a-1")
    editable(tmp_path / "site", project(tmp_path / "b c"), "b-1")
    direct(tmp_path / "site", "https://h.org/c.zip", "c-1", archive_info={"hash": "sha256=1"})
    direct(tmp_path / "site", "https://u:p@h.org/d.git", "d-1", vcs_info={"vcs": "git", "commit_id": COMMIT})
    assert set(loaded(tmp_path / "site")) - {"_json", "_blake2"} == {
        "gitsnap",
        "gitsnap.glance",
        "gitsnap.line",
        "gitsnap.peek",
        "gitsnap.scan",
        "gitsnap.sources",
        "6",
    }


# --- Secrets ---


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("foo==1.0", "foo==1.0"),
        ("foo @ https://h.org/x", "foo @ https://h.org/x"),
        ("https://user:pw@h.org/x", "https://h.org/x"),
        ("https://user:p@w@h.org/x", "https://h.org/x"),
        ("https://TOKEN@h.org", "https://h.org"),
        ("https://user:p/w@h.org/x", "https://h.org/x"),
        ("https://user:p#w@h.org/x", "https://h.org/x"),
        ("https://h.org:8443/x@v1", "https://h.org:8443/x@v1"),
        ("https://[::1]:80/x@v1", "https://[::1]:80/x@v1"),
        ("https://[::1]/x@v1", "https://[::1]/x@v1"),
        ("git+ssh://git@h.org/o/r@v1#egg=x", "git+ssh://git@h.org/o/r@v1#egg=x"),
        ("ssh://bob@h.org/o/r", "ssh://h.org/o/r"),
        ("ssh://git:pw@h.org/o/r", "ssh://h.org/o/r"),
        ("https://${USER}:${PASS_1}@h.org", "https://${USER}:${PASS_1}@h.org"),
        ("https://${TOKEN}@h.org", "https://${TOKEN}@h.org"),
        ("https://${USER}:pw@h.org", "https://h.org"),
        ("https://user:${PASS}@h.org", "https://h.org"),
        ("https://${A}:${B}:${C}@h.org", "https://h.org"),
        ("https://${lower}@h.org", "https://h.org"),
        ("https://${A}b@h.org", "https://h.org"),
        ("a @ https://u:p@h/x, b @ git+https://v:q@h/y@1", "a @ https://h/x, b @ git+https://h/y@1"),
        ("https://h/?next=https://u:p@h/x", "https://h/?next=https://h/x"),
        ("https://h/x?private_token=pw", "https://h/x?private_token=****"),
        ("https://h/x?a=1&ACCESS_TOKEN=pw&b=2#sha256=3", "https://h/x?a=1&ACCESS_TOKEN=****&b=2#sha256=3"),
        ("https://h/x?X-Amz-Signature=pw&X-Amz-Date=1", "https://h/x?X-Amz-Signature=****&X-Amz-Date=1"),
        ("https://h/x?sv=1&sig=p%2Fw=", "https://h/x?sv=1&sig=****"),
        ("https://h/x?a;password=pw;b", "https://h/x?a;password=****;b"),
        ("https://h/x?%74oken=pw", "https://h/x?%74oken=****"),
        ("https://h/x#token=pw&egg=x", "https://h/x#token=****&egg=x"),
        ("https://h/x?token=", "https://h/x?token="),
        ("-e git+https://h/x@1#egg=key&subdirectory=a", "-e git+https://h/x@1#egg=key&subdirectory=a"),
        ("x @ https://h/x?apikey=pw --hash", "x @ https://h/x?apikey=**** --hash"),
    ],
)
def test_redact(text: str, clean: str) -> None:
    """Drop user parts but for `git` and placeholders, mask secret parameters, leave all else."""
    assert redact(text) == clean


SECRET = "S3cr3tS3cr3t"
NOISE = st.text("ab:/@?#&=;.%+${}[]\\'\"", max_size=6)


@relaxed
@given(
    user=st.text("ab:%$-_~", max_size=6),
    before=NOISE,
    after=st.text("ab/?#&=.", max_size=8),
    scheme=st.sampled_from(["", "git+"]),
)
def test_no_user_part_is_left(user: str, before: str, after: str, scheme: str) -> None:
    """Leave nothing of a user part, whatever stands around the URL."""
    for part in (SECRET, f"{SECRET}:{user}", f"{user}:{SECRET}"):
        assert SECRET not in redact(f"x @ {before} {scheme}https://{part}@h.org/{after}")


@relaxed
@given(
    key=st.sampled_from(
        ["token", "private_token", "X-Amz-Signature", "sig", "password", "client_secret", "API-KEY", "auth"]
    ),
    before=st.text("ab=&;./", max_size=6),
    after=NOISE,
)
def test_no_secret_parameter_is_left(key: str, before: str, after: str) -> None:
    """Leave nothing of the value of a secret parameter."""
    assert SECRET not in redact(f"https://h.org/x?{before}&{key}={SECRET}{after}")


@given(st.text(max_size=40) | st.text("ab:/@?#&= ", max_size=40))
def test_redact_is_done_once(text: str) -> None:
    """Leave a redacted text as it is, and a text without URL or parameter too."""
    clean = redact(text)
    if "://" not in clean.partition("://")[2]:
        assert redact(clean) == clean
    plain = text.replace("@", "").replace("?", "").replace("#", "")
    assert redact(plain) == plain


@pytest.mark.parametrize(
    "piece", ["@", "://", "://a@", "?a=", "?token=", "&", "=", "a:b@", "://a:b", "%", "?%74", "${", "#;"]
)
def test_redact_is_linear(piece: str) -> None:
    """Take ten times as long for a text that is ten times as long."""
    texts = [f"https://x:y@h/?{piece * (size // len(piece))}" for size in (20_000, 200_000)]
    small, large = (seconds(partial(redact, text)) for text in texts)
    assert large < 60 * max(small, 0.0005)


@relaxed
@given(
    url=st.sampled_from(
        [
            "https://{}@h.org/x",
            "https://u:{}@h.org/x",
            "https://h.org/x?token={}",
            "ssh://{}@h/x",
            "https:{}@h/x",
        ]
    ),
    kind=st.sampled_from(["archive", "git", "editable", "remote", "broken name"]),
    space=st.sampled_from(["", " ", "\n", "\x1b", "\u00a0"]),
)
def test_no_secret_in_any_line(url: str, kind: str, space: str) -> None:
    """Print no secret of a direct_url.json or of a git remote, however broken it is."""
    url = url.format(SECRET + space)
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder, "site")
        if kind == "remote":
            repo = project(Path(folder, "repo"))
            write_git(repo / ".git", remote=json.dumps(url, ensure_ascii=False))
            editable(site, repo)
        else:
            info: dict[str, object] = (
                {"vcs_info": {"vcs": "git", "commit_id": COMMIT}} if kind == "git" else {}
            )
            info = {"dir_info": {"editable": True}} if kind == "editable" else info or {"archive_info": {}}
            if kind == "editable":
                url = url.replace("https", "file")
            text = json.dumps({"url": url, **info})
            written = dist(site, direct_url__json=text)
            if kind == "broken name":
                (written / "METADATA").write_text("Name: a b\n")
        lines = frozen(site)
        assert lines
        assert not any(SECRET in line for line in lines)


# --- The witness of sys.path ---


def seen(prefix: Path) -> str:
    """Return the witness of a prefix with two site folders."""
    return glance.witness(str(prefix), [str(prefix / "site"), str(prefix / "user")])


def vanish(folder: Path) -> None:
    """Let the site folder vanish."""
    (folder / "site").rename(folder / "gone")


CHANGES: dict[str, Callable[[Path], object]] = {
    "a folder appears": lambda prefix: (prefix / "user").mkdir(),
    "a folder vanishes": vanish,
    "a .pth appears": lambda prefix: (prefix / "site" / "new.pth").touch(),
    "a .pth vanishes": lambda prefix: (prefix / "site" / "a.pth").unlink(),
    "a .pth is renamed": lambda prefix: (prefix / "site" / "a.pth").rename(prefix / "site" / "z.pth"),
    "a .pth changes": lambda prefix: (prefix / "site" / "a.pth").write_text(
        "../there\n../missinG\nimport os\n"
    ),
    "a .pth grows by a NUL": lambda prefix: (prefix / "site" / "b.pth").write_bytes(b"\0"),
    "a path of a .pth appears": lambda prefix: (prefix / "missing").mkdir(),
    "a path of a .pth vanishes": lambda prefix: (prefix / "there").rmdir(),
    "pyvenv.cfg changes": lambda prefix: (prefix / "pyvenv.cfg").write_text(
        "include-system-site-packages = true\n"
    ),
    "pyvenv.cfg vanishes": lambda prefix: (prefix / "pyvenv.cfg").unlink(),
    "pyvenv.cfg is emptied": lambda prefix: (prefix / "pyvenv.cfg").write_text(""),
}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Make a prefix with a site folder and .pth files; the user's folder is missing."""
    (tmp_path / "site").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "site" / "a.pth").write_text("../there\n../missing\nimport os\n")
    (tmp_path / "site" / "b.pth").touch()
    (tmp_path / "pyvenv.cfg").write_text("include-system-site-packages = false\n")
    return tmp_path


@pytest.mark.parametrize("change", CHANGES)
def test_witness_changes(change: str, prefix: Path) -> None:
    """Change with all that `site` makes sys.path of."""
    before = seen(prefix)
    CHANGES[change](prefix)
    assert seen(prefix) != before


def test_witness_stays(prefix: Path) -> None:
    """Stay the same with times, installed packages, order of creation and other files."""
    before = seen(prefix)
    dist(prefix / "site", "foo-1.0")
    (prefix / "site" / "foo.py").touch()
    (prefix / "there" / "x").touch()
    text = (prefix / "site" / "a.pth").read_bytes()
    (prefix / "site" / "a.pth").unlink()
    (prefix / "site" / "a.pth").write_bytes(text)
    os.utime(prefix / "site" / "b.pth", (1, 1))
    os.utime(prefix / "pyvenv.cfg", (1, 1))
    assert seen(prefix) == before


def test_witness_tells_no_secret(prefix: Path) -> None:
    """Hold nothing of what is written in a .pth."""
    (prefix / "site" / "a.pth").write_text(f"import os; os.environ['TOKEN'] = '{SECRET}'\n")
    text = seen(prefix)
    assert SECRET not in text
    assert f"{int.from_bytes(SECRET.encode(), 'big'):x}" not in text
    assert text.isascii()


# --- The interfaces of git's files ---


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("https://h.org/x.git", "https://h.org/x.git"),
        ("git@h.org:o/x.git", "ssh://git@h.org/o/x.git"),
        ("h.org:x", "ssh://h.org/x"),
        ("h.org:/x", None),
        ("h.org:~x", None),
        ("../x", None),
        ("/nowhere/x", None),
        ("file:///nowhere/x", None),
        ("https://h.org/x#y", None),
        ("https://h.org:x/y", None),
        ("ext::sh -c x", None),
        ("", None),
        ("http+unix://x", None),
    ],
)
def test_remote_url(remote: str, url: str | None) -> None:
    """Make a remote a URL as pip does (vcs/git.py: _git_remote_to_pip_url), but none that it could not clone."""
    assert sources._remote_url(remote) == url


def test_git_refs_stay_in_the_repository(tmp_path: Path) -> None:
    """Read no file outside for a ref, and end on refs that go in a circle."""
    location = project(tmp_path / "repo")
    git = write_git(location / ".git", head="ref: refs/../../secret")
    (tmp_path / "secret").write_text(COMMIT)
    editable(tmp_path / "site", location)
    unknown = ["## !! Could not determine repository location", f"-e {path_or_url(location)}"]
    assert frozen(tmp_path / "site") == unknown
    (git / "HEAD").write_text("ref: refs/a\n")
    (git / "refs" / "a").write_text("ref: refs/a\n")
    assert frozen(tmp_path / "site") == unknown


def test_editable_changes_with_its_checkout(tmp_path: Path) -> None:
    """Tell a new commit, another branch and another remote, without git."""
    location = project(tmp_path / "repo")
    git = write_git(location / ".git", head="ref: refs/heads/main")
    editable(tmp_path / "site", location)
    (git / "packed-refs").write_text(
        f"# pack-refs\n{'a' * 40} refs/heads/main2\n{COMMIT} refs/heads/main\n^{'b' * 40}\n"
    )
    assert frozen(tmp_path / "site") == [f"-e git+{GITHUB}@{COMMIT}#egg=foo"]
    (git / "refs" / "heads").mkdir()
    (git / "refs" / "heads" / "main").write_text("c" * 40)
    assert frozen(tmp_path / "site") == [f"-e git+{GITHUB}@{'c' * 40}#egg=foo"]
    (git / "config").write_text('[remote "origin"]\nurl = git@h.org:x\n')
    assert frozen(tmp_path / "site") == [f"-e git+ssh://git@h.org/x@{'c' * 40}#egg=foo"]
