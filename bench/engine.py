"""How fast does the target engine tell how products stand, in an archive of a million of them?

A survey is made up (`bench.survey`); then the status of products chosen at random is asked for, and why they must be
again, and a flat that some 10,000 products use is judged bad. Beside it stands what a walk of the plan takes.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bench.databases import present, server
from bench.survey import write_survey
from bench.timing import Target, verdict
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.session import Session
from datamodel.standings import standing
from processing.classes import TABLES
from processing.master_flat_frame import MasterFlatFrame
from processing.plan import Planner
from processing.reduced_science_frame import ReducedScienceFrame
from processing.site import instruments_of
from processing.source_list import SourceList
from processing.standing_keeping import renew

STATUS_MS, WHY_MS, FLIP_S = 5.0, 50.0, 2.0
ASKED = 200


def measure(url: str, objects: int) -> list[Target]:
    """All figures on one database."""
    with tempfile.TemporaryDirectory(prefix="vo-bench-", dir="/tmp") as folder:
        archive = Archive(Config(archive=Path(folder), database_url=url))
        archive.prepare(TABLES)
        archive.add_account("bench", "demo")
        flat_id, filled_s = _timed(lambda: write_survey(archive, objects))
        print(f"  the survey is written: {filled_s:.0f} s")
        analyze(archive)
        caller = archive.caller("bench")
        with Session(archive, replace(caller, managed=caller.projects)) as session:
            _, built_s = _timed(lambda: renew(session))
            analyze(archive)
            count = session.execute(sa.select(sa.func.count().label("n")).select_from(standing))[0]["n"]
            print(f"  the index of {count} products is made anew: {built_s:.0f} s")
            targets = [*_asking(session), _flipping(session, flat_id)]
        archive.close()
        return targets


def analyze(archive: Archive) -> None:
    """Have the database know what is in its tables."""
    with archive.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _timed(run: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    found = run()
    return found, time.perf_counter() - began


def _asking(session: Session) -> list[Target]:
    """Status and why of products at random, and a walk for comparison."""
    chance = random.Random(1)
    ids = session.ids(SourceList, None, (), None)
    statuses, whys, walks = [], [], []
    for number, oid in enumerate(chance.sample(ids, min(ASKED, len(ids)))):
        product = session.load(SourceList, oid)
        _ = product.raw, product.raw.chip
        status, took = _timed(product.status)
        statuses.append(took)
        reasons, took = _timed(product.why)
        whys.append(took)
        if status != "ok" or reasons:
            raise RuntimeError(f"{product!r} is {status}: {reasons}")
        if number < 20:
            planner = Planner(instruments_of(session.archive))
            keys = product.own_keys()
            walks.append(_timed(lambda p=planner, o=product, k=keys: p.node_of(o, k))[1])
    status_ms, why_ms, walk_ms = (1000 * statistics.median(each) for each in (statuses, whys, walks))
    print(f"  status {status_ms:.2f} ms, why {why_ms:.2f} ms; a walk {walk_ms:.0f} ms")
    return [
        Target(
            f"status in {status_ms:.2f} ms, must be {STATUS_MS:g}; margin",
            STATUS_MS / status_ms,
            1.0,
            "times",
        ),
        Target(f"why in {why_ms:.2f} ms, must be {WHY_MS:g}; margin", WHY_MS / why_ms, 1.0, "times"),
    ]


def _flipping(session: Session, flat_id: str) -> Target:
    """A flat is judged bad: how long until all that was made from it is told to be outdated?"""
    flat = session.load(MasterFlatFrame, flat_id)
    flat.is_valid = 0
    _, committed_s = _timed(flat.commit)
    _, took = _timed(lambda: renew(session))
    bad = sa.select(sa.func.count().label("n")).select_from(standing).where(standing.c.outdated == 1)
    count = session.execute(bad)[0]["n"]
    users = len(ReducedScienceFrame.flat == flat)
    if count != 4 * users + 1:
        raise RuntimeError(f"{count} are outdated, {4 * users + 1} should be")
    print(
        f"  a flat of {users} exposures is judged bad in {1000 * committed_s:.0f} ms; {count} outdated: {took:.2f} s"
    )
    scaled = took * 10_000 / count
    name = f"{count} descendants in {took:.2f} s: 10,000 in {scaled:.2f} s, must be {FLIP_S:g}; margin"
    return Target(name, FLIP_S / scaled, 1.0, "times")


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--database", choices=present(), action="append", help="default: all there are")
    options = parser.parse_args()
    targets = []
    for kind in options.database or present():
        print(f"{kind}, {options.objects} objects")
        with server(kind) as url:
            targets += measure(url, options.objects)
    return verdict(*targets)


if __name__ == "__main__":
    sys.exit(main())
