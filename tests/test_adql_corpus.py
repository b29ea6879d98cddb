"""Does every valid query of the IVOA's validation suite run, on tables made up from what it names?

The suite is looked for beside the project; `bench.made_up_tables` infers the tables.
"""

from collections.abc import Iterator
from itertools import count

import pytest
import sqlalchemy as sa

from bench.made_up_tables import CORPUS, UDFS, made_up, queries
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.functions import install
from datamodel.own_functions import FUNCTIONS
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.parser import parse
from vo_server.tap.adql.translate import translate

pytestmark = pytest.mark.skipif(
    not CORPUS.is_dir(), reason="the validation queries are not beside the project"
)


def test_the_suite_is_whole() -> None:
    assert (len(queries()), sum(valid for _, valid in queries())) == (196, 172)


def test_queries_that_are_not_valid_are_refused() -> None:
    for text, _ in (q for q in queries() if not q[1]):
        with pytest.raises(AdqlError):
            parse(text, functions=UDFS.arities)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    with made.write() as connection:
        install(connection, FUNCTIONS)
    yield made
    made.close()


def test_each_valid_query_runs_on_tables_made_up_for_it(database: Database) -> None:
    made, numbers, metadata = made_up(), count(), sa.MetaData()
    assert len(made) == 167
    stored = [each.stored(metadata, numbers) for each in made]
    metadata.create_all(database.engine)
    with database.write() as connection:
        for each, tables in zip(made, stored, strict=True):
            for name, table in tables.items():
                connection.execute(table.insert(), each.rows(name))
    some = 0
    for each, tables in zip(made, stored, strict=True):
        translated = translate(each.text, each.catalogue(tables), ANONYMOUS, database.speech, udfs=UDFS)
        batches = database.rows(translated.text, translated.columns).batches
        rows = [row for batch in batches for row in batch.to_pylist()]
        assert all(set(row) == {c.name for c in translated.columns} for row in rows)
        some += bool(rows)
    assert some > 60
