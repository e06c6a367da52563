"""What may stand in a line of a snapshot: nothing that pip cannot read back, and no secret.

Imports nothing but `os`: it runs on each launch.
"""

import os


def is_name(name: str) -> bool:
    """Tell whether a name is one of PEP 508."""
    if not name.isascii():
        return False
    if name.isalnum():
        return True
    inner = name.replace("-", "").replace("_", "").replace(".", "")
    return inner.isalnum() and name[0].isalnum() and name[-1].isalnum()


def restorable(name: str, line: str, comments: list[str]) -> list[str]:
    """Return the line with its comments; a comment alone if pip could not read the line back."""
    if not is_name(name):
        return [lost("its name is not valid", line)]
    if not line.isprintable():
        return [lost("it holds characters that cannot be written", line)]
    clean = redact(line)
    if clean != line:
        comments = [*comments, "# without its credentials:"]
    return [*comments, clean]


def lost(reason: str, line: str) -> str:
    """Return the comment line that stands for a line which cannot be restored."""
    return f"# not restorable ({reason}): {escape(redact(line))}"[:200]


def escape(text: str) -> str:
    """Return *text* without control characters, line ends, surrogates and the like."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def is_plain(text: str) -> bool:
    """Tell whether a text can stand in a line without being cut or taken for something else."""
    return bool(text) and text.isprintable() and not any(char in text for char in " '\"\\")


# --- Secrets ---

_SECRET_WORDS = ("auth", "credential", "key", "pass", "pwd", "secret", "sig", "token")


def redact(text: str) -> str:
    """Return *text* (a URL, or a requirement line holding URLs) without credentials."""
    if "@" in text and "://" in text:
        first, *rest = text.split("://")
        text = "://".join([first, *map(_without_userinfo, rest)])
    if "=" in text and ("?" in text or "#" in text):
        text = _without_secrets(text)
    return text


def _without_userinfo(rest: str) -> str:
    """Drop the user part from what stands behind `://`."""
    end = find_first(rest, "/?# \t\r\n")
    user, at, host = rest[:end].rpartition("@")
    if at:
        return rest if _is_safe_user(user) else host + rest[end:]
    _, colon, port = rest[:end].rpartition(":")
    if colon and port and not port.isdigit() and not port.endswith("]"):
        # No port, so a password that holds one of the characters that end the host.
        stop = find_first(rest, " \t\r\n")
        _, at, host = rest[:stop].partition("@")
        return host + rest[stop:] if at else rest
    return rest


def find_first(text: str, chars: str) -> int:
    """Return where the first of some characters stands, the length of the text if none does."""
    return next((index for index, char in enumerate(text) if char in chars), len(text))


def _is_safe_user(user: str) -> bool:
    """Tell whether a user part is no secret: `git`, or `${VAR}` once or twice (PEP 610; pip expands upper case)."""
    return user == "git" or (user.count(":") < 2 and all(map(_is_placeholder, user.split(":"))))  # noqa: PLR2004


def _is_placeholder(text: str) -> bool:
    """Tell whether a text is `${VAR}`."""
    name = text[2:-1]
    return (
        text == f"${{{name}}}"
        and name == name.upper()
        and name.isascii()
        and name.replace("_", "A").isalnum()
    )


def without_user(url: str) -> str:
    """Return an address of any form without its user part."""
    url = "".join(url.split())
    if "://" in url:
        return redact(url)
    user, at, host = url.rpartition("@")
    return redact(host if at and user != "git" else url)


def _without_secrets(text: str) -> str:
    """Mask the values of secret parameters in queries and fragments."""
    starts = [index for index, char in enumerate(text) if char in "?&;#" or char.isspace()]
    pieces = map(slice, [0, *starts], [*starts, len(text)])
    return "".join(_masked(text[piece]) for piece in pieces)


def _masked(piece: str) -> str:
    """Mask the value of a parameter, which begins with the character in front of it, if it is a secret."""
    name, _, value = piece.partition("=")
    return f"{name}=****" if value and piece[0] in "?&;#" and _is_secret(name) else piece


def _is_secret(name: str) -> bool:
    """Tell whether a parameter of this name is likely a secret."""
    name = unquote(name).lower()
    return any(word in name for word in _SECRET_WORDS)


def unquote(text: str) -> str:
    """Decode the %-escapes of a URL's path."""
    if "%" not in text:
        return text
    first, *parts = text.encode("utf-8", "surrogatepass").split(b"%")
    for part in parts:
        code = part[:2].decode("latin-1")
        is_hex = len(code) == 2 and all(char in "0123456789abcdefABCDEF" for char in code)  # noqa: PLR2004
        first += bytes.fromhex(code) + part[2:] if is_hex else b"%" + part
    return os.fsdecode(first)
