"""Is a catalogue, and what its owner says of its schema, told to those alone who may see it?"""

import pytest

from datamodel import tap_schema
from datamodel.archive import Archive
from datamodel.catalogues import known
from datamodel.context import ANONYMOUS, MYDB, PROJECT, VO, WORLD
from datamodel.errors import NotFoundError, UsageError
from tests.catalogues import OWNER, ask, brought, positions
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring
from vo_server.tap.tap_schema import tables, update_tap_schema


@pytest.mark.parametrize(
    ("level", "callers"),
    [
        (VO, {"stranger", "A", "B", "C"}),
        (WORLD, {"stranger", "A", "B", "C"}),
        (3, {"A", "B", "C"}),
        (PROJECT, {"A", "B"}),
        (MYDB, {"A"}),
    ],
)
def test_who_may_not_see_a_catalogue_is_told_of_it_nowhere(
    archive: Archive, level: int, callers: set[str]
) -> None:
    update_tap_schema(archive, tables(archive.config))
    brought(archive, positions([1.0], [2.0]), "secret.stars", level=level)
    asking = {"stranger": ANONYMOUS} | {name: archive.caller(name) for name in "ABC"}
    for name, caller in asking.items():
        sees = name in callers
        listed_names = [s.name for s in tap_schema.read(archive, caller)]
        assert ("secret" in listed_names) == sees
        for text in (
            "SELECT schema_name FROM tap_schema.schemas WHERE schema_name = 'secret'",
            "SELECT table_name FROM tap_schema.tables WHERE table_name = 'secret.stars'",
            "SELECT column_name FROM tap_schema.columns WHERE column_name = 'ra' AND table_name = 'secret.stars'",
        ):
            assert len(ask(archive, text, caller)) == sees
        if sees:
            assert ask(archive, "SELECT ra FROM secret.stars", caller) == [{"ra": 1.0}]
        else:
            with pytest.raises(UsageError, match="unknown table") as refused:
                ask(archive, "SELECT ra FROM secret.star", caller)
            assert "secret.stars" not in str(refused.value)
            with pytest.raises(NotFoundError):
                known(archive).entries[0].described.selectable(caller)


def test_what_an_owner_says_of_a_schema_is_told_to_those_who_may_know_of_the_catalogue(
    archive: Archive,
) -> None:
    update_tap_schema(archive, tables(archive.config))
    for name, level, said in (
        ("a", MYDB, "The secret plan"),
        ("b", WORLD, ""),
        ("c", WORLD, "What all may know"),
        ("d", WORLD, "Something else"),
    ):
        given = Given(f"shared.{name}", level=level, schema_description=said)
        bring(archive, positions([1.0], [2.0]), given, OWNER, "x")
    text = "SELECT description FROM tap_schema.schemas WHERE schema_name = 'shared'"
    for caller, told, names in (
        (ANONYMOUS, "What all may know", "bcd"),
        (archive.caller("A"), "The secret plan", "abcd"),
    ):
        assert ask(archive, text, caller) == [{"description": told}]
        (schema,) = [s for s in tap_schema.read(archive, caller) if s.name == "shared"]
        listed_names = sorted(
            t.name for t in schema.tables
        )  # what the world sees comes first, so that none can count
        assert (schema.description, listed_names) == (told, [f"shared.{n}" for n in names])
