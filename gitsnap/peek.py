"""Read small files on the launch path: bounded, never blocking, never an error."""

import os

LIMIT = 1 << 20
# A FIFO or a terminal in the place of a file must not block the launch.
_FLAGS = os.O_RDONLY
for _flag in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY"):
    _FLAGS |= getattr(os, _flag, 0)


def read(path: str, limit: int, folder: int | None = None) -> bytes:
    """Return the first bytes of a file; none if it is missing, unreadable or no file.

    *path* begins at the open *folder*, if one is given.
    """
    try:
        handle = os.open(path, _FLAGS, dir_fd=folder)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(handle, limit)
    except OSError:
        return b""
    finally:
        os.close(handle)


def exists(folder: str, name: str) -> bool:
    """Tell whether a folder has an entry."""
    return os.path.exists(os.path.join(folder, name))
