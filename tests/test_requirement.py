"""Requirement lines of text that may come from anywhere: known forms are read, everything else is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import requirement
from gitsnap.errors import UntrustedTextError
from gitsnap.requirement import Requirement

HEAD = "# executable: /x/bin/python\n# version: 3.12.3 (main)\n\n"
COMMIT = "a" * 40


def read(*lines: str) -> tuple[Requirement, ...]:
    """Read lines below a header."""
    return requirement.parse(HEAD + "".join(f"{line}\n" for line in lines)).requirements


@pytest.mark.parametrize(
    ("line", "key", "form", "value"),
    [
        ("numpy==1.26.4", "numpy", "==", "1.26.4"),
        ("PyYAML==6.0.1", "pyyaml", "==", "6.0.1"),
        ("torch==2.1.0+cu118", "torch", "==", "2.1.0+cu118"),
        ("zope.interface==5!1.0.post1.dev2", "zope-interface", "==", "5!1.0.post1.dev2"),
        ("pytz===2004d", "pytz", "===", "2004d"),
        ("odd===1=(x", "odd", "===", "1=(x"),
        ("a @ file:/home/a.whl", "a", "@", "file:/home/a.whl"),
        ("a @ https://host.org/a-1.0-py3-none-any.whl", "a", "@", "https://host.org/a-1.0-py3-none-any.whl"),
        ("a @ file:///home/a%20b/a.whl#sha256=00", "a", "@", "file:///home/a%20b/a.whl#sha256=00"),
        (f"a @ git+https://host.org/a.git@{COMMIT}", "a", "@", f"git+https://host.org/a.git@{COMMIT}"),
        ("a @ git+ssh://git@host.org/a.git@v1", "a", "@", "git+ssh://git@host.org/a.git@v1"),
        ("a @ https://${USER}:${TOKEN_1}@host.org/a.whl", "a", "@", "https://${USER}:${TOKEN_1}@host.org/a.whl"),
        ("-e /home/ada/src/my-project", "my-project", "-e", "/home/ada/src/my-project"),
        ("-e file:///home/a%20b/my-project", "my-project", "-e", "file:///home/a%20b/my-project"),
        (f"-e git+https://host.org/a.git@{COMMIT}#egg=a_b&subdirectory=x", "a-b", "-e", f"git+https://host.org/a.git@{COMMIT}#egg=a_b&subdirectory=x"),
    ],
)  # fmt: skip
def test_every_known_form_is_read_and_written_again(line: str, key: str, form: str, value: str) -> None:
    """An installer gets the very line, put together from its parts."""
    [one] = read(line)

    assert (one.number, one.key, one.form, one.value, one.line) == (4, key, form, value, line)
    assert one.runs_code == (form in {"@", "-e"})
    assert requirement.parse(requirement.compose([one])).requirements[0].identity == one.identity


@pytest.mark.parametrize(
    "line",
    [
        "--index-url http://host/evil",
        "-r /etc/passwd",
        "-c constraints.txt",
        "--hash=sha256:00",
        "-i http://host",
        "--find-links x",
        "numpy",
        "numpy>=1.0",
        "numpy==1.*",
        "numpy~=1.0",
        "numpy != 1.0",
        "numpy == 1.0",
        " numpy==1.0",
        "numpy==1.0,<2",
        "numpy==1.0; python_version > '3'",
        "numpy==1.0 ; sys_platform == 'win32'",
        "numpy==1.0 --hash=sha256:00",
        "numpy==1.0 \\",
        "numpy==1.0\\",
        "numpy==1.0 # comment",
        "numpy[extra]==1.0",
        "numpy==${VERSION}",
        "-numpy==1.0",
        "_numpy==1.0",
        "numpy===1.0;x",
        "./numpy-1.0.whl",
        "/numpy-1.0.whl",
        "https://host/numpy-1.0.whl",
        "git+https://host/a",
        "a@https://host/a.whl",
        "a @ ftp://host/a.whl",
        "a @ ext::sh -c x",
        "a @ git+ext::sh",
        "a @ javascript:alert(1)",
        "a @ /home/a.whl",
        "a @ https://host/a.whl ; x",
        "a @ https://host/a.whl;x",
        "a @ https://host/${SECRET}",
        "a @ https://${SECRET}/a.whl",
        "a @ https://${secret}@host/a.whl",
        "a @ https://${SECRET@host/a.whl",
        "a @ git+https://host/a@--upload-pack=x",
        "a @ git+ssh://git@-oProxyCommand=x/a",
        "a @ https://host\\a.whl",
        "a @ git+ssh://-oProxyCommand=x/a",
        "a[x] @ https://host/a.whl",
        "-e .",
        "-e ../x",
        "-e project",
        "-e /home/${SECRET}",
        "-e /home/a b",
        "-e /home/a;x",
        "-e /home/a[x]",
        "-e -r/etc/passwd",
        "-e  /x",
        "-e",
        "-e/home/x",
        "--editable /home/x",
        "a==1.0\x00",
        "a==1.0\x1b[31m",
        "a==1.0\rb==2.0",
        "a==1.0\u2028b==2.0",
        "# a comment with \x1b an escape",
        "[GCC 12.2.0]",
        "<<<<<<< HEAD",
    ],
)
def test_everything_else_is_refused_with_its_line(line: str) -> None:
    """Options, markers, continuations, other operators and odd schemes never reach an installer."""
    with pytest.raises(UntrustedTextError, match="line 5 is refused"):
        read("six==1.16.0", line)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """What is read consists of known forms, each on one line of its own."""
    try:
        found = requirement.parse(text).requirements
    except UntrustedTextError as error:
        said = error.message
    else:
        said = ""
    assert said.isprintable()
    if said:
        return
    for one in found:
        assert one.line.isprintable()
        assert not one.line.startswith("-") or one.form == "-e"


@given(st.text(alphabet="ae=@- +:/$;{}#\\'\".git1", max_size=30))
def test_what_is_read_is_written_as_it_stood(line: str) -> None:
    """Nothing is lost or added between the text and an installer's file."""
    try:
        found = read(line)
    except UntrustedTextError:
        return
    assert [one.line for one in found if one.is_obtainable] == (
        [line.rstrip()] if found and found[0].is_obtainable else []
    )


