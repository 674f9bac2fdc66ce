"""``python -m nnjax`` is the same as ``nnjax``."""

import sys

from nnjax.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
