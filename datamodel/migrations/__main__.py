"""How is a migration begun? ``python -m datamodel.migrations new "Give projects an owner"`` writes its file."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from datamodel.revisions import VERSIONS, known

LONGEST = 60

FORM = '''"""{message}.

Why, and what becomes of the values that are there.
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    """Do it, in the same way on both databases; a table that is made on first use may not be there yet."""
    if sa.inspect(op.get_bind()).has_table("TABLE"):
        with op.batch_alter_table("TABLE") as table:
            table.add_column(sa.Column("COLUMN", sa.Text))
'''


def main(arguments: Sequence[str] | None = None, folder: Path = VERSIONS) -> int:
    """Write the file of a new migration, and print where it is; gives the exit code.

    Parameters
    ----------
    arguments
        Of the command line; the process's own by default.
    folder
        Has the migrations.
    """
    parser = argparse.ArgumentParser(prog="python -m datamodel.migrations", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    new = verbs.add_parser("new", help="begin a migration")
    new.add_argument("message", metavar="MESSAGE", help="what it does, as an order: 'Give projects an owner'")
    message = parser.parse_args(arguments).message.strip().rstrip(".")
    words = "_".join(re.findall("[a-z0-9]+", message.lower()))[:LONGEST].rstrip("_")
    if not words or '"""' in message or "\\" in message:
        print(f"expected some words that say what the migration does, not '{message}'", file=sys.stderr)
        return 2
    before = known(folder)[-1]
    revision = f"{int(before) + 1:04d}"
    path = folder / f"r{revision}_{words}.py"
    path.write_text(FORM.format(message=message, revision=revision, before=before), encoding="utf-8")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
