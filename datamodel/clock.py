"""The time, in one place, so that it can be passed in and frozen."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The present instant as a naive `datetime` in UTC, microseconds kept."""
    return datetime.now(UTC).replace(tzinfo=None)


_lock = threading.Lock()
_last = 0


def new_object_id(now: Clock = utc_now) -> str:
    """A time-ordered UUID (RFC 9562, version 7) as text; later ones of one process sort later.

    The 12 bits after the millisecond hold the fraction of it, and are counted up where two fall together.
    """
    global _last
    microseconds = int((now() - datetime(1970, 1, 1)).total_seconds() * 1_000_000)
    milliseconds, rest = divmod(microseconds, 1000)
    stamp = (milliseconds << 12) | (rest * 4096 // 1000)
    with _lock:
        _last = stamp = max(stamp, _last + 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62
    text = f"{value | int.from_bytes(os.urandom(8)) >> 2:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
