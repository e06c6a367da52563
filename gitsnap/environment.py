"""The door to interpreters: ask a Python what it is, and give its environment a name."""

from __future__ import annotations

import os
import re
import subprocess
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from gitsnap import selection
from gitsnap.errors import InterpreterError
from gitsnap.model import Environment, printable

# Runs in any Python from 2.7 on; a shell, should that be what was named, stops at its second line. Between the
# marks stand fields of hexadecimal UTF-8, so that neither what a `sitecustomize` prints nor any locale can garble
# them. The current folder is taken off `sys.path` first: no module is to come from there.
_QUESTION = r'''""":"
exit
"""
import sys
sys.path[:] = [path for path in sys.path if path]
import binascii, site
def text(value):
    if not isinstance(value, bytes):
        value = value.encode("utf-8", "surrogatepass" if sys.platform == "win32" else "surrogateescape") if sys.version_info[0] > 2 else value.encode("utf-8")
    elif sys.platform == "win32":
        value = value.decode(sys.getfilesystemencoding()).encode("utf-8")
    return binascii.hexlify(value).decode("ascii")
def texts(values):
    return ".".join(text(value) for value in values if value and (isinstance(value, bytes) or hasattr(value, "isidentifier") or type(value).__name__ == "unicode"))
folders = list(site.getsitepackages()) if hasattr(site, "getsitepackages") else [p for p in sys.path if p.endswith("-packages")]
if getattr(site, "ENABLE_USER_SITE", None):
    folders.append(site.getusersitepackages() if hasattr(site, "getusersitepackages") else site.USER_SITE)
fields = [text(sys.version), text(".".join(str(part) for part in sys.version_info[:3])), text(sys.prefix), text(getattr(sys, "real_prefix", None) or getattr(sys, "base_prefix", sys.prefix)), text(sys.executable or ""), texts(sys.path), texts(folders)]
sys.stdout.write("\n<" + sys.argv[1] + ":" + ",".join(fields) + ":gitsnap>\n")
sys.stdout.flush()
'''
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\..*)?", re.IGNORECASE)
_USUAL = {".venv", "venv", "env"}
_LONGEST = 80


def ask(python: str, *, patience: float = 30.0) -> Environment:
    """Run *python* and return the environment that it says it is.

    `-E` keeps PYTHONPATH, PYTHONHOME and PYTHONNOUSERSITE out: they are the shell's, not the environment's.
    Raises InterpreterError where it does not run within *patience* seconds or is no Python.
    """
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "__PYVENV"))
    }
    # What a `sitecustomize` prints cannot pass for the answer.
    mark = os.urandom(8).hex()
    try:
        answer = subprocess.run(
            [python, "-E", "-c", _QUESTION, mark],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=variables,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InterpreterError(f"`{python}` gave no answer in {patience:.0f} seconds") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InterpreterError(f"`{python}` does not run: {reason}", hint=_REBUILD) from error
    found = re.search(rb"<%s:([0-9a-f.,]*):gitsnap>" % mark.encode("ascii"), answer.stdout)
    if not found:
        raise InterpreterError(f"`{python}` does not run as a Python: {_last_words(answer)}", hint=_REBUILD)
    return _environment(python, found[1].decode("ascii").split(","))


_REBUILD = "if the Python that this environment was made with was removed, install it again, or name another with `--python`"


def _last_words(answer: subprocess.CompletedProcess[bytes]) -> str:
    """Return the last line that the program said, which is what went wrong."""
    lines = [line for line in answer.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return (
        printable(lines[-1].strip())
        if lines
        else f"it ended with status {answer.returncode} and said nothing"
    )


def _environment(python: str, fields: list[str]) -> Environment:
    version, number, prefix, base, executable = (_text(field) for field in fields[:5])
    paths, folders = (tuple(_text(part) for part in field.split(".") if part) for field in fields[5:])
    major, minor, micro = (int(part) for part in number.split("."))
    real = os.path.realpath(executable or python)
    return Environment(
        name=safe_name(_name(prefix, base, (major, minor), os.environ)),
        prefix=Path(prefix),
        executable=Path(_header_executable(prefix, executable or python, real)),
        real_executable=Path(real),
        version=" ".join(version.split()),
        python=(major, minor, micro),
        paths=paths,
        folders=folders,
    )


def _text(field: str) -> str:
    escape = "surrogatepass" if os.name == "nt" else "surrogateescape"
    return bytes.fromhex(field).decode("utf-8", escape)


def _header_executable(prefix: str, executable: str, real: str) -> str:
    """Return the Python inside the prefix that is this interpreter; `bin/python` of a system may be another."""
    usual = selection.interpreter(prefix)
    if usual and os.path.realpath(usual) == real:
        return usual
    folder = os.path.dirname(usual or executable)
    for name in ("python", "python3"):
        candidate = os.path.join(folder, name)
        if os.path.realpath(candidate) == real and os.path.isfile(candidate):
            return candidate
    return executable


def _name(prefix: str, base: str, python: tuple[int, int], variables: Mapping[str, str]) -> str:
    """Return the environment's name before it is made safe.

    conda's name; an explicit prompt in pyvenv.cfg; the folder, or the project's where that is a usual one; the
    pyenv version; `system-3.12`.
    """
    folder = os.path.basename(os.path.normpath(prefix))
    if selection.is_conda_base(prefix):
        return "base"
    parent = os.path.basename(os.path.dirname(os.path.normpath(prefix)))
    usual = parent if folder in _USUAL else folder
    if selection.is_conda(prefix):
        # conda itself calls only those by a name that lie in its `envs`.
        return folder if parent == "envs" else usual
    if selection.is_venv(prefix) or os.path.normcase(prefix) != os.path.normcase(base):
        return _prompt(prefix) or usual
    if parent == "versions" and _is_pyenv(prefix, variables):
        return folder
    return f"system-{python[0]}.{python[1]}"


def _is_pyenv(prefix: str, variables: Mapping[str, str]) -> bool:
    root = os.path.dirname(os.path.dirname(os.path.normpath(prefix)))
    named = variables.get("PYENV_ROOT")
    return os.path.basename(root) in {".pyenv", "pyenv", "pyenv-win"} or (
        named is not None and os.path.realpath(named) == os.path.realpath(root)
    )


def _prompt(prefix: str) -> str:
    """Return the prompt that pyvenv.cfg names; `venv` writes it quoted, others do not."""
    try:
        text = Path(prefix, "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip().lower() == "prompt":
            return value.strip().strip("'\"").strip()
    return ""


def safe_name(name: str) -> str:
    """Return *name* as a folder and a git ref that every system takes; never empty.

    Letters and digits of any script, `.`, `_`, `+` and `-` stay; what else there is becomes `-`. Windows reserves
    names such as `con`; git forbids `..`, a leading `.`, and the ending `.lock`.
    """
    plain = "".join(c if c.isalnum() or c in "._+-" else "-" for c in unicodedata.normalize("NFC", name))
    plain = _cut(re.sub(r"\.{2,}", ".", re.sub(r"-{2,}", "-", plain))).strip("-._+")
    if plain.lower().endswith(".lock"):
        plain = plain[: -len(".lock")] + "-lock"
    if _RESERVED.fullmatch(plain):
        plain = _cut("env-" + plain).rstrip("-._+")
    return plain or "environment"


def _cut(name: str) -> str:
    """Shorten a name; letters of other scripts take two to four of the 255 bytes that a file system allows."""
    name = name[:_LONGEST]
    while len(name.encode("utf-8")) > 2 * _LONGEST:
        name = name[:-1]
    return name
