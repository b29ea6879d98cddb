"""Does the store keep bytes whole, once, and under plain names only?"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from datamodel.archive import Archive
from datamodel.dataobject import DataObject
from datamodel.errors import DataLostError, UsageError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session
from datamodel.store import Store


class StoreAlbum(DBObject):
    """Links to something with a file."""

    cover = persistent("A picture", DataObject)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "example.txt"
    path.write_bytes(b"bytes" * 1000)
    return path


@pytest.fixture
def opened(archive: Archive) -> Iterator[Archive]:
    with Session(archive, archive.caller("A", "P")):
        yield archive


def staged(store: Store) -> list[Path]:
    return list(store.staging.iterdir())


def test_a_stored_file_has_its_bytes_and_digest_and_cannot_be_written(store: Store, example: Path) -> None:
    stored = store.put(example, "x.txt", keep=True)
    assert stored.sha256 == hashlib.sha256(example.read_bytes()).hexdigest()
    assert (stored.filename, stored.size) == ("x.txt", 5000)
    place = store.path("x.txt", stored.sha256)
    assert place.read_bytes() == example.read_bytes()
    assert place.stat().st_mode & 0o222 == 0
    assert staged(store) == []


def test_a_file_written_aside_is_moved_in(store: Store) -> None:
    aside = store.aside(".fits")
    aside.write_bytes(b"new")
    stored = store.put(aside, "a-{digest}.fits")
    assert stored.filename == f"a-{hashlib.sha256(b'new').hexdigest()[:16]}.fits"
    assert not aside.exists()
    assert list(store.names()) == [stored.filename]


def test_the_same_bytes_may_come_twice_and_others_may_not(store: Store, example: Path) -> None:
    first = store.put(example, "x.txt", keep=True)
    assert store.put(example, "x.txt", keep=True) == first
    example.write_bytes(b"other")
    with pytest.raises(UsageError, match=r"already has other bytes under the name 'x\.txt'"):
        store.put(example, "x.txt", keep=True)
    assert store.path("x.txt", first.sha256).stat().st_size == 5000
    assert example.read_bytes() == b"other"
    assert staged(store) == []


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        ".hidden",
        "a\x00b",
        "a\n",
        "-rf",
        "a b",
        "é",
        "x" * 201,
    ],
)
def test_a_name_that_is_not_plain_is_refused(name: str, store: Store, example: Path) -> None:
    for use in (
        lambda: store.put(example, name, keep=True),
        lambda: store.path(name),
        lambda: store.has(name),
    ):
        with pytest.raises(UsageError, match="is not a file name of the store"):
            use()
    assert list(store.names()) == staged(store) == []


def test_a_file_that_cannot_be_read_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "none.txt", "none.txt", keep=True)
    assert staged(store) == []
    assert not store.has("none.txt")


def test_lost_and_changed_bytes_are_noticed(store: Store, example: Path) -> None:
    stored = store.put(example, "x.txt", keep=True)
    with pytest.raises(DataLostError, match=r"the bytes of 'y\.txt' are not in the store"):
        store.path("y.txt")
    place = store.path("x.txt")
    place.chmod(0o644)
    place.write_bytes(b"rotten")
    with pytest.raises(DataLostError, match="have changed in the store"):
        store.path("x.txt", stored.sha256)


def test_a_data_object_goes_in_and_comes_out(opened: Archive, example: Path, tmp_path: Path) -> None:
    thing = DataObject(pathname=example)
    thing.store()
    thing.commit()
    found = (DataObject.filename.like("example*"))[0]
    assert found is thing
    copy = found.retrieve(tmp_path / "archive")
    assert copy.read_bytes() == example.read_bytes()
    assert (found.file_size, found.content_digest) == (5000, found.file_sha256)


def test_a_row_is_not_kept_before_its_bytes(opened: Archive, example: Path) -> None:
    with pytest.raises(UsageError, match=r"store\(\) the file 'example\.txt' before commit"):
        DataObject(pathname=example).commit()
    with pytest.raises(UsageError, match="before commit"):
        StoreAlbum(cover=DataObject(pathname=example)).commit()
    DataObject(pathname=example).store()
    example.write_bytes(b"other bytes under a name that the store has")
    with pytest.raises(UsageError, match="before commit"):
        DataObject(pathname=example).commit()
    assert len(DBObject.select_all()) == 0


def test_a_loaded_object_has_no_local_file_to_store(archive: Archive, example: Path) -> None:
    caller = archive.caller("A", "P")
    with Session(archive, caller):
        thing = DataObject(pathname=example)
        thing.store()
        thing.commit()
    with Session(archive, caller), pytest.raises(UsageError, match=r"no file 'example\.txt' to store"):
        DataObject(object_id=thing.object_id).store()


def test_what_gets_its_name_during_a_sweep_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    staged = [store.aside() for _ in range(3)]
    for path in staged[:2]:
        path.write_bytes(b"left")
    monkeypatch.setattr(Path, "iterdir", lambda _folder: iter((staged[2], *staged[:2])))
    assert store.sweep(-1.0) == 2
