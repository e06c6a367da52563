"""Addresses: what git may be given, and branch names that fit every server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitsnap import address
from gitsnap.errors import UsageError

POSIX = pytest.mark.skipif(os.name == "nt", reason="paths of POSIX")


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("git@host:lab/environments.git", "host"),
        ("host:environments.git", "host"),
        ("git@[::1]:environments.git", "[::1]"),
        ("ssh://git@host:2222/srv/envs.git", "host:2222"),
        ("https://git.example.org/lab/envs.git", "git.example.org"),
        ("http://[::1]:8080/envs.git", "[::1]:8080"),
        ("git://host/envs.git", "host"),
        pytest.param("/media/usb/envs.git", "/media/usb/envs.git", marks=POSIX),
        pytest.param("/media/{machine}/envs.git", "/media", marks=POSIX),
        pytest.param("file:///media/usb/envs.git", "file:///media/usb/envs.git", marks=POSIX),
    ],
)
def test_paths_and_urls_that_git_knows_are_taken(text: str, server: str) -> None:
    """Each says who has to answer."""
    assert address.parse(text).server == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " /x",
        "x\ny",
        "/x\x00",
        "/x\u202e",
        "-x",
        "--upload-pack=x",
        "environments.git",
        "../environments.git",
        "lab/environments.git",
        "ext::sh -c x",
        "fd::17",
        "a::b",
        "ftp://host/x",
        "htps://host/x",
        "ssh://-oProxyCommand=x/y",
        "ssh://%2doProxyCommand=x/y",
        "ssh://-l@host/x",
        "git@-oProxyCommand=x:y",
        "-git@host:x",
        "git@host:-x",
        "http://host",
        "https:///x",
        "https://host:port/x",
        "https://host:99999/x",
        "https://host/%0a",
        "/x/{user}",
        "/x/{machine",
        "/x/}",
        "/x/{}",
    ],
)
def test_anything_else_is_refused_with_what_would_do(text: str) -> None:
    """No option, no other program, nothing relative, nothing that cannot be seen."""
    with pytest.raises(UsageError) as caught:
        address.parse(text)

    assert caught.value.hint
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "https://ada:s3cret@host/x",
        "https://s3cret@host/x",
        "http://:s3cret@host/x",
        "ssh://git:s3cret@host/x",
        "git://s3cret@host/x",
        "https://host/x?private_token=s3cret",
        "https://ada:s3cret@/x",
        "https://ada:s3cret/@host/x",
        "https://ada:s3/cret@host/x",
        "file://ada:s3cret@host/x",
    ],
)
def test_credentials_are_refused_and_not_shown(text: str) -> None:
    """The hint says who keeps them."""
    with pytest.raises(UsageError) as caught:
        address.parse(text)

    assert "s3cret" not in caught.value.message + caught.value.hint
    assert "cret@" not in caught.value.message


def test_a_template_is_filled_with_names_made_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a machine nor an environment can name another folder."""
    where = address.parse("https://host/{machine}/{environment}.git")

    assert where.url("PC One", "../../x") == "https://host/pc-one/x.git"
    assert where.is_template
    assert where.names_environment
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("USERPROFILE", "/home/ada")
    home = address.parse("~/envs/{machine}.git")
    assert home.is_path
    assert not home.names_environment
    assert Path(home.url("a", "b")) == Path("/home/ada/envs/a.git")
    assert Path(home.root) == Path("/home/ada/envs")


@given(st.text())
@example("lab.lock")
@example("a.lock.lock")
@example("CON")
@example("con.x")
@example("ΐ" * 60)
@example("ß.LOCK")
@example("\u0130" * 70)
@example("ﷺ" * 20)
@example("." * 300)
def test_a_part_is_stable_short_and_the_same_in_every_case(name: str) -> None:
    """Made safe twice it is the same, so a branch that we made is known again as ours."""
    part = address.part(name)

    assert part
    assert address.part(part) == part
    assert len(part.encode("utf-8")) <= 130
    assert part.isprintable()
    assert not set(part) & set(' ~^:?*[\\/"<>|')
    assert part.strip(".-") == part
    assert ".." not in part
    assert not part.endswith(".lock")
    assert address.is_ours(address.branch(name, name))


@given(st.text(max_size=30))
def test_names_that_differ_in_case_alone_are_one(name: str) -> None:
    """A server on Windows or macOS could not keep them apart."""
    assert address.part(name.upper()) == address.part(name.upper().lower().upper())
    assert address.part(address.part(name).casefold()) == address.part(name)


def test_git_takes_every_branch_name(tmp_path: Path) -> None:
    """Git itself is asked, with names of many scripts."""
    names = [
        "PC One",
        "лаборатория",
        "実験室",
        "a..b",
        ".x",
        "x.lock",
        "@",
        "HEAD",
        "con",
        "-x",
        "a\u0301",
        "🙂",
        "x" * 300,
    ]
    for name in names:
        for branch in (address.branch(name, name), address.beside(address.branch(name, name), "0123456789")):
            done = subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=False)
            assert done.returncode == 0, branch


def test_the_branch_beside_is_known_as_ours() -> None:
    """And a longer name is another environment's."""
    usual = address.branch("pc", "lab")

    assert address.is_branch_of(usual, usual)
    assert address.is_branch_of(address.beside(usual, "0123abcd99"), usual)
    for other in ("pc/lab-two", "pc/lab-0123abc", "pc/lab-0123abcd-x", "pc/la", "pc/lab-0123ABCD"):
        assert not address.is_branch_of(other, usual)
    assert not address.is_ours("main")
    assert not address.is_ours("a/b/c")
    assert not address.is_ours("PC/lab")
