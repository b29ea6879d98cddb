"""How far is a plan? On a terminal a tree of its products is shown while they are made; elsewhere nothing is."""

import sys
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TextIO

from processing.claims import (
    ELSEWHERE,
    FAILED,
    GIVEN_UP,
    LEFT_OUT,
    MADE,
    MAKING,
    PLANNED,
    THERE,
    Progress,
    Step,
)
from processing.costs import Costs

DRAWN_S = 0.1
"""The tree is drawn so often at the most."""

_STYLES = {
    PLANNED: "dim",
    MAKING: "bold",
    ELSEWHERE: "yellow",
    MADE: "green",
    THERE: "dim",
    LEFT_OUT: "dim",
    FAILED: "red",
    GIVEN_UP: "yellow",
}


class ProgressTree:
    """Shows one plan; a context manager that is told of it.

    Where Ctrl-C ends the block, a line says what was kept and what was given up.

    Parameters
    ----------
    stream
        Where to; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._steps: Sequence[Step] = ()
        self._costs = Costs()
        self._live: Any = None
        self._drawn_s = 0.0
        self._began_s = time.monotonic()

    def __enter__(self) -> Progress:
        return self._told

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update(self._tree(), refresh=True)
            self._live.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            print(_what_was_done(self._steps), file=self._stream)

    def _told(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        if not self._stream.isatty():
            return
        if self._live is None:
            if not any(step.state in (MAKING, ELSEWHERE) for step in steps):
                return  # all of it is there: nobody has to wait
            self._live = _begun(self._stream)
        now = time.monotonic()
        if now >= self._drawn_s + DRAWN_S:
            self._drawn_s = now
            self._live.update(self._tree(), refresh=True)

    def _tree(self) -> Any:
        """The plan as rich draws it, from its root; what is shown already is not shown again."""
        from rich.text import Text
        from rich.tree import Tree

        steps = {id(step.node): step for step in self._steps}
        settled = _settled(self._steps)
        tree = Tree(_sum(self._steps, time.monotonic() - self._began_s))
        pending = [(tree, "", self._steps[-1].node)]
        seen: set[int] = set()
        while pending:
            above, role, node = pending.pop()
            step = steps[id(node)]
            again = id(node) in seen
            seen.add(id(node))
            line = Text(f"{role}: " if role else "", "dim")
            line.append(f"{node.cls.__name__} ").append(
                _told_of(step, self._costs, again), _STYLES[step.state]
            )
            branch = above.add(line)
            if not again and id(node) not in settled:
                named = [(name, given) for name, given in node.inputs.items() if id(given) in steps]
                pending += [(branch, name, given) for name, given in reversed(named)]
        return tree


def _begun(stream: TextIO) -> Any:
    from rich.console import Console
    from rich.live import Live

    live = Live(console=Console(file=stream, highlight=False), auto_refresh=False)
    live.start()
    return live


def _settled(steps: Sequence[Step]) -> set[int]:
    """The identities of the nodes that were there with all they are made from."""
    found: set[int] = set()
    for step in steps:
        if step.state == THERE and all(id(child) in found for child in step.node.needed()):
            found.add(id(step.node))
    return found


def _told_of(step: Step, costs: Costs, again: bool) -> str:
    """``making 3.2 s of about 12 s``."""
    if again:
        return f"{step.state}, as above"
    words = step.state if step.state in (THERE, FAILED) else f"{step.node.keys} {step.state}"
    if step.seconds:
        words += f" {step.seconds:.1f} s"
    if step.state in (PLANNED, MAKING):
        about = costs.estimate_s(step.node.cls, step.node.keys.instrument.name)
        of = "of " if step.state == MAKING else ""
        words += f" {of}about {about:.1f} s" if about else ""
    return f"{words}: {step.said}" if step.said else words


def _sum(steps: Sequence[Step], seconds: float) -> str:
    """``3 of 5 products, 2 made, 12.3 s``."""
    done = sum(step.state in (MADE, THERE, LEFT_OUT, FAILED) for step in steps)
    made = sum(step.state == MADE for step in steps)
    return f"{done} of {len(steps)} products, {made} made, {seconds:.1f} s"


def _what_was_done(steps: Sequence[Step]) -> str:
    """What an interrupted plan has left, in one line."""
    named = {
        state: ", ".join(step.node.cls.__name__ for step in steps if step.state == state) or "nothing"
        for state in (MADE, GIVEN_UP)
    }
    return f"interrupted: made and kept {named[MADE]}; gave up {named[GIVEN_UP]}; ask again to go on"
