"""How fast is TAP over HTTP, on a catalogue as a site has it, and how much of that is HTTP alone?

An answer of an application that answers nothing, served in the same way, stands beside them, and so does the bare SQL,
asked of the driver. The absolute
figures are for an idle machine with two cores, of which the clients here take their share.
"""

import argparse
import statistics
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from bench.bare import Bare, copy_s
from bench.clients import load as clients_at_once
from bench.clients import requests
from bench.databases import present
from bench.service import FORM, TABLE, Service, ask, nothing, service
from bench.timing import Target, verdict

RADIUS_DEG = 0.1
SMALL = f"SELECT TOP 1 source_id FROM {TABLE}"
UPLOAD_RADIUS_DEG = 1 / 3600
WAITING = 200
MILLION = 1_000_000


def cones(count: int, seed: int) -> list[str]:
    """Queries for cones all over the sky."""
    random = np.random.default_rng(seed)
    ra, dec = random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))
    circle = "SELECT * FROM {} WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({:.6f}, {:.6f}, {}))"
    return [circle.format(TABLE, a, d, RADIUS_DEG) for a, d in zip(ra, dec, strict=True)]


def median_ms(run: Callable[[str], object], arguments: list[str]) -> float:
    """The median time of a call."""
    times = []
    for argument in arguments:
        began = time.perf_counter()
        run(argument)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def blank_ms(processes: int) -> float:
    """The median time of an answer of nothing."""
    with nothing(processes) as connection:

        def get(_: str) -> None:
            connection.request("GET", "/")
            connection.getresponse().read()

        return median_ms(get, [""] * 300)


def load(served: Service, clients: int, seconds: float) -> tuple[float, float, float]:
    """Cones by some clients at once: queries in a second, median and 95th percentile in milliseconds."""
    asked = [requests(cones(int(1000 * seconds), n), n) for n in range(clients)]
    times, took = clients_at_once(served.port, asked, seconds)
    return len(times) / took, *(1000 * np.percentile(times, (50, 95)))


@contextmanager
def waiting(served: Service, clients: int) -> Iterator[None]:
    """Clients that wait for a job which does not begin, as pyvo does: they ask again a second after each answer."""
    form = {"LANG": "ADQL", "QUERY": SMALL}
    served.connection.request("POST", "/tap/async", urllib.parse.urlencode(form), FORM)
    created = served.connection.getresponse()
    created.read()
    job, done = urllib.parse.urlsplit(created.headers["Location"]).path, threading.Event()

    def client() -> None:
        while not done.wait(1.0):
            connection = served.connect()
            connection.request("GET", f"{job}/phase?WAIT=20&PHASE=PENDING")
            connection.getresponse().read()
            connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    time.sleep(3.0)
    try:
        yield
    finally:
        done.set()
        served.connection = served.connect()
        form = {"PHASE": "ABORT"}
        served.connection.request("POST", f"{job}/phase", urllib.parse.urlencode(form), FORM)
        served.connection.getresponse().read()
        for thread in threads:
            thread.join()
        served.connection = served.connect()


def everything(served: Service) -> tuple[float, float, float, float]:
    """All rows as BINARY2: seconds, seconds to the first byte, megabytes, and megabytes of memory added."""
    before, done = served.memory_mb(), threading.Event()
    peak = [before]

    def watch() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], served.memory_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    connection, began = served.connect(), time.perf_counter()
    response = ask(connection, f"SELECT * FROM {TABLE}", MAXREC="20000000")
    size = len(response.read(1))
    first = time.perf_counter() - began
    while chunk := response.read(1 << 20):
        size += len(chunk)
    total = time.perf_counter() - began
    done.set()
    watcher.join()
    return total, first, size / 1e6, peak[0] - before


def round_trip_ms(served: Service, jobs: int = 20) -> float:
    """A small query as a job, from its creation to its answer in hand."""
    served.connection, times = served.connect(), []
    for _ in range(jobs):
        began = time.perf_counter()
        form = {"LANG": "ADQL", "QUERY": SMALL, "PHASE": "RUN"}
        served.connection.request("POST", "/tap/async", urllib.parse.urlencode(form), FORM)
        created = served.connection.getresponse()
        created.read()
        job = urllib.parse.urlsplit(created.headers["Location"]).path
        while b"COMPLETED" not in (told := _get(served, f"{job}?WAIT=10")):
            if b"ERROR" in told:
                raise RuntimeError(told.decode())
        _get(served, f"{job}/results/result")
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def _get(served: Service, path: str) -> bytes:
    served.connection.request("GET", path)
    return served.connection.getresponse().read()


