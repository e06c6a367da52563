"""Compare the lines of `scan.freeze` with those of real `pip freeze`, byte for byte.

Every case is a small environment that is built on disk. The newest pip that runs on the target's Python freezes it,
started by that Python. What differs must be listed in `BETTER` (a line that could not be restored, or that ends pip)
or in `OLDER` (a target whose newest pip has other rules), with the reason; a listed case that no longer differs fails.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gitsnap import scan

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="pip cannot read the backslashes of its own lines back"
)

DRIVER = Path(__file__).with_name("_scan_driver.py")
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
NEWEST_PIP = {"3.8": (25, 0), "3.9": (26, 0)}
ENVIRONMENT = {
    **{
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "PYTHON", "VIRTUAL_ENV"))
    },
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}

# A case builds an environment in an empty folder and returns its path entries.
Case = Callable[[Path], list[Path]]
CASES: dict[str, Case] = {}


def case(build: Callable[[Path], list[Path] | None]) -> Callable[[Path], list[Path] | None]:
    """Register a case under the name of its function; its path is the folder `site` if it returns none."""

    def paths(folder: Path) -> list[Path]:
        (folder / "site").mkdir()
        return build(folder) or [folder / "site"]

    CASES[build.__name__.replace("_", "-")] = paths
    return build


def table(name: str, **cases: Callable[[Path], object]) -> None:
    """Register the cases of a table: each builds in the folder `site`."""
    for key, build in cases.items():

        def paths(folder: Path, build: Callable[[Path], object] = build) -> list[Path]:
            (folder / "site").mkdir()
            build(folder / "site")
            return [folder / "site"]

        CASES[f"{name}-{key}".replace("_", "-")] = paths


def dist(site: Path, stem: str, metadata: str | bytes | None = "", **files: str) -> Path:
    """Write the metadata folder of a distribution; METADATA of "" is one that its name gives."""
    info = site / (stem if stem.lower().endswith("-info") else f"{stem}.dist-info")
    info.mkdir(parents=True)
    if metadata is not None:
        name, _, version = info.name.rpartition(".")[0].partition("-")
        text = metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nText\n"
        (info / "METADATA").write_bytes(text if isinstance(text, bytes) else text.encode())
    for file, text in files.items():
        (info / file.replace("__", ".")).write_text(text, encoding="utf-8")
    return info


def made(folder: Path) -> Path:
    """Make a folder."""
    folder.mkdir()
    return folder


def direct(site: Path, data: object, stem: str = "foo-1.0") -> Path:
    """Write a distribution with a direct_url.json."""
    return dist(site, stem, direct_url__json=data if isinstance(data, str) else json.dumps(data))


def head(*lines: str) -> str:
    """Return a METADATA of these lines."""
    return "".join(f"{line}\n" for line in ("Metadata-Version: 2.1", *lines))


# --- METADATA (core metadata; Python's e-mail parser) ---

table(
    "metadata",
    plain=lambda site: dist(site, "foo-1.0"),
    spelling=lambda site: dist(site, "pyside6_addons-6.8.1", head("Name: PySide6_Addons")),
    dots=lambda site: dist(site, "zope.interface-5.0", head("Name: Zope.Interface", "Version: 5.0")),
    missing=lambda site: dist(site, "Foo.Bar-1.0", None),
    empty=lambda site: dist(site, "Foo_Bar-1.0", b"\n"),
    no_name=lambda site: dist(site, "Foo_Bar-1.0", head("Version: 1.0")),
    no_version=lambda site: dist(site, "foo-1.0", head("Name: Foo")),
    lower_case=lambda site: dist(site, "foo-1.0", head("NAME: FOO", "version: 1.0")),
    no_space=lambda site: dist(site, "foo-1.0", head("Name:FOO")),
    crlf=lambda site: dist(site, "foo-1.0", b"Metadata-Version: 2.1\r\nName: FOO\r\nVersion: 1.0\r\n\r\n"),
    late_name=lambda site: dist(site, "foo-1.0", head(*["Classifier: x"] * 900, "Name: FOO", "Version: 1.0")),
    name_in_body=lambda site: dist(site, "foo-1.0", head("Version: 1.0", "", "Name: FOO")),
    name_behind_junk=lambda site: dist(site, "foo-1.0", head("this is no header", "Name: FOO")),
    name_with_space_before_colon=lambda site: dist(site, "foo-1.0", head("Name : FOO")),
    two_names=lambda site: dist(site, "foo-1.0", head("Name: FOO", "Name: Bar")),
    from_line=lambda site: dist(site, "foo-1.0", "From a@b Mon\n" + head("Name: FOO")),
    folded_summary=lambda site: dist(site, "foo-1.0", head("Summary: a", "  Name: bar", "Name: FOO")),
    colon_first=lambda site: dist(site, "foo-1.0", head(": x", "Name: FOO")),
    bom=lambda site: dist(site, "foo-1.0", b"\xef\xbb\xbf" + head("Name: FOO").encode()),
    form_feed=lambda site: dist(site, "foo-1.0", head("Summary: a\x0cb\x85c", "Name: FOO")),
    pkg_info=lambda site: dist(site, "foo-1.0", None, **{"PKG-INFO": head("Name: FOO")}),
    pkg_info_beside_empty=lambda site: dist(site, "foo-1.0", b"", **{"PKG-INFO": head("Name: FOO")}),
    folder=lambda site: (dist(site, "foo-1.0", None) / "METADATA").mkdir(),
    large=lambda site: dist(site, "foo-1.0", head("Name: FOO", "Version: 1.0", "", "x" * 3_000_000)),
    folder_version_wins=lambda site: dist(site, "foo-1.0", head("Name: foo", "Version: 2.0")),
    file=lambda site: (site / "foo-1.0.dist-info").write_text(head("Name: FOO", "Version: 2")),
    nothing=lambda site: None,
)


@case
def order(folder: Path) -> None:
    """Names are sorted in lower case as they are written, not as they are normalised."""
    for name in ("a-b", "a.d", "a1", "a_c", "B", "Zeta", "alpha", "A0"):
        dist(folder / "site", f"{name.replace('-', '_')}-1.0", head(f"Name: {name}"))


# --- Versions (PEP 440) ---

table(
    "version",
    zeros=lambda site: dist(site, "foo-01.002.0"),
    date=lambda site: dist(site, "foo-2024.01.07"),
    beta=lambda site: dist(site, "foo-1.0.0.beta1"),
    release_candidate=lambda site: dist(site, "foo-1.0rc1"),
    upper_case=lambda site: dist(site, "foo-1.0RC1"),
    alpha_without_number=lambda site: dist(site, "foo-1.0a"),
    post=lambda site: dist(site, "foo-2.0.post3"),
    all_parts=lambda site: dist(site, "foo-1!2.0b4.post3.dev5"),
    leading_v=lambda site: dist(site, "foo-v1.0"),
    dev=lambda site: dist(site, "foo-3.0.dev0"),
    long=lambda site: dist(site, "foo-1.2.3.4.5.6.7.8.9.10"),
)

# --- Names of metadata folders (pip: metadata/importlib/_compat.py) ---

table(
    "folder",
    leftover=lambda site: (dist(site, "~oo-1.0"), dist(site, "bar-1.0")),
    trailing_underscore=lambda site: dist(site, "foo_-1.0"),
    leading_dash=lambda site: dist(site, "-foo-1.0"),
    leading_dot=lambda site: dist(site, ".foo-1.0"),
    no_dash=lambda site: dist(site, "foo.dist-info", head("Name: Bar", "Version: 2.0")),
    no_dash_no_name=lambda site: dist(site, "foo.dist-info", head("Version: 2.0")),
    no_name=lambda site: dist(site, ".dist-info", head("Name: Bar", "Version: 2.0")),
    no_version=lambda site: dist(site, "foo-.dist-info", head("Name: Foo", "Version: 2.0")),
    upper_case=lambda site: dist(site, "Foo-1.0.DIST-INFO", head("Name: Bar", "Version: 2.0")),
    not_ascii=lambda site: dist(site, "f\u00f6\u00f6-1.0"),
    runs_of_separators=lambda site: dist(site, "a__b.._c-1.0", head("Name: a--b")),
    two_of_one_name=lambda site: (dist(site, "foo-1.0"), dist(site, "foo-2.0"), dist(site, "Foo-3.0")),
    two_of_one_shown_name=lambda site: (
        dist(site, "a-1.0", head("Name: Same.x")),
        dist(site, "b-2.0", head("Name: same_x")),
    ),
    other_suffixes=lambda site: (dist(site, "foo-1.0.data-info"), made(site / "bar-1.0")),
)

# --- Eggs (setuptools' old formats) ---

table(
    "egg",
    info_folder=lambda site: dist(
        site, "foo-1.0.egg-info", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.0")}
    ),
    info_file=lambda site: (site / "foo-1.0.egg-info").write_text(head("Name: FOO", "Version: 1.0")),
    info_with_python=lambda site: dist(
        site, "foo-1.0-py3.8.egg-info", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.1")}
    ),
    info_without_version=lambda site: dist(
        site, "foo.egg-info", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.0")}
    ),
    info_beside_dist_info=lambda site: (
        dist(site, "foo-1.0.egg-info", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.0")}),
        dist(site, "bar-2.0"),
    ),
    folder_not_named_egg=lambda site: dist(
        site, "EGG-INFO", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.0")}
    ),
)


@case
def egg_unpacked(folder: Path) -> list[Path]:
    """Put an unpacked egg on the path."""
    egg = folder / "foo-1.0-py3.8.egg"
    dist(egg, "EGG-INFO", None, **{"PKG-INFO": head("Name: FOO", "Version: 1.0")})
    dist(egg, "bar-2.0")
    return [folder / "site", egg]


def zipped(path: Path, files: dict[str, str]) -> Path:
    """Write a zip file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@case
