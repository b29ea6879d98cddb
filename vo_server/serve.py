"""How is the application served? By gunicorn as a library: a master that forks workers with threads."""

import logging
import os
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any

import gunicorn.http.wsgi
from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from datamodel.archive import Archive
from datamodel.config import Config
from processing.opening import open_archive
from vo_server import __version__, site
from vo_server.app import create_app
from vo_server.kept_connections import KeptConnections
from vo_server.qc import webhooks
from vo_server.tap import tap_schema
from vo_server.uws.crew import Crew

SETTINGS: dict[str, Any] = {
    "worker_class": KeptConnections,
    "keepalive": 5,
    "timeout": 120,  # of a worker's own heartbeat: a request may last as long as it takes to make its target
    "graceful_timeout": 10,
    "limit_request_line": 8190,
    "limit_request_fields": 100,
    "limit_request_field_size": 8190,
    "forwarded_allow_ips": "",  # nothing about a request is believed because a proxy says so
    "control_socket_disable": True,
}

SILENT_READER_S = 300
SILENT_SENDER_S = 60

log = logging.getLogger("vo_server")


def serve(config: Config, announce: Callable[[str], None] = lambda base_url: None) -> int:
    """Serve until interrupted; gives the exit code, 0 for a clean end.

    Parameters
    ----------
    config
        Where the archive is, and the address, threads and processes.
    announce
        Called once, with the base URL, when requests are accepted.

    Raises
    ------
    UsageError
        The configuration has no meaning, or a class was changed in a way that old rows cannot follow.
    """
    webhooks.receivers(config)
    prepare(config)
    try:
        _Server(config, announce).run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def prepare(config: Config) -> None:
    """Bring an archive's tables and TAP_SCHEMA up to date, and close it: workers open it for themselves."""
    archive = open_archive(config)
    try:
        if tap_schema.update_tap_schema(archive, tap_schema.tables(config)):
            log.info("TAP_SCHEMA was brought up to date")
    finally:
        archive.close()


class _Server(BaseApplication):  # type: ignore[misc]
    """Gunicorn's idea of an application: settings, and a function that each worker calls after the fork."""

    def __init__(self, config: Config, announce: Callable[[str], None]) -> None:
        self._config = config
        self._announce = announce
        self._archive: Archive | None = None
        self._crew = Crew(config)
        gunicorn.http.wsgi.SERVER = f"vo-server/{__version__}"  # there is no setting for it
        super().__init__()

    def load_config(self) -> None:
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        own = {
            "bind": f"{host}:{self._config.port}",
            "workers": self._config.processes,
            "threads": self._config.threads,
            "logger_class": _Log,
            "loglevel": self._config.log_level,
            "proc_name": "vo-server",
            "when_ready": self._when_ready,
            "worker_int": self._leave,
            "on_exit": lambda _arbiter: self._crew.close(),
            "worker_exit": lambda _arbiter, _worker: self._close(),
        }
        for name, value in (SETTINGS | own).items():
            if name in self.cfg.settings:  # older versions lack some
                self.cfg.set(name, value)

    def run(self) -> None:
        _Arbiter(self, self._crew).run()

    def load(self) -> Flask:
        self._archive = Archive(self._config)  # the master has prepared it
        self._archive.database.keep_readers()
        archive = self._archive
        archive.resource("webhooks", lambda: webhooks.Sender(archive))
        return create_app(self._archive)

    def _when_ready(self, arbiter: Any) -> None:
        for listener in arbiter.LISTENERS:
            _bound(listener.sock)
        url = site.base_url(self._config)
        log.info("serving %s", url)
        if self._config.host in site.ANY_ADDRESS and not self._config.base_url:
            log.warning(
                "requests under other names than localhost are refused; set base_url to have them taken"
            )
        self._announce(url)

    def _leave(self, worker: Any) -> None:
        """Leave at once when interrupted; threads that write to readers who do not read would stay for long."""
        for again in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):  # the master sends another
            signal.signal(again, signal.SIG_IGN)
        self._close()
        logging.shutdown()
        os._exit(0)

    def _close(self) -> None:
        if self._archive is not None:
            self._archive.close()


class _Arbiter(Arbiter):  # type: ignore[misc]
    """The master of the server's processes, which looks after the workers of jobs as well."""

    def __init__(self, application: BaseApplication, crew: Crew) -> None:
        self._crew = crew
        super().__init__(application)

    def manage_workers(self) -> None:
        """Start what is missing; called every second."""
        super().manage_workers()
        self._crew.mend()


class _Log(Logger):  # type: ignore[misc]
    """Has gunicorn write into the log of the project."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log = logging.getLogger("vo_server.gunicorn")
        self.error_log.setLevel(logging.DEBUG if cfg.loglevel.upper() == "DEBUG" else logging.WARNING)
        self.access_log = logging.getLogger("vo_server.access")

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        seconds = request_time.total_seconds()
        asked = f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']!r}"
        who, status = environ.get("REMOTE_ADDR", "-"), str(resp.status).partition(" ")[0]
        self.access_log.info("%s %s %s %s bytes %.3f s", who, asked, status, resp.sent, seconds)


def _bound(listener: socket.socket) -> None:
    """Bound how long a silent client holds a thread; on Linux a connection inherits it from its listener."""
    for option, seconds in ((socket.SO_SNDTIMEO, SILENT_READER_S), (socket.SO_RCVTIMEO, SILENT_SENDER_S)):
        listener.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", seconds, 0))
