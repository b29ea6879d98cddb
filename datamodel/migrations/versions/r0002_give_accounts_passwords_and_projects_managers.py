"""Give accounts passwords, and projects managers and members by being public.

Nobody has a password afterwards, every project is private, and no member is a manager: who could see what stays as it
was. When accounts and projects came to be is not known of those that are there.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; the tables of tokens and of log-ins that failed are made when the archive is opened."""
    instant = _type_of_instants()
    with op.batch_alter_table("account") as table:
        table.add_column(sa.Column("full_name", sa.Text))
        table.add_column(sa.Column("password_hash", sa.Text))
        for name in ("password_changed", "disabled", "created"):
            table.add_column(sa.Column(name, instant))
    with op.batch_alter_table("project") as table:
        table.add_column(sa.Column("is_public", sa.Boolean, nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("instrument", sa.String(100)))
        table.add_column(sa.Column("created", instant))
    with op.batch_alter_table("membership") as table:
        table.add_column(sa.Column("is_manager", sa.Boolean, nullable=False, server_default=sa.false()))


def _type_of_instants() -> sa.types.TypeEngine[object]:
    """What the database keeps instants as: the type that the log of events has."""
    columns = sa.inspect(op.get_bind()).get_columns("event")
    (kept,) = (column["type"] for column in columns if column["name"] == "at")
    return kept
