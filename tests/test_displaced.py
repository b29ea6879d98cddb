"""Is what was published seen where the exposure, or the chip, that it belongs to stays hidden?"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.context import ANONYMOUS, PROJECT
from datamodel.errors import NotFoundError
from datamodel.frames import RawScienceFrame
from datamodel.objects import DBObject
from datamodel.schema import table_of
from datamodel.session import Session

DOORS = (
    "/",
    "/object/{id}",
    "/data/{id}",
    "/datalink/links?ID={did}",
    "/datalink/page?ID={did}",
    "/object/{id}/preview.png",
    "/sia2/query?MAXREC=10",
    "/tap/sync?LANG=ADQL&FORMAT=csv&QUERY=SELECT+*+FROM+ivoa.obscore",
    "/tap/sync?LANG=ADQL&FORMAT=csv&QUERY=SELECT+*+FROM+archive.dbobject+WHERE+object_id+%3D+'{id}'",
)
Hide = Callable[[str], str]


@pytest.fixture
def hide(observatory: Archive, client: FlaskClient, raw: RawScienceFrame) -> Hide:
    """Makes a product for everybody, hides what it belongs to, and gives its identifier."""

    def hidden(class_name: str) -> str:
        made = client.get(f"/target/{class_name}/{raw.object_id}")
        assert made.headers["VO-Status"] == "made"
        place: Any = raw if class_name == "ReducedScienceFrame" else raw.chip
        objects = table_of(DBObject)
        with observatory.database.write() as connection:
            here = sa.update(objects).where(objects.c.object_id == place.object_id)
            connection.execute(here.values(privileges=PROJECT, creator="A", project="P"))
        return str(made.headers["Content-Location"].rpartition("/")[2])

    return hidden


@pytest.mark.parametrize("class_name", ["ReducedScienceFrame", "BiasFrame"])
def test_what_belongs_to_something_hidden_is_seen_at_every_door(
    observatory: Archive, client: FlaskClient, hide: Hide, class_name: str
) -> None:
    id = hide(class_name)
    did = quote(f"ivo://example.org/archive?object/{id}", safe="")
    answers = {}
    for door in DOORS:
        answers[door] = client.get(door.format(id=id, did=did))
        assert answers[door].status_code == 200, (door, answers[door].text)
    assert "not checked" in answers["/object/{id}"].text
    assert answers["/data/{id}"].headers["VO-Status"] == "not checked"
    assert "not checked" in answers["/datalink/links?ID={did}"].text
    assert "NotFound" not in answers["/datalink/links?ID={did}"].text


@pytest.mark.parametrize("class_name", ["ReducedScienceFrame", "BiasFrame"])
def test_how_it_stands_is_told_as_far_as_it_lies_in_itself(
    observatory: Archive, hide: Hide, class_name: str
) -> None:
    id = hide(class_name)
    with Session(observatory, ANONYMOUS) as session:
        product: Any = session.load(DBObject, id)
        assert (product.status(), product.why()) == ("not checked", ())
        for asked in (product.verify_again, product.own_keys):
            with pytest.raises(NotFoundError, match="is not public: it has no plan"):
                asked()
        observatory.store.path(product.filename).unlink()
        assert product.status() == "data missing"


def test_of_an_exposure_of_a_hidden_chip_there_are_only_its_own_bytes(
    observatory: Archive, client: FlaskClient, hide: Hide, raw: RawScienceFrame
) -> None:
    hide("BiasFrame")
    did = quote(f"ivo://example.org/archive?object/{raw.object_id}", safe="")
    links = client.get(f"/datalink/links?ID={did}").text
    assert f"/data/{raw.object_id}" in links
    assert "/target/" not in links
    assert client.get(f"/object/{raw.object_id}").status_code == 200
    assert client.get(f"/data/{raw.object_id}").status_code == 200
    refused = client.get(f"/target/ReducedScienceFrame/{raw.object_id}")
    assert (refused.status_code, "belongs to is not public" in refused.text) == (404, True)
