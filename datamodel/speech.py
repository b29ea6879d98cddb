"""What does each database write in its own way? One object for each, picked when the database is opened."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from datamodel import sql
from datamodel.sql import Sql


@dataclass(frozen=True)
class Speech:
    """How one kind of database writes what SQL leaves open.

    Attributes
    ----------
    name
        As SQLAlchemy calls the database.
    types
        What the datatypes of `datamodel.datatypes` are called in a CAST; kinds of text, geometry and array not
        listed are ``TEXT``.
    greatest, least
        Functions of two numbers.
    like, like_any_case
        Written with ``{value}`` and ``{pattern}``; a backslash is a backslash.
    code_points
        Written with ``{value}``: a text that compares and sorts by code point.
    lower, upper
        Written with ``{value}``: they know every alphabet.
    random
        A number from 0 to 1, another one for each row.
    instant
        Written with ``{text}``, an ISO 8601 time with six decimals.
    parse
        Written with ``{value}``: the number that a text is, or NULL.
    parse_whole
        Written with ``{value}``: the BIGINT that a text is, without its decimals, or NULL.
    show
        Written with ``{value}``: the text of a value, by datatype; of those not listed, what CAST gives.
    every_row
        What LIMIT says for no limit.
    place
        Written with ``{text}`` and ``{part}``: where in a text another one begins, from 1; 0 if nowhere.
    rows_joined
        Written with ``{value}`` and ``{delimiter}``: an aggregate, all texts that are not NULL.
    time
        Written with ``{value}``: the instant that a text is as DALI writes it, or NULL.
    single
        Written with ``{value}``: the nearest REAL of a double.
    finite
        Written with ``{value}``: a double, or NULL where it is infinite or no number.
    whole
        Written with ``{value}``: the result of arithmetic of whole numbers, or NULL where it is no BIGINT.
    sums
        Aggregates of numbers, written with ``{each}`` and ``{value}``: ``SUM`` and ``AVG`` of doubles, and ``BIGINT``,
        the sum of whole numbers.
    operators
        Written with ``{left}`` and ``{right}``: arithmetic, where it is not what SQL calls it.
    stack
        Places on the stack of the parser, as `vo_server.tap.adql.bounds` counts what SQL needs.
    full_join
        What the condition of a FULL JOIN may be: ``any``; ``equal`` for columns of both sides that are equal;
        ``none`` where there is no FULL JOIN.
    careful
        How a statement is written once more that failed because numbers left their range; slower.
    round
        Written with ``{value}``: a double rounded to a whole one, half away from zero. Adding 0.5 to the double before
        0.5 would make 1 of it; adding 0 makes 0 of -0. Asked twice for a random number, it is as random.
    cells
        Written with ``{pixel}``, ``{order}`` and ``{last}``: the ranges ``lo`` to ``hi`` of the cells that are near
        a pixel (`datamodel.near_cells`), each of which has the number ``{last}`` beyond its first.
    among
        Written with ``{value}`` and ``{query}``: see `is_among`.
    spans
        Written with ``{shape}``: what to select ``lo`` and ``hi`` of the cells of a shape from.
    distance
        Written with ``{ra1}``, ``{dec1}``, ``{ra2}`` and ``{dec2}``: a function for the angle of two positions, all in
        degrees, right up to 90 degrees and faster than arithmetic; empty where there is none.
    angle
        Written with ``{value}``: an angle that is 0 where trigonometry could not tell it from 0; empty where it can.
    slow_remainder
        Whether ``%`` takes ten times as long as other arithmetic, which may be tried in its place.
    """

    name: str
    types: dict[str, str]
    greatest: str
    least: str
    like: str
    like_any_case: str
    code_points: str
    lower: str
    upper: str
    random: str
    instant: str
    parse: str
    parse_whole: str
    show: dict[str, str]
    every_row: str
    place: str
    rows_joined: str
    time: str
    single: str
    finite: str
    whole: str
    sums: dict[str, str]
    operators: dict[str, str]
    full_join: str
    stack: int
    round: str
    cells: str
    among: str
    spans: str
    distance: str = ""
    angle: str = ""
    slow_remainder: bool = False
    careful: "Speech | None" = None

    def type_name(self, datatype: str) -> str:
        """What a datatype is called in a CAST."""
        return self.types.get(datatype, "TEXT")

    def cast(self, value: Sql, datatype: str) -> Sql:
        """A value as a datatype."""
        return sql.cast(value, self.type_name(datatype))

    def as_type(self, value: Sql, datatype: str) -> Sql:
        """A value as a datatype, for beside others of that type; a time is always the same."""
        return value if datatype == "TIMESTAMP" and datatype not in self.types else self.cast(value, datatype)

    def greater(self, a: Sql, b: Sql) -> Sql:
        """The greater of two numbers; of a number and NULL either that number or NULL."""
        return sql.call(self.greatest, a, b)

    def lesser(self, a: Sql, b: Sql) -> Sql:
        """The lesser of two numbers; of a number and NULL either that number or NULL."""
        return sql.call(self.least, a, b)

    def lowered(self, value: Sql) -> Sql:
        """A text in lower case."""
        return Sql(self.lower.format(value=sql.at_least(value, sql.ATOM)))

    def uppered(self, value: Sql) -> Sql:
        """A text in upper case."""
        return Sql(self.upper.format(value=sql.at_least(value, sql.ATOM)))

    def matches(self, value: Sql, pattern: Sql, *, any_case: bool) -> Sql:
        """``LIKE``, or ``ILIKE``."""
        form = self.like_any_case if any_case else self.like
        return Sql(form.format(value=value.text, pattern=pattern.text))

    def by_code_point(self, value: Sql) -> Sql:
        """A text that compares and sorts by code point, whatever the database's own language."""
        return (
            Sql(self.code_points.format(value=sql.at_least(value, sql.ATOM))) if self.code_points else value
        )

    def timestamp(self, instant: datetime) -> Sql:
        """A UTC instant."""
        return Sql(self.instant.format(text=instant.isoformat(timespec="microseconds")))

    def parsed(self, value: Sql) -> Sql:
        """The number that a text is, as a double; NULL where it is none."""
        return Sql(self.parse.format(value=value.text))

    def time_of(self, value: Sql) -> Sql:
        """The instant that a text is; NULL where it is none."""
        return Sql(self.time.format(value=value.text))

    def rounded_to_real(self, value: Sql) -> Sql:
        """A double as a REAL; NULL where it is too large."""
        return Sql(self.single.format(value=value.text))

    def rounded(self, value: Sql) -> Sql:
        """A double rounded to a whole one, half away from zero."""
        return Sql(self.round.format(value=sql.at_least(value, sql.ATOM)))

    def computed(self, operator: str, left: Sql, right: Sql) -> Sql:
        """Arithmetic of two doubles or two whole numbers, whose result `checked` may have to look at.

        ``%`` is of doubles, exact, and has the sign of the left one; ``^`` raises one to a power.
        """
        form = self.operators.get(operator)
        if form is None:
            return sql.binary(left, operator, right, sql.SUM if operator in "+-" else sql.PRODUCT)
        return Sql(form.format(left=left.text, right=right.text))

    def checked(self, value: Sql, datatype: str) -> Sql:
        """What has been computed as BIGINT or DOUBLE, or NULL where that has no room for it."""
        return Sql((self.whole if datatype == "BIGINT" else self.finite).format(value=value.text))

    def summed(self, name: str, value: Sql, *, distinct: bool) -> Sql:
        """One of `sums`."""
        return Sql(self.sums[name].format(value=value.text, each="DISTINCT " if distinct else ""))

    def parsed_whole(self, value: Sql) -> Sql:
        """The whole number that a text is, as a BIGINT; NULL where it is none."""
        return Sql(self.parse_whole.format(value=value.text))

    def shown(self, value: Sql, datatype: str) -> Sql:
        """A value as text: numbers as short as they can be read back, times as DALI writes them."""
        form = self.show.get(datatype, "CAST({value} AS TEXT)")
        return Sql(form.format(value=value.text))

    def is_among(self, value: Sql, query: str) -> Sql:
        """``value IN (query)``, for a value with an index and a query that needs columns of another table."""
        return Sql(
            self.among.format(value=sql.at_least(value, sql.CONCATENATION), query=query), sql.COMPARISON
        )

    def place_in(self, value: Sql, part: Sql) -> Sql:
        """Where in a text another one begins, counted from 1; 0 if nowhere."""
        return Sql(self.place.format(text=value.text, part=part.text))

    def joined_rows(self, value: Sql, delimiter: Sql) -> Sql:
        """An aggregate: all texts of a group that are not NULL, as they come."""
        return Sql(self.rows_joined.format(value=value.text, delimiter=delimiter.text))

    def ordered(self, value: Sql, *, descending: bool) -> str:
        """A term of ORDER BY; NULL is last either way."""
        return f"{value.text}{' DESC' if descending else ''} NULLS LAST"


