"""Say at which chip things are hidden from the world, not only that there are some.

What is known by now counts for every chip, until the archive is looked through again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KEY = ("privileges", "project", "creator", "chip_id")


def upgrade() -> None:
    """Make the table anew with the column in its key; where there is none, it is made when the archive is opened."""
    if not sa.inspect(op.get_bind()).has_table("hidden_group"):
        return
    known = op.get_bind().execute(sa.text("SELECT privileges, project, creator FROM hidden_group")).all()
    op.drop_table("hidden_group")
    made = op.create_table(
        "hidden_group",
        sa.Column("privileges", sa.SmallInteger, autoincrement=False),
        sa.Column("project", sa.String(100)),
        sa.Column("creator", sa.String(100)),
        sa.Column("chip_id", sa.String(36)),
        sa.PrimaryKeyConstraint(*_KEY),
    )
    if known:
        op.bulk_insert(made, [dict(zip(_KEY, (*row, ""), strict=True)) for row in known])
