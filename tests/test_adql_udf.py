"""Do the IVOA's user defined functions give the values that their catalogue says, wherever they are computed?"""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from datamodel.columns import Column, PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.datatypes import Timestamp
from datamodel.healpix import hpx29
from datamodel.rotations import UCDS
from datamodel.speech import SPEECHES
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.errors import AdqlError
from vo_server.tap.adql.features import features
from vo_server.tap.adql.translate import translate
from vo_server.tap.adql.udf_catalogue import OFFERED

METADATA = sa.MetaData()
ONE = sa.Table(
    "one_stored",
    METADATA,
    sa.Column("zero", sa.Double(53)),
    sa.Column("whole", sa.Integer),
    sa.Column("empty", sa.Text),
    sa.Column("seen", Timestamp),
)
MANY = sa.Table(
    "many_stored",
    METADATA,
    sa.Column("id", sa.Integer),
    sa.Column("ra", sa.Double(53)),
    sa.Column("dec", sa.Double(53)),
    sa.Column("hpx29", sa.BigInteger),
)
CATALOGUE = Catalogue(
    [
        Table(
            "t",
            "one",
            (
                Column("zero", "DOUBLE"),
                Column("whole", "INTEGER"),
                Column("empty", "VARCHAR"),
                Column("seen", "TIMESTAMP"),
            ),
            lambda caller: ONE,
        ),
        Table(
            "t",
            "many",
            (Column("id", "INTEGER"), Column("ra", "DOUBLE", "deg"), Column("dec", "DOUBLE", "deg")),
            lambda caller: MANY,
            point=PointIndex("ra", "dec"),
        ),
    ]
)
ROWS = 400
RANDOM = np.random.default_rng(42)
RA, DEC = RANDOM.uniform(0, 360, ROWS), np.degrees(np.arcsin(RANDOM.uniform(-1, 1, ROWS)))


@pytest.fixture(scope="module")
def database(functions_database: Database) -> Database:
    METADATA.create_all(functions_database.engine)
    rows = [
        {"id": i, "ra": float(RA[i]), "dec": float(DEC[i]), "hpx29": int(hpx29(RA[i], DEC[i]))}
        for i in range(ROWS)
    ]
    one = {"zero": 0.0, "whole": 0, "empty": "", "seen": "2000-01-02T12:00:00.25"}
    with functions_database.write() as connection:
        connection.execute(ONE.insert(), one)
        connection.execute(MANY.insert(), rows)
    return functions_database


def answer(database: Database, query: str) -> list[tuple[object, ...]]:
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    rows = database.rows(translated.text, translated.columns)
    return [tuple(row.values()) for batch in rows.batches for row in batch.to_pylist()]


def computed(database: Database, expression: str) -> tuple[object, object]:
    """What an expression is, with all that it is made of constant, and of columns: for us, and for the database."""
    constant = re.sub(r"\|\|E|\+[ZI]\b", "", expression)
    of_columns = expression.replace("||E", "||empty").replace("+Z", "+zero").replace("+I", "+whole")
    return tuple(answer(database, f"SELECT {each} AS v FROM t.one")[0][0] for each in (constant, of_columns))


def alike(found: object, expected: object, tolerance: float = 1e-9) -> bool:
    if isinstance(expected, list):
        return isinstance(found, list) and all(map(alike, found, expected, [tolerance] * len(expected)))
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(found, float) and math.isnan(found)
    if isinstance(expected, float):
        return isinstance(found, float) and math.isclose(
            found, expected, rel_tol=tolerance, abs_tol=tolerance
        )
    return type(found) is type(expected) and found == expected


EXAMPLES = [
    line.partition(" --> ")[::2]
    for line in (Path(__file__).parent / "adql" / "udf.txt").read_text(encoding="utf-8").splitlines()[1:]
]


