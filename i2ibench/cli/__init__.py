"""The command line: one file a verb, no logic."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; errors that a user can mend are one line and an exit code."""
    from i2ibench.processes import interrupt_on_termination, put_working_directory_last

    put_working_directory_last()
    interrupt_on_termination()
    from i2ibench.cli.app import run_app
    from i2ibench.runtime import leave_garbage_at_exit

    leave_garbage_at_exit()
    sys.exit(run_app(sys.argv[1:]))
