"""What is recorded of a making, in the transaction that keeps the product?"""

import platform
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from datamodel import crash, provenance
from processing.recipe import recipe_code, versions
from processing.work import Effort

RECORDED = crash.declare("make.recorded", "how a product was made is written, the product itself is not")


def record(
    connection: sa.Connection, product: Any, effort: Effort, started: datetime, ended: datetime
) -> None:
    """Keep how a product was made, and the code of its recipe where that is new.

    Parameters
    ----------
    connection
        The transaction that commits the product.
    product
        The new object.
    effort
        What its worker measured.
    started, ended
        When its work was given out and taken back (UTC).
    """
    cls: Any = type(product)
    instrument = getattr(product, "instrument", None)
    made = provenance.Activity(
        product.object_id,
        cls.__name__,
        None if instrument is None else instrument.name,
        product.recipe_digest,
        effort.host,
        effort.pid,
        effort.account,
        started,
        ended,
        effort.wall_s,
        effort.cpu_s,
        {"python": platform.python_version()} | versions(cls),
    )
    provenance.record(connection, made, recipe_code(cls))
    crash.reach(RECORDED)


def record_again(connection: sa.Connection, product: Any, before: Any) -> None:
    """Have a product that is kept again be made as it was the first time.

    Parameters
    ----------
    connection
        The transaction that commits the product.
    product
        The new object.
    before
        The object whose content it has.
    """
    provenance.record_again(connection, product.object_id, before.object_id)
