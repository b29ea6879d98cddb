"""Do databases compute the user defined functions as astropy, cdshealpix and ERFA do, wherever on the sky?"""

from datetime import datetime, timedelta

import astropy.units as u
import cdshealpix.nested
import erfa
import numpy as np
import pytest
import sqlalchemy as sa
from astropy.coordinates import Angle, FK4NoETerms, Latitude, Longitude, SkyCoord
from astropy.time import Time

from datamodel.columns import Column, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from datamodel.datatypes import Timestamp
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

RANDOM = np.random.default_rng(7)
ROWS = 600
CORNERS = [
    (0.0, 0.0),
    (360.0, 90.0),
    (45.0, -90.0),
    (359.9999999, 41.8103148958),
    (90.0, -41.810314895),
    (-1e-12, 1e-9),
]
LON = np.concatenate([[c[0] for c in CORNERS], RANDOM.uniform(-360, 720, ROWS - len(CORNERS))])
LAT = np.concatenate(
    [[c[1] for c in CORNERS], np.degrees(np.arcsin(RANDOM.uniform(-1, 1, ROWS - len(CORNERS))))]
)
ORDER = RANDOM.integers(0, 30, ROWS)
PIXEL = np.array([int(RANDOM.integers(0, 12 * 4**order)) for order in ORDER.tolist()])
PARALLAX = 10 ** RANDOM.uniform(-1, 3, ROWS)
MOTION = RANDOM.normal(0, 2000, (2, ROWS))
VELOCITY = RANDOM.normal(0, 100, ROWS)
YEARS = RANDOM.uniform(-2000, 2000, ROWS)
SEEN = [datetime(1800, 1, 1) + timedelta(microseconds=int(t)) for t in RANDOM.integers(0, 10**16, ROWS)]
NUMBERS = {
    "lon": LON,
    "lat": LAT,
    "parallax": PARALLAX,
    "motion_lon": MOTION[0],
    "motion_lat": MOTION[1],
    "velocity": VELOCITY,
    "years": YEARS,
}
HOURS = Angle(RANDOM.uniform(0, 23.999, ROWS), u.hourangle)
DEGREES = Angle(RANDOM.uniform(-89.99, 89.99, ROWS), u.deg)
TEXTS = {
    "hms": HOURS.to_string(u.hourangle, sep=":", precision=6),
    "dms": DEGREES.to_string(u.deg, sep="dms", precision=5, alwayssign=True, pad=True),
    "compact": DEGREES.to_string(u.deg, sep="", precision=4, pad=True),
}

STARS = sa.Table(
    "stars_at_random",
    sa.MetaData(),
    sa.Column("id", sa.Integer),
    *(sa.Column(name, sa.Double(53)) for name in NUMBERS),
    sa.Column("nested", sa.Integer),
    sa.Column("pixel", sa.BigInteger),
    sa.Column("seen", Timestamp),
    sa.Column("written", sa.Text),
    *(sa.Column(name, sa.Text) for name in TEXTS),
)
CATALOGUE = Catalogue(
    [
        Table(
            "t",
            "stars",
            (
                Column("id", "INTEGER"),
                *(Column(name, "DOUBLE") for name in NUMBERS),
                Column("nested", "INTEGER"),
                Column("pixel", "BIGINT"),
                Column("seen", "TIMESTAMP"),
                Column("written", "VARCHAR"),
                *(Column(name, "VARCHAR") for name in TEXTS),
            ),
            lambda caller: STARS,
        )
    ]
)


@pytest.fixture(scope="module")
def database(functions_database: Database) -> Database:
    STARS.create(functions_database.engine)
    columns = {name: values.tolist() for name, values in NUMBERS.items()}
    columns |= {"nested": ORDER.tolist(), "pixel": PIXEL.tolist(), "seen": SEEN, "id": list(range(ROWS))}
    columns |= {name: list(texts) for name, texts in TEXTS.items()}
    columns["written"] = [f"{t:%Y-%m-%d %H:%M:%S.%f}Z" for t in SEEN]
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    with functions_database.write() as connection:
        connection.execute(STARS.insert(), rows)
    return functions_database


