"""How are many clients played at once without taking the time of the server that is measured?

One thread asks for all of them, with requests that were written before: no thread of Python's waits for another.
"""

import itertools
import selectors
import socket
import time
import urllib.parse
from collections.abc import Iterator

from bench.service import FORM

_RECEIVED = 1 << 16


def requests(queries: list[str], client: int) -> list[bytes]:
    """Each query as the bytes that one client sends on a connection which is kept."""
    return [_request(query, client) for query in queries]


def _request(query: str, client: int) -> bytes:
    body = urllib.parse.urlencode({"LANG": "ADQL", "QUERY": query})
    head = FORM | {
        "Host": "127.0.0.1",
        "X-Forwarded-For": f"192.0.2.{client}",
        "Content-Length": str(len(body)),
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"POST /tap/sync HTTP/1.1\r\n{lines}\r\n{body}".encode()


class Client:
    """A client that asks again as soon as it has its answer; from the beginning where it has asked everything."""

    def __init__(self, port: int, asked: list[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._asked: Iterator[bytes] = itertools.cycle(asked)
        self.times: list[float] = []
        self.ask()

    def ask(self) -> None:
        """Send the next request."""
        self._received, self._began = b"", time.perf_counter()
        self.socket.sendall(next(self._asked))

    def receive(self) -> bool:
        """Take what has come; whether that was the end of an answer."""
        more = self.socket.recv(_RECEIVED)
        if not more:
            raise RuntimeError("a connection was closed")
        self._received += more
        if not _is_whole(self._received):
            return False
        self.times.append(time.perf_counter() - self._began)
        return True


def _is_whole(answer: bytes) -> bool:
    head, between, body = answer.partition(b"\r\n\r\n")
    if not between:
        return False
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(answer[:2000].decode(errors="replace"))
    _, told, length = head.lower().partition(b"\r\ncontent-length:")
    if told:
        return len(body) >= int(length.split(b"\r\n", 1)[0])
    return body.endswith(b"0\r\n\r\n")


def load(port: int, asked: list[list[bytes]], seconds: float) -> tuple[list[float], float]:
    """The times of all answers to some clients at once, and how long the clients asked, in seconds."""
    began = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        clients = [Client(port, each) for each in asked]
        for client in clients:
            selector.register(client.socket, selectors.EVENT_READ, client)
        while selector.get_map():
            for key, _ in selector.select():
                client = key.data
                if client.receive():
                    if time.perf_counter() - began < seconds:
                        client.ask()
                    else:
                        selector.unregister(client.socket)
                        client.socket.close()
    return [each for client in clients for each in client.times], time.perf_counter() - began
