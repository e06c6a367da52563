"""Run the command line as `python -m gitsnap`."""

import sys

from gitsnap.cli import main

if __name__ == "__main__":
    sys.exit(main())
