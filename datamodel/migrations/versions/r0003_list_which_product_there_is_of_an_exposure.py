"""List for each observation which product there is of it, and how its calibrations were chosen.

What was listed is listed anew when something is written, or by a worker.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

OID_LENGTH = 36
UNKNOWN = "?"
"""Until an observation is listed anew."""


def upgrade() -> None:
    """Add the columns, and have all events be looked at again."""
    with op.batch_alter_table("observation") as table:
        table.add_column(sa.Column("selection_grade", sa.Text))
        table.add_column(sa.Column("product_id", sa.String(OID_LENGTH)))
    op.create_index("ix_observation_product_id", "observation", ["product_id"])
    observation = sa.table("observation", sa.column("product_id"))
    op.execute(sa.update(observation).values(product_id=UNKNOWN))
    state = sa.table("listing_state", sa.column("last_event"))
    op.execute(sa.update(state).values(last_event=0))
