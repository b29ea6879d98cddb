"""Does a slow reader get every byte in order, while the source is done with early?"""

import itertools
import os
import threading

import pytest

from vo_server.formats.spool import unhurried

CHUNKS = [bytes([i]) * 100 for i in range(20)]


class Source:
    """Chunks that tell when the last was taken and when they were closed."""

    def __init__(self, chunks=CHUNKS, failure=None):
        self.chunks = iter(chunks)
        self.failure = failure
        self.taken = 0
        self.closed = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        for chunk in self.chunks:
            self.taken += 1
            return chunk
        if self.failure:
            raise self.failure
        raise StopIteration

    def close(self):
        self.closed.set()


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_quick_reader_gets_everything_and_no_file_is_made(tmp_path):
    source = Source()
    reader = unhurried(source, patience_s=60, folder=tmp_path)
    assert b"".join(reader) == b"".join(CHUNKS)
    assert not reader.spooled
    assert source.closed.is_set()


def test_memory_is_bounded_and_the_source_waits_for_the_reader(tmp_path):
    source = Source()
    reader = unhurried(source, patience_s=3600, memory_bytes=300, folder=tmp_path)
    got = []
    for chunk in reader:
        got.append(chunk)
        assert source.taken <= len(got) + 4
    assert got == CHUNKS
    assert not reader.spooled


def test_a_slow_reader_releases_the_source_and_still_gets_everything_in_order(tmp_path):
    source = Source()
    reader = unhurried(source, patience_s=0, memory_bytes=250, folder=tmp_path)
    first = next(reader)
    assert source.closed.wait(10), "the source must be done with although only one chunk was read"
    assert reader.spooled
    assert list(tmp_path.iterdir()) == [], "the file has no name"
    assert first + b"".join(reader) == b"".join(CHUNKS)


def test_the_file_goes_when_everything_was_read(tmp_path):
    before = descriptors()
    reader = unhurried(Source(), patience_s=0, memory_bytes=1, folder=tmp_path)
    assert b"".join(reader) == b"".join(CHUNKS)
    assert descriptors() == before


def test_patience_is_for_all_waits_together(tmp_path):
    calls, began = itertools.count(), threading.Semaphore(0)

    def clock():
        """Every wait begins with an even call, ends with an odd one, and has taken 60 s."""
        call = next(calls)
        if call % 2 == 0:
            began.release()
        return 60.0 * call

    source = Source()
    reader = unhurried(source, patience_s=100, memory_bytes=100, folder=tmp_path, clock=clock)
    got = [next(reader)]
    for _ in range(2):
        assert began.acquire(timeout=10)
        got.append(next(reader))
    assert source.closed.wait(10)
    assert reader.spooled
    assert b"".join([*got, *reader]) == b"".join(CHUNKS)


@pytest.mark.parametrize("patience_s", [0, 3600], ids=["from the file", "from memory"])
def test_a_failure_reaches_the_reader_after_all_that_came_before_it(tmp_path, patience_s):
    source = Source(failure=ZeroDivisionError("here"))
    reader = unhurried(source, patience_s=patience_s, memory_bytes=150, folder=tmp_path)
    got = []
    with pytest.raises(ZeroDivisionError, match="here"):
        got.extend(reader)
    assert b"".join(got) == b"".join(CHUNKS)
    assert source.closed.is_set()
    assert list(reader) == []


def test_closing_stops_a_waiting_source_at_once(tmp_path):
    source = Source()
    reader = unhurried(source, patience_s=3600, memory_bytes=100, folder=tmp_path)
    next(reader)
    reader.close()
    assert source.closed.is_set()
    assert source.taken < len(CHUNKS)
    assert list(reader) == []


def test_closing_an_unread_answer_closes_the_source():
    source = Source()
    unhurried(source).close()
    assert source.closed.is_set()
    assert source.taken == 0


def test_closing_removes_the_file(tmp_path):
    before = descriptors()
    source = Source()
    reader = unhurried(source, patience_s=0, memory_bytes=1, folder=tmp_path)
    next(reader)
    assert source.closed.wait(10)
    reader.close()
    reader.close()
    assert descriptors() == before


def test_the_file_stays_within_its_bound(tmp_path):
    source = Source([bytes([i]) * 1000 for i in range(50)])
    reader = unhurried(source, patience_s=0, memory_bytes=1, max_bytes=3000, folder=tmp_path)
    got = b""
    for chunk in reader:
        got += chunk
        assert source.taken * 1000 - len(got) <= 3000 + 2000
    assert got == b"".join(bytes([i]) * 1000 for i in range(50))


def test_a_chunk_beyond_the_bound_of_the_file_passes_all_the_same(tmp_path):
    source = Source([b"a" * 10, b"b" * 5000, b"c" * 10])
    reader = unhurried(source, patience_s=0, memory_bytes=1, max_bytes=1000, folder=tmp_path)
    assert b"".join(reader) == b"a" * 10 + b"b" * 5000 + b"c" * 10


def test_a_folder_that_is_not_there_is_an_error_for_the_reader(tmp_path):
    reader = unhurried(Source(), patience_s=0, memory_bytes=1, folder=tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        list(reader)


def test_a_generator_is_closed_in_the_thread_that_runs_it():
    threads = []

    def source():
        try:
            yield b"x"
            yield b"y"
        finally:
            threads.append(threading.current_thread().name)

    assert list(unhurried(source())) == [b"x", b"y"]
    assert threads == ["unhurried"]


def test_what_is_begun_gives_every_byte_all_the_same(tmp_path):
    reader = unhurried(Source(), folder=tmp_path)
    reader.begin()
    assert b"".join(reader) == b"".join(CHUNKS)


def test_beginning_raises_what_came_instead_of_the_first_chunk(tmp_path):
    source = Source([], ValueError("no first row"))
    with pytest.raises(ValueError, match="no first row"):
        unhurried(source, folder=tmp_path).begin()
    assert source.closed.wait(10)


def test_beginning_leaves_a_later_failure_to_the_reader(tmp_path):
    reader = unhurried(Source(CHUNKS[:2], ValueError("row 3")), folder=tmp_path)
    reader.begin()
    assert [next(reader), next(reader)] == CHUNKS[:2]
    with pytest.raises(ValueError, match="row 3"):
        next(reader)
