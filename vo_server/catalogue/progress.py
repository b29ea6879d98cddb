"""How is a person told how far a long command has come? By a bar on a terminal, and else by lines."""

import sys
import time
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

LINE_S = 10.0
"""A line is written so often at the most."""


class Shown:
    """Tells what is being done, how much is done, and of how much.

    Parameters
    ----------
    stream
        Where to; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream = stream or sys.stderr
        self._doing = ""
        self._line_at = 0.0
        self._bar = tqdm(unit="row", unit_scale=True, file=stream, leave=False) if stream.isatty() else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, doing: str, done: int, total: int | None, unit: str = "row") -> None:
        """Tell; see `datamodel.catalogue_making.Progress` and, with a unit, `datamodel.keeping.files.Progress`."""
        show = self._line if self._bar is None else self._advance
        show(doing, done, total, unit)
        self._doing = doing

    def _advance(self, doing: str, done: int, total: int | None, unit: str) -> None:
        assert self._bar is not None
        if doing != self._doing:
            self._bar.unit = unit
            self._bar.reset(total)
            self._bar.set_description_str(doing)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def _line(self, doing: str, done: int, total: int | None, unit: str) -> None:
        now = time.monotonic()
        if doing == self._doing and now < self._line_at:
            return
        self._line_at = now + LINE_S
        of = f" of {total:,}" if total else ""
        print(f"{doing} {done:,}{of} {unit}s" if done else doing, file=self._stream, flush=True)
