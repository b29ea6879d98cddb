"""What do we ask of a database that SQLite and PostgreSQL write differently?"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class Greatest(GenericFunction[Any]):
    """The greatest of two numbers; of a number and NULL either that number or NULL."""

    name = "vo_greatest"
    inherit_cache = True


class Least(GenericFunction[Any]):
    """The least of two numbers; of a number and NULL either that number or NULL."""

    name = "vo_least"
    inherit_cache = True


class Like(GenericFunction[bool]):
    """``LIKE`` that minds the case and in which a backslash is a backslash."""

    name = "vo_like"
    type = sa.Boolean()
    inherit_cache = True


class LikeAnyCase(GenericFunction[bool]):
    """`Like` that does not mind the case."""

    name = "vo_like_any_case"
    type = sa.Boolean()
    inherit_cache = True


class Random(GenericFunction[float]):
    """A number from 0 to 1, another one for each row."""

    name = "vo_random"
    type = sa.Double(53)
    inherit_cache = True


class ByCodePoint(GenericFunction[str]):
    """A text that compares and sorts by code point, whatever the database's own language."""

    name = "vo_by_code_point"
    type = sa.Text()
    inherit_cache = True


def _arguments(element: Any, compiler: SQLCompiler, **options: Any) -> list[str]:
    return [compiler.process(c.self_group(), **options) for c in element.clauses]


@compiles(Greatest)
def _greatest(element: Greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"max({', '.join(_arguments(element, compiler, **options))})"


@compiles(Greatest, "postgresql")
def _greatest_postgresql(element: Greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"GREATEST({', '.join(_arguments(element, compiler, **options))})"


@compiles(Least)
def _least(element: Least, compiler: SQLCompiler, **options: Any) -> str:
    return f"min({', '.join(_arguments(element, compiler, **options))})"


@compiles(Least, "postgresql")
def _least_postgresql(element: Least, compiler: SQLCompiler, **options: Any) -> str:
    return f"LEAST({', '.join(_arguments(element, compiler, **options))})"


@compiles(Like)
def _like(element: Like, compiler: SQLCompiler, **options: Any) -> str:
    value, pattern = _arguments(element, compiler, **options)
    return f"(({value}) LIKE ({pattern}))"


@compiles(Like, "postgresql")
def _like_postgresql(element: Like, compiler: SQLCompiler, **options: Any) -> str:
    value, pattern = _arguments(element, compiler, **options)
    return f"(({value}) LIKE ({pattern}) ESCAPE '')"


@compiles(LikeAnyCase)
def _like_any_case(element: LikeAnyCase, compiler: SQLCompiler, **options: Any) -> str:
    value, pattern = _arguments(element, compiler, **options)
    return f"(lower({value}) LIKE lower({pattern}))"


@compiles(LikeAnyCase, "postgresql")
def _like_any_case_postgresql(element: LikeAnyCase, compiler: SQLCompiler, **options: Any) -> str:
    value, pattern = _arguments(element, compiler, **options)
    return f"(({value}) ILIKE ({pattern}) ESCAPE '')"


@compiles(Random)
def _random(element: Random, compiler: SQLCompiler, **options: Any) -> str:
    return "(0.5 + random() / 18446744073709551616.0)"


@compiles(Random, "postgresql")
def _random_postgresql(element: Random, compiler: SQLCompiler, **options: Any) -> str:
    return "random()"


@compiles(ByCodePoint)
def _by_code_point(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, **options)[0]


@compiles(ByCodePoint, "postgresql")
def _by_code_point_postgresql(element: ByCodePoint, compiler: SQLCompiler, **options: Any) -> str:
    return f'({_arguments(element, compiler, **options)[0]} COLLATE "C")'
