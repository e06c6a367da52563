"""Blocks in files of others: what is put in can be taken out again, byte for byte."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitsnap import hookfiles
from gitsnap.hookfiles import Shell

SHELLS = st.sampled_from(Shell)
BODIES = st.lists(st.from_regex(r"[ -~]{0,20}", fullmatch=True), max_size=4).map("\n".join)
DATA = st.none() | st.binary(max_size=60) | st.from_regex(rb"([ab]{0,3}\r?\n?){0,4}", fullmatch=True)
ODD = [
    "",
    "plain",
    " a  b ",
    "*",
    "$HOME",
    "`id`",
    '"',
    "'",
    "\\",
    "\\'",
    "%PATH%",
    "é",
    "\u2019",
    "--",
    "~",
    "!x",
    "(a)",
]


@given(data=DATA, body=BODIES, other=BODIES, shell=SHELLS)
@example(data=b"a\r", body="x", other="y", shell=Shell.SH)
@example(data=b"", body="", other="", shell=Shell.CMD)
def test_what_is_added_can_be_removed_without_a_trace(
    data: bytes | None, body: str, other: str, shell: Shell
) -> None:
    """Twice is once, a newer block takes the place of an older one, and removing gives the very bytes back."""
    added = hookfiles.add(data, body, shell)

    assert hookfiles.add(added, body, shell) == added
    assert hookfiles.remove(added) == data
    assert hookfiles.remove(hookfiles.add(added, other, shell)) == data
    assert added.startswith(data or b"")
    block = hookfiles.block_in(added)
    assert block is not None
    assert added.endswith(block)


@given(data=DATA, tail=st.binary(min_size=1, max_size=30), shell=SHELLS)
def test_what_others_add_below_the_block_stays(data: bytes | None, tail: bytes, shell: Shell) -> None:
    """Nothing of theirs is lost, and no line of theirs joined to another."""
    added = hookfiles.add(data, "x", shell) + tail

    left = hookfiles.remove(added)

    assert left is not None
    assert left.startswith(data or b"")
    assert left.endswith(tail)
    assert left.strip(b"\r\n") == (
        (data or b"") + left[len(data or b"") : len(left) - len(tail)] + tail
    ).strip(b"\r\n")
    assert hookfiles.add(added, "x", shell) == added


@pytest.mark.parametrize("data", [b"", b"a\n# >>> gitsnap hook >>>\nb\n", b"# <<< gitsnap hook <<<\n"])
def test_half_a_block_is_left_alone(data: bytes) -> None:
    """Someone edited it: what is theirs and what is ours cannot be told any more."""
    assert hookfiles.block_in(data) is None
    assert hookfiles.remove(data) == data


def test_line_ends_are_those_of_the_file() -> None:
    """A script of Windows stays one."""
    assert b"\n" not in hookfiles.add(b"@echo off\r\n", "x\ny", Shell.CMD).replace(b"\r\n", b"")
    assert b"\r" not in hookfiles.add(b"a\n", "x\ny", Shell.CMD)


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "zsh", "fish"])
def test_a_quoted_word_is_one_word_of_the_shell(text: str, shell: str) -> None:
    """Paths may hold anything."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    kind = Shell.FISH if shell == "fish" else Shell.SH

    answer = subprocess.run(
        [shell, "-c", f"printf %s {hookfiles.quoted(text, kind)}"], capture_output=True, check=True
    )

    assert answer.stdout.decode() == text


def test_powershell_and_cmd_quote_by_their_own_rules() -> None:
    """They cannot be had everywhere."""
    assert hookfiles.quoted("it's", Shell.POWERSHELL) == "'it''s'"
    assert hookfiles.quoted("it\u2019s", Shell.POWERSHELL) == "'it\u2019\u2019s'"
    assert hookfiles.quoted("100%", Shell.CMD) == '"100%%"'


def test_only_known_words_of_a_template_are_filled() -> None:
    """A word that fits the pattern may be part of a path."""
    assert hookfiles.filled("@A@ @B@ @echo", A="@B@") == "@B@ @B@ @echo"
