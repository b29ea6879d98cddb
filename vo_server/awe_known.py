"""What are the chips, filters and instruments called? They are looked up aside, and soon or not at all."""

import threading
import time
from typing import Any

import sqlalchemy as sa

from datamodel.context import Caller
from datamodel.errors import ArchiveError
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.session import Session

WAIT_S = 0.08
FRESH_S = 20.0


class Known:
    """The names of what the caller of a session may see.

    They are looked up in a thread with a session of its own. Who asks waits a moment; if that is too short, there is
    what was known before, and next time the answer.

    Parameters
    ----------
    session
        The session that the prompt works in.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._caller: Caller | None = None
        self._names: dict[str, list[tuple[str, str]]] = {}
        self._stale_at_s = 0.0

    def of(self, key: str, given: dict[str, str]) -> list[str]:
        """The names that a key may have.

        Parameters
        ----------
        key
            ``chip``, ``filter`` or ``instrument``; others have no names.
        given
            Other keys with their names, which narrow the choice.
        """
        names = self._fresh()
        instruments = {given["instrument"]} if "instrument" in given else None
        if key == "filter" and instruments is None and "chip" in given:
            instruments = {instrument for instrument, chip in names.get("chip", []) if chip == given["chip"]}
        found = names.get(key, [])
        return [name for instrument, name in found if instruments is None or instrument in instruments]

    def _fresh(self) -> dict[str, list[tuple[str, str]]]:
        caller = self._session.caller
        with self._lock:
            if caller != self._caller:
                self._caller, self._names, self._stale_at_s = caller, {}, 0.0
            stale = time.monotonic() >= self._stale_at_s
            if stale and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._look, args=(caller,), name="names", daemon=True)
                self._thread.start()
            thread = self._thread
        if stale and thread is not None:
            thread.join(WAIT_S)
        with self._lock:
            return self._names if caller == self._caller else {}

    def _look(self, caller: Caller) -> None:
        try:
            with Session(self._session.archive, caller):
                names = {
                    "chip": _with_instruments(Chip),
                    "filter": _with_instruments(Filter),
                    "instrument": [(i.name, i.name) for i in Instrument.select_all()],
                }
        except (ArchiveError, sa.exc.SQLAlchemyError):
            return  # nothing is offered; a command would say what is wrong
        with self._lock:
            if caller == self._caller:
                self._names, self._stale_at_s = names, time.monotonic() + FRESH_S


def _with_instruments(cls: Any) -> list[tuple[str, str]]:
    """Instrument and name of all; where the instrument may not be seen, neither can they be asked for."""
    seen = [each for each in cls.select_all() if isinstance(each.instrument, Instrument)]
    return [(each.instrument.name, each.name) for each in seen]