def test_the_values_are_those_of_the_catalogue_for_constants_and_for_columns(database: Database) -> None:
    wrong = {}
    for expression, written in EXAMPLES:
        expected = eval(written, {"nan": math.nan})
        found = computed(database, expression)
        if not all(alike(each, expected) for each in found):
            wrong[expression] = (found, expected)
    assert wrong == {}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ivo_geom_transform('ICRS', 'GALACTIC', POINT(120+Z, -23))", [241.121831182, 3.62785788087]),
        (
            "ivo_geom_transform('GALACTIC', 'FK5', POLYGON(5, 3+Z, 4, 4, 4.5, 2))",
            [266.44721, -23.107310, 264.95088, -23.434037, 267.09936, -24.051919],
        ),
    ],
)
def test_frames_are_those_of_the_catalogue_as_far_as_it_defines_them(
    database: Database, expression: str, expected: list[float]
) -> None:
    """It wants plain rotations, and gives a few digits; what others rotate by differs by up to 50 mas."""
    for found in computed(database, expression):
        assert np.allclose(found, expected, atol=1.4e-5, rtol=0)


def test_null_in_gives_null_out(database: Database) -> None:
    nothing = [
        "ivo_healpix_index(5, NULL, 1+Z)",
        "ivo_healpix_index(NULL, 1+Z, 1)",
        "ivo_healpix_center(5, NULL)",
        "ivo_healpix_center(NULL, 5+I)",
        "ivo_nocasematch(NULL, 'a'||E)",
        "ivo_hasword('a'||E, NULL)",
        "ivo_hashlist_has('a#b'||E, NULL)",
        "ivo_hashlist_has(NULL, 'a#b'||E)",
        "ivo_interval_overlaps(3, 2, NULL, 1+I)",
        "ivo_interval_overlaps(NULL, 1+Z, 5, 7)",
        "ivo_normal_random(NULL, 1+Z)",
        "ivo_hms_to_degrees(NULL)",
        "ivo_geom_transform('ICRS', 'GALACTIC', POINT(NULL, 1+Z))",
        "ivo_to_mjd(NULL)",
    ]
    assert {e: computed(database, e) for e in nothing if computed(database, e) != (None, None)} == {}


def test_what_has_no_value_is_null(database: Database) -> None:
    hours = ("", "x", "24:00:00", "1:60:00", "1:2:60", "-1:2:3", "12345", "1:2h3", "1" * 200)
    degrees = ("360:00:00", "--1:2:3", "1:2", "١:2:3", "1:2:3''", "1\n:2:3", "1:2:3\n")
    nothing = [
        "ivo_healpix_index(5, 1, 90.001+Z)",
        "ivo_healpix_index(5, 1e300+Z, 0)",
        "ivo_healpix_center(0, 12+I)",
        "ivo_healpix_center(30, 12+I)",
        "ivo_healpix_center(3, -1+I)",
        "ivo_epoch_prop_pos(1, 95+Z, 1, 1, 1, 1, 2000, 2001)",
        "ivo_epoch_prop(1, 1e25+Z, 1, 1, 1, 1, 2000, 2001)",
        "ivo_geom_transform('ICRS', 'FK5', POINT(1, -91+Z))",
        *(f"ivo_hms_to_degrees('{text}'||E)" for text in hours),
        *(f"ivo_dms_to_degrees('{text}'||E)" for text in degrees),
    ]
    assert {e: computed(database, e) for e in nothing if computed(database, e) != (None, None)} == {}


def test_texts_that_are_no_times_are_null_in_a_column_and_an_error_as_a_constant(database: Database) -> None:
    days = (
        "2001-02-29",
        "2001-13-01",
        "0000-01-01",
        "2001-01-00",
        "2001-01-01T24:00:00",
        "yesterday",
        "x" * 200,
    )
    for text in days:
        assert answer(database, f"SELECT ivo_to_mjd('{text}' || empty) AS v FROM t.one") == [(None,)]
        with pytest.raises(AdqlError, match="expected a time"):
            answer(database, f"SELECT ivo_to_jd('{text}') AS v FROM t.one")


def test_times_of_columns_keep_their_fractions(database: Database) -> None:
    (found,) = answer(database, "SELECT ivo_to_jd(seen) AS j, ivo_to_mjd(seen) AS m FROM t.one")
    assert found[0] == pytest.approx(2451546.0 + 0.25 / 86400, abs=1e-9)
    assert found[1] == pytest.approx(51545.5 + 0.25 / 86400, abs=2e-11)


