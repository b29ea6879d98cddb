"""How does somebody get a product over HTTP: found up to date, or made first, within bounds?

What is made of an exposure is seen by those who may see the exposure, and is made from nothing that they may not see:
whoever asks, it belongs to the archive's service account, but for exposures of a project or a MyDB, where it is the
caller's. Equal requests at the same time are one making; all of them count while they wait.
"""

import logging
import mimetypes
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from datamodel.archive import Archive
from datamodel.attributes import class_named
from datamodel.context import ARCHIVE, SERVICE_ACCOUNT, WORLD, Caller
from datamodel.errors import ArchiveError, NotFoundError, RetractedError, nearest
from datamodel.frames import RawFrame, RawScienceFrame
from datamodel.making import Slot
from datamodel.places import places_of
from datamodel.session import Session
from processing.classes import TARGET_CLASSES
from processing.execute import Execution, workers_of
from processing.keys import keys_of_raw
from processing.node import Node
from processing.plan import Planner
from processing.site import instruments_of
from processing.upkeep import catch_up

log = logging.getLogger("vo_server.delivery")

FITS_MIME = "application/fits"
_FITS = re.compile(r"\.(fits|fit|fts)(\.fz)?$", re.IGNORECASE)

DELIVERED = {cls.__name__: cls for cls in (RawScienceFrame, *TARGET_CLASSES)}
"""What can be asked for with an exposure."""


class NotMadeError(ArchiveError):
    """The thing is not there as it should be, and this request may not have it made."""


@dataclass(frozen=True)
class Delivery:
    """A product for a caller.

    Attributes
    ----------
    exposure
        The raw frame it was asked for with.
    product
        The object; None where there is none and none was to be made.
    reasons
        Why it is not up to date; empty when it is.
    made
        What was made for this request: how many of each class.
    missing
        What it cannot be made without; empty when it can be made.
    """

    exposure: Any
    product: Any
    reasons: tuple[str, ...] = ()
    made: Counter[str] | None = None
    missing: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        """``made``, ``up-to-date``, ``outdated`` or ``not made``."""
        if self.made:
            return "made"
        if self.product is None:
            return "not made"
        return "outdated" if self.reasons else "up-to-date"


def session_for(archive: Archive, caller: Caller, exposure: Any) -> Session:
    """Who makes the products of an exposure that a caller may see.

    Parameters
    ----------
    archive, caller
        Where, and who asks.
    exposure
        Its level decides: what the world or all accounts may see is made for them, by the service account; what is of
        a project, by the caller for the project; what is of a MyDB, by its owner.
    """
    level, project = exposure._privileges, exposure._project
    if level >= ARCHIVE:
        maker = Caller(SERVICE_ACCOUNT, level=min(level, WORLD), projects=frozenset({project}))
        return Session(archive, maker)
    return Session(archive, caller.at(project, level))


def class_delivered(name: str) -> Any:
    """The class of that name, if its products can be asked for with an exposure.

    Raises
    ------
    NotFoundError
        It is none; the message names the nearest.
    """
    if name not in DELIVERED:
        raise NotFoundError(f"there is no target class '{name[:100]}'{nearest(name, DELIVERED)}")
    return class_named(name)


def look(archive: Archive, caller: Caller, class_name: str, exposure_id: str) -> Delivery:
    """What there is of a target now; makes nothing.

    Raises
    ------
    NotFoundError
        There is no such class or exposure for this caller.
    RetractedError
        It is an exposure, which was retracted.
    """
    cls = class_delivered(class_name)
    with Session(archive, caller) as session:
        seen = session.load(RawScienceFrame, exposure_id)
    with session_for(archive, caller, seen) as session:
        raw = session.load(RawScienceFrame, exposure_id)
        if cls is RawScienceFrame:
            require_given(raw)
            return Delivery(raw, raw)
        node = plan(session, cls, raw)
        return Delivery(raw, node.existing, tuple(map(str, node.reasons)), missing=node.missing)


def deliver(archive: Archive, caller: Caller, who: str, class_name: str, exposure_id: str) -> Delivery:
    """The best product of a target, made if there is none or it is not up to date.

    Parameters
    ----------
    archive
        The archive.
    caller
        Must be able to see the exposure.
    who
        The caller as far as bounds are concerned: an account or an address.
    class_name, exposure_id
        The target, and the object_id of its RawScienceFrame.

    Raises
    ------
    NotFoundError
        There is no such class or exposure for this caller.
    BusyError
        So many things are being made that this one has to wait for another time.
    MissingInputError
        It cannot be made.
    RecipeError
        A recipe refused its inputs, or what it made was found faulty.
    """
    found = look(archive, caller, class_name, exposure_id)
    if found.status == "up-to-date":
        return found
    cls = class_delivered(class_name)
    if found.product is None and found.missing:
        return _made(archive, caller, cls, found.exposure)
    with places_of(archive).place(), Slot(archive, who, f"{class_name}/{exposure_id}"):
        return _made(archive, caller, cls, found.exposure)


def require_given(product: Any) -> None:
    """See that the bytes of an object may be given, in a session.

    Raises
    ------
    RetractedError
        It was retracted; the message has the reason.
    """
    found = product.retracted
    if found is not None:
        raise RetractedError(f"the {type(product).__name__} {product.object_id} was {found}")


def target_path(product: Any) -> str:
    """Where the best version of a product of an exposure is; empty for what belongs to none."""
    if isinstance(product, RawFrame) or not getattr(product, "of_exposure", False) or product.is_displaced:
        return ""
    return f"/target/{type(product).__name__}/{product.raw.object_id}"


def content_type(filename: str) -> str:
    """The media type of a file of the store."""
    if _FITS.search(filename):
        return FITS_MIME
    return mimetypes.guess_type(filename)[0] or "application/octet-stream"


def plan(session: Session, cls: Any, raw: Any, planner: Planner | None = None) -> Node:
    """The plan for a target of an exposure.

    Parameters
    ----------
    session
        Who looks.
    cls, raw
        The target class and the exposure; for a calibration, the one that the exposure would use.
    planner
        Of the same session; shares what it has found already.
    """
    planner = planner or Planner(instruments_of(session.archive))
    return planner.node(cls, keys_of_raw(raw))


def _made(archive: Archive, caller: Caller, cls: Any, exposure: Any) -> Delivery:
    with session_for(archive, caller, exposure) as session:
        node = plan(session, cls, session.load(RawScienceFrame, exposure.object_id))
        execution = Execution(session, workers_of(session))
        try:
            product = execution.run(node)
        finally:
            if execution.made:
                catch_up(session)
    made = Counter(type(each).__name__ for each in execution.made)
    fell_back = product is node.existing and not made
    if made:
        log.info("made for a request: %s", dict(made))
    return Delivery(exposure, product, tuple(map(str, node.reasons)) if fell_back else (), made)
