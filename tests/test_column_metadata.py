"""Are the UCDs and units of all columns words that other programs know?"""

from collections.abc import Callable

import pytest
from astropy.io.votable.ucd import parse_ucd
from astropy.units import Unit

from datamodel.attributes import all_classes, snake_case
from datamodel.config import Config
from processing.classes import TARGET_CLASSES
from vo_server.tap.tap_schema import tables


def _columns() -> list[tuple[str, str | None, str | None]]:
    """Every column of every table of a new archive, as name, UCD and unit."""
    ours = {cls.__module__.split(".")[0] for cls in TARGET_CLASSES} | {"datamodel"}
    others = {snake_case(c.__name__) for c in all_classes() if c.__module__.split(".")[0] not in ours}
    shown = [t for t in tables(Config()) if t.schema != "archive" or t.name.split("__")[0] not in others]
    return [(f"{t.full_name}.{c.name}", c.ucd, c.unit) for t in shown for c in t.columns]


def _refused(words: list[tuple[str, str | None]], read: Callable[[str], object]) -> dict[str, str]:
    """What the reader says of those it does not know, by column."""
    found = {}
    for column, word in words:
        try:
            if word:
                read(word)
        except ValueError as error:
            found[column] = f"'{word}': {error}"
    return found


def test_the_columns_are_those_of_all_schemas() -> None:
    assert {column.split(".")[0] for column, _, _ in _columns()} == {"archive", "ivoa", "tap_schema"}


def test_every_ucd_is_a_sentence_of_the_controlled_vocabulary() -> None:
    """UCD1+ 1.6: known words, the first one primary, the others secondary."""
    words = [(column, ucd) for column, ucd, _ in _columns()]
    assert _refused(words, lambda ucd: parse_ucd(ucd, check_controlled_vocabulary=True)) == {}


def test_every_unit_is_a_vounit() -> None:
    words = [(column, unit) for column, _, unit in _columns()]
    assert _refused(words, lambda unit: Unit(unit, format="vounit", parse_strict="raise")) == {}


@pytest.mark.parametrize("ucd", ["stat.mean", "instr.fov;phys.angSize", "meta.id;meta.code.class", "no.word"])
def test_a_ucd_that_is_no_sentence_is_refused(ucd: str) -> None:
    assert _refused([("a.b", ucd)], lambda text: parse_ucd(text, check_controlled_vocabulary=True))
