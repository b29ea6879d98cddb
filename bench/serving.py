"""How fast is TAP over HTTP, on a catalogue as a site has it, and how much of that is HTTP or the database alone?

Each figure stands beside a reference of the same run: an answer of an application that answers nothing, served in
the same way and asked by the same clients; the bare SQL, asked of the driver; a copy of as many bytes in memory. The
absolute figures are for an idle machine with two cores, of which the clients here take their share.
"""

import argparse
import http.client
import sys

from bench.bare import Bare, copy_s
from bench.databases import present
from bench.figures import Figures
from bench.service import TABLE, Service, nothing, service
from bench.timing import verdict
from bench.uses import (
    JOIN,
    SMALL,
    cones,
    everything,
    many,
    median_ms,
    positions,
    round_trip_ms,
    upload_join_ms,
    waiting,
)

WAITING = 200
MILLION = 1_000_000
ANSWERS_OF_A_JOB = 3
"""A client that has a small query run as a job asks at least so often: for the job, for its end, for its result."""

COLOUR = "ROUND(mag_g - mag_r, 0)"
OTHERS = {
    "GROUP BY colour": f"SELECT {COLOUR} AS colour, COUNT(*) AS n FROM {TABLE} GROUP BY {COLOUR}",
    "count by a scan": f"SELECT COUNT(*) FROM {TABLE} WHERE mag_g < 19.5",
}


def measured(kind: str, options: argparse.Namespace) -> Figures:
    """All figures for one kind of database."""
    figures = Figures(kind)
    with service(kind, options.rows, options.processes) as served, nothing(options.processes) as connection:
        bare = Bare(served.url, options.rows)
        round_trip_ms(served, 1)  # the workers of jobs have begun, too
        for query in cones(40, 99):
            served.ask(query).read()
        blank = _blank_ms(connection)
        _one(served, bare, blank, figures)
        _many(served, connection.port, options.seconds, figures)
        _everything(served, bare, blank, options.rows, figures)
        _jobs(served, bare, blank, figures)
        _uploads(served, bare, options.rows, figures)
        for name, query in OTHERS.items():
            served.connection = served.connect()  # the server closes one that is idle while the bare SQL runs
            took = median_ms(lambda text: served.ask(text).read(), [query] * 3)
            figures.say(name, took, "ms", its_bare_SQL=bare.median_ms([query] * 3))
        bare.close()
    return figures


def _blank_ms(connection: http.client.HTTPConnection) -> float:
    """The median time of an answer of nothing."""

    def get(_: str) -> None:
        connection.request("GET", "/")
        connection.getresponse().read()

    connection.close()  # the one that was opened first may be too old
    return median_ms(get, [""] * 300)


def _one(served: Service, bare: Bare, blank: float, figures: Figures) -> None:
    """Cones by one client, alone and beside many who wait."""
    served.connection = served.connect()
    alone = median_ms(lambda q: served.ask(q).read(), cones(200, 1))
    sql = bare.median_ms(cones(200, 1))
    figures.say("cone", alone, "ms", its_bare_SQL=sql, an_answer_of_nothing=blank)
    figures.at_most("cone 0.1 deg, kept connection", alone, 8.0, "ms")
    with waiting(served, WAITING):
        served.connection = served.connect()
        among = median_ms(lambda q: served.ask(q).read(), cones(200, 1))
    figures.say(f"cone beside {WAITING} who wait", among, "ms", one_alone=alone)
    figures.at_most(f"cone beside {WAITING} who wait, over one alone", among / alone, 2.0, "times")


def _many(served: Service, blank_port: int, seconds: float, figures: Figures) -> None:
    """Cones by several clients at once, and the same requests to the application that answers nothing."""
    for clients in (8, 32):
        rate, median, late = many(served.port, clients, seconds)
        of_nothing = many(blank_port, clients, seconds)
        for what, unit, value, other in (
            ("cones", "a second", rate, of_nothing[0]),
            ("median", "ms", median, of_nothing[1]),
            ("95 %", "ms", late, of_nothing[2]),
        ):
            figures.say(f"{clients} clients, {what}", value, unit, answers_of_nothing=other)
        figures.at_least(f"cones/s with {clients} clients", rate, 200.0)
        figures.at_most(f"95 % over median with {clients} clients", late / median, 4.0, "times")


def _everything(served: Service, bare: Bare, blank: float, rows: int, figures: Figures) -> None:
    """The whole catalogue."""
    total, first, size, added = everything(served)
    sql, copied = bare.everything_s(f"SELECT * FROM {TABLE}"), copy_s(size)
    figures.say(
        f"{rows} rows, {size:.0f} MB", total, "s", the_bare_SQL_thrown_away=sql, a_copy_of_the_bytes=copied
    )
    figures.say("first byte of all rows", 1000 * first, "ms", an_answer_of_nothing=blank)
    figures.say("memory added", added, "MB", the_whole_answer=size)
    if rows >= MILLION:
        must = 2.0 if figures.kind == "postgresql" else 3.5
        figures.at_most("1,000,000 rows as BINARY2", total * MILLION / rows, must, "s")
    figures.at_most("first byte of all rows", 1000 * first, 50.0, "ms")
    figures.at_most("memory added", added, 64.0, "MB")


def _jobs(served: Service, bare: Bare, blank: float, figures: Figures) -> None:
    """A small query as a job."""
    took = round_trip_ms(served)
    least = ANSWERS_OF_A_JOB * blank + bare.median_ms([SMALL] * 20)
    figures.say("async round trip", took, "ms", three_answers_of_nothing_and_the_bare_SQL=least)
    figures.at_most("async round trip", took, 100.0, "ms")


def _uploads(served: Service, bare: Bare, rows: int, figures: Figures) -> None:
    """Crossmatches of uploads; beside them, the join alone, of a table that is in the database already."""
    for brought, repeats, must in ((1000, 15, 60.0), (100_000, 3, 4000.0)):
        took = upload_join_ms(served, brought, repeats)
        joined = bare.join_ms(JOIN, positions(brought, brought), repeats)
        name = f"upload join of {brought:,} rows"
        figures.say(name, took, "ms", the_bare_join_of_a_temporary_table=joined)
        if brought == 1000 or rows >= 5 * MILLION:
            figures.at_most(name, took, must, "ms")


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=present())
    options = parser.parse_args()
    return verdict(*(target for kind in options.databases for target in measured(kind, options).targets))


if __name__ == "__main__":
    sys.exit(main())
