"""List the exposures that few see in ObsCore too, for those who see them.

What was listed is listed anew when something is written, or by a worker.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Have all events be looked at again."""
    state = sa.table("listing_state", sa.column("last_event"))
    op.execute(sa.update(state).values(last_event=0))
