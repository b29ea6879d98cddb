"""Named places where a test may end the process, to show that nothing is ever half written."""

import os
from collections.abc import Callable

CRASH_POINTS: dict[str, str] = {}
"""Every crash point and what has just happened when it is reached."""

_hooks: list[Callable[[str], None]] = []


def declare(name: str, doc: str) -> str:
    """Declare a crash point; gives its name back."""
    CRASH_POINTS[name] = doc
    return name


def reach(name: str) -> None:
    """Say that a crash point is reached: ends the process at once if it is the one that was asked for.

    ``$VO_CRASH_AT`` holds the name of one, and optionally ``:n`` for its n-th visit; ``$VO_CRASH_TRACE``
    names a file to which every visit is added.
    """
    for hook in _hooks:
        hook(name)
    trace = os.environ.get("VO_CRASH_TRACE")
    if trace:
        with open(trace, "a", encoding="ascii") as stream:
            stream.write(f"{name}\n")
    wanted = os.environ.get("VO_CRASH_AT")
    if wanted:
        _maybe_end(name, wanted)


_visits: dict[str, int] = {}


def _maybe_end(name: str, wanted: str) -> None:
    target, _, nth = wanted.partition(":")
    if name == target:
        _visits[name] = _visits.get(name, 0) + 1
        if _visits[name] == int(nth or 1):
            os._exit(137)


def watch(hook: Callable[[str], None]) -> Callable[[], None]:
    """Call `hook` with the name at each crash point; gives a function that ends the watching."""
    _hooks.append(hook)
    return lambda: _hooks.remove(hook)