_NUMBERS = {
    "UNSIGNEDBYTE": "SMALLINT",
    "SMALLINT": "SMALLINT",
    "INTEGER": "INTEGER",
    "BIGINT": "BIGINT",
    "REAL": "REAL",
    "DOUBLE": "DOUBLE PRECISION",
    "BOOLEAN": "BOOLEAN",
}

_BOOLEAN_TEXT = "CASE {value} WHEN TRUE THEN 'true' WHEN FALSE THEN 'false' END"
_NUMBER = r"^\s*[+-]?([0-9]{{1,200}}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{{1,2}})?\s*$"

_REAL, _BIGINT = "3.4028235677973366e38", "9223372036854775808"
"""What is as large, or larger, is no REAL and no BIGINT."""


def _within(value: str, bound: str) -> str:
    """A number, or NULL where it is not between a bound and its opposite; it is written once."""
    return f"nullif(nullif(LEAST(GREATEST({value}, -{bound}), {bound}), -{bound}), {bound})"


_WHOLE = "trunc(CAST({value} AS numeric))"

SPEECHES: dict[str, Speech] = {
    "sqlite": Speech(
        name="sqlite",
        types=_NUMBERS,
        greatest="max",
        least="min",
        like="(({value}) LIKE ({pattern}))",
        like_any_case="(vo_lower({value}) LIKE vo_lower({pattern}))",
        code_points="",
        lower="vo_lower({value})",
        upper="vo_upper({value})",
        random="(0.5 + random() / 18446744073709551616.0)",
        instant="'{text}'",
        parse="vo_number({value})",
        parse_whole="vo_whole({value})",
        show={
            "DOUBLE": "vo_text({value}, 17)",
            "REAL": "vo_text({value}, 9)",
            "BOOLEAN": _BOOLEAN_TEXT,
            "TIMESTAMP": "{value}",
        },
        every_row="-1",
        place="instr({text}, {part})",
        rows_joined="group_concat({value}, {delimiter})",
        time="vo_time({value})",
        single="vo_single({value})",
        finite="nullif(nullif({value}, 9e999), -9e999)",
        whole="CASE typeof({value}) WHEN 'integer' THEN {value} END",
        sums={name: f"nullif(nullif({name}({{each}}{{value}}), 9e999), -9e999)" for name in ("SUM", "AVG")}
        | {"BIGINT": "CAST(sum({each}{value}) AS BIGINT)"},
        operators={"%": "mod({left}, {right})", "^": "power({left}, {right})"},
        stack=92,
        full_join="any" if sqlite3.sqlite_version_info >= (3, 39) else "none",
        round=(
            "CASE {value} WHEN 0.49999999999999994 THEN 0.0 WHEN -0.49999999999999994 THEN 0.0 ELSE round({value}) END"
        ),
        cells="(SELECT value AS lo, value + {last} AS hi FROM json_each(vo_near_cells({pixel}, {order})))",
        among="{value} IN ({query})",
        spans=(
            "(SELECT json_extract(value, '$[0]') AS lo, json_extract(value, '$[1]') AS hi "
            "FROM json_each(vo_spans({shape})))"
        ),
    ),
    "postgresql": Speech(
        name="postgresql",
        types=_NUMBERS | {"TIMESTAMP": "TIMESTAMP"},
        greatest="GREATEST",
        least="LEAST",
        like="(({value}) LIKE ({pattern}) ESCAPE '')",
        like_any_case="""(({value}) COLLATE "und-x-icu" ILIKE ({pattern}) ESCAPE '')""",
        code_points='({value} COLLATE "C")',
        lower='lower({value} COLLATE "und-x-icu")',
        upper='upper({value} COLLATE "und-x-icu")',
        random="random()",
        instant="TIMESTAMP '{text}'",
        parse=f"(CASE WHEN {{value}} ~ '{_NUMBER}' THEN CAST({{value}} AS DOUBLE PRECISION) END)",
        parse_whole=f"(CASE WHEN {{value}} ~ '{_NUMBER}' THEN CAST({_within(_WHOLE, _BIGINT)} AS BIGINT) END)",
        show={
            "BOOLEAN": _BOOLEAN_TEXT,
            "TIMESTAMP": """to_char({value}, 'YYYY-MM-DD"T"HH24:MI:SS.US')""",
        },
        every_row="ALL",
        place="strpos({text}, {part})",
        rows_joined="string_agg({value}, {delimiter})",
        time="vo_time({value})",
        single=f"CAST({_within('{value}', _REAL)} AS REAL)",
        finite="nullif(nullif(nullif({value}, 'NaN'), 'Infinity'), '-Infinity')",
        whole="({value})",
        sums={name: f"{name}({{each}}{{value}})" for name in ("SUM", "AVG")}
        | {"BIGINT": f"CAST({_within('sum({each}{value})', _BIGINT)} AS BIGINT)"},
        operators={"%": "vo_remainder({left}, {right})", "^": "power({left}, {right})"},
        full_join="equal",
        stack=10_000,
        round="(sign({value}) * floor(abs({value}) + CAST(0.49999999999999994 AS DOUBLE PRECISION)) + 0)",
        cells="(SELECT k AS lo, k + {last} AS hi FROM vo_near_cells({pixel}, {order}) AS k)",
        among="{value} = ANY (ARRAY({query}))",
        spans="vo_spans({shape})",
        slow_remainder=True,
    ),
}

