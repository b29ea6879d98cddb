"""A SQLite built without mathematical functions gets them, with NULL where there is no value."""

import math
import sqlite3

import pytest

from datamodel import sqlite_functions


class WithoutMathematics(sqlite3.Connection):
    """A connection that knows of no function until one is registered."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.registered = set()

    def execute(self, statement, *arguments):
        if statement.split("(")[0].removeprefix("SELECT ") not in self.registered and "(" in statement:
            raise sqlite3.OperationalError("no such function")
        return super().execute(statement, *arguments)

    def create_function(self, name, count, function, **options):
        self.registered.add(name)
        super().create_function(name, count, function, **options)


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", factory=WithoutMathematics)
    sqlite_functions.register(connection)
    yield connection
    connection.close()


CASES = [
    ("pi()", math.pi), ("sin(1)", math.sin(1)), ("cos(1)", math.cos(1)), ("tan(1)", math.tan(1)),
    ("asin(0.5)", math.asin(0.5)), ("acos(0.5)", math.acos(0.5)), ("atan(0.5)", math.atan(0.5)),
    ("atan2(1, -2)", math.atan2(1, -2)), ("sqrt(2)", math.sqrt(2)), ("power(2, 0.5)", math.sqrt(2)),
    ("radians(180)", math.pi), ("degrees(1)", math.degrees(1)), ("ln(2)", math.log(2)), ("log10(2)", math.log10(2)),
    ("log(2)", math.log10(2)), ("log(2, 8)", 3.0), ("exp(1)", math.e), ("floor(-1.5)", -2), ("ceil(-1.5)", -1),
    ("ceiling(1.5)", 2), ("mod(-7, 3)", -1.0), ("cot(1)", 1 / math.tan(1)), ("trunc(-1.5)", -1),
]  # fmt: skip


@pytest.mark.parametrize(("call", "value"), CASES, ids=[call for call, _ in CASES])
def test_a_missing_function_is_given(connection, call, value):
    assert connection.execute(f"SELECT {call}").fetchone()[0] == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "call",
    [
        "sqrt(-1)",
        "asin(2)",
        "ln(0)",
        "exp(1e9)",
        "power(0, -1)",
        "cot(0)",
        "mod(1, 0)",
        "sin(NULL)",
        "atan2(1, NULL)",
    ],
)
def test_what_has_no_value_is_null(connection, call):
    assert connection.execute(f"SELECT {call}").fetchone() == (None,)


def test_functions_that_sqlite_has_are_left_alone():
    connection = sqlite3.connect(":memory:")
    connection.create_function("sin", 1, lambda x: 42.0, deterministic=True)
    sqlite_functions.register(connection)
    assert connection.execute("SELECT sin(0)").fetchone() == (42.0,)
    connection.close()