def egg_zipped(folder: Path) -> list[Path]:
    """Put a zipped egg on the path."""
    text = head("Name: FOO", "Version: 1.0")
    return [folder / "site", zipped(folder / "foo-1.0-py3.8.egg", {"EGG-INFO/PKG-INFO": text, "foo.py": ""})]


@case
def zip_with_dist_info(folder: Path) -> list[Path]:
    """Any zip on the path may hold distributions."""
    files = {
        "foo-1.0.dist-info/METADATA": head("Name: FOO"),
        "bar-2.dist-info/METADATA": head("Name: Bar"),
        "bar-2.dist-info/direct_url.json": '{"url": "https://h.org/x.zip", "archive_info": {}}',
        "EGG-INFO/PKG-INFO": head("Name: no-egg", "Version: 1"),
    }
    return [zipped(folder / "app.zip", files)]


@case
def wheel_on_the_path(folder: Path) -> list[Path]:
    """Put a wheel on the path: what lies in it is not installed."""
    dist(folder / "site", "bar-1.0")
    files = {"foo-1.0.dist-info/METADATA": head("Name: FOO")}
    return [zipped(folder / "foo-1.0-py3-none-any.whl", files), folder / "site"]


@case
def no_wheel_by_its_name(folder: Path) -> list[Path]:
    """Put a zip on the path that has the suffix of a wheel, but not its name."""
    return [zipped(folder / "foo.whl", {"foo-1.0.dist-info/METADATA": head("Name: FOO")})]


@case
def broken_zip(folder: Path) -> list[Path]:
    """Put a file on the path that is no zip."""
    dist(folder / "site", "foo-1.0")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 broken")
    return [folder / "broken.zip", folder / "site"]


# --- Paths ---


