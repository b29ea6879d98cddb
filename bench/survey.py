"""A survey made up of rows: as many products as a telescope makes in years, and no pixels."""

import io
import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.context import VO
from datamodel.datatypes import Timestamp
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.persistent import default_of
from datamodel.schema import lineage, list_table, owner, table_of
from processing.bias_frame import BiasFrame
from processing.cosmic_map import CosmicMap
from processing.hot_pixel_map import HotPixelMap
from processing.master_flat_frame import MasterFlatFrame
from processing.process_status import MADE
from processing.read_noise import ReadNoise
from processing.recipe import recipe_digest
from processing.reduced_science_frame import ReducedScienceFrame
from processing.source_list import SourceList
from processing.weight_frame import WeightFrame

EXPOSURES_A_NIGHT = 20
NIGHTS_A_FLAT = 167
BIASES_A_NIGHT = 10
FROM = datetime(2003, 1, 1, 3)
"""Midnight of the first night at the simulated telescope, about."""

BATCH = 100_000


class Rows:
    """Rows of all tables, written some at a time.

    Parameters
    ----------
    archive
        Prepared, and empty.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._numbers = itertools.count(1)
        self._rows: dict[sa.Table, list[dict[str, Any]]] = defaultdict(list)
        self._defaults: dict[Any, dict[str, Any]] = {}
        self.objects = 0

    def add(self, cls: Any, **values: Any) -> str:
        """An object; links and members of lists are identifiers. Gives its identifier."""
        number = next(self._numbers)
        oid = f"00000000-0000-7000-8000-{number:012x}"
        if cls not in self._defaults:
            own = (a for a in cls.__attributes__.values() if not a.many and not callable(a.default))
            self._defaults[cls] = {a.name: default_of(a) for a in own}
        system = {"_creator": "bench", "_project": "demo", "_privileges": VO, "content_digest": oid}
        system["creation_date"] = FROM + timedelta(microseconds=number)
        told = self._defaults[cls] | system | values
        for each in lineage(cls):
            row = {"object_id": oid} | ({"class_name": cls.__name__} if "object_id" in each.__own__ else {})
            row |= {
                a.column_name: told.get(n) for n, a in each.__own__.items() if n != "object_id" and not a.many
            }
            self._rows[table_of(each)].append(row)
        for name, members in values.items():
            if isinstance(members, list):
                table = list_table(owner(cls, name), name)
                self._rows[table] += [{"object_id": oid, "pos": i, "value": m} for i, m in enumerate(members)]
        self.objects += 1
        if self.objects % BATCH == 0:
            self.write()
        return oid

    def write(self) -> None:
        """Write what has been added."""
        raw: Any = self._archive.database.engine.raw_connection()
        cursor = raw.cursor()
        on_sqlite = self._archive.database.engine.dialect.name == "sqlite"
        if on_sqlite:
            cursor.execute("PRAGMA foreign_keys=OFF")
            cursor.execute("BEGIN")
        for table, rows in sorted(self._rows.items(), key=lambda item: _depth(item[0])):
            names = list(rows[0])
            listed = ", ".join(f'"{name}"' for name in names)
            cells = _cells(table, names, rows)
            if on_sqlite:
                marks = ", ".join("?" * len(names))
                cursor.executemany(f'INSERT INTO "{table.name}" ({listed}) VALUES ({marks})', cells)
            else:
                lines = ("\t".join("\\N" if c is None else str(c) for c in row) + "\n" for row in cells)
                cursor.copy_expert(f'COPY "{table.name}" ({listed}) FROM STDIN', io.StringIO("".join(lines)))
        raw.commit()
        raw.close()
        self._rows.clear()


def _cells(table: sa.Table, names: list[str], rows: list[dict[str, Any]]) -> Iterator[list[Any]]:
    times = [n for n in names if isinstance(table.c[n].type, Timestamp)]
    for row in rows:
        for name in times:
            if row[name] is not None:
                row[name] = row[name].isoformat(timespec="microseconds")
        yield [row[name] for name in names]


def _depth(table: sa.Table) -> int:
    return 1 + max((_depth(k.column.table) for k in table.foreign_keys), default=0)


def write_survey(archive: Archive, objects: int) -> str:
    """Fill an archive with about so many objects; gives the identifier of a flat that some 10,000 products use."""
    rows = Rows(archive)
    camera = rows.add(Instrument, name="SIMCAM", telescope="Simulated")
    filter = rows.add(Filter, name="sim_r", instrument=camera)
    flats = []
    for number in itertools.count():
        chip = rows.add(Chip, name=f"chip{number}", instrument=camera, naxis1=8, naxis2=8)
        flats.append(_flat(rows, {"instrument": camera, "chip": chip}, filter))
        if rows.objects >= objects:
            break
    rows.write()
    return flats[len(flats) // 2]


def _flat(rows: Rows, place: dict[str, Any], filter: str) -> str:
    """The life of a master flat: the nights and exposures in which it is used."""
    end = FROM + timedelta(days=NIGHTS_A_FLAT)
    valid = {"timestamp_start": FROM - timedelta(days=1), "timestamp_end": end, "date_obs": FROM}
    flat = rows.add(MasterFlatFrame, **place, **valid, **_made(MasterFlatFrame), filter=filter)
    for night in range(NIGHTS_A_FLAT):
        midnight = FROM + timedelta(days=night)
        half = timedelta(hours=12)
        valid = {"timestamp_start": midnight - half, "timestamp_end": midnight + half, "date_obs": midnight}
        biases = [
            rows.add(RawBiasFrame, **place, DATE_OBS=midnight - timedelta(minutes=9 * n), compatibility="")
            for n in range(BIASES_A_NIGHT)
        ]
        noise = rows.add(ReadNoise, **place, **valid, **_made(ReadNoise), raw_bias_frames=biases[:2])
        with_noise = {"read_noise": noise, "raw_bias_frames": biases}
        bias = rows.add(BiasFrame, **place, **valid, **_made(BiasFrame), **with_noise)
        hot = rows.add(HotPixelMap, **place, **valid, **_made(HotPixelMap), bias=bias)
        for number in range(EXPOSURES_A_NIGHT):
            observed = midnight + timedelta(minutes=9 * (number - EXPOSURES_A_NIGHT // 2))
            exposed = {"DATE_OBS": observed, "filter": filter, "EXPTIME": 30.0, "compatibility": ""}
            raw = rows.add(RawScienceFrame, **place, **exposed)
            _exposure(rows, place | {"filter": filter, "raw": raw}, bias, hot, flat, noise)
    return flat


def _exposure(rows: Rows, place: dict[str, Any], bias: str, hot: str, flat: str, noise: str) -> None:
    detector = {"flat": flat, "hot_pixels": hot}
    reduced = rows.add(ReducedScienceFrame, **place, **_made(ReducedScienceFrame), bias=bias, **detector)
    cosmics = rows.add(CosmicMap, **place, **_made(CosmicMap), bias=bias, read_noise=noise, **detector)
    using = {"reduced": reduced, "cosmics": cosmics, "read_noise": noise}
    weight = rows.add(WeightFrame, **place, **_made(WeightFrame), **using, **detector)
    rows.add(SourceList, raw=place["raw"], **_made(SourceList), frame=reduced, weight=weight)


def _made(cls: Any) -> dict[str, Any]:
    return {"process_status": MADE, "recipe_digest": recipe_digest(cls), "selection_grades": json.dumps({})}
