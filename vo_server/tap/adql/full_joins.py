"""How is a FULL JOIN written where a database has none that serves, or none on conditions but equality?

As the rows of a LEFT JOIN, and those rows of the right side that match nothing on the left.
"""

from collections.abc import Iterator
from dataclasses import replace

from datamodel import sql
from datamodel.speech import Speech
from datamodel.sql import Sql
from vo_server.tap.adql.scope import Relation, Source
from vo_server.tap.adql.values import Value


def understood(on: Value, left: Relation, right: Relation, speech: Speech) -> bool:
    """Whether the database has a FULL JOIN on this condition, and an index would not be of more use without it."""
    sides = _aliases(left), _aliases(right)
    equal = [_is_equality(term, sides) for term in _terms(on.key)]
    if speech.full_join == "any":
        return any(equal) or not _searches(on)
    return speech.full_join == "equal" and all(equal)


def _searches(on: Value) -> bool:
    """Whether a condition finds rows through an index."""
    return on.plain is not None and on.plain.text != on.sql.text


def _aliases(side: Relation) -> frozenset[str]:
    return frozenset(source.alias for source in side.sources)


def _terms(key: object) -> list[object]:
    """The conditions that AND joins, by the keys of their values."""
    if isinstance(key, tuple) and key and isinstance(key[0], tuple) and key[0][0] == "AND":
        return [term for part in key[1:] for term in _terms(part)]
    return [key]


def _is_equality(key: object, sides: tuple[frozenset[str], frozenset[str]]) -> bool:
    """Whether a condition says that a column of the one side equals one of the other."""
    if not isinstance(key, tuple) or len(key) != 3 or key[0] != ("=", False, None):
        return False
    a, b = (part[1] if isinstance(part, tuple) and part[0] == "column" else "" for part in key[1:])
    left, right = sides
    return (a in left and b in right) or (a in right and b in left)


def rewritten(
    left: Relation, right: Relation, on: tuple[Sql, Sql], numbers: Iterator[int]
) -> tuple[Relation, Relation, str]:
    """Both sides as parts of one query in parentheses, and that query.

    Parameters
    ----------
    on
        The condition for finding rows of the right side, and the same for finding those of the left.
    numbers
        For the name that the SQL gives to the query.
    """
    alias = f"t{next(numbers)}"
    first, second = _columns(left), _columns(right)
    listed = ", ".join([f"{v.sql.text} AS x{i}" for i, v in enumerate([*first, *second])])
    beside = right.text if len(_aliases(right)) == 1 else f"({right.text})"
    nothing = [f"NULL AS x{i}" for i in range(len(first))]
    unmatched = [f"{v.sql.text} AS x{i}" for i, v in enumerate(second, len(first))]
    text = (
        f"(SELECT {listed} FROM {left.text} LEFT JOIN {beside} ON {on[0].text} "  # noqa: S608
        f"UNION ALL SELECT {', '.join(nothing + unmatched)} FROM {right.text} "
        f"WHERE NOT EXISTS (SELECT 1 FROM {left.text} WHERE {on[1].text})) AS {alias}"
    )
    return _moved(left, alias, first, 0), _moved(right, alias, second, len(first)), text


def _columns(side: Relation) -> list[Value]:
    """Everything that can be named of a side, each once."""
    return list({v.key: v for v in [*(v for s in side.sources for v in s.values), *side.visible]}.values())


def _moved(side: Relation, alias: str, columns: list[Value], start: int) -> Relation:
    """A side whose columns are those of the query; no index helps with them any more."""
    places = {v.key: i for i, v in enumerate(columns, start)}
    sources = [_source(s, alias, places) for s in side.sources]
    known = {
        old.key: new
        for a, b in zip(side.sources, sources, strict=True)
        for old, new in zip(a.values, b.values, strict=True)
    }
    visible = [known.get(v.key) or _value(v, alias, places[v.key]) for v in side.visible]
    return Relation("", sources, visible, side.reaches_out)


def _source(source: Source, alias: str, places: dict[object, int]) -> Source:
    labels = tuple(f"x{places[v.key]}" for v in source.values)
    return replace(source, alias=alias, labels=labels, table=None, text="")


def _value(value: Value, alias: str, place: int) -> Value:
    """A column that USING has made of two."""
    return value.but(
        written=sql.column(alias, f"x{place}"),
        key=("column", alias, place, value.column.name),
        aliases=frozenset((alias,)),
    )