def computed(database: Database, expression: str) -> np.ndarray:
    """An expression of every star, in order; points as pairs."""
    query = f"SELECT {expression} AS v, id FROM t.stars ORDER BY id"
    translated = translate(query, CATALOGUE, ANONYMOUS, database.speech)
    rows = database.rows(translated.text, translated.columns)
    return np.array([value for batch in rows.batches for value in batch.column(0).to_pylist()])


def away_mas(found: np.ndarray, lon: np.ndarray, lat: np.ndarray) -> float:
    """The largest angle between two sets of positions."""
    both = SkyCoord(found[:, 0], found[:, 1], unit="deg"), SkyCoord(lon, lat, unit="deg")
    return float(both[0].separation(both[1]).mas.max())


def test_pixels_are_those_of_cdshealpix(database: Database) -> None:
    lon, lat = Longitude(LON % 360, u.deg), Latitude(LAT, u.deg)
    for order in (0, 3, 12, 20):
        expected = cdshealpix.nested.lonlat_to_healpix(lon, lat, order).astype(np.int64)
        assert np.array_equal(computed(database, f"ivo_healpix_index({order}, lon, lat)"), expected)
    expected = cdshealpix.nested.lonlat_to_healpix(lon, lat, 29).astype(np.int64)
    assert np.mean(computed(database, "ivo_healpix_index(29, POINT(lon, lat))") == expected) > 0.99
    of_columns = computed(database, "ivo_healpix_index(nested, lon, lat)")
    assert np.mean(of_columns == expected >> 2 * (29 - ORDER)) > 0.99


def test_middles_of_pixels_are_those_of_cdshealpix(database: Database) -> None:
    found = computed(database, "ivo_healpix_center(nested, pixel)")
    both = [
        cdshealpix.nested.healpix_to_lonlat(np.array([p]), o)
        for p, o in zip(PIXEL, ORDER.tolist(), strict=True)
    ]
    lon, lat = (np.array([float(each[part].deg[0]) for each in both]) for part in (0, 1))
    assert away_mas(found, lon, lat) < 1e-3
    assert np.array_equal(
        computed(database, "ivo_healpix_index(nested, ivo_healpix_center(nested, pixel))"), PIXEL
    )


@pytest.mark.parametrize(
    ("frame", "theirs", "tolerance_mas"),
    [
        ("GALACTIC", "galactic", 40.0),
        ("FK5", "fk5", 1e-3),
        ("FK4", FK4NoETerms(), 25.0),
        ("ECLIPTIC", "barycentricmeanecliptic", 1e-3),
        ("SUPER_GALACTIC", "supergalactic", 40.0),
    ],
)
def test_frames_are_those_of_astropy(
    database: Database, frame: str, theirs: str | FK4NoETerms, tolerance_mas: float
) -> None:
    """Its galactic frame hangs on FK5 by other digits, and its FK4 is one of 1950 whose stars rest in FK5's sense."""
    places = SkyCoord(LON % 360, LAT, unit="deg").transform_to(theirs).represent_as("unitspherical")
    found = computed(database, f"ivo_geom_transform('ICRS', '{frame}', POINT(lon, lat))")
    assert away_mas(found, places.lon.deg, places.lat.deg) < tolerance_mas


STAR = "lon, lat, parallax, motion_lon, motion_lat, velocity, 2016, 2016 + years"


