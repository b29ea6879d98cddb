"""A process that reads whole tables of SQLite as Arrow: asked by `datamodel.scanning` on its standard input.

The driver that reads at the speed of C brings an SQLite of its own. Two of them in one process would take each
other's locks away (sqlite.org, "How To Corrupt An SQLite Database File", section 2.2.1), so this is another one.
"""

import io
import json
import sys
from contextlib import closing
from typing import BinaryIO

import adbc_driver_sqlite.dbapi
import pyarrow as pa

BATCH_ROWS = 8_192


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests, one a line: each with one Arrow IPC stream and what it wants to be told at the end."""
    # What takes a while for the first time is done before anybody waits for it.
    _answer("file::memory:", "SELECT 0, 0.0, ''", io.BytesIO())
    for line in requests:
        asked = json.loads(line)
        _answer(f"file:{asked['path']}?mode=ro", asked["text"], answers)
        # An IPC stream that breaks off looks as if it had come to its end.
        answers.write(asked["end"].encode())
        answers.flush()


def _answer(uri: str, text: str, answers: BinaryIO) -> None:
    with (
        closing(adbc_driver_sqlite.dbapi.connect(uri)) as connection,
        closing(connection.cursor(adbc_stmt_kwargs={"adbc.sqlite.query.batch_rows": BATCH_ROWS})) as cursor,
    ):
        cursor.execute(text)
        reader = cursor.fetch_record_batch()
        with pa.ipc.new_stream(answers, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)
                answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
