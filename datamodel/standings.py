"""The index of how all products stand: what is used, what would be, and why it differs, to the world and to others."""

from typing import Any

import sqlalchemy as sa

from datamodel.datatypes import Timestamp
from datamodel.schema import metadata, oid_column

OK, TO_BUILD, OUTDATED, NOT_CHECKED = "ok", "to be built", "outdated", "not checked"
"""How a product may stand, as far as the index tells; `processing.node.STATUSES` has all."""

OF_WORLD = 0
"""The number of the view that has what the world sees."""

standing_view = sa.Table(
    "standing_view",
    metadata,
    sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.String(100), nullable=False, unique=True),
)
"""Who has an index beside the world's: members of a project, from level 2 on; an empty name: all accounts, from 3."""

hidden_group = sa.Table(
    "hidden_group",
    metadata,
    sa.Column("privileges", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("project", sa.String(100), primary_key=True),
    sa.Column("creator", sa.String(100), primary_key=True),
    oid_column("chip_id", primary_key=True),
)
"""Of which kinds there are objects the world does not see: level, project up to level 2, creator at 1; else empty.

``chip_id`` is the chip at which that matters; empty for what matters at all.
"""

_KEPT: dict[str, Any] = {"postgresql_with": {"fillfactor": 60}, "sqlite_with_rowid": False}
"""A verdict is found at once, and a new one is written beside the former one, with no index of the table touched."""

standing = sa.Table(
    "standing",
    metadata,
    oid_column("object_id", primary_key=True),
    sa.Column("view", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("class_name", sa.String(100), nullable=False),
    oid_column("instrument_id"),
    oid_column("chip_id"),
    oid_column("filter_id"),
    sa.Column("compatibility", sa.Text, nullable=False),
    sa.Column("instant", Timestamp()),
    oid_column("raw_id", index=True),
    sa.Column("own", sa.Text, nullable=False),
    sa.Column("walked", sa.SmallInteger, nullable=False),
    sa.Column("outdated", sa.SmallInteger, nullable=False),
    sa.Index("ix_standing_place", "view", "class_name", "chip_id", "instant"),
    sa.Index("ix_standing_walked", "chip_id", "walked"),
    **_KEPT,
)
"""A row for each product that is seen in a view: its keys, and the reasons that lie in it alone, as JSON.

``walked`` is 1 where rules for many at a time do not apply and its plan is walked instead.
"""

standing_role = sa.Table(
    "standing_role",
    metadata,
    oid_column("object_id", primary_key=True),
    sa.Column("view", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("role", sa.String(100), primary_key=True),
    oid_column("used_id", index=True),
    oid_column("best_id", index=True),
    sa.Column("shared", sa.Text, nullable=False),
    sa.Column("reasons", sa.Text, nullable=False),
    sa.Column("dep", sa.SmallInteger, nullable=False),
    **_KEPT,
)
"""A row for each role that is no raw frame: the object used, the best now, and the reasons that make them differ.

``dep`` is 1 where the best is outdated itself; ``shared`` has the parameters that both must have in common, as JSON.
"""

standing_state = sa.Table(
    "standing_state",
    metadata,
    sa.Column("view", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""What a view of the index says of itself, by the names below."""

LAST, RULES = "last_event", "rules"
"""Up to which event it is true; by which recipes, defaults and instruments."""

BUILDING, SINCE, AFTER = "building", "since", "after"
"""By which rules it is being made anew; up to which event these began; the class and product judged last."""

SEEN_BY = "seen_by"
"""In the world's view: another text each time that `hidden_group` or `standing_view` changes."""

CHECKED = "checked"
"""How far it was compared with plans: a day, how many on that day, the class and product looked at last."""

STANDING_TABLES = [standing, standing_role, standing_state, standing_view, hidden_group]
