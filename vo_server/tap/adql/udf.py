"""What is a user defined function: how is it declared, what does a call of it mean? (ADQL 2.1 section 2.4)."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from string import Formatter
from typing import Any

from datamodel import sql
from datamodel.columns import Column
from datamodel.errors import UsageError
from datamodel.functions import Aggregate, Function
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql import shapes
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.shapes import Point
from vo_server.tap.adql.tree import Call
from vo_server.tap.adql.udf_arguments import TAKEN
from vo_server.tap.adql.values import DOUBLE, Value, derived

Finder = Callable[[str], tuple[float, float] | None]
"""Gives the position, in degrees ICRS, of an object by its name; None for a name that is not known."""

Meaning = Callable[[Call, list[Value], Speech, Finder], Value]

_FORM = re.compile(r"([A-Za-z]\w*)\(([^()]*)\) -> ([A-Z]+(?:\[[0-9]*\])?)", re.ASCII)
_PARAMETER = re.compile(r"([A-Za-z]\w*) ([A-Z]+)", re.ASCII)

_RESULTS = {
    "SMALLINT": Column("", "SMALLINT"),
    "INTEGER": Column("", "INTEGER"),
    "BIGINT": Column("", "BIGINT"),
    "REAL": Column("", "DOUBLE"),
    "TEXT": Column("", "VARCHAR"),
    "TIMESTAMP": Column("", "TIMESTAMP"),
    "POINT": Column("", "POINT", unit="deg", ucd="pos"),
    "GEOMETRY": Column("", "POINT", unit="deg", ucd="pos"),
    "INTEGER[]": Column("", "INTEGER[]"),
    "REAL[]": Column("", "DOUBLE[]"),
}


@dataclass(frozen=True)
class Udf:
    """One form of a user defined function.

    Attributes
    ----------
    form
        Its signature as the capabilities tell it: ``name(one TEXT, other REAL) -> REAL``. A parameter is of the type
        REAL, NUMERIC, INTEGER, TEXT, TIMESTAMP (also as text), POINT or GEOMETRY; a result REAL, SMALLINT, INTEGER,
        BIGINT, TEXT, TIMESTAMP, POINT, INTEGER[] or REAL[n].
    description
        One or two sentences for people.
    sql
        SQL that every database understands, with the `fields` between braces; or what makes it of the `Speech` and
        the SQL of each of these: a pair of SQL if the result is a point. REAL arguments arrive as doubles.
    unit, ucd
        Of the result.
    value
        Computes the value where all arguments are constant, as the database would; None is NULL. Where it is not
        given the database computes it.
    functions
        What `sql` calls, and databases do not have.
    aggregate
        Whether it is a function of all rows of a group.
    literals
        Parameters whose arguments must be constant.
    check
        Refuses arguments, by an AdqlError, before anything is made of them.
    meaning
        Makes the value itself, instead of `sql`.
    """

    form: str
    description: str
    sql: str | Callable[..., Sql | tuple[Sql, Sql]] = ""
    unit: str | None = None
    ucd: str | None = None
    value: Callable[..., Any] | None = None
    functions: tuple[Function | Aggregate, ...] = ()
    aggregate: bool = False
    literals: tuple[str, ...] = ()
    check: Callable[[list[Value]], None] | None = None
    meaning: Meaning | None = None

    def __post_init__(self) -> None:
        """Refuse what is no declaration.

        Raises
        ------
        UsageError
            The form cannot be read, has a type that there is not, or the SQL names something else.
        """
        found = _FORM.fullmatch(self.form)
        unread = UsageError(f"expected a form such as 'f(x REAL, y TEXT) -> REAL', found '{self.form}'")
        if found is None or re.sub(r"[0-9]+", "", found[3]) not in _RESULTS:
            raise unread
        if not all(_PARAMETER.fullmatch(p) and p.split()[1] in TAKEN for p in self._listed):
            raise unread
        if isinstance(self.sql, str):
            unknown = {name for _, name, _, _ in Formatter().parse(self.sql) if name is not None} - set(
                self.fields
            )
            if unknown:
                raise UsageError(f"{self.form} has no parameter '{unknown.pop()}', which its SQL speaks of")

    @property
    def name(self) -> str:
        """In upper case."""
        return self.form.partition("(")[0].upper()

    @cached_property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Name and type of each."""
        return tuple((name, kind) for name, _, kind in (p.partition(" ") for p in self._listed))

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """What the SQL is made of: the parameters by name, but ``p_lon`` and ``p_lat`` of a point ``p``."""
        return tuple(
            name + part
            for name, kind in self.parameters
            for part in (("_lon", "_lat") if kind in ("POINT", "GEOMETRY") else ("",))
        )

    @property
    def _listed(self) -> list[str]:
        between = self.form[self.form.index("(") + 1 : self.form.rindex(")")]
        return between.split(", ") if between else []

    @cached_property
    def column(self) -> Column:
        """Type, unit and UCD of the result."""
        kind, _, size = self.form.rpartition(" -> ")[2].partition("[")
        if not size:
            known = _RESULTS[kind]
            return replace(known, unit=self.unit or known.unit, ucd=self.ucd or known.ucd)
        return replace(
            _RESULTS[f"{kind}[]"], unit=self.unit, ucd=self.ucd, arraysize=size.rstrip("]") or None
        )

    @cached_property
    def write(self) -> Callable[..., Sql | tuple[Sql, Sql]]:
        """Makes the SQL of the `Speech` and that of the arguments."""
        return self.sql if callable(self.sql) else partial(_filled, self)

    @cached_property
    def copies(self) -> int:
        """How often the SQL repeats an argument."""
        if callable(self.sql):
            return 2
        return max([self.sql.count(f"{{{field}}}") for field in self.fields], default=1)


