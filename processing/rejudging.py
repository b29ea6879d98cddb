"""How is a stored product judged again, by other limits, without being made?"""

from collections.abc import Mapping
from typing import Any

from datamodel.errors import UsageError, nearest
from datamodel.session import Session
from processing.declarations import parameters, roles
from processing.derivation import recalled
from processing.node import Node
from processing.plan import Planner
from processing.recording import record_again
from processing.site import instruments_of


def judged_again(session: Session, product: Any, limits: Mapping[str, Any]) -> Any:
    """The product as today's limits, or given ones, judge it: itself where neither they nor the verdict differ.

    Parameters
    ----------
    session
        The caller, who becomes the creator of a new object: with the same content, inputs and validity, and with
        what people have judged.
    product
        A stored product.
    limits
        Values by the names of quality limits.

    Raises
    ------
    UsageError
        A name is not that of a limit, or the class has rows of its own, which only making gives.
    """
    cls = type(product)
    known = parameters(cls, "qc")
    for name in limits:
        if name not in known:
            raise UsageError(f"{cls.__name__} has no quality limit '{name}'{nearest(name, known)}")
    if not cls.recallable:
        raise UsageError(
            f"a {cls.__name__} has rows of its own and is not judged again without being made: use get"
        )
    overrides = {f"{cls.__name__}.{name}": value for name, value in limits.items()}
    keys = product.own_keys()
    planned = Planner(instruments_of(session.archive), overrides, depth=0).node_of(product, keys)
    values = {name: getattr(product, name) for name in parameters(cls)}
    values |= {name: planned.parameters[name] for name in known}
    given = {*(product.parameters_given or "").split(), *limits}
    validity = None if cls.of_exposure else (product.timestamp_start, product.timestamp_end)
    node = Node(cls, keys, product, parameters=values, given=frozenset(given), validity=validity)
    again = recalled(session, node, {name: getattr(product, name) for name in roles(cls)}, product)
    if again.quality_flags == product.quality_flags and all(
        getattr(product, name) == values[name] for name in known
    ):
        return product
    again.is_valid = product.is_valid
    again.selection_grades, again.selection_grade = product.selection_grades, product.selection_grade
    with session.transaction() as connection:
        record_again(connection, again, product)
        again.commit()
    return again