@case
def first_path_wins(folder: Path) -> list[Path]:
    """Put a distribution on the path twice: the first one counts."""
    dist(folder / "one", "foo-1.0")
    dist(folder / "two", "Foo-2.0")
    dist(folder / "two", "bar-2.0")
    return [folder / "one", folder / "two"]


@case
def odd_paths(folder: Path) -> list[Path]:
    """Put missing folders, files and doubles on the path."""
    dist(folder / "site", "foo-1.0")
    (folder / "file").write_text("x")
    return [folder / "missing", folder / "site", folder / "file", folder / "site", folder / "python312.zip"]


@case
def path_with_space(folder: Path) -> list[Path]:
    """Use a path with a space and letters beyond ASCII."""
    site = folder / "s\u00eft\u00e9 packages"
    dist(site, "foo-1.0")
    return [site]


# --- What pip hides ---

table(
    "hidden",
    pip=lambda site: (dist(site, "pip-1.0"), dist(site, "foo-1.0")),
    build_tools=lambda site: [
        dist(site, f"{name}-1.0") for name in ("setuptools", "wheel", "distribute", "foo")
    ],
    standard_library=lambda site: [
        dist(site, f"{name}-1.0") for name in ("argparse", "wsgiref", "python", "foo")
    ],
    by_shown_name=lambda site: dist(site, "foo-1.0", head("Name: PIP")),
    not_by_folder=lambda site: dist(site, "pip-1.0", head("Name: foo")),
)

# --- direct_url.json (PEP 610) ---

ARCHIVE = "https://example.org/foo-1.0.zip"
GIT = "https://example.org/foo.git"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HASH = "0" * 64

table(
    "archive",
    hashes=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {"hashes": {"sha256": HASH}}}),
    old_hash=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {"hash": f"sha256={HASH}"}}),
    both_hashes=lambda site: direct(
        site, {"url": ARCHIVE, "archive_info": {"hash": "md5=1", "hashes": {"sha256": HASH, "md5": "1"}}}
    ),
    no_hash=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {}}),
    empty_hashes=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {"hashes": {}}}),
    subdirectory=lambda site: direct(
        site, {"url": ARCHIVE, "archive_info": {"hash": f"sha256={HASH}"}, "subdirectory": "a/b"}
    ),
    subdirectory_alone=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {}, "subdirectory": "a/b"}),
    query=lambda site: direct(site, {"url": f"{ARCHIVE}?download=1", "archive_info": {}}),
    escapes=lambda site: direct(site, '{"url": "https:\\/\\/h.org\\/\\u0066%20oo.zip", "archive_info": {}}'),
    placeholders=lambda site: direct(
        site, {"url": "https://${USER}:${TOKEN_2}@h.org/x.zip", "archive_info": {}}
    ),
    placeholder=lambda site: direct(site, {"url": "https://${TOKEN}@h.org/x.zip", "archive_info": {}}),
)
table(
    "vcs",
    git=lambda site: direct(site, {"url": GIT, "vcs_info": {"vcs": "git", "commit_id": COMMIT}}),
    ssh=lambda site: direct(
        site, {"url": "ssh://git@example.org:22/o/r", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}
    ),
    subdirectory=lambda site: direct(
        site,
        {
            "url": GIT,
            "vcs_info": {"vcs": "git", "commit_id": COMMIT, "requested_revision": "main"},
            "subdirectory": "py",
        },
    ),
    hg=lambda site: direct(site, {"url": "https://h.org/r", "vcs_info": {"vcs": "hg", "commit_id": COMMIT}}),
    svn=lambda site: direct(site, {"url": "https://h.org/r", "vcs_info": {"vcs": "svn", "commit_id": "12"}}),
)
table(
    "invalid-url",
    syntax=lambda site: direct(site, "{broken"),
    empty=lambda site: direct(site, "{}"),
    trailing=lambda site: direct(site, '{"url": "https://h.org/x.zip", "archive_info": {}} x'),
    bom=lambda site: direct(site, '\ufeff{"url": "https://h.org/x.zip", "archive_info": {}}'),
    no_kind=lambda site: direct(site, {"url": ARCHIVE}),
    null_kind=lambda site: direct(site, {"url": ARCHIVE, "archive_info": None}),
    two_kinds=lambda site: direct(site, {"url": "file:///x", "archive_info": {}, "dir_info": {}}),
    no_url=lambda site: direct(site, {"archive_info": {}}),
    url_type=lambda site: direct(site, {"url": 5, "archive_info": {}}),
    kind_type=lambda site: direct(site, {"url": ARCHIVE, "archive_info": []}),
    commit_missing=lambda site: direct(site, {"url": GIT, "vcs_info": {"vcs": "git"}}),
    revision_type=lambda site: direct(
        site, {"url": GIT, "vcs_info": {"vcs": "git", "commit_id": COMMIT, "requested_revision": 1}}
    ),
    editable_type=lambda site: direct(site, {"url": "file:///tmp", "dir_info": {"editable": "yes"}}),
    hash_form=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {"hash": "sha256"}}),
    hash_unknown=lambda site: direct(
        site, {"url": ARCHIVE, "archive_info": {"hash": "md5=1", "hashes": {"a": "1"}}}
    ),
    hash_differs=lambda site: direct(
        site, {"url": ARCHIVE, "archive_info": {"hash": "a=2", "hashes": {"a": "1"}}}
    ),
    hash_type=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {"hashes": {"a": 1}}}),
    folder_on_the_web=lambda site: direct(site, {"url": ARCHIVE, "dir_info": {}}),
    relative_folder=lambda site: direct(site, {"url": "file:foo", "dir_info": {}}),
    subdirectory_type=lambda site: direct(site, {"url": ARCHIVE, "archive_info": {}, "subdirectory": 1}),
    is_folder=lambda site: (dist(site, "foo-1.0") / "direct_url.json").mkdir(),
)


