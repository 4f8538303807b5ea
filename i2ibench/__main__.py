"""``python -m i2ibench``: the command line."""

from __future__ import annotations

from i2ibench.cli import main

if __name__ == "__main__":
    main()
