"""Dated files of others: read whatever Windows, old Pythons and PyMoDAQ wrote, in one form, without secrets."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitsnap import freezefile, legacy, requirement
from gitsnap.legacy import Dated, Reader, Unreadable

HEADER = (
    "# executable: /home/mairain/.virtualenvs/pymodaq-dev/bin/python\n"
    "# version: 3.12.3 (main, Jan 17 2025, 18:03:48) [GCC 13.3.0]\n\n"
)
LINES = ["numpy==1.26.4", "PySide6==6.8.1", "PySide6_Addons==6.8.1", "six==1.16.0"]
CANONICAL = (HEADER + "numpy==1.26.4\nPySide6==6.8.1\nPySide6_Addons==6.8.1\nsix==1.16.0\n").encode()
SHA = "a" * 40
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?", fullmatch=True)
PINS = st.dictionaries(
    NAMES.map(str.lower), st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True), min_size=1
)


def read(data: bytes, *, there: bool = True) -> Dated | Unreadable:
    """Read one file; what it names is *there*, or not."""
    return Reader(lambda path: there).read(data)


def text(data: bytes, *, there: bool = True) -> bytes:
    """Return the snapshot text of a file that can be read."""
    found = read(data, there=there)
    assert isinstance(found, Dated), found
    return found.text()


def refusal(data: bytes) -> str:
    """Return why a file cannot be read."""
    found = read(data)
    assert isinstance(found, Unreadable), found
    return found.reason


@pytest.mark.parametrize(
    "data",
    [
        CANONICAL,
        CANONICAL.replace(b"\n", b"\r\n"),
        CANONICAL.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + CANONICAL,
        b"\xff\xfe" + CANONICAL.decode().replace("\n", "\r\n").encode("utf-16-le"),
        b"\xfe\xff" + CANONICAL.decode().encode("utf-16-be"),
        CANONICAL.decode().encode("utf-16-le"),
        CANONICAL.decode().encode("utf-16-be"),
        CANONICAL.replace(b"18:03:48) [", b"18:03:48) \n["),
        (HEADER + "\n".join(reversed(LINES)) + "\n").encode(),
        (HEADER + "\n\n".join(LINES) + "\n\n").encode(),
        (HEADER + "numpy == 1.26.4 \n" + "\n".join(LINES) + "\n").encode(),
    ],
    ids=[
        "as it is",
        "CRLF",
        "CR",
        "BOM",
        "UTF-16, as PowerShell's >",
        "UTF-16 big-endian",
        "UTF-16 without BOM",
        "UTF-16 big-endian without BOM",
        "a version in two lines, Python before 3.10",
        "another order",
        "empty lines",
        "a line twice",
    ],
)
def test_every_way_of_writing_one_state_reads_as_the_same_bytes(data: bytes) -> None:
    """Git compares bytes: equal states must be equal ones."""
    assert text(data) == CANONICAL


@given(pins=PINS, seed=st.integers())
def test_a_set_in_any_order_reads_as_pip_would_have_printed_it(pins: dict[str, str], seed: int) -> None:
    """PyMoDAQ writes a set, whose order differs from launch to launch; reading the result again changes nothing."""
    lines = [f"{name}=={version}" for name, version in pins.items()]
    random.Random(seed).shuffle(lines)  # noqa: S311 - an order, no secret

    found = text((HEADER + "\n".join(lines) + "\n").encode())

    body = found.decode().split("\n")[3:-1]
    assert sorted(lines, key=lambda line: line.partition("==")[0].lower()) == body
    assert text(found) == found


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Whatever lies in the folder: a state or a reason; what is a state can be read back, line by line."""
    found = read(HEADER.encode() + data)

    if isinstance(found, Dated):
        assert found.lines
        requirement.parse(found.text().decode())
    else:
        assert found.reason.isprintable()


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(line: str) -> None:
    """As above, for what is nearly a line."""
    for start in ("", "-e ", "name @ ", "name==", "-e file://", "# not restorable (x): "):
        found = read(f"{start}{line}\n".encode("utf-8", "replace"))
        if isinstance(found, Dated):
            requirement.parse(found.text().decode())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 4096, "empty"),
        (HEADER.encode(), "its freeze had failed"),
        (CANONICAL[:-4], "ends in the middle of a line"),
        (CANONICAL + b"\0\0\0\0", "not text"),
        (CANONICAL[:-4] + b"\x81\x1b[2J\n", "not text"),
        (b"name,voltage\n1,2\n", "line 1 is not of a freeze: name,voltage"),
        (b"numpy==1.0\nnumpy>=2\n", "line 2 is not of a freeze: numpy>=2"),
        (b"Numpy==1.0\nnumpy==2.0\n", "line 2 is the second about numpy"),
        (b"--extra-index-url https://me:secret@host/simple\n", "--extra-index-url https://host/simple"),
    ],
)
def test_what_is_no_freeze_says_why(data: bytes, reason: str) -> None:
    """A damaged file must not look like an environment that lost its packages."""
    assert reason in refusal(data)
    assert "secret" not in refusal(data)


