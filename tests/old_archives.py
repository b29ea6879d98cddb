"""An archive as the program left it before revisions were counted: its tables and rows as frozen SQL."""

from pathlib import Path

from datamodel.archive import Archive
from datamodel.objects import DBObject
from datamodel.persistent import persistent

FROZEN = Path(__file__).parent / "archives"
FIRST, SECOND = "01a2086a-1c2f-7902-ad3b-9ebe4fe68dba", "01a2086a-1c2f-7ac0-a8c6-bbceae86a33a"


class OldRemark(DBObject):
    """A class of a site, whose objects are in the frozen archive."""

    words = persistent("What was said", str, mutable=True)
    seen = persistent("When it was seen", "TIMESTAMP", mutable=True)
    about = persistent("What it is about", "DBObject", mutable=True)


def thaw(archive: Archive) -> None:
    """Fill the empty database of an archive, which must not have been prepared."""
    with archive.database.write() as connection:
        for part in (connection.dialect.name, "rows"):
            statements = (FROZEN / f"revision_0_{part}.sql").read_text(encoding="utf-8")
            for statement in statements.split(";\n"):
                if statement.strip():
                    connection.exec_driver_sql(statement)