@case
def local_folder(folder: Path) -> None:
    """Install projects from their folders."""
    (folder / "my proj").mkdir()
    direct(folder / "site", {"url": (folder / "my proj").as_uri(), "dir_info": {}})
    url = folder.as_uri().replace("file://", "file://localhost")
    direct(folder / "site", {"url": url, "dir_info": {"editable": False}}, "bar-1.0")
    direct(folder / "site", {"url": folder.as_uri(), "dir_info": {"editable": None}}, "baz-1.0")


@case
def local_wheel(folder: Path) -> None:
    """Install a wheel from its file."""
    (folder / "foo-1.0+x.whl").write_text("")
    url = (folder / "foo-1.0+x.whl").as_uri()
    direct(folder / "site", {"url": url, "archive_info": {"hashes": {"sha256": HASH}}})


# --- Editable projects (pip: operations/freeze.py, vcs/git.py) ---


def project(folder: Path) -> Path:
    """Make the folder of a Python project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").touch()
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder."""
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(
    folder: Path, *, remote: str | None = "https://example.org/o/foo.git", commits: int = 1
) -> Path:
    """Make a project in a git repository."""
    project(folder)
    git(folder, "init", "-q", "-b", "main")
    if remote is not None:
        git(folder, "remote", "add", "origin", remote)
    for number in range(commits):
        git(folder, "commit", "-q", "--allow-empty", "-m", str(number))
    return folder


def editable(folder: Path, location: Path, stem: str = "foo-1.0") -> None:
    """Write a distribution that is installed editable from *location*."""
    direct(folder / "site", {"url": location.as_uri(), "dir_info": {"editable": True}}, stem)


@case
def editable_without_version_control(folder: Path) -> None:
    """Install projects editable that are in no repository."""
    editable(folder, project(folder / "proj"))
    editable(folder, project(folder / "p\u00e9\u00e4"), "Bar-2.0rc1")


@case
def editable_not_normalised(folder: Path) -> None:
    """Give a path with dots and a slash at its end."""
    project(folder / "proj")
    url = f"{folder.as_uri()}/./x/../proj/"
    direct(folder / "site", {"url": url, "dir_info": {"editable": True}})


@case
def editable_without_remote(folder: Path) -> None:
    """Give the repository no remote."""
    editable(folder, repository(folder / "proj", remote=None))


@case
def editable_unborn_without_remote(folder: Path) -> None:
    """Give the repository no remote and no commit: pip asks for the remote first."""
    editable(folder, repository(folder / "proj", remote=None, commits=0))


@case
def editable_unborn(folder: Path) -> None:
    """Give the repository no commit."""
    editable(folder, repository(folder / "proj", commits=0))


@case
def editable_cloned(folder: Path) -> None:
    """Use what is usual: a branch and `origin`."""
    editable(folder, repository(folder / "proj"), "my.foo-1.0")
    editable(folder, repository(folder / "other"), "my_b-1.0")
    dist(folder / "site", "plain-1.0")


@case
def editable_name_with_dash(folder: Path) -> None:
    """Use a name with a dash, which is an underscore in `egg`."""
    site = folder / "site"
    data = {"url": repository(folder / "proj").as_uri(), "dir_info": {"editable": True}}
    dist(site, "my_foo-1.0", head("Name: My-foo"), direct_url__json=json.dumps(data))


def remotes(**urls: str) -> None:
    """Register a case for each remote."""
    for key, url in urls.items():

        def build(folder: Path, url: str = url) -> list[Path]:
            (folder / "site").mkdir()
            (folder / "bare repo").mkdir()
            (folder / "bare.git").mkdir()
            editable(folder, repository(folder / "proj", remote=url.replace("HERE", str(folder))))
            return [folder / "site"]

        CASES[f"remote-{key.replace('_', '-')}"] = build


remotes(
    scp="git@example.org:o/foo.git",
    scp_without_user="example.org:o/foo.git",
    scp_with_tilde="git@example.org:~o/foo.git",
    scp_with_two_colons="git@example.org:o:p/foo.git",
    port="ssh://git@example.org:2222/o/foo.git",
    http="http://example.org/o/foo",
    git="git://example.org/o/foo",
    local_path="HERE/bare.git",
    local_path_gone="HERE/gone.git",
    local_path_with_space="HERE/bare repo",
    local_url="file://HERE/bare.git",
    relative="../bare.git",
    placeholder="https://${TOKEN}@example.org/o/foo.git",
    query="https://example.org/o/foo.git?x=1",
)


@case
def editable_detached(folder: Path) -> None:
    """Detach HEAD from its branch."""
    git(repository(folder / "proj", commits=2), "checkout", "-q", "--detach", "HEAD~1")
    editable(folder, folder / "proj")


@case
def editable_packed(folder: Path) -> None:
    """Pack the refs; a loose one is newer."""
    one = repository(folder / "one", commits=2)
    two = repository(folder / "two")
    for proj in (one, two):
        git(proj, "branch", "maint/x")
        git(proj, "tag", "-a", "-m", "x", "v1")
        git(proj, "pack-refs", "--all")
    git(two, "commit", "-q", "--allow-empty", "-m", "newer")
    editable(folder, one, "one-1.0")
    editable(folder, two, "two-1.0")


@case
def editable_branch_with_slash(folder: Path) -> None:
    """Use a branch whose ref lies in a folder."""
    git(repository(folder / "proj"), "checkout", "-q", "-b", "feature/x/y")
    editable(folder, folder / "proj")


@case
def editable_symbolic_branch(folder: Path) -> None:
    """Use a branch that is another name of a branch."""
    proj = repository(folder / "proj")
    git(proj, "symbolic-ref", "refs/heads/alias", "refs/heads/main")
    git(proj, "symbolic-ref", "HEAD", "refs/heads/alias")
    editable(folder, proj)


