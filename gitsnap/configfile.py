"""The door to the user's configuration file for writing: one value at a time, comments and order kept."""

from __future__ import annotations

from pathlib import Path

from gitsnap import files
from gitsnap.errors import ConfigError
from gitsnap.model import printable


def set_value(path: Path, section: str, key: str, value: str | None) -> bool:
    """Let *key* in *section* of the file be *value*, or be absent; tell whether the file had to be changed.

    All else in it stays as it is. Raises ConfigError where it is no TOML, GitsnapError where it cannot be written.
    """
    # It takes as long to load as two bare interpreters, and a launch comes by here.
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    before = files.read(path) or b""
    try:
        document = tomlkit.parse(before.decode("utf-8-sig"))
    except (ValueError, TOMLKitError) as error:
        raise ConfigError(
            f"{path}: {printable(str(error))}", hint="correct it first; nothing was changed"
        ) from error
    table = document.get(section)
    if table is None:
        if value is None:
            return False
        table = tomlkit.table()
        document[section] = table
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    after = tomlkit.dumps(document).encode("utf-8")
    if after == before:
        return False
    files.write(path.resolve(), after)
    return True