def test_a_file_of_windows_in_its_own_code_page_is_read() -> None:
    """PyMoDAQ writes in the code page of the system's language, and then cannot read it back itself."""
    header = (
        "# executable: C:\\Users\\Jérôme\\venv\\Scripts\\python.exe\n# version: 3.11.1 (x) [MSC v.1934]\n\n"
    )

    found = text((header + "numpy==1.0\n").encode("cp1252"))

    assert found.decode() == header + "numpy==1.0\n"


def test_a_file_without_a_header_says_that_its_python_is_unknown() -> None:
    """`pip freeze > 2025-01-31.txt` has none."""
    assert text(b"six==1.0\nabc==2") == b"# executable: unknown\n# version: unknown\n\nabc==2\nsix==1.0\n"


@pytest.mark.parametrize(
    ("line", "stands"),
    [
        ("-e /srv/my lab", "-e file:///srv/my%20lab"),
        ("-e c:\\src\\lab", "-e file:///c:/src/lab"),
        ("-e /srv/lab", "-e /srv/lab"),
        ("lab===2020-wednesday", "lab===2020-wednesday"),
        (f"lab @ git+https://github.com/a/lab@{SHA}", f"lab @ git+https://github.com/a/lab@{SHA}"),
        (f"-e git+ssh://git@h/a/lab@{SHA}#egg=lab", f"-e git+ssh://git@h/a/lab@{SHA}#egg=lab"),
        ("lab @ gopher://x/lab", "# not restorable (its form is not known): lab @ gopher://x/lab"),
        ("-e .", "# not restorable (its form is not known): -e ."),
    ],
)
def test_a_line_stands_in_the_form_that_restores(line: str, stands: str) -> None:
    """Or as a comment that says why it does not."""
    body = text(f"{line}\n".encode()).decode().split("\n")[3:-1]

    assert body == [stands]


@pytest.mark.parametrize("line", ["lab @ file:///tmp/build/lab", "-e /srv/lab", "-e file:///c:/src/lab"])
def test_a_line_whose_folder_is_gone_becomes_a_comment(line: str) -> None:
    """Builds of conda name folders of the machine that built them."""
    body = text(f"{line}\nsix==1.0\n".encode(), there=False).decode().split("\n")[3:-1]

    assert body == [f"# not restorable (its folder or file is gone): {line}", "six==1.0"]
    lost = freezefile.parse("\n".join(body)).distributions[0]
    assert (lost.name, lost.restorable) == ("lab", False)


def test_comments_stay_with_the_line_below_them() -> None:
    """The name of an editable project stands there."""
    data = b"# Editable install with no version control (zeta==1.0)\n-e /srv/a\nalpha==1\n"

    assert text(data).decode().split("\n")[3:-1] == [
        "alpha==1",
        "# Editable install with no version control (zeta==1.0)",
        "-e /srv/a",
    ]


def test_credentials_are_taken_out() -> None:
    """Of the line, and of what is said above it."""
    data = f"# from https://me:hunter2@host/\nlab @ git+https://me:hunter2@host/lab@{SHA}\n".encode()

    found = text(data)

    assert b"hunter2" not in found
    assert b"# without its credentials:\nlab @ git+https://host/lab@" in found


def test_the_text_of_a_snapshot_reads_as_itself() -> None:
    """Files of gitsnap's own can be imported too."""
    snapshot = (
        CANONICAL + b"# not restorable (its folder or file is gone): torch @ file:///build/torch\nzope==1\n"
    )

    assert text(snapshot) == snapshot


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        ("20250131112405_environment.txt", "20250131112405"),
        ("20250131112405.txt", "20250131112405"),
        ("2025-01-31.txt", "20250131000000"),
        ("lab 2025-01-31 11-24.txt", "20250131112400"),
        ("freeze_2025.01.31T11:24:05", "20250131112405"),
        ("20250131_requirements.txt", "20250131000000"),
        ("numpy-1.26.4 of 20250131.txt", "20250131000000"),
        ("20251331112405_environment.txt", None),
        ("2025-01_31.txt", None),
        ("123456789012345.txt", None),
        ("notes.txt", None),
        ("current.txt", None),
    ],
)
def test_a_name_tells_the_stamp(name: str, stamp: str | None) -> None:
    """14 digits, or a date with or without a time, anywhere in the name; a date that no calendar has is none."""
    assert legacy.stamp_in(name) == stamp


@pytest.mark.parametrize(
    ("executable", "prefix", "name"),
    [
        ("/home/a/envs/lab/bin/python3.9", "/home/a/envs/lab", "lab"),
        ("/home/a/project/.venv/bin/python", "/home/a/project/.venv", "project"),
        ("C:\\lab\\Scripts\\python.exe", "C:\\lab", "lab"),
        ("C:\\conda\\envs\\lab\\python.exe", "C:\\conda\\envs\\lab", "lab"),
        ("C:\\work\\venv\\Scripts\\python.exe", "C:\\work\\venv", "work"),
        ("unknown", "", ""),
        ("python", "", ""),
    ],
)
def test_the_header_tells_the_environment(executable: str, prefix: str, name: str) -> None:
    """On whichever system it was written."""
    assert legacy.prefix_of(executable) == prefix
    assert legacy.name_of(prefix) == name
