"""Is what is deleted gone for good, with all that is its own, and nothing else? Does what something needs stay?"""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from datamodel import comments, projects
from datamodel.archive import Archive
from datamodel.columns import Column
from datamodel.context import Caller
from datamodel.dataobject import DataObject
from datamodel.errors import ForbiddenError, NotFoundError, UsageError
from datamodel.favourites import favourite
from datamodel.frames import RawBiasFrame
from datamodel.history import event
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import Session
from tests.catalogues import brought, reading


class Sketch(DataObject):
    """Something that one makes and throws away."""

    title = persistent("What it shows", str)
    base = persistent("What it was made from", "Sketch")
    parts = persistent("What else it was made from", ["Sketch"])
    words = persistent("What comes to mind", [str])


def rows(archive: Archive) -> dict[str, list[Any]]:
    """Everything in the database but the log."""
    with archive.database.read() as connection:
        names = [n for n in sa.inspect(connection).get_table_names() if n != event.name]
        listed = {n: sa.Table(n, sa.MetaData(), autoload_with=connection) for n in names}
        return {n: sorted(map(repr, connection.execute(sa.select(t)))) for n, t in listed.items()}


def keep(archive: Archive, caller: Caller, title: str, **attributes: Any) -> Sketch:
    with Session(archive, caller):
        made = Sketch(title=title, **attributes)
        made.commit()
        return made


def caller(archive: Archive, name: str, level: int = 1) -> Caller:
    return archive.caller(name, "P", level)


def test_what_is_deleted_is_gone_with_all_that_is_its_own(
    archive: Archive, clock: Any, tmp_path: Path
) -> None:
    a = caller(archive, "A")
    with Session(archive, a) as session:
        base = Sketch(title="base")
        base.commit()
        before = rows(archive)
        (tmp_path / "sketch.txt").write_text("lines")
        made = Sketch(pathname=tmp_path / "sketch.txt", base=base, parts=[base, base], words=["x", "y"])
        made.store()
        made.commit()
        made.comment("not so good")
        comments.Comment.on(session, (comments.Comment.about == made)[0], "why?").commit()
        pin = {"project": "P", "object_id": made.object_id, "set_at": clock(), "set_by": "A"}
        with archive.database.write() as connection:
            connection.execute(sa.insert(favourite).values(pin))
        then = clock()
        clock.advance(days=1)
        planned = made.deletion_plan()
        told = f"Sketch {made.object_id} goes for good, with file 'sketch.txt', 2 comments, 1 favourite"
        assert (planned.is_possible, planned.words) == (True, told)
        assert made.delete() == planned
        assert {n: t for n, t in rows(archive).items() if t} == {n: t for n, t in before.items() if t}
        for seen in (a, a.at(as_of=then)):
            session.caller = seen
            assert [s.title for s in Sketch.select_all()] == ["base"]
            with pytest.raises(NotFoundError):
                Sketch(object_id=made.object_id)
        session.caller = a
        with pytest.raises(UsageError, match="is deleted already"):
            made.delete()
    with archive.database.read() as connection:
        log = sa.select(event.c.kind, event.c.who, event.c.old).where(event.c.kind == "deleted")
        assert [tuple(row) for row in connection.execute(log)] == [("deleted", "A", "Sketch")] * 3


@pytest.mark.parametrize("how", ["base", "parts"])
def test_what_something_refers_to_stays_and_it_is_said_what(archive: Archive, how: str) -> None:
    with Session(archive, caller(archive, "A")):
        base = Sketch(title="base")
        user = Sketch(title="user")
        setattr(user, how, base if how == "base" else [base])
        user.commit()
        planned = base.deletion_plan()
        assert [str(each) for each in planned.references] == [f"Sketch {user.object_id} ({how})"]
        with pytest.raises(ForbiddenError, match=rf"there refer to it Sketch {user.object_id} \({how}\)"):
            base.delete()
        assert len(Sketch.select_all()) == 2
        user.delete()
        base.delete()
        assert len(Sketch.select_all()) == 0


def test_of_what_one_may_not_see_it_is_said_only_that_it_is_there(archive: Archive) -> None:
    base = keep(archive, caller(archive, "A", 2), "base")
    with Session(archive, caller(archive, "B")):
        keep(archive, caller(archive, "B"), "secret", base=Sketch(object_id=base.object_id))
    with Session(archive, caller(archive, "A")):
        mine = Sketch(object_id=base.object_id)
        planned = mine.deletion_plan()
        assert (planned.references, planned.is_hidden) == ((), True)
        with pytest.raises(ForbiddenError, match=r"refer to it something that you may not see$"):
            mine.delete()


