"""How does a statement of SQLAlchemy ask what `point_tests` and `region_tests` write as text?"""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from datamodel import point_tests, region_tests
from datamodel.columns import RegionIndex
from datamodel.shapes import Shape
from datamodel.sql import Sql

Angle = sa.ColumnElement[float] | float
Truth = sa.ColumnElement[bool]


class Written(FunctionElement[Any]):
    """An expression that is written as text once the texts of its columns are known.

    Parameters
    ----------
    write
        Makes the expression of its arguments.
    *arguments
        Columns become `Sql`; all else is passed on as it is.
    """

    inherit_cache = False

    def __init__(self, write: Callable[..., Sql], *arguments: Any) -> None:
        self.write = write
        self.arguments = arguments
        super().__init__(*(a for a in arguments if isinstance(a, sa.ColumnElement)))


@compiles(Written)
def _write(element: Written, compiler: SQLCompiler, **options: Any) -> str:
    texts = iter([Sql(compiler.process(column.self_group(), **options)) for column in element.clauses])
    arguments = [next(texts) if isinstance(a, sa.ColumnElement) else a for a in element.arguments]
    made = element.write(*arguments).text
    return f"({made.replace('%', '%%') if compiler.preparer._double_percents else made})"


def inside(
    shape: Shape, ra_column: Angle, dec_column: Angle, hpx_column: sa.ColumnElement[int] | None
) -> Truth:
    """See `datamodel.point_tests.inside`."""
    return _truth(partial(point_tests.inside, shape), ra_column, dec_column, hpx_column)


def distance_sql(ra1: Angle, dec1: Angle, ra2: Angle, dec2: Angle) -> sa.ColumnElement[float]:
    """See `datamodel.point_tests.distance_sql`."""
    return sa.type_coerce(Written(point_tests.distance_sql, ra1, dec1, ra2, dec2), sa.Double(53))


def overlaps(shape: Shape, region_index: RegionIndex, row_column: sa.ColumnElement[str]) -> Truth:
    """See `datamodel.region_tests.overlaps`."""
    return _truth(partial(region_tests.overlaps, shape, region_index), row_column)


def region_within(shape: Shape, region_index: RegionIndex, row_column: sa.ColumnElement[str]) -> Truth:
    """See `datamodel.region_tests.region_within`."""
    return _truth(partial(region_tests.region_within, shape, region_index), row_column)


def region_contains_point(
    ra: Angle,
    dec: Angle,
    region_index: RegionIndex,
    row_column: sa.ColumnElement[str],
    hpx_column: sa.ColumnElement[int] | None = None,
) -> Truth:
    """See `datamodel.region_tests.region_contains_point`."""
    return _truth(region_tests.region_contains_point, ra, dec, region_index, row_column, hpx_column)


def _truth(write: Callable[..., Sql], *arguments: Any) -> Truth:
    return sa.type_coerce(Written(write, *arguments), sa.Boolean())
