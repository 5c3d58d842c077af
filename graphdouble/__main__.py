"""Entry point of `python -m graphdouble`."""

from __future__ import annotations

import sys

from graphdouble.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
