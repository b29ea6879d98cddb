"""How long do reading, understanding and writing a query take, over the valid queries of the validation suite?

Nothing is kept of a query between one time and the next. The reference is sqlparse, which splits the same texts into
words and groups them, without any meaning.
"""

import argparse
import cProfile
import statistics
import sys
from collections.abc import Callable
from functools import partial
from itertools import count

import sqlalchemy as sa
import sqlparse

from bench.made_up_tables import CORPUS, UDFS, Made, made_up
from bench.timing import Target, best_s, verdict
from datamodel.context import ANONYMOUS
from datamodel.speech import SPEECHES
from vo_server.tap.adql.translate import translate

MEDIAN_MS = 1.0
LATE_MS = 5.0


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="print where the time goes instead")
    chosen = parser.parse_args()
    if not CORPUS.is_dir():
        print(f"the queries are not in {CORPUS}")
        return 1
    made = made_up()
    if chosen.profile:
        runs = [run for run in map(translation, made) for _ in range(10)]
        cProfile.runctx("[run() for run in runs]", {}, {"runs": runs}, sort="tottime")
        return 0
    reference = times_ms([partial(sqlparse.parse, each.text) for each in made])
    print(f"sqlparse: median {statistics.median(reference):.2f} ms, 95 % within {late(reference):.2f} ms")
    targets = []
    for name in SPEECHES:
        taken = times_ms([translation(each, name) for each in made])
        print(f"{name}: {len(taken)} queries, the slowest {max(taken):.2f} ms")
        targets.append(Target(f"{name}: bound over median", MEDIAN_MS / statistics.median(taken), 1.0))
        targets.append(Target(f"{name}: bound over 95th percentile", LATE_MS / late(taken), 1.0))
        times = statistics.median(reference) / statistics.median(taken)
        targets.append(Target(f"{name}: sqlparse's median over ours", times, 1.0))
    return verdict(*targets)


def translation(made: Made, name: str = "sqlite") -> Callable[[], object]:
    """What translates one query, with a catalogue that has written its tables before, as a server's has."""
    catalogue = made.catalogue(made.stored(sa.MetaData(), count()))
    return partial(translate, made.text, catalogue, ANONYMOUS, SPEECHES[name], udfs=UDFS)


def times_ms(runs: list[Callable[[], object]]) -> list[float]:
    """How long each takes when nothing disturbs it, Python being warm."""
    return [best_s(run, repeats=5) * 1e3 for run in runs]


def late(taken: list[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(taken, n=20)[-1]


if __name__ == "__main__":
    sys.exit(main())
