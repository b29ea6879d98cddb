"""How does Ctrl-C end a command whose modules are still being imported? At once, and without a word."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


@contextmanager
def while_importing() -> Iterator[None]:
    """Ctrl-C ends the process while the block runs.

    An exception would not do: what is imported may catch it, or print it. Nothing is lost, for nothing has begun.
    Where Ctrl-C means something else already, or nothing, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
