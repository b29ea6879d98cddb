"""Which databases can be measured here, and how does the made-up catalogue get into one?"""

import io
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import sqlalchemy as sa

from bench.encoder import COLUMNS, made_up
from datamodel.database import Database
from datamodel.sky import hpx29

TABLE = sa.Table(
    "catalogue",
    sa.MetaData(),
    *(sa.Column(c.name, c.datatype.sql()) for c in COLUMNS),
    sa.Column("hpx29", sa.BigInteger),
)
FILL_ROWS, COPIED_ROWS = 50_000, 1_000_000
SQLITE, POSTGRESQL = "sqlite", "postgresql"


def present() -> list[str]:
    """The kinds of database that are installed here."""
    return [SQLITE] + ([POSTGRESQL] if _program("initdb") else [])


@contextmanager
def server(kind: str) -> Iterator[str]:
    """The URL of an empty database, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="vo-bench-", dir="/tmp") as folder:
        if kind == SQLITE:
            yield f"sqlite:///{folder}/bench.sqlite"
            return
        rights = _unprivileged()
        if rights:
            os.chown(folder, rights["user"], rights["group"])
        run: dict[str, Any] = {"check": True, "cwd": folder, "stdout": subprocess.DEVNULL, **rights}
        data = Path(folder) / "data"
        subprocess.run([_program("initdb"), "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"], **run)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run([_program("pg_ctl"), "-D", data, "-o", options, "-w", "start"], **run)
        try:
            yield f"postgresql+psycopg2://bench@/postgres?host={folder}"
        finally:
            subprocess.run([_program("pg_ctl"), "-D", data, "-m", "immediate", "stop"], **run)


def fill(url: str, rows: int) -> None:
    """Put the made-up catalogue, with its positions indexed and in the order of the sky, into a database."""
    batch = on_the_sky(made_up(rows))
    database = Database(url)
    TABLE.create(database.engine)
    raw = database.engine.raw_connection()
    put = _put_sqlite if database.engine.dialect.name == SQLITE else _put_postgresql
    put(raw.driver_connection, batch)
    raw.close()
    with database.engine.connect() as connection:
        connection.execute(sa.text("CREATE INDEX by_place ON catalogue (hpx29)"))
        connection.commit()
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(sa.text("ANALYZE"))
    database.close()


def on_the_sky(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same sources with positions all over the sphere, none NULL, sorted by their HEALPix."""
    random = np.random.default_rng(1582)
    ra = random.uniform(0, 360, batch.num_rows)
    dec = np.degrees(np.arcsin(random.uniform(-1, 1, batch.num_rows)))
    pixels = np.asarray(hpx29(ra, dec)).astype("i8")
    order = np.argsort(pixels)
    columns = [pa.array(ra[order]), pa.array(dec[order])]
    arrays = [batch.column(0), *columns, *batch.columns[3:], pa.array(pixels[order])]
    return pa.RecordBatch.from_arrays(arrays, names=[c.name for c in TABLE.columns])


def _put_sqlite(raw: Any, batch: pa.RecordBatch) -> None:
    marks = ",".join("?" * batch.num_columns)
    raw.execute("BEGIN")
    for start in range(0, batch.num_rows, FILL_ROWS):
        rows = zip(*(c.to_pylist() for c in batch.slice(start, FILL_ROWS).columns), strict=True)
        raw.executemany(f"INSERT INTO catalogue VALUES ({marks})", rows)
    raw.execute("COMMIT")


def _put_postgresql(raw: Any, batch: pa.RecordBatch) -> None:
    with raw.cursor() as cursor:
        for start in range(0, batch.num_rows, COPIED_ROWS):
            text = io.BytesIO()
            pa.csv.write_csv(batch.slice(start, COPIED_ROWS), text, pa.csv.WriteOptions(include_header=False))
            text.seek(0)
            cursor.copy_expert("COPY catalogue FROM STDIN (FORMAT CSV)", text)
    raw.commit()


def _program(name: str) -> str | None:
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[4]))
    return str(places[-1]) if places else shutil.which(name)


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
