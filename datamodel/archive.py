"""An archive that is open: its configuration, database and store, and the tables every archive has."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from datamodel import accounts, crash, custody, extensions, revisions, row_security
from datamodel.accounts import account as account
from datamodel.accounts import membership as membership
from datamodel.accounts import project as project
from datamodel.attributes import all_classes
from datamodel.clock import Clock, utc_now
from datamodel.config import Config
from datamodel.context import VO, Caller
from datamodel.database import Database
from datamodel.dialect import insert_absent
from datamodel.errors import UsageError
from datamodel.evolution import adapt
from datamodel.favourites import favourite
from datamodel.functions import give, install
from datamodel.history import event
from datamodel.own_functions import FUNCTIONS
from datamodel.retraction import retraction
from datamodel.schema import table_of
from datamodel.schema_changes import BEGUN, Change, record, schema_change
from datamodel.store import Store

log = logging.getLogger("vo_server")

ADAPTED = crash.declare(
    "tables.adapted", "tables and columns are made and written down, the transaction is not committed"
)

_TABLES = [revisions.alembic_version, schema_change, event, favourite, retraction, *accounts.TABLES]


class Archive:
    """Everything that is kept, opened for use.

    Parameters
    ----------
    config
        The configuration of the program.
    clock
        Gives the present instant, naive UTC.

    Attributes
    ----------
    listeners
        Each is called with the session after a transaction that changed stored objects is committed; what
        it raises is logged.
    """

    def __init__(self, config: Config, clock: Clock = utc_now) -> None:
        self.config = config
        self.clock = clock
        self.listeners: list[Callable[[Any], object]] = []
        self.store = _store(config.archive)
        self.database = Database(config.database)
        self._use = custody.Use(config.archive)
        give(self.database.engine, extensions.functions(config.udfs))
        self._prepared: set[sa.Table] = set()
        self._resources: dict[str, Any] = {}
        self._lock = threading.Lock()

    @property
    def quarantine(self) -> Path:
        """The folder for files that could not be understood."""
        return self.config.archive / "quarantine"

    def prepare(self, tables: list[sa.Table] | None = None) -> None:
        """Create what is missing: tables and columns of every known class, `tables`, and the functions of queries.

        Who may only read the database finds what there is.

        Raises
        ------
        UsageError
            The database is not that of the folder; the archive must be upgraded first, or is too new for this
            program; or a class was changed in a way that the rows of old objects cannot follow.
        """
        self.forget_tables()
        with self.database.write() as connection:
            custody.require(connection, self.config.archive)
            if self.database.only_reads:
                revisions.require_newest(revisions.revision_of(connection) or "", self.config.archive)
                self._prepared |= {table_of(cls) for cls in all_classes()}
            else:
                self.create_tables(connection, tables)

    def create_tables(self, connection: sa.Connection, tables: list[sa.Table] | None = None) -> None:
        """Do the same as `prepare` within a transaction under way."""
        self.database.lock_schema(connection)
        found = revisions.revision_of(connection)
        if found is not None:
            revisions.require_newest(found, self.config.archive)
        self.database.create_missing(connection, [*_TABLES, *(tables or [])])
        install(connection, (*FUNCTIONS, *extensions.functions(self.config.udfs)))
        changes = adapt(connection, all_classes())
        row_security.follow(connection, self.database)
        if found is None:
            revisions.begin(connection)
            changes = [Change(BEGUN, told=revisions.newest())]
        if changes:
            record(connection, self.clock(), changes)
            crash.reach(ADAPTED)
        self._prepared |= {table_of(cls) for cls in all_classes()}

    def settle(self, instant: datetime) -> None:
        """Wait for those who are writing, so that all that was ever going to be of an instant is there.

        Raises
        ------
        UsageError
            The instant has not come yet.
        """
        present = self.clock()
        if instant > present:
            said = instant.isoformat(timespec="seconds")
            raise UsageError(
                f"as of '{said}': that lies in the future, it is {present.isoformat(timespec='seconds')}"
            )
        with self.database.write() as connection:
            self.database.hold_events(connection)

    def has_tables(self, cls: Any) -> bool:
        """Whether the tables of this declaration of a class have been prepared by this process."""
        return table_of(cls) in self._prepared

    def forget_tables(self) -> None:
        """Look at the database again before the tables of any class are used."""
        self._prepared.clear()

    def exists(self) -> bool:
        """Whether the database has been prepared before."""
        with self.database.read() as connection:
            return sa.inspect(connection).has_table(event.name)

    def caller(self, user: str, project_name: str = "", level: int = 1) -> Caller:
        """The context of an account, with its memberships of now.

        Raises
        ------
        NotFoundError
            There is no such account.
        ForbiddenError
            It is disabled.
        """
        with self.database.read() as connection:
            return accounts.caller(connection, user, project_name, level)

    def add_account(self, name: str, *projects: str) -> None:
        """Add an account, and make it a member of projects; what is there already stays."""
        now = self.clock()
        with self.database.write() as connection:
            insert_absent(connection, account, {"name": name, "created": now})
            for each in projects:
                row = {"name": each, "description": "", "maximum_privileges": VO, "created": now}
                insert_absent(connection, project, row)
                insert_absent(connection, membership, {"project": each, "account": name})

    def resource(self, name: str, make: Callable[[], Any]) -> Any:
        """Something costly that goes with the archive: made on first use, closed with it."""
        with self._lock:
            if name not in self._resources:
                self._resources[name] = make()
            return self._resources[name]

    def close(self) -> None:
        """Close what was opened on the way, and give the database's connections back."""
        with self._lock:
            resources, self._resources = self._resources, {}
        for each in resources.values():
            if hasattr(each, "close"):
                each.close()
        self.database.close()
        self._use.end()


def _store(folder: Path) -> Store:
    try:
        return Store(folder)
    except OSError as error:
        raise UsageError(f"the archive cannot be at '{folder}': {error.strerror}") from None
