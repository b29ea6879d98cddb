"""Is what is made of a hidden exposure made for those who see the exposure, and for nobody else?"""

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel import projects, tokens
from datamodel.archive import Archive
from datamodel.context import ARCHIVE, MYDB, PROJECT
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session
from tests.accounts import bearer

ASKING = ("A", "B", "C", "stranger")


@pytest.mark.parametrize(
    ("level", "seen_by", "maker"),
    [(MYDB, {"A"}, "A"), (PROJECT, {"A", "B"}, "B"), (ARCHIVE, {"A", "B", "C"}, "archive")],
)
def test_a_product_of_a_hidden_exposure_is_for_those_who_see_the_exposure(
    observatory: Archive, client: FlaskClient, raw: RawScienceFrame, level: int, seen_by: set[str], maker: str
) -> None:
    for name, project in (("A", "P"), ("B", "P"), ("C", "Q")):
        observatory.add_account(name, project)
    headers = {name: bearer(tokens.issue(observatory, name)[1]) for name in "ABC"} | {"stranger": {}}
    objects = table_of(DBObject)
    with observatory.database.write() as connection:
        here = sa.update(objects).where(objects.c.object_id == raw.object_id)
        connection.execute(here.values(privileges=level, creator="A", project="P"))
    url = f"/target/BiasFrame/{raw.object_id}"
    first = "B" if "B" in seen_by else "A"
    made = client.get(url, headers=headers[first])
    assert made.headers["VO-Status"] == "made"
    page = made.headers["Content-Location"].removeprefix("http://127.0.0.1:8000")
    for name in ASKING:
        assert client.head(url, headers=headers[name]).status_code == (200 if name in seen_by else 404)
        assert client.get(page, headers=headers[name]).status_code == (200 if name in seen_by else 404)
        if name in seen_by:
            assert client.get(url, headers=headers[name]).headers["VO-Status"] == "up-to-date"
    with Session(observatory, observatory.caller("A")) as session:
        product = session.load(DBObject, page.rpartition("/")[2])
        assert (product._privileges, product._creator) == (level, maker)


def test_a_member_who_has_left_a_project_sees_nothing_of_it_any_more(
    observatory: Archive, client: FlaskClient, raw: RawScienceFrame
) -> None:
    for name in "AB":
        observatory.add_account(name, "P")
    header = bearer(tokens.issue(observatory, "B")[1])
    objects = table_of(DBObject)
    with observatory.database.write() as connection:
        here = sa.update(objects).where(objects.c.object_id == raw.object_id)
        connection.execute(here.values(privileges=PROJECT, creator="A", project="P"))
    assert client.get(f"/data/{raw.object_id}", headers=header).status_code == 200
    projects.remove_member(observatory, "P", "B")
    assert client.get(f"/data/{raw.object_id}", headers=header).status_code == 404
