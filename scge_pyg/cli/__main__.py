"""``python -m scge_pyg.cli`` is ``scge``."""

import sys

from scge_pyg.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