def _filled(udf: Udf, _speech: Speech, *arguments: Sql) -> Sql:
    texts = [sql.at_least(argument, sql.ATOM) for argument in arguments]
    assert isinstance(udf.sql, str)
    made = Sql(f"({udf.sql.format(**dict(zip(udf.fields, texts, strict=True)))})")
    return sql.cast(made, "DOUBLE PRECISION") if udf.column.type == "DOUBLE" else made


class Udfs:
    """The user defined functions that queries can call.

    Parameters
    ----------
    declared
        All forms; several of one function differ in the number of their parameters.
    functions
        Fewest and most arguments of all other functions.
    find
        Where objects that a query names are.

    Attributes
    ----------
    arities
        Fewest and most arguments of every function, by upper case name.

    Raises
    ------
    UsageError
        A name is taken.
    """

    def __init__(
        self,
        declared: Iterable[Udf],
        functions: Mapping[str, tuple[int, int]],
        find: Finder = lambda _name: None,
    ) -> None:
        self.declared = tuple(declared)
        self.find = find
        self.forms: dict[str, dict[int, Udf]] = {}
        for udf in self.declared:
            forms = self.forms.setdefault(udf.name, {})
            if udf.name in functions or len(udf.parameters) in forms:
                raise UsageError(f"there already is a function {udf.form}")
            forms[len(udf.parameters)] = udf
        self.arities = dict(functions) | {n: (min(forms), max(forms)) for n, forms in self.forms.items()}

    def finding(self, find: Finder) -> "Udfs":
        """The same functions, with objects looked up elsewhere."""
        made = object.__new__(Udfs)
        made.declared, made.forms, made.arities, made.find = self.declared, self.forms, self.arities, find
        return made

    def called(self, call: Call, arguments: list[Value], speech: Speech, place: str = "") -> Value:
        """The value of a call.

        Parameters
        ----------
        place
            What the call is part of, where aggregates have no meaning; or empty.

        Raises
        ------
        AdqlError
            An argument is not what the function takes.
        """
        udf = self.forms[call.name].get(len(arguments))
        if udf is None:
            forms = " or ".join(each.form for each in self.forms[call.name].values())
            raise AdqlError(call.at, f"expected {forms}, found {len(arguments)} arguments")
        if udf.meaning is not None:
            return udf.meaning(call, arguments, speech, self.find)
        return _called(udf, call, arguments, speech, place)


def _called(udf: Udf, call: Call, arguments: list[Value], speech: Speech, place: str) -> Value:
    values: list[Value] = []
    for (name, kind), argument in zip(udf.parameters, arguments, strict=True):
        if name in udf.literals and not argument.constant:
            raise AdqlError(argument.at, f"{call.name} takes a constant {name}")
        values += TAKEN[kind](call.name, argument, speech)
    if udf.check is not None:
        udf.check(values)
    if udf.aggregate:
        return _of_group(udf, call, values, speech, place)
    if udf.value is not None and all(v.constant for v in values):
        return _constant(udf, call, udf.value(*[v.constant[0] for v in values]), speech)
    made = udf.write(speech, *[v.sql for v in values])
    if isinstance(made, Sql):
        return derived(call.at, made, udf.column, call.name, values, udf.copies)
    lon, lat = (
        derived(call.at, each, DOUBLE, (call.name, part), values, udf.copies)
        for part, each in enumerate(made)
    )
    return point(call, lon, lat, udf.column)


def _of_group(udf: Udf, call: Call, values: list[Value], speech: Speech, place: str) -> Value:
    if place:
        raise AdqlError(call.at, f"{call.name} has no meaning in {place}")
    inner = next((v for v in values if v.aggregated), None)
    if inner is not None:
        raise AdqlError(inner.at, f"an aggregate inside {call.name} has no meaning")
    made = udf.write(speech, *[v.sql for v in values])
    assert isinstance(made, Sql)
    found = derived(call.at, made, udf.column, call.name, values, udf.copies)
    return found.but(aggregated=True, loose=frozenset())


def _constant(udf: Udf, call: Call, found: Any, speech: Speech) -> Value:
    if udf.column.datatype.kind != "geometry":
        return constant(call, found, udf.column, speech)
    known = (None, None) if found is None or None in found else found
    lon, lat = (constant(call, part, DOUBLE, speech) for part in known)
    return point(call, lon, lat, udf.column)


def constant(call: Call, found: Any, column: Column, speech: Speech) -> Value:
    """A value that the database need not compute."""
    if found is None:
        written = speech.cast(sql.NULL, column.type)
    elif isinstance(found, float):
        written = sql.real(found)
    else:
        written = speech.cast(sql.number(found), column.type) if isinstance(found, int) else sql.text(found)
    return Value(call.at, written, column, ("literal", column.type, found), constant=(found,))


def point(call: Call, lon: Value, lat: Value, column: Column) -> Value:
    """A position whose UCD says which frame it is in."""
    names = ("ra", "dec") if column.ucd == "pos.eq" else ("lon", "lat")
    parts = [
        v.but(
            column=replace(v.column, unit="deg", ucd=f"{column.ucd}.{name}" if column.ucd != "pos" else None)
        )
        for v, name in zip((lon, lat), names, strict=True)
    ]
    shape = Point(*parts)
    value = derived(call.at, partial(shapes.text, shape), column, call.name, parts)
    value.shape = shape
    return value
