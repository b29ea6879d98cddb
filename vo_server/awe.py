"""Where does the command ``awe`` begin? Here; what it does is imported where Ctrl-C has a meaning already."""

import sys
from collections.abc import Sequence

from vo_server.interrupting import INTERRUPTED, while_importing


def main(arguments: Sequence[str] | None = None) -> int:
    """The command ``awe``; gives the exit status."""
    try:
        with while_importing():
            from vo_server import awe_prompt
        return awe_prompt.main(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
