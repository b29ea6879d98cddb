"""Do databases keep the functions that they are given, as these are now declared?"""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from datamodel.database import Database
from datamodel.functions import Aggregate, Function, give, install
from datamodel.own_functions import FUNCTIONS


class Product:
    """The product of the numbers of a group."""

    def __init__(self) -> None:
        self.product = 1.0

    def step(self, value: float | None) -> None:
        self.product *= value or 0.0

    def finalize(self) -> float:
        return self.product


def halved(parameter: str, by: float) -> Function:
    return Function(
        "site_part",
        f"{parameter} double precision",
        "double precision",
        f"RETURN {parameter} / {by!r};",
        python=lambda value: value / by,
        bounded=True,
    )


def product(factor: str) -> tuple[Function, Aggregate]:
    step = Function(
        "site_times",
        "state double precision, value double precision",
        "double precision",
        f"SELECT state * {factor}",
        language="sql",
    )
    return step, Aggregate("site_product", step, "1", Product)


def value(database: Database, expression: str) -> object:
    with database.read() as connection:
        return connection.scalar(sa.text(f"SELECT {expression}"))


def opened(url: str, *functions: Function | Aggregate) -> Database:
    database = Database(url)
    give(database.engine, functions)
    with database.write() as connection:
        install(connection, functions)
    return database


def test_a_function_that_is_declared_anew_takes_the_place_of_the_old_one(
    new_database: Callable[[], str],
) -> None:
    url = new_database()
    for function, expected in ((halved("a", 2.0), 5.0), (halved("a", 4.0), 2.5), (halved("b", 4.0), 2.5)):
        database = opened(url, function, *product("value" if expected == 5.0 else "value * 1.0"))
        assert value(database, "site_part(10.0)") == expected
        assert value(database, "site_product(x) FROM (SELECT 2.0 AS x UNION ALL SELECT 3.5) AS v") == 7.0
        database.close()


def test_functions_that_are_there_are_left_alone(functions_database: Database) -> None:
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    sa.event.listen(functions_database.engine, "before_cursor_execute", note)
    with functions_database.write() as connection:
        install(connection, FUNCTIONS)
    sa.event.remove(functions_database.engine, "before_cursor_execute", note)
    assert [s for s in sent if s.startswith(("CREATE", "DROP"))] == []


@pytest.mark.parametrize("argument", ["NULL", "1e300", "-1e21"])
def test_what_has_no_value_is_null(new_database: Callable[[], str], argument: str) -> None:
    database = opened(new_database(), halved("a", 2.0))
    assert value(database, f"site_part({argument})") is None
    assert value(database, "site_part(1e-300)") == 0.0
    database.close()