def test_a_file_that_is_no_snapshot_is_refused() -> None:
    """A shopping list is not an empty environment."""
    for text in ("", "\n\n", "# a comment\n"):
        with pytest.raises(UntrustedTextError, match="no snapshot"):
            requirement.parse(text)
    assert requirement.parse(HEAD).requirements == ()
    assert len(requirement.parse("six==1.0").requirements) == 1


def test_a_project_that_stands_twice_is_refused() -> None:
    """No environment can hold both."""
    with pytest.raises(UntrustedTextError, match=r"line 5 is refused.*line 4"):
        read("PyYAML==1.0", "pyyaml==2.0")


def test_what_the_snapshot_calls_not_restorable_is_kept_with_its_reason() -> None:
    """It is part of the state, but no installer is asked for it."""
    [one] = read("# not restorable (its folder or file is gone): foo @ file:///gone/foo")

    assert (one.key, one.is_obtainable, one.reason) == ("foo", False, "its folder or file is gone")
    assert not one.runs_code


def test_an_editable_is_named_by_the_comment_above_it() -> None:
    """Its name is there; the version in it is the folder's affair."""
    note = "# Editable install with no version control (my-name=={})"
    [one] = read(note.format("1.0"), "-e /home/ada/src")
    [other] = read(note.format("2.0"), "-e /home/ada/src")

    assert (one.key, one.distribution.version) == ("my-name", "1.0")
    assert one.identity == other.identity


def test_variables_of_a_url_are_named() -> None:
    """The user is told which values of theirs go into it."""
    [one] = read("a @ https://${USER}:${TOKEN}@host.org/a.whl")

    assert one.variables == ("USER", "TOKEN")


def test_equal_states_have_equal_identities() -> None:
    """Spelling of names and trailing zeros do not matter; versions, forms and sources do."""
    pairs = [("PyYAML==6.0", "pyyaml==6.0.0", True), ("a==1", "a==2", False), ("a==1", "a===1", False),
             ("a @ file:///a.whl", f"a @ file:///a.whl#sha256={'0' * 64}", True),
             ("a @ file:///a.whl", "a @ file:///b.whl", False)]  # fmt: skip
    for one, other, same in pairs:
        assert (read(one)[0].identity == read(other)[0].identity) is same, (one, other)


def test_what_a_freeze_never_lists_is_left_out() -> None:
    """No freeze has pip; setuptools is since Python 3.12."""
    found = read("pip==24.0", "setuptools==69.0", "six==1.0")

    assert [one.key for one in requirement.listed(found, (3, 12, 0))] == ["setuptools", "six"]
    assert [one.key for one in requirement.listed(found, (3, 11, 0))] == ["six"]
