"""Read requirement files with pip's own parser; started by an interpreter that has pip.

It reads `[text, ...]` from stdin and writes, for each, `[name, ...]` of what pip would install, or its error.
"""

import json
import os
import sys
import tempfile

from pip._internal.exceptions import PipError
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements


def read(text: str) -> object:
    """Return what pip makes of the text of a requirements file."""
    handle, path = tempfile.mkstemp()
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        parsed = list(parse_requirements(path, session=PipSession()))
        return [str(install_req_from_parsed_requirement(line).link or line.requirement) for line in parsed]
    except (PipError, ValueError, SystemExit) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        os.unlink(path)


json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