def upload_join_ms(served: Service, rows: int, repeats: int) -> float:
    """A crossmatch of an upload at one arcsecond."""
    random = np.random.default_rng(rows)
    ra, dec = random.uniform(0, 360, rows), np.degrees(np.arcsin(random.uniform(-1, 1, rows)))
    lines = "\n".join(f"{i},{a:.8f},{d:.8f}" for i, (a, d) in enumerate(zip(ra, dec, strict=True)))
    join = (
        f"SELECT u.id, c.source_id FROM TAP_UPLOAD.mine AS u JOIN {TABLE} AS c "
        f"ON DISTANCE(u.ra, u.dec, c.ra, c.dec) < {UPLOAD_RADIUS_DEG}"
    )
    fields = {"LANG": "ADQL", "QUERY": join, "UPLOAD": "mine,param:table"}
    boundary = "----bench"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'
        for k, v in fields.items()
    ]
    told = 'Content-Disposition: form-data; name="table"; filename="t.csv"'
    head = f"--{boundary}\r\n{told}\r\nContent-Type: text/csv\r\n\r\n"
    body = ("".join(parts) + head + "id,ra,dec\n" + lines + f"\n\r\n--{boundary}--\r\n").encode()
    times = []
    served.connection = served.connect()
    for _ in range(repeats):
        began = time.perf_counter()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        served.connection.request("POST", "/tap/sync", body, headers)
        response = served.connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(text[:2000].decode())
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def measured(kind: str, options: argparse.Namespace) -> list[Target]:
    """All figures for one kind of database."""
    targets = []

    def at_most(name: str, value: float, must: float, unit: str) -> None:
        targets.append(
            Target(
                f"{kind}, {name}: {value:.4g} {unit}, must be under {must:g}; margin",
                must / value,
                1.0,
                "times",
            )
        )

    with service(kind, options.rows, options.processes) as served:
        round_trip_ms(served, 1)  # the workers of jobs have begun, too
        for query in cones(40, 99):
            served.ask(query).read()
        bare = Bare(served.url, options.rows)
        print(f"{kind:10} an answer of nothing: {blank_ms(options.processes):.2f} ms")
        served.connection = served.connect()
        alone = median_ms(lambda q: served.ask(q).read(), cones(200, 1))
        bare_ms = bare.cone_ms(cones(200, 1))
        print(f"{kind:10} cone: {alone:.2f} ms, its bare SQL {bare_ms:.2f} ms, {alone / bare_ms:.1f} times")
        at_most("cone 0.1 deg, kept connection", alone, 8.0, "ms")
        with waiting(served, WAITING):
            served.connection = served.connect()
            among = median_ms(lambda q: served.ask(q).read(), cones(200, 1))
        at_most(f"cone beside {WAITING} who wait, over one alone", among / alone, 2.0, "times")
        for clients in (8, 32):
            rate, median, late = load(served, clients, options.seconds)
            print(
                f"{kind:10} {clients} clients: {rate:.0f} cones/s, median {median:.1f} ms, 95 % {late:.1f} ms"
            )
            targets.append(Target(f"{kind}, cones/s with {clients} clients", rate, 200.0))
            at_most(f"95 % over median with {clients} clients", late / median, 4.0, "times")
        total, first, size, added = everything(served)
        print(
            f"{kind:10} {options.rows} rows, {size:.0f} MB: {total:.2f} s,"
            f" first byte {1000 * first:.0f} ms, +{added:.0f} MB"
        )
        bare_s, copy_ms = bare.everything_s(f"SELECT * FROM {TABLE}"), 1000 * copy_s(size)
        print(
            f"{kind:10} the bare SQL, rows thrown away: {bare_s:.2f} s, {total / bare_s:.2f} times;"
            f" a copy of the bytes: {copy_ms:.0f} ms"
        )
        bare.close()
        per_million = total * MILLION / options.rows
        if options.rows >= MILLION:
            at_most("1,000,000 rows as BINARY2", per_million, 2.0 if kind == "postgresql" else 3.5, "s")
        at_most("first byte of all rows", 1000 * first, 50.0, "ms")
        at_most("memory added", added, 64.0, "MB")
        at_most("async round trip", round_trip_ms(served), 100.0, "ms")
        at_most("upload join of 1,000 rows", upload_join_ms(served, 1000, 15), 60.0, "ms")
        if options.rows >= 5_000_000:
            at_most("upload join of 100,000 rows", upload_join_ms(served, 100_000, 3), 4000.0, "ms")
        else:
            print(f"{kind:10} upload join of 100,000 rows: {upload_join_ms(served, 100_000, 1):.0f} ms")
        for name, query in OTHERS.items():
            print(f"{kind:10} {name}: {median_ms(lambda q: served.ask(q).read(), [query] * 3):.0f} ms")
    return targets


COLOUR = "ROUND(mag_g - mag_r, 0)"
OTHERS = {
    "GROUP BY colour": f"SELECT {COLOUR} AS colour, COUNT(*) AS n FROM {TABLE} GROUP BY {COLOUR}",
    "count by a scan": f"SELECT COUNT(*) FROM {TABLE} WHERE mag_g < 19.5",
}


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=MILLION)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--databases", nargs="+", choices=["sqlite", "postgresql"], default=present())
    options = parser.parse_args()
    return verdict(*(target for kind in options.databases for target in measured(kind, options)))


if __name__ == "__main__":
    sys.exit(main())
