"""What a site may set: one frozen Config, from one TOML file and the environment.

It is read where a program starts and passed on. A setting ``x`` is overridden by ``$VO_X``.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from datamodel.errors import UsageError, nearest


def setting(default: Any, doc: str) -> Any:
    """A setting with its default and the sentence that documents it."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True)
class Config:
    """Every setting of an archive, with its meaning in the field's metadata."""

    archive: Path = setting(
        Path("archive"), "folder that holds the archive: its database, bytes and quarantine"
    )
    database_url: str = setting(
        "", "SQLAlchemy URL of the database; empty for SQLite inside the archive folder"
    )
    title: str = setting("A live archive", "name of the archive as people read it")
    authority: str = setting("example.org", "IVOA naming authority in identifiers (ivo://authority/archive)")
    archive_name: str = setting("archive", "resource key in identifiers, after the authority")
    base_url: str = setting(
        "", "absolute URL the archive is reached under; empty for http://host:port as served"
    )
    trusted_hosts: str = setting("", "further host names, comma-separated, under which requests are accepted")
    trusted_proxies: str = setting(
        "",
        "addresses of reverse proxies, comma-separated, whose X-Forwarded-For says who asks, and whose "
        "X-Forwarded-Proto says whether by https",
    )
    login: str = setting(
        "secure",
        "how passwords and tokens may come: secure (by https, or on the loopback interface), anywhere (also by http, "
        "which everybody on the way can read) or none (nobody logs in)",
    )
    login_hours: float = setting(
        12.0,
        "time after which a log-in on the pages ends, and a token that a program was given for a password",
    )
    host: str = setting("127.0.0.1", "address to listen on")
    port: int = setting(8000, "port to listen on")
    threads: int = setting(32, "threads per server process")
    processes: int = setting(1, "server processes")
    project: str = setting("demo", "project in which objects are made where none is said")
    level: int = setting(
        4, "privileges 1 to 5 at which objects are ingested and made from the command line and the prompt"
    )
    instruments: str = setting("", "folder with a site's own instrument files, besides the shipped ones")
    workers: int = setting(2, "processes that run recipes")
    maxrec: int = setting(100_000, "rows in an answer where MAXREC is not given")
    maxrec_limit: int = setting(20_000_000, "rows in an answer at the most, whatever MAXREC says")
    query_seconds: float = setting(60.0, "time after which a query is interrupted")
    slow_query_seconds: float = setting(
        10.0, "time in the database after which a query is logged, with who asked it, its rows and its text"
    )
    queries_per_caller: int = setting(6, "queries of one caller under way at a time, in each server process")
    queries_at_once: int = setting(
        16, "queries under way at a time in each server process; at most half of its threads"
    )
    queries_waiting: int = setting(
        6, "queries that may wait for their turn in each server process; at most a quarter of its threads"
    )
    queue_seconds: float = setting(3.0, "how long a query waits for its turn before it is refused")
    answer_bytes: int = setting(
        10_000_000_000, "values in one answer at the most, in bytes; what is beyond is cut off as by MAXREC"
    )
    patience_seconds: float = setting(
        2.0, "how long a reader may delay a batch before the rest is spooled to disk"
    )
    spool_bytes: int = setting(10_000_000_000, "size of one spooled answer at the most")
    upload_bytes: int = setting(
        200_000_000,
        "size of the tables uploaded with one query at the most, and of each when it is decompressed",
    )
    upload_rows: int = setting(
        1_000_000, "rows of the tables uploaded with one query at the most, all together"
    )
    upload_seconds: float = setting(
        30.0, "time after which fetching an uploaded table by its URL is given up"
    )
    upload_hosts: str = setting(
        "",
        "hosts, or host:port, comma-separated, from whose http and https URLs tables may be uploaded; "
        "* for all; empty for none",
    )
    upload_networks: str = setting(
        "",
        "networks such as 10.1.0.0/16, comma-separated, whose addresses these hosts may have, besides public ones",
    )
    mydb_quota: int = setting(
        1 << 30,
        "bytes that the tables of one account may have together; `vo-server user quota` gives some more",
    )
    udfs: str = setting(
        "", "Python files, comma-separated, that declare further functions for queries: see the page on them"
    )
    name_service: str = setting(
        "",
        "URL with {name} in it where ivo_simbadpoint looks up names that are not known here, such as that of CDS's "
        "Sesame with -oI; empty for none",
    )
    makes_per_caller: int = setting(2, "targets that one caller may have made at a time over HTTP")
    makes_at_once: int = setting(8, "targets made at a time over HTTP, all callers together")
    raw_bytes: int = setting(2_000_000_000, "size of one raw file at the most, decompressed")
    job_workers: int = setting(
        2, "processes that run asynchronous jobs beside the server's own; `vo-server worker` adds more"
    )
    jobs_per_caller: int = setting(
        4, "jobs of one caller that run at a time; further ones wait for their turn"
    )
    jobs_waiting_per_caller: int = setting(
        500, "jobs of one caller that have not ended; beyond that, new ones are refused"
    )
    jobs_waiting: int = setting(20_000, "the same for all callers together")
    jobs_kept_per_caller: int = setting(
        200_000, "jobs kept for one caller, ended or not; beyond that, new ones are refused"
    )
    standings_checked: int = setting(
        1000,
        "how many products a day workers compare with a walk of their plans, to see that the index is true",
    )
    standing_views: int = setting(
        8,
        "how many projects have an index of how products stand as their members see it, beside the world's; "
        "each is as large as that, and is kept where a project has what the world does not see",
    )
    job_seconds: int = setting(3600, "time that a job may run where it asks for no other")
    job_seconds_limit: int = setting(6 * 3600, "time that a job may run, whatever it asks for")
    job_days: float = setting(
        7.0, "time after which a job and its results are deleted where it asks for no other"
    )
    job_days_limit: float = setting(30.0, "time after which a job is deleted, whatever it asks for")
    job_bytes: int = setting(20_000_000_000, "size of the results of one job at the most")
    spare_bytes: int = setting(
        1_000_000_000,
        "room on the disk of the archive that results of jobs leave; where there is less, none are taken",
    )
    qc_webhooks: str = setting(
        "",
        "URLs, comma-separated, to which what was flagged or judged is posted as JSON; empty for none",
    )
    qc_webhook_level: int = setting(
        4, "privileges 1 to 5 that an object has at the least to be told of there"
    )
    contact: str = setting(
        "", "address of mail, or of a page, of those who answer for the archive; told in every answer"
    )
    gzip: str = setting(
        "text",
        "what is compressed for clients that take it: none, text (documents, and answers in text formats) or all",
    )
    log_level: str = setting("INFO", "DEBUG, INFO, WARNING or ERROR")

    @property
    def database(self) -> str:
        """The URL of the database, with the embedded default filled in."""
        return self.database_url or f"sqlite:///{self.archive / 'archive.sqlite'}"


