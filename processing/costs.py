"""How long will it take to make something? As long as it took the last times."""

from statistics import median
from typing import Any

import sqlalchemy as sa

from datamodel.provenance import activity
from datamodel.session import current
from processing.node import Node

LAST = 25
"""So many makings are looked at."""


class Costs:
    """What makings cost before; each class and instrument is looked up once, in one statement.

    It tells seconds and nothing else, so that makings of objects count which the caller may not see.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], float | None] = {}

    def estimate_s(self, cls: Any, instrument: str | None = None) -> float | None:
        """The median of the seconds that the last makings took.

        Parameters
        ----------
        cls
            A target class.
        instrument
            The name of the instrument; where nothing of it was made, all makings of the class count.

        Returns
        -------
        float or None
            Seconds from the start of the recipe to its end; None where none was made.
        """
        key = (cls.__name__, instrument)
        if key not in self._known:
            self._known[key] = estimate_s(cls, instrument)
        return self._known[key]


def price(root: Node) -> None:
    """Have each node of a plan that is going to be made know what that takes."""
    costs = Costs()
    for node in root.walk():
        if not (node.stays or node.missing or not node.checked):
            node.cost_s = costs.estimate_s(node.cls, node.keys.instrument.name)


def estimate_s(cls: Any, instrument: str | None = None) -> float | None:
    """The same, looked up anew; see `Costs.estimate_s`."""
    here = activity.c.class_name == cls.__name__
    of_class, of_both = _last(0, here), _last(1, here, activity.c.instrument == instrument)
    either = sa.union_all(*(sa.select(each.c.near, each.c.wall_s) for each in (of_class, of_both)))
    with current().connection() as connection:
        rows = connection.execute(either).all()
    nearest = max((near for near, _ in rows), default=0)
    return median(seconds for near, seconds in rows if near == nearest) if rows else None


def _last(near: int, *conditions: Any) -> Any:
    """The seconds of the last makings, beside a number that is the same for all of them."""
    seconds = sa.select(sa.literal(near).label("near"), activity.c.wall_s).where(*conditions)
    return seconds.order_by(activity.c.ended.desc()).limit(LAST).subquery()
