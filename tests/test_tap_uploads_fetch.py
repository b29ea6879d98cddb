"""Are tables fetched only from whom a site allows, within bounds, and never from inside its network?"""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from datamodel.config import Config
from datamodel.errors import QueryTimeoutError, UsageError
from vo_server.tap import upload_fetch
from vo_server.tap.upload_fetch import Rules, allowed, fetch

DRIP_S = 0.005


class Handler(BaseHTTPRequestHandler):
    """Answers by the path that is asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        getattr(self, "answer_" + self.path[1:].partition("?")[0].partition(".")[0])()

    def begin(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def answer_plain(self) -> None:
        asked = f"{self.path} {self.headers['Host']} {self.headers['Accept']}".encode()
        self.begin(Content_Type="text/csv; charset=utf-8", Content_Length=str(len(asked)))
        self.wfile.write(asked)

    def answer_chunked(self) -> None:
        self.begin(Transfer_Encoding="chunked")
        self.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")

    def answer_unending(self) -> None:
        self.begin(Connection="close")
        self.close_connection = True
        for _ in range(1000):
            self.wfile.write(b"x" * 10_000)

    def answer_half(self) -> None:
        self.begin(Content_Length="100")
        self.wfile.write(b"x" * 50)
        self.close_connection = True

    def answer_cut(self) -> None:
        self.begin(Transfer_Encoding="chunked")
        self.wfile.write(b"ff\r\nabc")
        self.close_connection = True

    def answer_dripping(self) -> None:
        self.begin(Connection="close")
        self.drip(b"x")

    def answer_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        self.drip(b"y")

    def drip(self, data: bytes) -> None:
        self.close_connection = True
        for _ in range(1000):
            self.wfile.write(data)
            time.sleep(DRIP_S)

    def answer_absent(self) -> None:
        self.begin(404, Content_Length="0")

    def answer_moved(self) -> None:
        self.begin(302, Location="/plain?moved", Content_Length="0")

    def answer_round(self) -> None:
        self.begin(307, Location=self.path, Content_Length="0")

    def answer_away(self) -> None:
        self.begin(301, Location=self.path.partition("?")[2], Content_Length="0")

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Host and port of a server that answers as `Handler` does."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def rules(host: str) -> Rules:
    return Rules.of(Config(upload_hosts=host, upload_networks="127.0.0.0/8", upload_bytes=1_000_000))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("plain.csv?a=b", b"/plain.csv?a=b {host} */*"),
        ("moved", b"/plain?moved {host} */*"),
        ("chunked", b"abcde"),
    ],
)
def test_what_a_url_gives_is_stored(
    path: str, content: bytes, host: str, rules: Rules, tmp_path: Path
) -> None:
    part = fetch(f"http://{host}/{path}", tmp_path / "t", rules)
    assert part.path.read_bytes() == content.replace(b"{host}", host.encode())


def test_what_the_server_says_of_it_is_kept(host: str, rules: Rules, tmp_path: Path) -> None:
    part = fetch(f"http://{host}/plain.csv", tmp_path / "t", rules)
    assert (part.content_type, part.filename) == ("text/csv", "plain.csv")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("absent", "answers with status 404, expected 200"),
        ("half", "gives no whole answer"),
        ("cut", "gives no whole answer"),
        ("unending", "gives more than the 1000000 bytes"),
        ("round", "redirects more than 5 times"),
        ("away?http://169.254.169.254/latest", "cannot be uploaded from 'http://169.254.169.254/latest'"),
        ("away?file:///etc/passwd", "'file:///etc/passwd' is no URL to upload from, expected http or https"),
        ("away?http://127.0.0.1:1/", "cannot be uploaded from 'http://127.0.0.1:1/'"),
    ],
)
def test_an_answer_that_is_no_table_is_told(
    path: str, told: str, host: str, rules: Rules, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as raised:
        fetch(f"http://{host}/{path}", tmp_path / "t", rules)
    assert told in str(raised.value)


@pytest.mark.parametrize("path", ["dripping", "headers"])
def test_a_server_that_drips_is_left_when_the_time_is_over(
    path: str, host: str, rules: Rules, tmp_path: Path
) -> None:
    """Each byte comes in time; all of them would take a hundred times the limit."""
    began = time.monotonic()
    with pytest.raises(UsageError, match=r"gave no whole table within 0\.05 s"):
        fetch(f"http://{host}/{path}", tmp_path / "t", replace(rules, seconds=0.05))
    assert time.monotonic() - began < 1000 * DRIP_S / 2


def test_a_server_that_says_nothing_is_left_when_the_time_is_over(tmp_path: Path) -> None:
    """Its end of the connection is open, but no handshake is answered."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        named = f"127.0.0.1:{silent.getsockname()[1]}"
        rules = Rules.of(Config(upload_hosts=named, upload_networks="127.0.0.1", upload_seconds=0.05))
        for scheme in ("http", "https"):
            with pytest.raises(UsageError, match=r"within 0\.05 s"):
                fetch(f"{scheme}://{named}/", tmp_path / "t", rules)