def test_numbers_that_leave_the_range_of_doubles_are_no_error(database: Database) -> None:
    for rest in ("2, 1e-300, 1e-300, 1e-300, 1e-300, 0, 1e-300", "2, 1e19, 1e19, -1e19, 1e19, -1e19, 1e19"):
        for name in ("ivo_epoch_prop_pos", "ivo_epoch_prop"):
            ours, theirs = computed(database, f"{name}(1+Z, {rest})")
            assert alike(ours, theirs, 1e-6)
    assert computed(database, "ivo_healpix_index(29, 1e-310+Z, -1e-310)")[0] is not None


def test_a_frame_must_be_one_of_the_vocabulary_as_it_is_written_there(database: Database) -> None:
    with pytest.raises(AdqlError, match=r"unknown frame 'galactic'.*; there are ICRS, FK5"):
        answer(database, "SELECT ivo_geom_transform('galactic', 'ICRS', POINT(1, 2)) AS v FROM t.one")
    with pytest.raises(AdqlError, match="takes the name of a frame as a string"):
        answer(database, "SELECT ivo_geom_transform(empty, 'ICRS', POINT(1, 2)) AS v FROM t.one")
    with pytest.raises(AdqlError, match="expected a geometry"):
        answer(database, "SELECT ivo_geom_transform('FK5', 'ICRS', zero) AS v FROM t.one")


def test_there_and_back_again_is_where_one_was(database: Database) -> None:
    distances = []
    for one in UCDS:
        for other in UCDS:
            there = f"ivo_geom_transform('{one}', '{other}', POINT(ra, dec))"
            away = f"DISTANCE(POINT(ra, dec), ivo_geom_transform('{other}', '{one}', {there}))"
            distances.append(f"MAX({away}) AS d{len(distances)}")
    (found,) = answer(database, f"SELECT {', '.join(distances[1:6])} FROM t.many WHERE id < 100")
    assert max(found) < 1e-10


def test_a_circle_in_galactic_coordinates_is_searched_through_the_index(database: Database) -> None:
    circle = "ivo_geom_transform('GALACTIC', 'ICRS', CIRCLE(120, 30, 25))"
    query = f"SELECT id FROM t.many WHERE CONTAINS(POINT(ra, dec), {circle}) = 1"
    assert '"hpx29" BETWEEN' in translate(query, CATALOGUE, ANONYMOUS, database.speech).text
    turned = "ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec))"
    other = f"SELECT id FROM t.many WHERE CONTAINS({turned}, CIRCLE(120, 30, 25)) = 1"
    found = sorted(answer(database, query))
    assert found == sorted(answer(database, other))
    assert 10 < len(found) < 60


def test_pixels_of_indexed_columns_are_read_from_the_index(database: Database) -> None:
    def written(columns: str) -> str:
        query = f"SELECT ivo_healpix_index(6, {columns}) AS v FROM t.many"
        return translate(query, CATALOGUE, ANONYMOUS, database.speech).text

    assert '"hpx29"' in written("ra, dec")
    assert "vo_pixel" not in written("ra, dec")
    assert "vo_pixel" in written("dec, ra")


