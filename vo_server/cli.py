"""Where does the command ``vo-server`` begin? Here; what it does is imported where Ctrl-C has a meaning already."""

import sys
from collections.abc import Sequence

from vo_server.interrupting import INTERRUPTED, while_importing


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code: 0 done, 1 it failed, 2 it was asked wrongly."""
    try:
        with while_importing():
            from vo_server import commands
        return commands.main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