def read_config(path: Path | None = None, environ: Mapping[str, str] | None = None, **given: Any) -> Config:
    """The configuration: defaults, then the file, then the environment, then what was given.

    Parameters
    ----------
    path
        TOML file; where None, ``$VO_CONFIG`` or no file.
    environ
        The environment; the process's own by default.
    **given
        Settings from the command line; None means not given.

    Raises
    ------
    UsageError
        A setting is unknown or its value cannot be read; the message quotes it.
    """
    environ = os.environ if environ is None else environ
    path = path or (Path(environ["VO_CONFIG"]) if environ.get("VO_CONFIG") else None)
    raw: dict[str, Any] = _read_file(path) if path else {}
    names = [f.name for f in fields(Config)]
    raw |= {n: environ[f"VO_{n.upper()}"] for n in names if f"VO_{n.upper()}" in environ}
    raw |= {name: value for name, value in given.items() if value is not None}
    unknown = sorted(set(raw) - set(names))
    if unknown:
        raise UsageError(f"unknown setting '{unknown[0]}'{nearest(unknown[0], names)}")
    hints = get_type_hints(Config)
    return Config(**{name: _convert(name, value, hints[name]) for name, value in raw.items()})


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {path}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{path} is not a TOML file: {error}") from None


def _convert(name: str, value: Any, to: type) -> Any:
    try:
        return value if isinstance(value, to) else to(value)
    except (TypeError, ValueError):
        raise UsageError(f"setting '{name}' is '{value}', expected {to.__name__}") from None