@case
def editable_sha256(folder: Path) -> None:
    """Use a repository whose commits are SHA-256."""
    proj = project(folder / "proj")
    git(proj, "init", "-q", "--object-format=sha256")
    git(proj, "remote", "add", "origin", GIT)
    git(proj, "commit", "-q", "--allow-empty", "-m", "x")
    editable(folder, proj)


@case
def editable_origin_is_second(folder: Path) -> None:
    """Put `origin` behind another remote."""
    proj = repository(folder / "proj", remote=None)
    git(proj, "remote", "add", "fork", "https://example.org/fork.git")
    git(proj, "remote", "add", "origin", "https://example.org/origin.git")
    editable(folder, proj)


@case
def editable_no_origin(folder: Path) -> None:
    """Use two remotes, none of them `origin`."""
    proj = repository(folder / "proj", remote=None)
    git(proj, "remote", "add", "zeta", "https://example.org/zeta.git")
    git(proj, "remote", "add", "alpha", "https://example.org/alpha.git")
    editable(folder, proj)


@case
def editable_two_urls(folder: Path) -> None:
    """Give the remote two URLs and one for pushing."""
    proj = repository(folder / "proj")
    git(proj, "remote", "set-url", "--add", "origin", "https://example.org/second.git")
    git(proj, "remote", "set-url", "--push", "origin", "https://example.org/push.git")
    editable(folder, proj)


CONFIGS = {
    "quotes": '[remote "origin"]\n\turl = "https://example.org/a;b#c.git" ; comment\n',
    "comment": '# x\n[remote "origin"] # y\n; z\n\turl = https://example.org/a.git # comment\n',
    "one-line": '[remote "origin"] url=https://example.org/a.git\n',
    "upper-case": '[REMOTE "origin"]\n\tURL=https://example.org/a.git\n',
    "old-form": "[remote.Origin]\nurl=https://example.org/a.git\n",
    "continued": '[remote "origin"]\nurl = https://example.org/\\\na.git\n',
    "escapes": '[remote "a\\"b"]\nurl = https://example.org/\\\\a.git\n',
    "instead-of": '[url "https://x.org/"]\ninsteadOf = https://example.org/\n'
    '[remote "origin"]\nurl = https://example.org/a.git\n',
    "section-of-a-name": '[remote "a b"]\nurl = https://example.org/a.git\n',
    "other-section": '[branch "remote.x"]\nurl = https://example.org/branch.git\n',
    "empty": '[remote "origin"]\nurl =\n',
    "reset": '[remote "origin"]\nfetch = +refs/heads/*:refs/remotes/origin/*\n',
}
# `#` would begin the fragment, the backslash an escape: pip's line could not be read back.
for _key, _text in CONFIGS.items():

    def _configured(folder: Path, text: str = _text) -> list[Path]:
        """Build a repository whose configuration ends with a text."""
        (folder / "site").mkdir()
        proj = repository(folder / "proj", remote=None)
        with (proj / ".git" / "config").open("a") as config:
            config.write(text)
        editable(folder, proj)
        return [folder / "site"]

    CASES[f"config-{_key}"] = _configured


@case
def editable_in_subfolder(folder: Path) -> None:
    """Use projects below the repository's root."""
    proj = repository(folder / "repo")
    editable(folder, project(proj / "python" / "foo"))
    (proj / "src").mkdir()
    editable(folder, proj / "src", "bar-1.0")
    (proj / "python" / "baz" / "src").mkdir(parents=True)
    (proj / "python" / "baz" / "setup.py").write_text("")
    editable(folder, proj / "python" / "baz" / "src", "baz-1.0")


@case
def editable_without_project_file(folder: Path) -> None:
    """Use a folder without pyproject.toml or setup.py."""
    proj = repository(folder / "repo")
    (proj / "pyproject.toml").unlink()
    (proj / "deep" / "er").mkdir(parents=True)
    editable(folder, proj / "deep" / "er")


