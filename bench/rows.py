"""How fast do a million rows get from a statement to a VOTable, and how much memory does that take?

A process of its own reads all rows through `Database.rows`, encodes them as BINARY2 and writes them to
/dev/null; astropy writes a slice of the same rows from memory, before and after, at its own rate.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa

from bench.databases import SQLITE, TABLE, fill, present, server
from bench.encoder import COLUMNS, as_astropy, astropys, made_up
from bench.timing import Target, best_s, verdict
from datamodel.database import Database
from vo_server.formats import votable

FLOORS = {"sqlite": 30.0, "postgresql": 50.0}
MOST_ADDED_MB = 64.0
SELECT = sa.select(*(TABLE.c[c.name] for c in COLUMNS))


def stream(database: Database, limit: int | None = None) -> int:
    """How many bytes an answer is."""
    size = 0
    with Path("/dev/null").open("wb") as sink:
        for chunk in votable.write(database.rows(SELECT, COLUMNS, limit=limit)):
            size += sink.write(chunk)
    return size


def read(url: str, repeats: int) -> dict[str, float]:
    """The best time of some readings, and by how much the greatest of them made the process grow."""
    database = Database(url)
    stream(database, limit=1000)
    before = _megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    size = stream(database)
    best = best_s(lambda: stream(database), repeats)
    added = _megabytes("VmHWM") - before
    database.close()
    return {"seconds": best, "added_mb": added, "bytes": size}


def measured(kind: str, rows: int, repeats: int, astropy_rows: int) -> list[Target]:
    """The targets of one kind of database."""
    part = as_astropy(made_up(astropy_rows))
    with server(kind) as url:
        fill(url, rows)
        theirs_s = best_s(lambda: astropys(part, "binary2"), 2)
        command = [sys.executable, "-m", "bench.rows", "--read", url, "--repeats", str(repeats)]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        theirs_s = min(theirs_s, best_s(lambda: astropys(part, "binary2"), 2))
    rate, theirs = rows / ours["seconds"] / 1e6, astropy_rows / theirs_s / 1e6
    megabytes = ours["bytes"] / ours["seconds"] / 1e6
    print(f"{kind:10}  {rate:8.4f} Mrow/s {megabytes:6.1f} MB/s  added {ours['added_mb']:.0f} MB")
    print(f"{'astropy':10}  {theirs:8.4f} Mrow/s")
    return [
        Target(f"{kind} to VOTable, rows a second relative to astropy", rate / theirs, FLOORS[kind], "times"),
        Target(
            f"{kind}: {MOST_ADDED_MB:g} MB over the memory added", MOST_ADDED_MB / max(ours["added_mb"], 1), 1
        ),
    ]


def _megabytes(which: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(which)) / 1024


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--astropy-rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--databases", nargs="+", choices=list(FLOORS), default=present())
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read(options.read, options.repeats)))
        return 0
    targets = [
        target
        for kind in options.databases
        for target in measured(kind, options.rows, options.repeats, options.astropy_rows)
    ]
    if options.databases == [SQLITE]:
        print("PostgreSQL was not measured")
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
