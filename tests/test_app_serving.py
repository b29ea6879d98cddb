"""Does the production server start, answer from its workers, and end when interrupted?"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import pytest

from datamodel.archive import Archive

PROGRAM = """
import sys
from pathlib import Path
from datamodel.config import Config
from vo_server.serve import serve
folder, port, url = sys.argv[1:]
config = Config(archive=Path(folder), port=int(port), database_url=url, threads=2, processes=2, job_workers=0)
sys.exit(serve(config, lambda base_url: print("at", base_url, flush=True)))
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.mark.thorough
def test_two_processes_serve_until_they_are_interrupted(archive: Archive, tmp_path: Path) -> None:
    archive.close()
    port = free_port()
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "served"), str(port), archive.config.database],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        process_group=0,
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == f"at http://127.0.0.1:{port}\n"
        query = "LANG=ADQL&FORMAT=csv&QUERY=SELECT+COUNT(*)+AS+n+FROM+tap_schema.schemas"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/tap/sync?{query}", timeout=30) as answer:
            assert answer.read() == b"n\r\n3\r\n"
            assert answer.headers.get_all("Server") == ["vo-server/0.1.0"]
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(5):
            kept.request("GET", "/tap/availability")
            sock = kept.sock
            assert b"true" in kept.getresponse().read()
            assert kept.sock is sock is not None
        kept.close()
        assert _refused(port, b"a,b\n" * 5000) == [(401, "keep-alive", True)] * 3
        assert _refused(port, b"a,b\n" * 50000) == [(401, "close", False)] * 3
        assert _refused(port, [b"a,b\n" * 5000] * 10) == [(401, "close", False)] * 3
        assert _sent_at_once(port, 5) == 5
    finally:
        os.killpg(program.pid, signal.SIGINT)  # as Ctrl-C does, to what it started as well
        _, log = program.communicate(timeout=30)
    assert program.returncode == 0, log
    assert "Traceback" not in log


def _refused(port: int, table: bytes | Iterable[bytes]) -> list[tuple[int, str | None, bool]]:
    """What a stranger is told who brings a table three times: status, connection, and whether it is kept indeed."""
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    told = []
    for _ in range(3):
        pieces = iter(table) if not isinstance(table, bytes) else table
        kept.request("PUT", "/tap/tables/mydb.stars", body=pieces, headers={"Content-Type": "text/csv"})
        sock = kept.sock
        answer = kept.getresponse()
        answer.read()
        told.append((answer.status, answer.getheader("Connection"), kept.sock is sock is not None))
    kept.close()
    return told


def _sent_at_once(port: int, many: int) -> int:
    """How many are answered of requests of which none waits for the answer to another one."""
    request = b"GET /tap/availability HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request % b"" * (many - 1) + request % b"Connection: close\r\n")
        answers = b""
        while piece := connection.recv(65536):
            answers += piece
    return answers.count(b"HTTP/1.1 200 ")