_DOUBLE = "1.797693134862315808e308"
_EXACT = _within("sum({each}CAST({value} AS numeric))", _DOUBLE)

_CAREFUL: dict[str, Speech] = {
    "sqlite": replace(SPEECHES["sqlite"], sums=SPEECHES["sqlite"].sums | {"BIGINT": "vo_sum({each}{value})"}),
    "postgresql": replace(
        SPEECHES["postgresql"],
        operators={
            "+": "vo_plus({left}, {right})",
            "-": "vo_minus({left}, {right})",
            "*": "vo_times({left}, {right})",
            "/": "vo_over({left}, {right})",
            "%": "vo_remainder({left}, {right})",
            "^": "vo_power({left}, {right})",
        },
        slow_remainder=False,
        single="vo_single({value})",
        angle="vo_angle({value})",
        sums={
            "SUM": f"CAST({_EXACT} AS DOUBLE PRECISION)",
            "AVG": f"CAST({_EXACT} / nullif(count({{each}}{{value}}), 0) AS DOUBLE PRECISION)",
            "BIGINT": SPEECHES["postgresql"].sums["BIGINT"],
        },
    ),
}
for _name, _careful in _CAREFUL.items():
    SPEECHES[_name] = replace(SPEECHES[_name], careful=_careful)

EXTENSIONS: dict[str, dict[str, str]] = {"q3c": {"distance": "q3c_dist({ra1}, {dec1}, {ra2}, {dec2})"}}
"""What a database writes otherwise if it has an extension."""


def speech_of(name: str, extensions: Iterable[str] = ()) -> Speech:
    """How a kind of database speaks that has some extensions; those that are not known change nothing."""
    changes = {
        field: form for extension in extensions for field, form in EXTENSIONS.get(extension, {}).items()
    }
    plain = SPEECHES[name]
    if not changes:
        return plain
    careful = replace(plain.careful, **changes) if plain.careful else None  # type: ignore[arg-type]
    return replace(plain, careful=careful, **changes)  # type: ignore[arg-type]
