"""What happens in an archive, by chance: products are made and judged, defaults are set, processes are killed."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from datamodel import crash
from datamodel.errors import ArchiveError
from datamodel.frames import RawBiasFrame, RawDomeFlatFrame, RawScienceFrame, RawTwilightFlatFrame
from datamodel.session import Session
from processing import defaults
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.hot_pixel_map import HotPixelMap
from processing.process_status import MADE
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


def something(session: Session, chance: random.Random, raws: list[Any]) -> str:
    """Do something in a session, and say what."""
    everything = [o for cls in TARGET_CLASSES for o in cls.select_all()]
    kind = chance.choice(
        (
            "judge",
            "judge",
            "judge raw",
            "validity",
            "make",
            "again",
            "default",
            "make all",
            "delete",
            "unmake",
        )
    )
    if kind == "judge":
        each = chance.choice(everything)
        each.is_valid = 0 if each.is_valid else 1
        each.commit()
        return f"{each!r} is {each.is_valid}"
    if kind == "judge raw":
        cls = chance.choice((RawBiasFrame, RawDomeFlatFrame, RawTwilightFlatFrame, RawScienceFrame))
        each = chance.choice(list(cls.chip == "A5382"))
        each.is_valid = 0 if each.is_valid else 1
        each.commit()
        return f"{each!r} is {each.is_valid}"
    if kind == "validity":
        each = chance.choice([o for o in everything if not o.of_exposure])
        each.timestamp_end += timedelta(days=chance.choice((-3, -1, 1, 400)))
        each.timestamp_end = max(each.timestamp_end, each.timestamp_start)
        each.commit()
        return f"{each!r} ends {each.timestamp_end}"
    if kind == "unmake":
        each = chance.choice(everything)
        each.process_status ^= MADE
        each.commit()
        return f"{each!r} is {'made' if each.is_made() else 'not made'}"
    if kind == "default":
        value = chance.choice((3.0, 4.0))
        place = defaults.Place("SIMCAM")
        defaults.set_default(session, BiasFrame, "SIGMA_CLIP", value, defaults.EVERYBODY, place)
        return f"SIGMA_CLIP is {value}"
    try:
        if kind == "delete":
            gone = repr(made := chance.choice(everything))
            made.delete()
            return f"{gone} is deleted"
        if kind == "make":
            cls = chance.choice((BiasFrame, HotPixelMap))
            made = cls.get(**NIGHT)
        elif kind == "again":
            made = BiasFrame.get(**NIGHT, SIGMA_CLIP=chance.choice((3.0, 4.0, 1.0)))
        else:
            made = chance.choice((ReducedScienceFrame, SourceList)).get(raw=chance.choice(raws))
    except ArchiveError as error:  # what is lacking is part of the play
        return f"{kind}: {error}"
    return f"{kind}: {made!r}"


class Killed(BaseException):
    """The process was killed."""


@contextmanager
def killed_at(point: str, visit: int) -> Iterator[None]:
    """The transaction under way at a visit of a crash point comes to nothing."""
    seen: list[str] = []

    def look(name: str) -> None:
        seen.extend([name] if name == point else [])
        if len(seen) == visit:
            raise Killed

    stop = crash.watch(look)
    try:
        with pytest.raises(Killed):
            yield
    finally:
        stop()