def test_a_server_that_does_not_speak_tls_is_told(host: str, rules: Rules, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gives no whole answer"):
        fetch(f"https://{host}/plain", tmp_path / "t", rules)


def test_fetching_ends_when_nobody_wants_it(host: str, rules: Rules, tmp_path: Path) -> None:
    with pytest.raises(QueryTimeoutError):
        fetch(f"http://{host}/unending", tmp_path / "t", rules, lambda: True)


@pytest.mark.parametrize(
    ("hosts", "url"),
    [
        ("", "http://example.org/t"),
        ("example.org", "http://example.com/t"),
        ("example.org", "http://example.org.evil.net/t"),
        ("example.org", "http://evil.example.org/t"),
        ("example.org", "http://example.org:8080/t"),
        ("example.org:8080", "http://example.org/t"),
        ("*", "http://example.org:22/t"),
        ("example.org", "https://evil.net\\@example.org/t"),
    ],
)
def test_only_hosts_that_are_named_are_asked(
    hosts: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("a host was looked up"))
    with pytest.raises(UsageError):
        fetch(url, tmp_path / "t", Rules.of(Config(upload_hosts=hosts)))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/t",
        "http:///t",
        "http://user@example.org/t",
        "http://example.org:x/t",
        "http://[::1/t",
        "http://example.org/\r\nX: y",
        "http://exämple.org/",
        "http:",
    ],
)
def test_what_is_no_url_of_a_table_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        fetch(url, tmp_path / "t", Rules.of(Config(upload_hosts="*,example.org")))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0.0.0.0/",
        "http://169.254.169.254/",
        "http://10.0.0.1/",
        "https://192.168.1.1/",
    ],
)
def test_no_address_inside_is_connected_to_however_it_is_written(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    with pytest.raises(UsageError, match="has no public address"):
        fetch(url, tmp_path / "t", Rules.of(Config(upload_hosts="*")))


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Have names resolve to each of the answers in turn."""
    left = iter(answers)

    def look_up(_host: str, port: int, **_: object) -> list[tuple]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(left)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def test_the_address_that_was_checked_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A name that would be another address at the next look-up gains nothing (DNS rebinding)."""
    _resolving(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    asked: list[tuple[str, int]] = []

    def connect(_socket: socket.socket, address: tuple[str, int]) -> None:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(UsageError, match="does not answer"):
        fetch("http://example.org/t", tmp_path / "t", Rules.of(Config(upload_hosts="example.org")))
    assert asked == [("93.184.215.14", 80)]


def test_a_name_with_one_address_inside_is_not_asked_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _resolving(monkeypatch, ["93.184.215.14", "10.0.0.1"])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    with pytest.raises(UsageError, match="has no public address"):
        fetch("http://example.org/t", tmp_path / "t", Rules.of(Config(upload_hosts="example.org")))


def test_a_redirection_to_an_address_inside_is_not_followed(
    host: str, rules: Rules, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _resolving(monkeypatch, ["127.0.0.1"], ["10.0.0.1"])
    rules = replace(rules, hosts=rules.hosts | {"inside.example"})
    with pytest.raises(UsageError, match=r"the host of 'http://inside\.example/' has no public address"):
        fetch(f"http://{host}/away?http://inside.example/", tmp_path / "t", rules)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        *((a, False) for a in ("10.1.2.3", "172.16.0.1", "192.168.0.1", "100.64.0.1", "127.0.0.53")),
        *((a, False) for a in ("0.0.0.0", "169.254.169.254", "224.0.0.1", "224.0.1.1", "255.255.255.255")),
        *(
            (a, False)
            for a in ("192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fec0::1")
        ),
        *(
            (a, False)
            for a in ("ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1")
        ),
    ],
)
def test_only_public_addresses_are_allowed(address: str, expected: bool) -> None:
    assert allowed(ipaddress.ip_address(address), ()) is expected


def test_networks_that_a_site_names_are_allowed() -> None:
    networks = Rules.of(Config(upload_networks="10.1.0.0/16, fc00::/7")).networks
    inside = ("10.1.2.3", "::ffff:10.1.2.3", "fd12::1")
    outside = ("10.2.0.1", "127.0.0.1", "::1")
    assert [allowed(ipaddress.ip_address(a), networks) for a in inside] == [True] * 3
    assert [allowed(ipaddress.ip_address(a), networks) for a in outside] == [False] * 3


def test_a_network_that_cannot_be_read_is_told() -> None:
    with pytest.raises(UsageError, match="setting 'upload_networks' has 'inside', expected a network"):
        Rules.of(Config(upload_networks="inside"))


def test_every_redirection_status_is_known() -> None:
    assert set(upload_fetch._REDIRECTIONS) == {301, 302, 303, 307, 308}
