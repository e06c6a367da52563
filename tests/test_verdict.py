"""Verdicts: git's words, each with a code, a sentence and a remedy."""

from __future__ import annotations

import pytest

from gitsnap import verdict
from gitsnap.verdict import Place

PLACE = Place("https://host/envs.git", "host")
WORDS = [
    ("host-key", "Host key verification failed.\nfatal: Could not read from remote repository."),
    (
        "host-key",
        "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nfatal: Could not read from remote repository.",
    ),
    (
        "key-refused",
        "git@host: Permission denied (publickey).\nfatal: Could not read from remote repository.",
    ),
    (
        "key-refused",
        'Load key "/home/ada/.ssh/id": bad permissions\nfatal: Could not read from remote repository.',
    ),
    ("login", "fatal: Authentication failed for 'https://host/envs.git/'"),
    ("login", "fatal: could not read Username for 'https://host': terminal prompts disabled"),
    ("login", "remote: HTTP Basic: Access denied. The provided password or token is incorrect"),
    ("tls", "fatal: unable to access 'https://host/': server certificate verification failed. CAfile: none"),
    ("tls", "fatal: unable to access 'https://host/': schannel: next InitializeSecurityContext failed"),
    ("tls", "fatal: unable to access 'https://host/': error:0A00010B:SSL routines::wrong version number"),
    (
        "disk-full",
        "error: remote unpack failed: unable to create temporary object directory\nNo space left on device",
    ),
    ("read-only", "ERROR: The key you are authenticating with has been marked as read only."),
    (
        "read-only",
        "remote: Permission to lab/envs.git denied to ada.\nfatal: unable to access: The requested URL returned error: 403",
    ),
    ("read-only", "remote: GitLab: You are not allowed to push code to this project."),
    ("refused", "fatal: detected dubious ownership in repository at '/media/usb/envs.git'"),
    (
        "not-found",
        "fatal: '/x' does not appear to be a git repository\nfatal: Could not read from remote repository.",
    ),
    ("not-found", "fatal: remote error: access denied or repository not exported: /x.git"),
    ("not-found", "fatal: repository 'https://host/envs.git/' not found"),
    ("not-found", "ERROR: Repository not found.\nfatal: Could not read from remote repository."),
    (
        "unreachable",
        "ssh: Could not resolve hostname host: Name or service not known\nfatal: Could not read from remote repository.",
    ),
    ("unreachable", "ssh: connect to host host port 22: Connection refused"),
    ("unreachable", "ssh: connect to host host port 22: No route to host"),
    (
        "unreachable",
        "fatal: unable to access 'https://host/': Failed to connect to host port 443: Connection refused",
    ),
    ("unreachable", "fatal: unable to access 'https://host/': Could not resolve host: host"),
    ("unreachable", "fatal: unable to access 'https://host/': The requested URL returned error: 502"),
    ("unreachable", "fetch-pack: unexpected disconnect while reading sideband packet\nfatal: early EOF"),
    ("unreachable", "fatal: the remote end hung up unexpectedly"),
    ("failed", "fatal: something that nobody ever saw"),
    ("failed", ""),
]


@pytest.mark.parametrize(("code", "words"), WORDS, ids=range(len(WORDS)))
def test_words_are_read(code: str, words: str) -> None:
    """The first line that tells something is quoted; every verdict has a remedy."""
    found = verdict.of_words(words, PLACE)

    assert found.code == code
    assert found.code in verdict.CODES
    assert found.hint
    assert "Could not read from remote" not in found.message
    assert not found.is_good


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        ("refused", "pre-receive hook declined", "remote: only on Mondays        \n"),
        ("disk-full", "unpacker error", "error: file write error: No space left on device"),
        ("read-only", "unpacker error", "remote: error: Read-only file system"),
        ("read-only", "unpacker error", "remote: fatal: Unable to create temporary file: Permission denied"),
        ("refused", "failed to update ref", "'refs/heads/a' exists; cannot create 'refs/heads/a/b'"),
    ],
)
def test_refusals_are_read(code: str, reason: str, words: str) -> None:
    """What the server's own rules say is quoted."""
    found = verdict.of_refusal(reason, words, PLACE)

    assert found.code == code
    assert reason in found.message
    assert "Mondays" in found.message or "Mondays" not in words


def test_what_a_server_says_is_shown_without_secrets_and_control_characters() -> None:
    """Its words are another's."""
    words = "remote: \x1b[31mgo to https://ada:s3cret@host/ \x07" + "x" * 1000

    shown = verdict.of_refusal("hook declined", words, PLACE).message

    assert "s3cret" not in shown
    assert shown.isprintable()
    assert len(shown) <= 300


def test_no_answer_and_no_folder_have_their_own_words() -> None:
    """They are known before git says anything."""
    assert verdict.silent(PLACE, 20).message == "`host` gave no answer for 20 seconds"
    assert verdict.absent(PLACE).code == "not-found"
    assert verdict.GOOD.is_good
