"""How much later does a cone search over ADQL answer than its bare SQL would, asked of the driver?

Ours is everything between the text of the query and the bytes of the VOTable: parsing, the cover of the cone,
`Database.rows`, BINARY2. The bare SQL is what the translation gives, with its values, and all its rows fetched.
The plain way, which is judged, is that and astropy's VOTable of those rows: the answer without a parser.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from bench.databases import TABLE, fill, present, server
from bench.encoder import COLUMNS, as_astropy, astropys
from bench.timing import Target, verdict
from datamodel.batches import record_batch
from datamodel.columns import PointIndex, Table
from datamodel.context import ANONYMOUS
from datamodel.database import Database
from vo_server.formats import votable
from vo_server.tap.adql.catalogue import Catalogue
from vo_server.tap.adql.translate import translate

RADII_DEG = (0.1, 1.0)
FLOOR = 0.3
CATALOGUE = Catalogue(
    [Table("bench", "catalogue", COLUMNS, lambda caller: TABLE, point=PointIndex("ra", "dec"))]
)


def query(ra_deg: float, dec_deg: float, radius_deg: float) -> str:
    """A cone in ADQL."""
    circle = f"CIRCLE({ra_deg:.6f}, {dec_deg:.6f}, {radius_deg})"
    return f"SELECT * FROM bench.catalogue WHERE CONTAINS(POINT(ra, dec), {circle}) = 1"


def ours(database: Database, text: str) -> int:
    """How many bytes the answer is."""
    translated = translate(text, CATALOGUE, ANONYMOUS, database.speech, most=100_001)
    rows = database.rows(translated.text, translated.columns, limit=100_000)
    return sum(map(len, votable.write(rows)))


def bare(database: Database, text: str) -> Callable[[], list[Any]]:
    """What fetches the same rows from the driver."""
    statement = translate(text, CATALOGUE, ANONYMOUS, database.speech).text

    def fetch() -> list[Any]:
        raw: Any = database.engine.raw_connection()
        cursor = raw.cursor()
        cursor.execute(statement)
        found = list(cursor.fetchall())
        cursor.close()
        raw.close()
        return found

    return fetch


def latencies_ms(database: Database, radius_deg: float, cones: int) -> dict[str, float]:
    """Medians of ours, of the bare SQL and of the plain way, in turns all over the sky, and of the rows found."""
    random = np.random.default_rng(round(radius_deg * 10))
    seen: dict[str, list[float]] = {"ours": [], "bare": [], "plain": [], "rows": []}
    for _ in range(cones):
        dec = float(np.degrees(np.arcsin(random.uniform(-1, 1))))
        text = query(random.uniform(0, 360), dec, radius_deg)
        fetch = bare(database, text)
        table = as_astropy(record_batch(fetch(), COLUMNS))
        seen["rows"].append(len(table))
        seen["bare"].append(_ms(fetch))
        seen["plain"].append(seen["bare"][-1] + _ms(partial(astropys, table, "binary2")))
        seen["ours"].append(_ms(partial(ours, database, text)))
    return {what: statistics.median(values) for what, values in seen.items()}


def _ms(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cones", type=int, default=60)
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=present())
    options = parser.parse_args()
    targets = []
    for kind in options.databases:
        with server(kind) as url:
            fill(url, options.rows)
            database = Database(url)
            for radius in RADII_DEG:
                ms = latencies_ms(database, radius, options.cones)
                print(
                    f"{kind:10} {radius:4g} deg {ms['rows']:5.0f} rows  ours {ms['ours']:7.2f} ms"
                    f"  bare SQL {ms['bare']:7.2f} ms ({ms['ours'] / ms['bare']:.1f} times)"
                    f"  plain way {ms['plain']:7.2f} ms"
                )
                name = f"{kind}, {radius:g} deg: speed relative to the plain way"
                targets.append(Target(name, ms["plain"] / ms["ours"], FLOOR, "times"))
            database.close()
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
