"""What are the columns of UNION, EXCEPT and INTERSECT, and how are rows told apart that are equal?"""

from typing import TYPE_CHECKING

from datamodel.columns import Column
from vo_server.tap.adql import tree
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.metadata import shared, unchanged
from vo_server.tap.adql.types import common_type

if TYPE_CHECKING:
    from vo_server.tap.adql.statements import Answer


def united(operation: tree.SetOperation, answers: "list[Answer]") -> tuple[Column, ...]:
    """The columns of the result: what all agree on, but of EXCEPT, whose rows are those of the first.

    Raises
    ------
    AdqlError
        The queries differ in the number of columns, or no type can hold the values of all.
    """
    width = len(answers[0].columns)
    for other, node in zip(answers[1:], operation.operands[1:], strict=True):
        if len(other.columns) != width:
            widths = f"{width} and {len(other.columns)}"
            raise AdqlError(node.at, f"{operation.operator} joins queries of as many columns, found {widths}")
    return tuple(_column(operation, answers, i) for i in range(width))


def _column(operation: tree.SetOperation, answers: "list[Answer]", index: int) -> Column:
    samples = [a.value(n.at, index) for a, n in zip(answers, operation.operands, strict=True)]
    kind, first = common_type(samples, operation.operator), samples[0].column
    if operation.operator == "EXCEPT":
        return unchanged(first, kind).named(first.name)
    return shared([(a.columns[index], index in a.constants) for a in answers], kind).named(first.name)


def with_multiplicity(operation: tree.SetOperation, operands: list[str], labels: tuple[str, ...]) -> str:
    """``EXCEPT ALL`` and ``INTERSECT ALL``: equal rows are told apart by a number, dropped afterwards."""
    listed = ", ".join(labels)
    numbered = [
        f"SELECT {listed}, row_number() OVER (PARTITION BY {listed}) AS copy FROM ({operand}) AS operand"  # noqa: S608
        for operand in operands
    ]
    return f"SELECT {listed} FROM ({f' {operation.operator} '.join(numbered)}) AS numbered"  # noqa: S608