def test_motion_is_that_of_points_on_straight_lines(database: Database) -> None:
    """As astropy's vectors have it: without light travel time, which is what the catalogue wants."""
    start = SkyCoord(
        ra=LON % 360 * u.deg,
        dec=LAT * u.deg,
        distance=(PARALLAX * u.mas).to(u.pc, u.parallax()),
        pm_ra_cosdec=MOTION[0] * u.mas / u.yr,
        pm_dec=MOTION[1] * u.mas / u.yr,
        radial_velocity=VELOCITY * u.km / u.s,
    )
    velocity = start.velocity.d_xyz
    moved = start.cartesian.xyz + velocity * (YEARS * u.yr)
    end = SkyCoord(*moved, representation_type="cartesian").spherical
    found = computed(database, f"ivo_epoch_prop({STAR})")
    assert away_mas(found, end.lon.deg, end.lat.deg) < 1e-3
    assert away_mas(computed(database, f"ivo_epoch_prop_pos({STAR})"), end.lon.deg, end.lat.deg) < 1e-3
    assert np.allclose(found[:, 2], end.distance.to_value(u.mas, u.parallax()), rtol=1e-9)
    away = np.sum(moved * velocity, axis=0) / np.sqrt(np.sum(moved**2, axis=0))
    assert np.allclose(found[:, 5], away.to_value(u.km / u.s), rtol=1e-8, atol=1e-8)
    speed = np.sqrt(np.sum(velocity**2, axis=0) - away**2) / np.sqrt(np.sum(moved**2, axis=0))
    total = speed.to_value(u.mas / u.yr, u.dimensionless_angles())
    assert np.allclose(np.hypot(found[:, 3], found[:, 4]), total, rtol=1e-7, atol=1e-4)


def test_motion_forth_and_back_ends_where_it_began(database: Database) -> None:
    """Tells the two components of the proper motion apart, whose sum the test above looks at."""
    found = computed(database, f"ivo_epoch_prop({STAR})")
    usual = np.flatnonzero(np.abs(LAT) < 89)
    for i in usual[:50].tolist():
        star = ", ".join(map(repr, found[i].tolist()))
        back = computed(
            database, f"ivo_epoch_prop({star}, {2016 + YEARS[i]!r}, 2016)".replace("np.float64", "")
        )[0]
        given = [LON[i] % 360, LAT[i], PARALLAX[i], MOTION[0][i], MOTION[1][i], VELOCITY[i]]
        assert np.allclose(back, given, rtol=1e-9, atol=1e-8)


def test_motion_is_near_that_of_erfa(database: Database) -> None:
    """Which minds light travel time, and what is left of relativity: some mas of a fast star in 50 years."""
    usual = (np.abs(LAT) < 89.0) & (PARALLAX > 50.0)
    found = computed(database, STAR.join(("ivo_epoch_prop_pos(", ")")).replace("years", "50"))[usual]
    lon, lat, motion = (
        np.radians(LON[usual] % 360),
        np.radians(LAT[usual]),
        np.radians(MOTION[:, usual] / 3.6e6),
    )
    start, end = 2457388.5, 2457388.5 + 50 * 365.25
    seen = PARALLAX[usual] / 1000, VELOCITY[usual], start, 0.0, end, 0.0
    ra, dec, *_ = erfa.pmsafe(lon, lat, motion[0] / np.cos(lat), motion[1], *seen)
    assert away_mas(found, np.degrees(ra), np.degrees(dec)) < 100


def test_dates_are_those_of_astropy(database: Database) -> None:
    expected = Time(SEEN, scale="tai", format="datetime")
    for column in ("seen", "written"):
        assert np.allclose(computed(database, f"ivo_to_mjd({column})"), expected.mjd, rtol=0, atol=3e-11)
        assert np.allclose(computed(database, f"ivo_to_jd({column})"), expected.jd, rtol=0, atol=1e-9)


def test_angles_are_those_of_astropy(database: Database) -> None:
    assert np.allclose(computed(database, "ivo_hms_to_degrees(hms)"), HOURS.deg, rtol=0, atol=1e-8)
    assert np.allclose(computed(database, "ivo_dms_to_degrees(dms)"), DEGREES.deg, rtol=0, atol=1e-8)
    assert np.allclose(computed(database, "ivo_dms_to_degrees(compact)"), DEGREES.deg, rtol=0, atol=1e-7)
