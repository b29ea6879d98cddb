"""Give tokens a project and a level that programs work in.

Those that are there have neither: they work in all projects of their account, from level 1 on, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the columns; where nobody has opened the archive since there are tokens, the table is made with them."""
    if sa.inspect(op.get_bind()).has_table("token"):
        with op.batch_alter_table("token") as table:
            table.add_column(sa.Column("project", sa.String(100)))
            table.add_column(sa.Column("level", sa.SmallInteger))
