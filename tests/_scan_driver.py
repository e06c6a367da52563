"""Run `pip freeze` for many lists of paths in one process; started by the target's own interpreter.

It reads `{case: [path, ...]}` from stdin and writes `{case: text}`; the text of a case that ends pip is `None`.
"""

import contextlib
import io
import json
import sys

from pip._internal.cli.main import main


def freeze(paths: "list[str]") -> "str | None":
    """Return what `pip freeze --path ...` prints, None if it fails."""
    arguments = [argument for path in paths for argument in ("--path", path)]
    before = sys.path[:]
    # pip looks for .egg-link files on sys.path, whatever --path says.
    sys.path[:0] = paths
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            status = main(["freeze", "--disable-pip-version-check", *arguments])
    finally:
        sys.path[:] = before
    return None if status else out.getvalue()


cases = json.load(sys.stdin)
results = {case: freeze(paths) for case, paths in cases.items()}
json.dump(results, sys.stdout)
