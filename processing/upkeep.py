"""What is kept beside the objects follows what happens to them: what ObsCore lists, and how every product stands.

Who writes calls `catch_up` afterwards; workers look after the rest (`keep_up`).
"""

from datamodel.archive import Archive
from datamodel.context import SERVICE_ACCOUNT, WORLD, Caller
from datamodel.session import Session
from processing import listing
from processing.standing_keeping import follow, renew


def catch_up(session: Session) -> None:
    """Take in what has happened; within a transaction this is put off to the end."""
    listing.refresh(session)
    follow(session)


def keep_up(archive: Archive) -> int:
    """Take in what has happened by whomever, and what other rules make of it, however long it takes."""
    with Session(archive, Caller(SERVICE_ACCOUNT, level=WORLD)) as session:
        listing.refresh(session)
        renew(session)
    return 0
