"""How is a database kept from waiting for a slow reader?

A slow reader of a large answer would hold a database cursor for as long as it likes. So a thread of its own pulls
the answer into a small memory; when it has had to wait for the reader for longer than its patience, it
puts the rest into a nameless file, the database is done with, and the reader goes on from the file.
"""

import os
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

_READ_BYTES = 1 << 18
_FAREWELL_S = 1.0


def unhurried(
    chunks: Iterator[bytes],
    *,
    patience_s: float = 10.0,
    memory_bytes: int = 16 << 20,
    folder: Path | None = None,
    max_bytes: int = 4 << 30,
    clock: Callable[[], float] = time.monotonic,
) -> "Unhurried":
    """The same bytes in the same order, pulled from `chunks` ahead of the reader.

    Parameters
    ----------
    chunks
        What is read, in a thread of its own; closed there at the end if it has a ``close``.
    patience_s
        How long, in seconds and in all, the thread may wait for the reader before it turns to the file.
    memory_bytes
        The thread waits while at least this many bytes lie in memory.
    folder
        Where the file is made; None is the system's folder for temporary files. The file has no name.
    max_bytes
        The thread waits while the file holds this much, so that the disk is bounded; a single chunk may exceed it.
    clock
        Seconds that never run backwards.
    """
    return Unhurried(chunks, patience_s, memory_bytes, folder, max_bytes, clock)


class Unhurried(Iterator[bytes]):
    """See `unhurried`. An exception of the source is raised after all bytes that came before it."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        patience_s: float,
        memory_bytes: int,
        folder: Path | None,
        max_bytes: int,
        clock: Callable[[], float],
    ) -> None:
        self._chunks = chunks
        self._patience_s = patience_s
        self._memory_bytes = memory_bytes
        self._folder = folder
        self._max_bytes = max_bytes
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._memory: deque[bytes] = deque()
        self._held = 0
        self._file: IO[bytes] | None = None
        self._read = self._written = 0
        self._stopped = self._finished = False
        self._failure: BaseException | None = None

    @property
    def spooled(self) -> bool:
        """Whether the thread has turned to the file."""
        return self._file is not None

    def begin(self) -> None:
        """Wait for the first chunk; an exception that came instead of it is raised here."""
        with self._changed:
            self._start()
            self._changed.wait_for(self._something)
            failed = self._finished and self._failure and not self._memory and self._read == self._written
        if failed:
            self._end()

    def __next__(self) -> bytes:
        with self._changed:
            self._start()
            self._changed.wait_for(self._something)
            if self._memory:
                return self._taken()
            file, left = self._file, self._written - self._read
        if left and file is not None and not self._stopped:
            return self._from_file(file, min(left, _READ_BYTES))
        return self._end()

    def close(self) -> None:
        """Stop the thread, as soon as the source gives or refuses a chunk, and remove the file."""
        with self._changed:
            self._stopped = True
            self._memory.clear()
            self._changed.notify_all()
        if self._thread is None:
            _close(self._chunks)
        elif self._thread is not threading.current_thread():
            self._thread.join(_FAREWELL_S)
        with self._changed:
            self._remove()

    def _start(self) -> None:
        if self._thread is None and not self._stopped:
            self._thread = threading.Thread(target=self._produce, name="unhurried", daemon=True)
            self._thread.start()

    def _something(self) -> bool:
        return bool(self._memory) or self._read < self._written or self._finished or self._stopped

    def _taken(self) -> bytes:
        chunk = self._memory.popleft()
        self._held -= len(chunk)
        self._changed.notify_all()
        return chunk

    def _from_file(self, file: IO[bytes], size: int) -> bytes:
        data = os.pread(file.fileno(), size, self._read)
        with self._changed:
            self._read += len(data)
            self._changed.notify_all()
        return data

    def _end(self) -> bytes:
        failure, self._failure = self._failure, None
        self.close()
        raise failure or StopIteration

    def _produce(self) -> None:
        failure: BaseException | None = None
        try:
            for chunk in self._chunks:
                if chunk and not self._deliver(chunk):
                    break
        except BaseException as raised:  # carried over to the reader
            failure = raised
        finally:
            try:
                _close(self._chunks)
            except BaseException as raised:
                failure = failure or raised
            with self._changed:
                self._failure, self._finished = failure, True
                if self._stopped:
                    self._remove()
                self._changed.notify_all()

    def _deliver(self, chunk: bytes) -> bool:
        """Into memory or, once patience has run out, the file; False when nobody reads any more."""
        if self._file is None and self._wait_for_memory():
            with self._changed:
                self._memory.append(chunk)
                self._held += len(chunk)
                self._changed.notify_all()
            return True
        return self._wait_for_disk(len(chunk)) and self._into_file(chunk)

    def _wait_for_memory(self) -> bool:
        """Whether there is room before patience runs out; the patience is less afterwards."""
        with self._changed:
            while not self._stopped and self._held >= self._memory_bytes and self._patience_s > 0:
                began = self._clock()
                self._changed.wait(min(self._patience_s, threading.TIMEOUT_MAX))
                self._patience_s -= self._clock() - began
            return not self._stopped and self._held < self._memory_bytes

    def _wait_for_disk(self, size: int) -> bool:
        """Wait until the file may grow; what has been read to its end starts again from its beginning."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopped or self._read == self._written or self._written + size <= self._max_bytes
                )
            )
            if self._read == self._written:
                self._read = self._written = 0
            return not self._stopped

    def _into_file(self, chunk: bytes) -> bool:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  closed in _remove
        end = self._written
        for begin in _progress(self._file.fileno(), chunk, end):
            with self._changed:
                self._written = begin
                self._changed.notify_all()
        return True

    def _remove(self) -> None:
        """Remove the file, unless the thread may still be writing it; then the thread does."""
        if self._file is not None and (self._finished or self._thread is None):
            self._file.close()


def _progress(descriptor: int, data: bytes, at: int) -> Iterator[int]:
    """Write all of the data, and tell where the file ends after each write."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, at)
        rest, at = rest[done:], at + done
        yield at


def _close(chunks: Iterator[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