@pytest.mark.parametrize("order", [0, 1, 2, 29])
def test_rows_of_a_cell_are_found_through_the_index(database: Database, order: int) -> None:
    cell = f"ivo_healpix_index({order}, ra, dec)"
    numbers = sorted(n for (n,) in answer(database, f"SELECT {cell} FROM t.many") if n is not None)
    last = 12 * 4**order - 1
    for number in (
        -(2**63),
        -1,
        0,
        numbers[0],
        numbers[len(numbers) // 2],
        numbers[-1],
        last,
        last + 1,
        2**63 - 1,
    ):
        for sign in ("=", "<", "<=", ">", ">=", "<>"):
            for condition in (f"{cell} {sign} {number}", f"NOT {number} {sign} {cell}"):
                query = f"SELECT id FROM t.many WHERE {condition}"
                text = translate(query, CATALOGUE, ANONYMOUS, database.speech).text
                assert ('"hpx29" BETWEEN' in text) == (sign != "<>" and not condition.startswith("NOT")), (
                    query
                )
                plain = query.replace("dec)", "dec + 0)")
                assert sorted(answer(database, query)) == sorted(answer(database, plain)), query


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("ivo_healpix_index(30, zero, zero)", "an order from 0 to 29, found 30"),
        ("ivo_healpix_index(1.5, zero, zero)", "takes a whole number"),
        ("ivo_healpix_center(17, 23.2)", "takes a whole number"),
        ("ivo_healpix_index(3, CIRCLE(1, 2, 3))", "takes a point, found a circle"),
        ("ivo_epoch_prop_pos(NULL, 11, 125, 300, NULL, NULL, 2016.0, 1875.0)", "a number for ra, found NULL"),
        ("ivo_epoch_prop(1, 11, 125, 300, 1, 2, NULL, 1875.0)", "a number for ref_epoch, found NULL"),
        ("ivo_hasword('a', 1)", "takes a text"),
        ("ivo_to_jd(5)", "takes a time, found a number"),
        ("ivo_histogram(zero, 1, 1, 5)", "a lower limit below the upper one, found 1.0 and 1.0"),
        ("ivo_histogram(zero, 0, 1, 10001)", "a number of bins from 1 to 10000, found 10001"),
        ("ivo_histogram(zero, 0, 1, whole)", "takes a constant nbins"),
        ("ivo_histogram(zero, 0, NULL, 3)", "a lower limit below the upper one"),
        (
            "ivo_string_agg(ivo_string_agg(empty, ','), ',')",
            "an aggregate inside IVO_STRING_AGG has no meaning",
        ),
        ("MAX(ivo_histogram(zero, 0, 1, 3))", "an aggregate inside MAX"),
        ("ivo_simbadpoint(empty)", "takes the name of an object as a string"),
        ("ivo_simbadpoint('an invalid identifier')", "no object called 'an invalid identifier' is known"),
        ("ivo_histogramm(zero, 0, 1, 3)", "unknown function 'ivo_histogramm'; did you mean"),
        ("vo_pixel(1, 2)", "unknown function 'vo_pixel'"),
        ("ivo_to_jd(seen, seen)", "takes 1 argument, found 2"),
    ],
)
def test_wrong_arguments_are_told_of(database: Database, expression: str, message: str) -> None:
    with pytest.raises(AdqlError, match=message):
        answer(database, f"SELECT {expression} AS v FROM t.one")


def test_results_are_described() -> None:
    query = (
        "SELECT ivo_healpix_index(3, dec, ra) AS a, ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec)) AS b, "
        "COORD2(ivo_geom_transform('ICRS', 'GALACTIC', POINT(ra, dec))) AS c, "
        "ivo_epoch_prop(ra, dec, 1, 1, 1, 1, 1, 2) AS d, ivo_to_mjd('2000-01-01') AS e, "
        "ivo_geom_transform('ICRS', 'FK5', CIRCLE(ra, dec, 1)) AS f FROM t.many"
    )
    columns = translate(query, CATALOGUE, ANONYMOUS, SPEECHES["sqlite"]).columns
    assert [(c.type, c.unit, c.ucd, c.votable_arraysize) for c in columns] == [
        ("BIGINT", None, "pos.healpix", None),
        ("POINT", "deg", "pos.galactic", "2"),
        ("DOUBLE", "deg", "pos.galactic.lat", None),
        ("DOUBLE[]", None, None, "6"),
        ("DOUBLE", "d", "time.epoch", None),
        ("CIRCLE", "deg", "pos.eq", "3"),
    ]


def test_every_function_is_declared_with_its_signature_and_a_description() -> None:
    declared = [
        feature for feature in features() if feature.type == "ivo://ivoa.net/std/TAPRegExt#features-udf"
    ]
    names = {feature.form.partition("(")[0] for feature in declared}
    catalogue = """healpix_index healpix_center epoch_prop_pos epoch_prop geom_transform to_jd to_mjd string_agg
        nocasematch hasword hashlist_has histogram normal_random interval_overlaps simbadpoint hms_to_degrees
        dms_to_degrees"""
    assert names == {f"ivo_{name}" for name in catalogue.split()}
    assert len(declared) == len(OFFERED.declared) == 18
    assert all(len(feature.description) > 30 for feature in declared)
