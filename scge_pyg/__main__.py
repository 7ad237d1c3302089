"""``python -m scge_pyg`` is ``scge``."""

import sys

from scge_pyg.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
