"""How are all rows of a table read from SQLite faster than Python can make objects of their values?

By a process that reads them as Arrow (`datamodel.scan_reader`). One is kept ready, for it takes a while to begin;
where none is ready, the rows come in the ordinary way. To stop a scan, its process is ended.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import pyarrow as pa

from datamodel.columns import Column
from datamodel.errors import ArchiveError
from datamodel.streaming import Watch

_END = "that is all\n"

_SENTINELS = {"text": "''", "i": "0", "u": "0", "f": "0.0"}


def can_scan(columns: tuple[Column, ...]) -> bool:
    """Whether columns are of types that arrive as they are kept: numbers and texts."""
    return all(_sentinel(c) for c in columns)


def _sentinel(column: Column) -> str | None:
    """A value by which the reader tells the type of a column, whatever its first rows hold."""
    datatype = column.datatype
    return _SENTINELS.get("text" if datatype.kind == "text" else datatype.numpy.kind)


class Readers:
    """The processes of one database that wait to read.

    Parameters
    ----------
    path
        Of the file.
    """

    def __init__(self, path: str) -> None:
        self._path = quote(path)
        self._lock = threading.Lock()
        self._ready: list[subprocess.Popen[bytes]] = []
        self._closed = False

    def source(self, text: str, columns: tuple[Column, ...], watch: Watch) -> "ScanSource | None":
        """A statement under way, or None where no process is ready; then one will be soon."""
        process = self._taken()
        if process is None:
            self.begin()
            return None
        sentinels = ", ".join(f"{_sentinel(c)} AS c{i}" for i, c in enumerate(columns, 1))
        text = f"SELECT {sentinels} UNION ALL SELECT * FROM ({text})"  # noqa: S608  the text is ours
        return ScanSource(
            process, json.dumps({"path": self._path, "text": text, "end": _END}), columns, watch, self._back
        )

    def begin(self) -> None:
        """Have a process ready soon."""
        threading.Thread(target=self._begin, name="scan reader", daemon=True).start()

    def _taken(self) -> "subprocess.Popen[bytes] | None":
        with self._lock:
            while self._ready:
                process = self._ready.pop()
                if process.poll() is None:
                    return process
        return None

    def _begin(self) -> None:
        with self._lock:
            if self._closed or self._ready:
                return
        command = [sys.executable, "-m", "datamodel.scan_reader"]
        pipe = subprocess.PIPE
        # In a group of its own, for Ctrl-C is not for it: it ends when we do.
        self._back(subprocess.Popen(command, stdin=pipe, stdout=pipe, process_group=0))

    def _back(self, process: "subprocess.Popen[bytes] | None") -> None:
        """A process has nothing to do, or has ended."""
        if process is None:
            self._begin()
            return
        with self._lock:
            kept = not self._closed and not self._ready
            if kept:
                self._ready.append(process)
        if not kept:
            _end(process)

    def close(self) -> None:
        """End the processes that wait."""
        with self._lock:
            self._closed = True
            processes, self._ready = self._ready, []
        for process in processes:
            _end(process)


class ScanSource:
    """All rows of a table; see `datamodel.streaming.Source`."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        request: str,
        columns: tuple[Column, ...],
        watch: Watch,
        back: Callable[["subprocess.Popen[bytes] | None"], None],
    ) -> None:
        self._process: subprocess.Popen[bytes] | None = process
        self._request: str | None = request
        self._types = [c.datatype.arrow for c in columns]
        self._names = [c.name for c in columns]
        self._watch = watch
        self._back = back
        self._lock = threading.Lock()
        self._reader: pa.RecordBatchReader | None = None
        self._ended = False

    def next(self) -> pa.RecordBatch | None:
        """See `Source`."""
        with self._lock:
            if self._ended:
                return None
            if self._process is None or self._watch.stops():
                self._kill()
                raise self._watch.error()
            try:
                batch = self._read(self._process)
            except (OSError, pa.ArrowException) as failure:
                self._kill()
                if self._watch.stops():
                    raise self._watch.error() from None
                raise ArchiveError("a process that reads a table has ended before its end") from failure
            if batch is None:
                self._ended = True
                self._give_back()
            return batch

    def ended(self, patience_s: float) -> bool:
        """See `Source`."""
        return self._ended

    def close(self) -> None:
        """See `Source`."""
        self._watch.close()
        process = self._process
        if process is not None and not self._ended:
            process.kill()  # whoever reads from it is let go
        with self._lock:
            self._kill()

    def _read(self, process: "subprocess.Popen[bytes]") -> pa.RecordBatch | None:
        assert process.stdin is not None
        assert process.stdout is not None
        if self._reader is None:
            process.stdin.write(f"{self._request}\n".encode())
            process.stdin.flush()
            self._reader = pa.ipc.open_stream(process.stdout)
            return self._typed(self._reader.read_next_batch().slice(1)) or self._read(process)
        try:
            return self._typed(self._reader.read_next_batch())
        except StopIteration:
            if process.stdout.readline() != _END.encode():
                raise OSError("the stream broke off") from None
            return None

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        """The batch in the types of the columns, which are never wider than those of SQLite; None without rows."""
        if not batch.num_rows:
            return None
        arrays = [a.cast(t) for a, t in zip(batch.columns, self._types, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, names=self._names)

    def _give_back(self) -> None:
        process, self._process = self._process, None
        self._back(process)

    def _kill(self) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            _end(process)
            threading.Thread(target=self._back, args=(None,), name="scan reader", daemon=True).start()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
