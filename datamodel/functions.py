"""How does a database come by a function that its own SQL lacks?

SQLite calls Python; PostgreSQL is given the same function in its own language when an archive is prepared, so that
it needs no extension. Both give the same values, and NULL where there is none.
"""

import math
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

DOUBLE = "double precision"

TINY, HUGE = 1e-20, 1e20
"""Between these, where a function is bounded, no product leaves the range of doubles."""

_UNDEFINED = (ValueError, TypeError, ArithmeticError)


@dataclass(frozen=True)
class Function:
    """A function under one name on every database.

    Attributes
    ----------
    name
        In SQL.
    parameters
        As PostgreSQL writes them: ``lon double precision, lat double precision``.
    returns
        The type on PostgreSQL.
    body
        On PostgreSQL: statements of PL/pgSQL, or one of SQL where that is the `language`.
    declare
        Variables of these statements.
    python
        For SQLite; what it cannot compute, and what is not finite, is NULL. None where SQLite needs none.
    language
        ``plpgsql`` or ``sql``.
    strict
        Whether any NULL among the arguments makes the result NULL without the function being asked.
    bounded
        Whether doubles nearer to 0 than `TINY` are taken for 0, and any beyond `HUGE` makes the result NULL.
    """

    name: str
    parameters: str
    returns: str
    body: str
    declare: str = ""
    python: Callable[..., Any] | None = None
    language: str = "plpgsql"
    strict: bool = True
    bounded: bool = False

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Name and type of each parameter."""
        listed = (p.strip().partition(" ") for p in self.parameters.split(","))
        return tuple((name, kind) for name, _, kind in listed)

    @property
    def signature(self) -> str:
        """Name and types, by which PostgreSQL tells functions apart."""
        return f"{self.name}({', '.join(kind for _, kind in self.pairs)})"

    @cached_property
    def source(self) -> str:
        """What PostgreSQL keeps as the source; it changes whenever the declaration does."""
        text = self.body.strip()
        if self.language == "plpgsql":
            declare = f"DECLARE {self.declare}\n" if self.declare else ""
            text = f"{declare}BEGIN\n{self._guards()}{text}\nEND"
        return f"-- ({self.parameters}) -> {self.returns}\n{text}"

    def _guards(self) -> str:
        if not self.bounded:
            return ""
        doubles = [name for name, kind in self.pairs if kind == DOUBLE]
        sizes = ", ".join(f"abs({x})" for x in doubles)
        unknown = "" if self.strict else "".join(f"{x} := nullif({x}, 'NaN');\n" for x in doubles)
        zeros = " ".join(f"{x} := CASE WHEN abs({x}) < {TINY!r} THEN 0 ELSE {x} END;" for x in doubles)
        return (
            f"{unknown}IF greatest({sizes}) > {HUGE!r} THEN RETURN NULL; END IF;\n"
            f"IF least({sizes}) < {TINY!r} THEN {zeros} END IF;\n"
        )

    def create(self) -> str:
        """The statement with which PostgreSQL is given it."""
        on_null = "STRICT" if self.strict else "CALLED ON NULL INPUT"
        return (
            f"CREATE FUNCTION {self.name}({self.parameters}) RETURNS {self.returns} LANGUAGE {self.language} "
            f"IMMUTABLE PARALLEL SAFE {on_null} AS $vo${self.source}$vo$"
        )

    def compute(self, *arguments: Any) -> Any:
        """The value; NULL is None."""
        assert self.python is not None
        if self.strict and None in arguments:
            return None
        try:
            found = self.python(*(map(_within, arguments) if self.bounded else arguments))
        except _UNDEFINED:
            return None
        return None if isinstance(found, float) and not math.isfinite(found) else found

    def register(self, connection: sqlite3.Connection) -> None:
        """Give it to a connection of SQLite."""
        if self.python is not None:
            connection.create_function(self.name, len(self.pairs), self.compute, deterministic=True)


@dataclass(frozen=True)
class Aggregate:
    """A function of all rows of a group, under one name on every database.

    Attributes
    ----------
    name
        In SQL.
    step
        Of PostgreSQL: gives a new state of the state and the arguments.
    initial
        The first state, as PostgreSQL writes it.
    python
        For SQLite: a class with ``step`` and ``finalize``; an OverflowError says that there is too much.
    finish
        Of PostgreSQL: makes the result of the last state; None where that is the result.
    """

    name: str
    step: Function
    initial: str
    python: Callable[[], Any]
    finish: Function | None = None

    @property
    def signature(self) -> str:
        """Name and types."""
        return f"{self.name}({', '.join(kind for _, kind in self.step.pairs[1:])})"

    def create(self) -> str:
        """The statement with which PostgreSQL is given it."""
        parts = [
            f"SFUNC = {self.step.name}",
            f"STYPE = {self.step.pairs[0][1]}",
            f"INITCOND = '{self.initial}'",
        ]
        if self.finish is not None:
            parts.append(f"FINALFUNC = {self.finish.name}")
        return f"CREATE AGGREGATE {self.signature} ({', '.join(parts)}, PARALLEL = SAFE)"

    def register(self, connection: sqlite3.Connection) -> None:
        """Give it to a connection of SQLite."""
        made: Any = self.python
        connection.create_aggregate(self.name, len(self.step.pairs) - 1, made)


def _within(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if not abs(value) <= HUGE:
        raise ValueError(value)
    return 0.0 if abs(value) < TINY else value


def give(engine: sa.Engine, functions: Iterable[Function | Aggregate]) -> None:
    """Have every connection that an engine opens from now on know some functions, where they are kept by it."""
    given = tuple(functions)
    if engine.dialect.name != "sqlite" or not given:
        return

    def register(connection: sqlite3.Connection, _record: object) -> None:
        for function in given:
            function.register(connection)

    sa.event.listen(engine, "connect", register)


def install(connection: sa.Connection, functions: Iterable[Function | Aggregate]) -> None:
    """Have a database that keeps functions keep these, as they are now declared; the same ones are left alone.

    To be called in a transaction beside which no other one changes tables.
    """
    if connection.dialect.name != "postgresql":
        return
    kept = connection.exec_driver_sql(_KEPT).all()
    names, sources = {name for name, _ in kept}, {tuple(row) for row in kept}
    plain = [f for f in functions if isinstance(f, Function)]
    new = [f for f in plain if (f.name, f.source) not in sources]
    aggregates = [a for a in functions if isinstance(a, Aggregate)]
    for aggregate in aggregates:
        if aggregate.step in new or aggregate.finish in new:
            connection.exec_driver_sql(f"DROP AGGREGATE IF EXISTS {aggregate.signature}")
            names.discard(aggregate.name)
    for function in new:
        connection.exec_driver_sql(f"DROP FUNCTION IF EXISTS {function.signature}")
        connection.exec_driver_sql(function.create().replace("%", "%%"))
    for aggregate in aggregates:
        if aggregate.name not in names:
            connection.exec_driver_sql(aggregate.create())


_KEPT = "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace"
