"""How is a server used that is measured: cones, many at once, whole tables, jobs, tables that are brought along?"""

import statistics
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from bench.clients import load, requests
from bench.service import FORM, TABLE, Service, ask

RADIUS_DEG = 0.1
SMALL = f"SELECT TOP 1 source_id FROM {TABLE}"
UPLOAD_RADIUS_DEG = 1 / 3600
JOIN = (
    f"SELECT u.id, c.source_id FROM TAP_UPLOAD.mine AS u JOIN {TABLE} AS c "
    f"ON DISTANCE(u.ra, u.dec, c.ra, c.dec) < {UPLOAD_RADIUS_DEG}"
)
"""A crossmatch of an upload at one arcsecond."""

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]


def positions(count: int, seed: int) -> Positions:
    """Right ascensions and declinations in degrees all over the sky."""
    random = np.random.default_rng(seed)
    return random.uniform(0, 360, count), np.degrees(np.arcsin(random.uniform(-1, 1, count)))


def cones(count: int, seed: int) -> list[str]:
    """Queries for cones all over the sky."""
    circle = "SELECT * FROM {} WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({:.6f}, {:.6f}, {}))"
    places = zip(*positions(count, seed), strict=True)
    return [circle.format(TABLE, ra, dec, RADIUS_DEG) for ra, dec in places]


def median_ms(run: Callable[[str], object], arguments: list[str]) -> float:
    """The median time of a call."""
    times = []
    for argument in arguments:
        began = time.perf_counter()
        run(argument)
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def many(port: int, clients: int, seconds: float) -> tuple[float, float, float]:
    """Cones by some clients at once: queries in a second, median and 95th percentile in milliseconds."""
    asked = [requests(cones(int(1000 * seconds), n), n) for n in range(clients)]
    times, took = load(port, asked, seconds)
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
        connection = served.connect()
        while not done.wait(1.0):
            connection.request("GET", f"{job}?WAIT=20&PHASE=PENDING")
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
    places = enumerate(zip(*positions(rows, rows), strict=True))
    lines = "\n".join(f"{i},{ra:.8f},{dec:.8f}" for i, (ra, dec) in places)
    fields = {"LANG": "ADQL", "QUERY": JOIN, "UPLOAD": "mine,param:table"}
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
