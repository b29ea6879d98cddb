"""Have an index of how products stand for projects that keep things to themselves, beside the world's.

It is made anew by a worker, or by who writes next.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = ("standing", "standing_role", "standing_state")


def upgrade() -> None:
    """Remove the tables, which are made with a view when the archive is opened."""
    inspector = sa.inspect(op.get_bind())
    for table in TABLES:
        if inspector.has_table(table):
            op.drop_table(table)
