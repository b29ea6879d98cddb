"""Do the flattened tables show what the objects hold, described as it was declared?"""

from typing import Any

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.columns import PointIndex
from datamodel.database import Database
from datamodel.frames import RawBiasFrame, RawFrame, RawScienceFrame
from datamodel.objects import DBObject
from datamodel.observatory import Chip, Filter, Imstat, Instrument
from datamodel.persistent import persistent
from datamodel.session import Session
from datamodel.views import class_table, class_tables


class ViewStack(DBObject):
    """A stack of raw frames."""

    frames = persistent("The frames", [RawFrame], ucd="meta.id")
    weights = persistent("Their weights", [float], unit="s")
    first = persistent("The first frame", RawFrame)


@pytest.fixture
def stack(archive: Archive) -> Any:
    wfi = Instrument(name="WFI", telescope="2.2m")
    chip = Chip(name="ccd50", instrument=wfi)
    stat = Imstat(mean=1.5, stdev=0.5)
    science = RawScienceFrame(
        chip=chip, instrument=wfi, filter=Filter(name="#842"), imstat=stat, ra=1.0, dec=2.0
    )
    bias = RawBiasFrame(chip=chip, EXPTIME=0.0, DATE_OBS="2003-02-14T01:02:03")
    with Session(archive, archive.caller("A", "P")):
        made = ViewStack(frames=[bias, science, bias], weights=[1.0, 2.0], first=science)
        made.commit()
    return made


def rows_of(archive: Archive, name: str) -> list[dict[str, Any]]:
    table = next(t for t in class_tables() if t.name == name)
    rows = table.selectable(archive.caller("A", "P"))
    assert [c.name for c in rows.c] == [c.name for c in table.columns]
    with archive.database.read() as connection:
        return [dict(r) for r in connection.execute(sa.select(rows)).mappings()]


def test_links_show_as_keys_statistics_as_values_and_the_rest_as_ids(archive: Archive, stack: Any) -> None:
    (science,) = rows_of(archive, "raw_science_frame")
    assert (science["chip"], science["instrument"], science["filter"]) == ("ccd50", "WFI", "#842")
    assert (science["imstat_mean"], science["imstat_stdev"]) == (1.5, 0.5)
    assert (science["ra"], science["class_name"]) == (1.0, "RawScienceFrame")
    (row,) = rows_of(archive, "view_stack")
    assert row["first_id"] == stack.first.object_id
    assert (row["creator"], row["project"], row["privileges"]) == ("A", "P", 1)


def test_the_table_of_a_class_holds_its_subclasses(archive: Archive, stack: Any) -> None:
    assert {r["class_name"] for r in rows_of(archive, "raw_frame")} == {"RawBiasFrame", "RawScienceFrame"}
    assert len(rows_of(archive, "dbobject")) == 7
    assert rows_of(archive, "raw_dark_frame") == []


def test_a_list_has_a_table_with_one_row_per_member(archive: Archive, stack: Any) -> None:
    members = sorted(rows_of(archive, "view_stack__frames"), key=lambda r: r["pos"])
    assert [m["member_id"] for m in members] == [f.object_id for f in stack.frames]
    assert [m["object_id"] for m in members] == [stack.object_id] * 3
    assert [(m["pos"], m["value"]) for m in rows_of(archive, "view_stack__weights")] == [(0, 1.0), (1, 2.0)]


def test_columns_keep_unit_ucd_and_description() -> None:
    columns = {c.name: c for c in class_table(RawScienceFrame).columns}
    assert (columns["exptime"].unit, columns["exptime"].ucd) == ("s", "time.duration;obs.exposure")
    assert columns["imstat_stdev"].unit == "adu"
    assert columns["chip"].description == "The chip"
    assert columns["object_id"].votable_arraysize == "36"
    assert class_table(RawScienceFrame).point == PointIndex("ra", "dec")
    assert class_table(RawFrame).point is None


def test_every_name_is_plain_and_every_key_leads_somewhere() -> None:
    tables = {t.full_name: t for t in class_tables()}
    assert len(tables) == len(class_tables())
    for table in tables.values():
        names = [c.name for c in table.columns]
        assert len(set(names)) == len(names), table.name
        assert all(name == name.lower() and name.isidentifier() for name in names), table.name
        for key in table.keys:
            target = {c.name for c in tables[key.target_table].columns}
            for here, there in key.columns:
                assert here in names, table.name
                assert there in target, key.target_table


def test_rows_come_out_described_and_typed(archive: Archive, stack: Any) -> None:
    table = class_table(RawBiasFrame)
    database: Database = archive.database
    answer = database.rows(sa.select(table.selectable(archive.caller("A", "P"))), table.columns)
    (batch,) = answer.batches
    (row,) = batch.to_pylist()
    assert row["date_obs"] == "2003-02-14T01:02:03.000"
    assert (row["exptime"], row["airmass"], row["chip"]) == (0.0, None, "ccd50")
