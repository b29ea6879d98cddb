"""Which calibration is used when? The eclipsing of all that are valid at some time, as one line of segments.

Where several are valid the one of the highest rank is used and eclipses the others; `processing.selection.choose` picks
the same at any instant.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from datamodel.errors import UsageError
from processing.keys import Keys
from processing.selection import Demands, Rank, grade, of_keys, only_usable, rests_on_forever

NO_DEMANDS = Demands()


@dataclass(frozen=True)
class Segment:
    """A time in which one calibration is used.

    Attributes
    ----------
    start, end
        Half open, UTC.
    winner
        The calibration.
    eclipsed
        The others that are valid at some time in it, by falling rank.
    grade
        How it is chosen at its start: one of `processing.selection.GRADES`.
    """

    start: datetime
    end: datetime
    winner: Any
    eclipsed: tuple[Any, ...] = ()
    grade: str = ""

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "object_id": self.winner.object_id,
            "creation_date": self.winner.creation_date.isoformat(),
            "grade": self.grade,
            "eclipsed": [other.object_id for other in self.eclipsed],
        }


class Timeline(list[Segment]):
    """Segments in order of time; at the prompt it is shown as a table, the newest calibration last in each line."""

    def at(self, instant: datetime) -> Segment | None:
        """The segment that an instant (naive, UTC) is in."""
        return next((s for s in self if s.start <= instant < s.end), None)

    def __str__(self) -> str:
        """One line a segment: when, which calibration, made when, chosen how, and how many it eclipses."""
        lines = [f"{'from':19}  {'until':19}  {'made':19}  {'chosen':16}  eclipses  object_id"]
        for s in self:
            span = "  ".join(_shown(t) for t in (s.start, s.end, s.winner.creation_date))
            lines.append(f"{span}  {s.grade:16}  {len(s.eclipsed):8}  {s.winner.object_id}")
        return "\n".join(lines)

    __repr__ = __str__


def _shown(instant: datetime) -> str:
    return instant.isoformat(sep=" ", timespec="seconds")


def timeline(cls: Any, keys: Keys, demands: Demands = NO_DEMANDS) -> Timeline:
    """When which calibration of these keys is used; the instant of the keys has no meaning here.

    Raises
    ------
    UsageError
        The class belongs to exposures: it has no validity in time.
    """
    if cls.of_exposure:
        raise UsageError(f"{cls.__name__} belongs to one exposure: it has no timeline")
    found = only_usable(cls, of_keys(cls, keys), demands)
    candidates = [c for c in found if demands.allow_forever or not rests_on_forever(c)]
    rank = Rank()
    return Timeline(_graded(s, s.winner.object_id in rank.favourites) for s in segments(candidates, rank))


def _graded(segment: Segment, is_pinned: bool) -> Segment:
    others = sum(o.timestamp_start <= segment.start < o.timestamp_end for o in segment.eclipsed)
    return replace(segment, grade=grade(segment.winner, is_pinned, 1 + others))


def segments(candidates: Iterable[Any], rank: Callable[[Any], Any]) -> list[Segment]:
    """The times in which one or another of some calibrations is used, in order; neighbours have different ones.

    Parameters
    ----------
    candidates
        Usable calibrations of the same keys, each valid from its `timestamp_start` until its `timestamp_end`,
        which does not belong to it; one that ends before it starts is never valid.
    rank
        The largest wins; no two have the same.
    """
    ranked = sorted((c for c in candidates if _is_ever_valid(c)), key=rank, reverse=True)
    found: list[Segment] = []
    for winner, parts in groupby(_elementary(ranked), key=lambda part: part[2][0]):
        together: list[tuple[datetime, datetime, list[int]]] = []
        for part in parts:
            if together and together[-1][1] != part[0]:  # in between nothing was valid
                found.append(_segment(ranked, winner, together))
                together = []
            together.append(part)
        found.append(_segment(ranked, winner, together))
    return found


def _is_ever_valid(candidate: Any) -> bool:
    start, end = candidate.timestamp_start, candidate.timestamp_end
    return start is not None and end is not None and bool(start < end)


def _segment(ranked: list[Any], place: int, parts: list[tuple[datetime, datetime, list[int]]]) -> Segment:
    winner = ranked[place]
    others = sorted({each for part in parts for each in part[2]} - {place})
    return Segment(parts[0][0], parts[-1][1], winner, tuple(ranked[each] for each in others))


def _elementary(ranked: list[Any]) -> Iterator[tuple[datetime, datetime, list[int]]]:
    """Each time between two neighbouring starts or ends in which something is valid, and the places of what is.

    The places are a heap: the first is that of the winner.
    """
    starting = sorted(range(len(ranked)), key=lambda place: ranked[place].timestamp_start, reverse=True)
    cuts = sorted({t for c in ranked for t in (c.timestamp_start, c.timestamp_end)})
    valid: list[int] = []
    for start, end in pairwise(cuts):
        while starting and ranked[starting[-1]].timestamp_start <= start:
            valid.append(starting.pop())
        valid = [place for place in valid if ranked[place].timestamp_end > start]
        heapq.heapify(valid)
        if valid:
            yield start, end, list(valid)
