"""Is a commit whole, allowed and recorded, or else as if it had not been?"""

import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import crash, projects
from datamodel.archive import Archive, project
from datamodel.commit import COMMITTED, ROWS_WRITTEN, commit
from datamodel.config import Config
from datamodel.context import ANONYMOUS
from datamodel.dataobject import DataObject
from datamodel.errors import ForbiddenError, UsageError
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session


class CommitNode(DBObject):
    """A node of a graph."""

    name = persistent("Name", str)
    left = persistent("One neighbour", "CommitNode")
    others = persistent("More neighbours", ["CommitNode"])
    pinned = persistent("A neighbour that may change", "CommitNode", mutable=True)


def events(archive: Archive) -> list[tuple[Any, ...]]:
    columns = (event.c.kind, event.c.attribute, event.c.old, event.c.new, event.c.who)
    with archive.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(event.c.id))]


def test_what_an_object_links_to_is_committed_with_it(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        leaf = CommitNode(name="leaf")
        top = CommitNode(name="top", left=CommitNode(name="middle", left=leaf), others=[leaf, CommitNode()])
        top.commit()
        assert len(CommitNode.select_all()) == 4
        assert events(archive) == [("made", None, None, None, "A")] * 4


def test_a_ring_of_links_is_committed(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        first = CommitNode(name="first")
        first.left = CommitNode(name="second", left=first, others=[first])
        first.commit()
        oid = first.object_id
    with Session(archive, archive.caller("A", "P")):
        found = CommitNode(object_id=oid)
        assert found.left.left is found


def test_a_long_chain_is_committed(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        node = None
        for _ in range(3000):
            node = CommitNode(left=node)
        assert node is not None
        node.commit()
        assert len(CommitNode.select_all()) == 3000


def test_the_context_says_whose_an_object_is_and_who_sees_it(archive: Archive, clock: Any) -> None:
    now = clock.advance(days=3)
    with Session(archive, archive.caller("A", "P", level=3)):
        node = CommitNode()
        node.commit()
        assert (node._creator, node._project, node._privileges) == ("A", "P", 3)
        assert node.creation_date == now == datetime(2026, 1, 4)
    with Session(archive, archive.caller("C", "ALL")):
        other = CommitNode()
        other.commit()
        assert other._project == archive.config.project


def test_privileges_of_new_objects_are_capped_by_the_project(archive: Archive) -> None:
    with archive.database.write() as connection:
        connection.execute(sa.update(project).where(project.c.name == "P").values(maximum_privileges=2))
    with Session(archive, archive.caller("A", "P", level=4)):
        node = CommitNode()
        node.commit()
        assert node._privileges == 2
    with Session(archive, archive.caller("A", "P")):
        with pytest.raises(ForbiddenError, match="allows privileges up to 2, not 5"):
            CommitNode(_privileges=5).commit()
        node = CommitNode(object_id=node.object_id)
        node._privileges = 3
        with pytest.raises(ForbiddenError, match="allows privileges up to 2, not 3"):
            node.commit()


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"_creator": "B"}, ForbiddenError, "A cannot make objects in the name of B"),
        ({"_project": "Q"}, ForbiddenError, "A is not a member of project 'Q'"),
        ({"_privileges": 0}, UsageError, "privileges are 0, expected one of 1, 2, 3, 4, 5"),
    ],
)
def test_nobody_makes_objects_for_others(
    archive: Archive, attributes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with Session(archive, archive.caller("A", "P")):
        with pytest.raises(error, match=message):
            CommitNode(left=CommitNode(), **attributes).commit()
        assert len(CommitNode.select_all()) == 0
    with Session(archive, ANONYMOUS), pytest.raises(ForbiddenError, match="log in first"):
        CommitNode().commit()


def test_who_may_judge_an_object(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        shared, public = CommitNode(name="shared", _privileges=2), CommitNode(name="public", _privileges=4)
        commit(Session(archive, archive.caller("A", "P")), [shared, public])
    with Session(archive, archive.caller("B", "P")):
        found = CommitNode(object_id=shared.object_id)
        found.is_valid = 0
        with pytest.raises(
            ForbiddenError, match=r"its creator \(A\) and the managers of project 'P' \(it has none\)"
        ):
            found.commit()
    projects.set_member(archive, "P", "B", is_manager=True)
    with Session(archive, archive.caller("B", "P")):
        found = CommitNode(object_id=shared.object_id)
        found.is_valid = 0
        found.commit()
        found.commit()
        assert events(archive)[-1] == ("changed", "is_valid", "1", "0", "B")
        assert len(events(archive)) == 3
    for caller in (archive.caller("C", "Q"), ANONYMOUS):
        with Session(archive, caller):
            found = CommitNode(object_id=public.object_id)
            found.is_valid = 0
            with pytest.raises(ForbiddenError):
                found.commit()
    with Session(archive, archive.caller("A", "P")):
        assert (CommitNode.is_valid == 1)[0].name == "public"


def test_privileges_are_raised_but_not_taken_back(archive: Archive) -> None:
    projects.set_member(archive, "P", "A", is_manager=True)
    with Session(archive, archive.caller("A", "P")):
        node = CommitNode(_privileges=2)
        node.commit()
        for level in (1, 2, 3):
            node._privileges = level
            node.commit()
        node._privileges = 2
        with pytest.raises(ForbiddenError, match="cannot lower them to 2"):
            node.commit()


def test_a_changed_link_takes_the_new_object_along(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        node = CommitNode(name="old")
        node.commit()
        node.pinned = CommitNode(name="new", left=CommitNode(name="newest"))
        node.commit()
    with Session(archive, archive.caller("A", "P")):
        assert CommitNode(object_id=node.object_id).pinned.left.name == "newest"


def failing(name: str) -> None:
    if name == ROWS_WRITTEN:
        raise RuntimeError("the disk is full")


def test_an_error_in_the_middle_leaves_nothing(archive: Archive, clock: Any) -> None:
    with Session(archive, archive.caller("A", "P")):
        old = CommitNode(name="old")
        old.commit()
        old.is_valid = 0
        new = CommitNode(name="new", left=CommitNode(name="linked"), others=[old])
        stop = crash.watch(failing)
        try:
            with pytest.raises(RuntimeError, match="the disk is full"):
                commit(Session(archive, archive.caller("A", "P")), [new, old])
        finally:
            stop()
        assert [n.name for n in CommitNode.select_all()] == ["old"]
        assert len(events(archive)) == 1
        assert new.creation_date is None
        clock.advance(days=1)
        new.commit()
        assert (new.creation_date, new.left.creation_date) == (clock(), clock())
        old.commit()
        assert [n.name for n in CommitNode.is_valid == 0] == ["old"]


def test_a_transaction_that_fails_takes_all_its_commits_back(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")) as session:
        node = CommitNode(name="a")

        def commit_twice_and_fail() -> None:
            with session.transaction():
                node.commit()
                assert len(CommitNode.select_all()) == 1
                node.is_valid = 0
                node.commit()
                raise RuntimeError("the disk is full")

        with pytest.raises(RuntimeError, match="the disk is full"):
            commit_twice_and_fail()
        assert len(CommitNode.select_all()) == 0
        assert (node.is_valid, node.creation_date) == (1, None)
        node.name = "not committed, so not fixed"
        node.commit()
        assert [n.name for n in CommitNode.select_all()] == ["not committed, so not fixed"]


def test_a_broken_value_in_one_object_keeps_all_out(archive: Archive) -> None:
    with Session(archive, archive.caller("A", "P")):
        bad = CommitNode(name="bad")
        bad.others.append("no object")
        with pytest.raises(UsageError, match="expected a CommitNode, not 'no object'"):
            CommitNode(left=bad).commit()
        assert len(CommitNode.select_all()) == 0


def test_threads_that_write_at_once_lose_nothing(archive: Archive) -> None:
    caller, errors = archive.caller("A", "P"), []

    def write(name: str) -> None:
        try:
            with Session(archive, caller):
                for _ in range(5):
                    CommitNode(name=name, left=CommitNode(name="linked")).commit()
        except Exception as error:  # shown below
            errors.append(error)

    threads = [threading.Thread(target=write, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Session(archive, caller):
        assert len(CommitNode.left != None) == 20  # noqa: E711
        assert len(CommitNode.select_all()) == 40


PROGRAM = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.dataobject import DataObject
from datamodel.session import Session

folder, url, names = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
archive = Archive(Config(archive=folder, database_url=url, project="P"))
archive.prepare()
with Session(archive, archive.caller("A", "P")):
    for name in names:
        path = folder / name
        path.write_text(name * 1000)
        thing = DataObject(pathname=path)
        thing.store()
        thing.commit()
archive.close()
"""


def start(config: Config, *names: str, **environ: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, str(config.archive), config.database, *names]
    root = str(Path(__file__).parents[1])
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": root} | environ, stderr=subprocess.PIPE)


@pytest.mark.thorough
def test_processes_that_write_at_once_lose_nothing(archive: Archive) -> None:
    writers = [start(archive.config, *(f"w{w}-{i}.txt" for i in range(6))) for w in range(2)]
    assert [(w.communicate()[1], w.returncode) for w in writers] == [(b"", 0)] * 2
    with Session(archive, archive.caller("A", "P")):
        assert len(DataObject.select_all()) == 12
        assert all(o.is_on_dataserver() for o in DataObject.select_all())


@pytest.mark.parametrize(
    "point",
    [
        ROWS_WRITTEN,
        *(pytest.param(p, marks=pytest.mark.killing) for p in ("store.staged", "store.named", COMMITTED)),
    ],
)
def test_a_process_that_ends_anywhere_leaves_no_row_without_bytes_and_no_half_file(
    archive: Archive, point: str
) -> None:
    writer = start(archive.config, "one.txt", "two.txt", VO_CRASH_AT=f"{point}:2")
    writer.communicate()
    assert writer.returncode == 137
    with Session(archive, archive.caller("A", "P")):
        rows = {o.filename: o.file_sha256 for o in DataObject.select_all()}
        assert set(rows) == ({"one.txt", "two.txt"} if point == COMMITTED else {"one.txt"})
        for name, sha256 in rows.items():
            assert archive.store.path(name, sha256).read_text() == name * 1000
        for name in archive.store.names():
            assert archive.store.path(name).read_text() == name * 1000
    again = start(archive.config, "two.txt") if point != COMMITTED else None
    if again is not None:
        assert (again.communicate()[1], again.returncode) == (b"", 0)
        with Session(archive, archive.caller("A", "P")):
            assert [o.filename for o in DataObject.select_all()] == ["one.txt", "two.txt"]


def test_every_crash_point_says_what_has_just_happened() -> None:
    assert {"store.staged", "store.named", ROWS_WRITTEN, COMMITTED} <= set(crash.CRASH_POINTS)
    assert all(crash.CRASH_POINTS.values())