def test_who_may_delete_at_which_level(archive: Archive) -> None:
    projects.set_member(archive, "P", "B", is_manager=True)
    archive.add_account("M", "P")
    for level, allowed in ((1, "A"), (2, "AB"), (3, ""), (4, "")):
        for name in "ABM":
            made = keep(archive, caller(archive, "A", level), "x")
            with Session(archive, caller(archive, name)):
                found = list(Sketch.object_id == made.object_id)
                assert len(found) == (level > 1 or name == "A")
                for each in found:
                    if name in allowed:
                        each.delete()
                        continue
                    with pytest.raises(ForbiddenError, match="may not delete"):
                        each.delete()
    with Session(archive, Caller()), pytest.raises(ForbiddenError):
        next(iter(Sketch.select_all())).delete()


@pytest.mark.parametrize("kind", ["VARCHAR", "BIGINT"])
def test_rows_of_catalogues_stay_whatever_their_columns_are_called(archive: Archive, kind: str) -> None:
    made = keep(archive, caller(archive, "A"), "x")
    values = [made.object_id, "other"] if kind == "VARCHAR" else [1, 2]
    columns = (Column("object_id", kind), Column("base", "VARCHAR"))
    read = reading({"object_id": values, "base": [made.object_id] * 2}, columns)
    of_others = brought(archive, read, level=4).sql
    with Session(archive, caller(archive, "A")):
        Sketch(object_id=made.object_id).delete()
    with archive.database.read() as connection:
        assert sorted(connection.scalars(sa.select(of_others.c.object_id))) == sorted(values)


def test_a_raw_frame_is_never_deleted(archive: Archive) -> None:
    archive.prepare()
    with Session(archive, caller(archive, "A")):
        raw = RawBiasFrame(DATE_OBS=archive.clock())
        raw.commit()
        with pytest.raises(ForbiddenError, match="raw frames are never deleted"):
            raw.delete()


def test_nothing_can_refer_to_what_was_deleted_while_it_was_made(archive: Archive) -> None:
    with Session(archive, caller(archive, "A")):
        base = Sketch(title="base")
        base.commit()
        with Session(archive, caller(archive, "A")):
            Sketch(object_id=base.object_id).delete()
        with pytest.raises(UsageError, match="was deleted meanwhile"):
            Sketch(title="late", base=base).commit()
        assert len(Sketch.select_all()) == 0


def test_what_others_saw_they_see_for_ever(archive: Archive, clock: Any) -> None:
    b = caller(archive, "B")
    shared = keep(archive, caller(archive, "A", 4), "shared")
    mine = keep(archive, caller(archive, "A"), "mine", base=shared)
    with Session(archive, b) as session:
        Sketch(object_id=shared.object_id)
        then, seen = clock(), [s.title for s in Sketch.select_all()]
        clock.advance(seconds=1)
        with Session(archive, caller(archive, "A")):
            Sketch(object_id=mine.object_id).delete()
        clock.advance(seconds=1)
        session.caller = b.at(as_of=then + timedelta(microseconds=1))
        assert [s.title for s in Sketch.select_all()] == seen == ["shared"]


KILLED = """
import sys
from pathlib import Path
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.objects import DBObject
from datamodel.session import Session
import datamodel.comments
archive = Archive(Config(archive=Path(sys.argv[1]), database_url=sys.argv[2]))
with Session(archive, archive.caller("A", "P")):
    DBObject(object_id=sys.argv[3]).delete()
"""


@pytest.mark.killing
def test_a_deletion_that_is_killed_has_deleted_nothing(archive: Archive) -> None:
    with Session(archive, caller(archive, "A")):
        made = Sketch(title="x", words=["a"])
        made.commit()
        made.comment("y")
    before = rows(archive)
    command = [
        sys.executable,
        "-c",
        KILLED,
        str(archive.config.archive),
        archive.config.database,
        made.object_id,
    ]
    killed = subprocess.run(command, env={**os.environ, "VO_CRASH_AT": "delete.rows"}, check=False)
    assert (killed.returncode, rows(archive)) == (137, before)
    assert subprocess.run(command, check=False).returncode == 0
    with Session(archive, caller(archive, "A")):
        assert len(DBObject.select_all()) == 0
