"""How does a whole archive with a made-up catalogue get served for a measurement, as a site would serve it?"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.databases import on_the_sky, server
from bench.encoder import made_up

TABLE = "bench.catalogue"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Service:
    """A server under way.

    Attributes
    ----------
    port
        On the loopback address.
    pid
        Of its master process.
    url
        Of its database.
    """

    port: int
    pid: int
    url: str
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        """Another connection, which is kept."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def ask(self, adql: str, **parameters: str) -> http.client.HTTPResponse:
        """Post a query on the kept connection; the answer has to be read."""
        return ask(self.connection, adql, **parameters)

    def processes(self) -> list[int]:
        """The master and all that come from it."""
        found, children = [self.pid], _children()
        for pid in found:
            found += children.get(pid, [])
        return found

    def memory_mb(self) -> float:
        """What all processes hold for themselves: proportional set size."""
        return sum(_pss_kb(pid) for pid in self.processes()) / 1024


def ask(
    connection: http.client.HTTPConnection, adql: str, client: int = 0, **parameters: str
) -> http.client.HTTPResponse:
    """Post a query to ``/tap/sync``, as the client with some number."""
    form = {"LANG": "ADQL", "QUERY": adql} | parameters
    headers = FORM | {"X-Forwarded-For": f"192.0.2.{client}"}
    connection.request("POST", "/tap/sync", urllib.parse.urlencode(form), headers)
    response = connection.getresponse()
    if response.status != 200:
        raise RuntimeError(response.read()[:2000].decode())
    return response


@contextmanager
def service(kind: str, rows: int, processes: int) -> Iterator[Service]:
    """An archive on a kind of database, with a catalogue of made-up sources, served until the block ends."""
    with server(kind) as url, tempfile.TemporaryDirectory(prefix="vo-bench-archive-", dir="/tmp") as name:
        folder, file = Path(name) / "archive", Path(name) / "catalogue.parquet"
        pq.write_table(_table(rows), file, row_group_size=1 << 17)
        settings = {"VO_ARCHIVE": str(folder), "VO_PROCESSES": str(processes), "VO_LOG_LEVEL": "ERROR"}
        settings["VO_TRUSTED_PROXIES"] = "127.0.0.1"  # so that each client counts for itself
        if kind != "sqlite":
            settings["VO_DATABASE_URL"] = url
        else:
            url = f"sqlite:///{folder}/archive.sqlite"
        environment = os.environ | settings
        began = time.perf_counter()
        _run(environment, "catalogue", "add", str(file), "--name", TABLE, "--ra", "ra", "--dec", "dec")
        print(f"{kind:10} catalogue add, {rows} rows: {time.perf_counter() - began:.1f} s")
        with _served(environment, url) as made:
            yield made


def _table(rows: int) -> pa.Table:
    batch = on_the_sky(made_up(rows))
    table = pa.Table.from_batches([batch])
    return table.drop_columns(["hpx29"])


@contextmanager
def _served(environment: dict[str, str], url: str) -> Iterator[Service]:
    port = _free_port()
    command = [sys.executable, "-m", "vo_server.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        _wait(port, process)
        yield Service(port, process.pid, url)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def nothing(processes: int) -> Iterator[http.client.HTTPConnection]:
    """A connection to an application that answers nothing, served in the same way."""
    port = _free_port()
    options = ["-k", "gthread", "-w", str(processes), "--threads", "32", "-b", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "gunicorn", *options, "--log-level", "error", "bench.service:blank"]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        _wait(port, process)
        yield http.client.HTTPConnection("127.0.0.1", port)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def blank(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The application that answers nothing."""
    start_response("200 OK", [("Content-Length", "0")])
    return []


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    while process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/tap/availability")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the server ended")


def _run(environment: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "vo_server.cli", *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True)


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        found.setdefault(parent, []).append(int(path.parent.name))
    return found


def _pss_kb(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