@case
def editable_broken_repository(folder: Path) -> None:
    """Break `.git`: git passes it over, but pip has seen it."""
    (project(folder / "proj") / ".git").mkdir()
    editable(folder, folder / "proj")
    (project(folder / "halved") / ".git" / "refs").mkdir(parents=True)
    (folder / "halved" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    editable(folder, folder / "halved", "halved-1.0")
    (project(folder / "lost") / ".git").write_text("gitdir: /nowhere/at/all\n")
    editable(folder, folder / "lost", "lost-1.0")
    editable(folder, project(folder / "lost" / "below"), "below-1.0")


@case
def editable_broken_in_good_repository(folder: Path) -> None:
    """Put a broken repository into a good one, to which git goes on."""
    proj = repository(folder / "repo")
    (project(proj / "sub") / ".git").mkdir()
    editable(folder, proj / "sub")


@case
def editable_of_other_version_control(folder: Path) -> None:
    """Use other version control: without its program pip gives the folder, and no comment."""
    for name in ("hg", "svn", "bzr"):
        (project(folder / name) / f".{name}").mkdir()
        editable(folder, folder / name, f"{name}-1.0")
    (repository(folder / "both") / ".hg").mkdir()
    editable(folder, folder / "both", "both-1.0")
    (repository(folder / "git-and-bzr") / ".bzr").mkdir()
    editable(folder, folder / "git-and-bzr", "gitandbzr-1.0")
    (project(folder / "both" / "sub") / ".bzr").mkdir()
    editable(folder, folder / "both" / "sub", "sub-1.0")


@case
def editable_through_link(folder: Path) -> None:
    """Reach a repository by a symbolic link."""
    proj = repository(folder / "repo")
    (folder / "link").symlink_to(project(proj))
    editable(folder, folder / "link")


@case
def better_separate_git_folder(folder: Path) -> None:
    """Separate the git folder, which pip reckons the subdirectory from."""
    proj = project(folder / "proj")
    git(proj, "init", "-q", f"--separate-git-dir={folder / 'proj.git'}")
    git(proj, "remote", "add", "origin", GIT)
    git(proj, "commit", "-q", "--allow-empty", "-m", "x")
    editable(folder, proj)


# --- .egg-link (setuptools' old `develop`) ---


def developed(folder: Path, name: str = "foo", link: str = "foo.egg-link", text: str = "") -> Path:
    """Link a project as `setup.py develop` did."""
    proj = project(folder / name)
    dist(proj, f"{name}.egg-info", None, **{"PKG-INFO": head(f"Name: {name}", "Version: 1.0")})
    (folder / "site" / link).write_text(text or f"{proj}\n.")
    return proj


@case
def egg_link(folder: Path) -> None:
    """Link a folder that is in no repository."""
    developed(folder)


@case
def egg_link_relative(folder: Path) -> None:
    """Link by a relative path, behind empty lines."""
    developed(folder, text="\n  \n../foo\n")


@case
def egg_link_to_repository(folder: Path) -> None:
    """Link a project that is in a repository."""
    repository(folder / "foo")
    developed(folder)


@case
def egg_link_of_other_name(folder: Path) -> None:
    """Name the link after another project: nothing is editable."""
    developed(folder, link="bar.egg-link")


@case
def egg_link_names(folder: Path) -> None:
    """Name the link after the project's name, or what setuptools made of it."""
    developed(folder, "my_foo.x", "my-foo.x.egg-link")
    developed(folder, "my_bar.x", "my_bar.x.egg-link")
    developed(folder, "my_baz.x", "my-baz-x.egg-link")


@case
def egg_link_to_nothing(folder: Path) -> None:
    """Link to nowhere."""
    (folder / "site" / "a.egg-link").write_text("")
    (folder / "site" / "b.egg-link").write_text("/nowhere/at/all\n")
    (folder / "site" / ".egg-link").write_text(str(folder))
    dist(folder, "foo-1.0")


@case
def egg_link_left_behind(folder: Path) -> None:
    """Leave a link behind: the distribution of its name counts as editable."""
    dist(folder / "site", "foo-1.0")
    (folder / "site" / "foo.egg-link").write_text("/nowhere/at/all\n")


@case
def egg_link_on_another_path(folder: Path) -> list[Path]:
    """Put the link into another folder of the path."""
    dist(folder / "site", "foo-1.0")
    (folder / "user").mkdir()
    (folder / "user" / "foo.egg-link").write_text("/nowhere/at/all\n")
    return [folder / "site", folder / "user"]


# --- Where the line is better than pip's, or pip prints none ---


@case
def better_gone(folder: Path) -> None:
    """Remove the folder of an editable project."""
    editable(folder, folder / "gone")


@case
def better_file_gone(folder: Path) -> None:
    """Remove the file of a wheel."""
    direct(folder / "site", {"url": (folder / "foo.whl").as_uri(), "archive_info": {}})


@case
def better_conda(folder: Path) -> None:
    """Use the folder of conda's build machine."""
    info = direct(folder / "site", {"url": "file:///croot/foo_1/work", "dir_info": {}})
    (info / "INSTALLER").write_text("conda\n")


@case
def better_space(folder: Path) -> None:
    """Use an editable path with a space."""
    editable(folder, project(folder / "my proj"))


@case
def better_worktree(folder: Path) -> None:
    """Use a linked work tree."""
    git(repository(folder / "repo"), "worktree", "add", "-q", "../tree")
    editable(folder, project(folder / "tree"))


@case
def better_submodule(folder: Path) -> None:
    """Use a submodule."""
    inner = repository(folder / "inner")
    git(repository(folder / "outer"), "submodule", "--quiet", "add", str(inner), "sub")
    editable(folder, project(folder / "outer" / "sub"))


@case
def better_remote_file_gone(folder: Path) -> None:
    """Use a URL of a local remote that is gone."""
    editable(folder, repository(folder / "proj", remote=(folder / "gone.git").as_uri()))


@case
def better_scheme(folder: Path) -> None:
    """Use a remote that pip cannot clone from."""
    editable(folder, repository(folder / "proj", remote="codecommit://repo"))


@case
def better_remote_user(folder: Path) -> None:
    """Put a password into the remote."""
    editable(folder, repository(folder / "proj", remote="https://u:pw@example.org/o/foo.git"))


table(
    "better",
    local_version=lambda site: dist(site, "foo-1.0+local.1"),
    legacy_version=lambda site: dist(site, "foo-unknown"),
    two_dashes=lambda site: dist(site, "foo-bar-1.0", head("Name: foo-bar", "Version: 1.0")),
    no_version=lambda site: dist(site, "foo.egg-info", None, **{"PKG-INFO": head("Name: foo")}),
    url_user=lambda site: direct(site, {"url": "https://u:pw@h.org/x.zip", "archive_info": {}}),
    url_token=lambda site: direct(site, {"url": "https://h.org/x.zip?token=pw", "archive_info": {}}),
    url_semicolon=lambda site: direct(site, {"url": "https://h.org/x;y.zip", "archive_info": {}}),
    name_option=lambda site: dist(site, "foo-1.0", head("Name: --index-url https://evil.org")),
    name_spaces=lambda site: dist(site, "foo-1.0", head("Name: foo  ")),
    name_folded=lambda site: dist(site, "foo-1.0", head("Name: foo", " bar")),
    latin1=lambda site: dist(site, "foo-1.0", head("Name: foo", "Author: J\u00f6rg").encode("latin-1")),
    json_list=lambda site: direct(site, "[]"),
    json_latin1=lambda site: (dist(site, "foo-1.0") / "direct_url.json").write_bytes(b'{"url": "\xe9"}'),
    other_host=lambda site: direct(site, {"url": "file://host/x", "dir_info": {"editable": True}}),
    egg_link_folder=lambda site: (dist(site, "foo-1.0"), made(site / "x.egg-link")),
)

# Why a line is not pip's: it could not be restored, it would leak a secret, or pip prints no list at all.
BETTER = {
    "better-conda": "the folder of conda's build machine is on no other: the version is given",
    "better-egg-link-folder": "pip ends with an error",
    "better-file-gone": "what is gone ends a whole `pip install -r`: a comment",
    "better-gone": "what is gone ends a whole `pip install -r`: a comment",
    "better-json-latin1": "pip ends with an error",
    "better-json-list": "pip ends with an error",
    "better-latin1": "pip ends with an error",
    "better-legacy-version": "a comment says that an index may refuse the version",
    "better-local-version": "a comment says that PyPI has no local versions",
    "better-name-folded": "a name over two lines would be two requirements",
    "better-name-option": "the name would be an option of `pip install -r`",
    "better-name-spaces": "white space is no part of a name",
    "better-no-version": "no version matches None: a comment",
    "better-other-host": "pip ends with an error",
    "better-remote-file-gone": "a remote that is gone ends a whole `pip install -r`: the folder is given",
    "better-remote-user": "the user and password are left out",
    "better-scheme": "pip cannot clone from such a remote: the folder is given",
    "better-separate-git-folder": "pip reckons the subdirectory from the git folder: it is not in the clone",
    "better-space": "pip cuts its own line at the space: a file: URL",
    "better-submodule": "pip reckons the subdirectory from the git folder: it is not in the clone",
    "better-two-dashes": "a comment says that an index may refuse the version",
    "better-url-semicolon": "pip takes what follows for a marker: a comment",
    "better-url-token": "the token is masked",
    "better-url-user": "the user and password are left out",
    "better-worktree": "pip reckons the subdirectory from the git folder: it is not in the clone",
    "config-escapes": "pip drops the backslash of its own line: the folder is given",
    "config-quotes": "pip takes what follows `#` for the fragment: the folder is given",
}
# What pip prints where it reads environments by pkg_resources: targets below 3.11. gitsnap has one rule for all.
PKG_RESOURCES = {
    "better-egg-link-folder": "pkg_resources passes the folder over",
    "egg-link": "pkg_resources does not list the linked project for --path",
    "egg-link-names": "pkg_resources does not list the linked project for --path",
    "egg-link-of-other-name": "pkg_resources does not list the linked project for --path",
    "egg-link-relative": "pkg_resources does not list the linked project for --path",
    "egg-link-to-repository": "pkg_resources does not list the linked project for --path",
    "egg-unpacked": "pkg_resources lists only the egg itself",
    "folder-leading-dash": "pkg_resources lists it without a name",
    "folder-no-dash-no-name": "pkg_resources takes the name of the folder",
    "folder-no-name": "pip ends with an error, or does not list it",
    "folder-two-of-one-shown-name": "pkg_resources lists the folder's distributions in another order",
    "folder-upper-case": "pkg_resources takes the version of the folder",
    "invalid-url-is-folder": "pip ends with an error",
    "metadata-file": "pkg_resources does not list a file",
    "metadata-folder": "pip ends with an error",
    "metadata-missing": "pkg_resources does not list it",
    "metadata-pkg-info": "pkg_resources does not read PKG-INFO there",
    "no-wheel-by-its-name": "pkg_resources looks into eggs alone",
    "zip-with-dist-info": "pkg_resources looks into eggs alone",
}
# What the newest pip of Python 3.8 and 3.9 prints: its reading of direct_url.json is an older one.
OLDER_PIP = {
    "archive-both-hashes": "the old single hash counts",
    "archive-hashes": "only the old single hash is printed",
    "better-json-list": "what is no object is passed over",
    "invalid-url-folder-on-the-web": "the scheme of a folder's URL is not checked",
    "invalid-url-hash-differs": "hashes are not compared",
    "invalid-url-hash-type": "the types of hashes are not checked",
    "invalid-url-hash-unknown": "hashes are not compared",
    "invalid-url-relative-folder": "the path of a folder's URL is not checked",
    "local-folder": "`editable: null` is an error",
    "local-wheel": "only the old single hash is printed",
}


# --- The comparison ---


def interpreter(version: str) -> str | None:
    """Return the interpreter of a version: pyenv's newest of it, else that on PATH."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    name = "python.exe" if os.name == "nt" else "bin/python"
    found = [path for path in root.glob(f"versions/{version}.*/{name}") if path.is_file()]
    if found:
        return str(
            max(
                found,
                key=lambda path: [int(part) for part in path.parents[1].name.split(".") if part.isdigit()],
            )
        )
    return shutil.which(f"python{version}")


def run(*command: str, given: str | None = None, **variables: str) -> str:
    """Run a program away from the user's settings; return what it prints."""
    env = {**ENVIRONMENT, **variables}
    done = subprocess.run(
        command, input=given, env=env, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def venv(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the interpreter of a new virtual environment with the newest pip; its version is the parameter."""
    version = request.param
    base = interpreter(version)
    if base is None:
        pytest.skip(f"Python {version} is not on this machine")
    run(base, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    site = tmp_path / "venv" / "lib" / f"python{version}" / "site-packages"
    # Twice as fast as ensurepip and an upgrade; that is the way without a network, or without a pip here.
    options = [
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        f"--python-version={version}",
        f"--target={site}",
    ]
    command = [sys.executable, "-m", "pip", "install", *options, "pip"]
    if subprocess.run(
        command, env={**ENVIRONMENT, "HOME": str(tmp_path)}, check=False, capture_output=True
    ).returncode:
        run(python, "-m", "ensurepip")
    has = run(python, "-m", "pip", "--version").split()[1]
    if tuple(int(part) for part in has.split(".")[:2]) < NEWEST_PIP.get(version, (26, 3)):
        pytest.skip(f"pip {has} of Python {version} is too old, and a newer one could not be installed")
    return python


def ours(paths: list[Path], version: str, prefix: Path) -> str:
    """Return what `scan.freeze` makes of the same paths."""
    major, _, minor = version.partition(".")
    return "".join(
        f"{line}\n" for line in scan.freeze(list(map(str, paths)), (int(major), int(minor)), str(prefix))
    )


def listed(version: str, backend: str) -> set[str]:
    """Return the cases that are known to differ. What `BETTER` and another table hold is equal there."""
    names = set(BETTER)
    if backend == "pkg_resources":
        names ^= set(PKG_RESOURCES)
    if version in NEWEST_PIP:
        names ^= set(OLDER_PIP)
    return names


TARGETS = [pytest.param(version, version, id=version) for version in PYTHONS]


@pytest.mark.parametrize(("version", "venv"), TARGETS, indirect=["venv"])
def test_every_case_is_pips(
    version: str, venv: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Give pip's bytes in every case but the listed ones, and differ in each of those."""
    paths = {}
    for name, build in CASES.items():
        (tmp_path / name).mkdir()
        paths[name] = build(tmp_path / name)
    made = {name: ours(entries, version, tmp_path) for name, entries in paths.items()}
    given = json.dumps({name: list(map(str, entries)) for name, entries in paths.items()})
    backends = {"3.8": ["pkg_resources"], "3.9": ["pkg_resources"], "3.10": ["pkg_resources", "importlib"]}
    for backend in backends.get(version, ["importlib"]):
        choice = {"_PIP_USE_IMPORTLIB_METADATA": str(int(backend == "importlib"))}
        printed = json.loads(
            run(venv, str(DRIVER), given=given, HOME=str(tmp_path), PYTHONUTF8="1", **choice)
        )
        different = {name for name in CASES if made[name] != printed[name]}
        known = listed(version, backend)
        assert {name: (printed[name], made[name]) for name in different - known} == {}
        assert known - different == set(), "listed, but equal"
        counts = f"{len(CASES)} cases, {len(CASES) - len(different)} of them with pip's bytes"
        record_property(f"Python {version}, {backend}", counts)
        print(f"Python {version}, {backend}: {counts}")


def test_enough_cases_and_pythons() -> None:
    """Compare at least 60 environments, and those on at least four versions of Python."""
    assert len(CASES) - len(BETTER) >= 60
    assert set(BETTER) | set(PKG_RESOURCES) | set(OLDER_PIP) <= set(CASES)
    found = [version for version in PYTHONS if interpreter(version)]
    print(f"{len(CASES)} cases on Python {', '.join(found)}")
    if len(found) < 4:
        pytest.skip(f"only these versions of Python are on this machine: {', '.join(found)}")


BACKEND = """
import base64, os, zipfile

def _wheel(folder, files):
    name = "{name}-{version}-py3-none-any.whl"
    metadata = "Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
    info = "{name}-{version}.dist-info/"
    tag = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files = dict(files, **{{info + "METADATA": metadata, info + "WHEEL": tag}})
    record = "".join("%s,,\\n" % file for file in [*files, info + "RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for file, text in dict(files, **{{info + "RECORD": record}}).items():
            wheel.writestr(file, text)
    return name

def build_wheel(folder, settings=None, metadata=None):
    return _wheel(folder, {{"{name}.py": ""}})

def build_editable(folder, settings=None, metadata=None):
    return _wheel(folder, {{"{name}.pth": os.getcwd()}})
"""


def buildable(folder: Path, name: str, version: str = "1.0") -> Path:
    """Make a project that builds itself, without a build tool."""
    folder.mkdir(exist_ok=True)
    (folder / "backend.py").write_text(BACKEND.format(name=name, version=version))
    text = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(text)
    return folder


def sources(folder: Path) -> list[str]:
    """Make something to install of each kind; return pip's arguments."""
    plain = buildable(folder / "Plain_x", "Plain_x")
    cloned = repository(buildable(folder / "cloned", "cloned"), remote=folder.as_uri())
    git(buildable(cloned, "cloned"), "add", ".")
    git(cloned, "commit", "-q", "-m", "files")
    here = repository(buildable(folder / "here", "here", "2.0rc1"))
    loose = buildable(folder / "loose", "loose")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import backend; print(backend.build_wheel(sys.argv[2]))"
    )
    for name in ("wheel", "index"):
        buildable(folder / name, f"from_{name}")
        run(sys.executable, "-c", code, str(folder / name), str(folder))
    wheel = str(folder / "from_wheel-1.0-py3-none-any.whl")
    editables = ["-e", str(here), "-e", str(loose)]
    return ["from_index", wheel, str(plain), f"git+{cloned.as_uri()}", *editables]


def sys_path(python: str) -> list[Path]:
    """Return the path of an interpreter, but for its current folder."""
    return list(
        map(Path, json.loads(run(python, "-I", "-c", "import sys, json; print(json.dumps(sys.path))")))
    )


@pytest.mark.parametrize(("version", "venv"), TARGETS, indirect=["venv"])
def test_installed_is_pips(version: str, venv: str, tmp_path: Path) -> None:
    """Give pip's bytes for what pip and uv have really installed: wheels, folders, clones and editables."""
    arguments = ["--no-index", "--no-deps", "--find-links", str(tmp_path), *sources(tmp_path)]
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    if version in {"3.9", "3.11", "3.13"} and Path(uv).is_file():
        run(uv, "pip", "install", "-q", "--python", venv, *arguments, HOME=str(tmp_path), UV_NO_CACHE="1")
    else:
        run(venv, "-m", "pip", "install", "-q", *arguments, HOME=str(tmp_path))
    backend = {"_PIP_USE_IMPORTLIB_METADATA": "1"} if version == "3.10" else {}
    printed = run(venv, "-m", "pip", "freeze", HOME=str(tmp_path), **backend)
    made = ours(sys_path(venv), version, tmp_path / "venv")
    assert made.count("\n") == 7
    assert made == printed
