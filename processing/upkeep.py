"""What is kept beside the objects follows what happens to them: what ObsCore lists, and how every product stands.

Who writes calls `catch_up` afterwards; workers look after the rest (`keep_up`).
"""

import logging

from datamodel.archive import Archive
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.session import Session
from processing import listing
from processing.standing_keeping import follow, renew

log = logging.getLogger("processing.upkeep")


def catch_up(session: Session) -> None:
    """Take in what has happened; within a transaction this is put off to the end."""
    listing.refresh(session)
    follow(session)


def keep_up(archive: Archive) -> int:
    """Take in what has happened by whomever, and what other rules make of it, however long it takes."""
    with Session(archive, Caller(SERVICE_ACCOUNT, level=WORLD)) as session:
        for each in (listing.refresh, renew):
            try:
                each(session)
            except Exception:  # one object that cannot be told of must not end all else that is looked after
                log.exception("what is kept beside the objects is not up to date")
    return 0
