"""An archive as the program left it before revisions were counted: its tables and rows as frozen SQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.revisions import revision_of
from datamodel.schema_changes import schema_change

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


@pytest.fixture
def old(database_url: str, tmp_path: Path, clock: Any) -> Iterator[Archive]:
    """An archive from before revisions were counted, not prepared."""
    opened = Archive(Config(archive=tmp_path / "archive", database_url=database_url, project="P"), clock)
    thaw(opened)
    yield opened
    opened.close()


def revision(archive: Archive) -> str | None:
    with archive.database.read() as connection:
        return revision_of(connection)


def changes(archive: Archive) -> list[Any]:
    with archive.database.read() as connection:
        table = schema_change
        return list(
            connection.execute(sa.select(table.c.what, table.c.told, table.c.at).order_by(table.c.id))
        )


TWO = {
    "r0001_rename.py": """
        with op.batch_alter_table("project") as table:
            table.alter_column("description", new_column_name="told")
    """,
    "r0002_narrow.py": """
        with op.batch_alter_table("project", naming_convention={"uq": "uq_%(table_name)s_%(column_0_name)s"}) as table:
            table.alter_column("told", type_=sa.String(50), existing_type=sa.Text(), nullable=False)
            table.create_unique_constraint("uq_project_told", ["told"])
    """,
}


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A folder with two migrations that make a table anew to which others refer."""
    return written(tmp_path / "versions", TWO)


def written(folder: Path, migrations: dict[str, str]) -> Path:
    folder.mkdir(exist_ok=True)
    before = None
    for name, body in migrations.items():
        head = f'"""Do {name[6:-3]}."""\n\nimport sqlalchemy as sa\nfrom alembic import op\n\n'
        head += f"revision, down_revision = {name[1:5]!r}, {before!r}\n\n\ndef upgrade():\n"
        (folder / name).write_text(head + body.strip("\n"), encoding="utf-8")
        before = name[1:5]
    return folder
