"""Who is shown how far a plan is, where nobody says so in the call? Whatever was set for the block around it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

from processing.claims import Progress

Show = Callable[[], AbstractContextManager[Progress]]
"""Begins to show one plan, and ends with it."""

_show: ContextVar[Show | None] = ContextVar("show", default=None)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Within the block, every plan that is carried out is shown by `show`."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


def following(progress: Progress | None) -> AbstractContextManager[Progress | None]:
    """Gives whoever is told of a plan while the block runs; None for silence.

    Parameters
    ----------
    progress
        What the call asked for; where that is None, what was set by `shown_by`.
    """
    show = _show.get()
    return show() if progress is None and show is not None else nullcontext(progress)
