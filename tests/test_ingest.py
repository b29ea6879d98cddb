"""Files from a telescope become raw frames; what cannot be understood is put aside with its reason."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.errors import ForbiddenError, UsageError
from datamodel.frames import RawBiasFrame, RawDarkFrame, RawFrame, RawScienceFrame
from datamodel.observatory import Chip, Filter, Instrument
from datamodel.session import Session
from datamodel.sources import next_number
from datamodel.unique_names import one_of_a_kind
from processing.fits_reading import read_image
from processing.ingest import ingest
from processing.opening import open_archive, operator
from vo_server.cli import main


@pytest.fixture
def empty(database_url: str, tmp_path: Path) -> Iterator[Session]:
    """The operator of an archive with nothing in it."""
    opened: Archive = open_archive(Config(archive=tmp_path / "archive", database_url=database_url))
    with Session(opened, operator(opened)) as session:
        yield session
    opened.close()


@pytest.fixture
def bias(survey: Path) -> Path:
    """A file with one bias exposure of all chips."""
    return next(p for p in sorted((survey / "raw").iterdir()) if fits.getval(p, "OBSTYPE") == "BIAS")


@pytest.fixture
def science(survey: Path) -> Path:
    """A file with one science exposure of all chips."""
    return next(p for p in sorted((survey / "raw").iterdir()) if fits.getval(p, "OBSTYPE") == "SCIENCE")


def test_each_chip_of_a_file_becomes_an_object_with_its_pixels_bit_for_bit(
    empty: Session, science: Path
) -> None:
    summary = ingest(empty, [science])
    assert summary.frames == {"RawScienceFrame": 4}
    for frame in RawScienceFrame.select_all():
        with fits.open(science) as hdus:
            given = next(h for h in hdus[1:] if h.header["CHIP"] == frame.chip.name)
            assert np.array_equal(read_image(frame.path(), dtype=None)[0], given.data)
            assert pytest.approx(hdus[0].header["MJD-OBS"], abs=1e-8) == frame.MJD_OBS
            assert hdus[0].header["EXPTIME"] == frame.EXPTIME
            assert frame.filter.name == hdus[0].header["FILTER"]


def test_the_same_bytes_twice_change_nothing(empty: Session, bias: Path, tmp_path: Path) -> None:
    ingest(empty, [bias])
    before = {f.object_id for f in RawFrame.select_all()}
    renamed = tmp_path / "another_name.fits"
    shutil.copy(bias, renamed)
    summary = ingest(empty, [bias, renamed])
    assert (summary.ingested, summary.known) == (0, 2)
    assert {f.object_id for f in RawFrame.select_all()} == before


def test_compressed_files_are_taken_as_they_are(empty: Session, bias: Path, tmp_path: Path) -> None:
    with fits.open(bias) as hdus:
        alone = fits.HDUList([fits.PrimaryHDU(hdus[1].data, hdus[0].header + hdus[1].header)])
        alone[0].header["OBSID"] = "ALONE"
        alone.writeto(tmp_path / "alone.fits")
        packed = fits.CompImageHDU(
            hdus[1].data + 1, hdus[0].header + hdus[1].header, compression_type="RICE_1"
        )
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "packed.fits.fz")
    (tmp_path / "alone.fits.gz").write_bytes(gzip.compress((tmp_path / "alone.fits").read_bytes()))
    summary = ingest(empty, [tmp_path / "alone.fits.gz", tmp_path / "packed.fits.fz"])
    assert summary.quarantined == []
    frames = list(RawBiasFrame.select_all())
    assert sorted(f.filename.split(".", 2)[-1].split("fits")[-1] for f in frames) == [".fz", ".gz"]
    original = next(f for f in frames if f.filename.endswith(".gz"))
    assert original.path().read_bytes() == (tmp_path / "alone.fits.gz").read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.fits", b"", "empty"),
        ("text.fits", b"SIMPLE is this file\n" * 500, ""),
        ("truncated.fits", None, ""),
        ("bomb.fits.gz", gzip.compress(b"\0" * 50_000_000, 1), ""),
        ("foreign.fits", "foreign", "INSTRUME"),
    ],
)
def test_what_is_not_understood_is_quarantined_with_its_reason_and_the_rest_goes_on(
    empty: Session, bias: Path, tmp_path: Path, name: str, content: bytes | str | None, reason: str
) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    if content == "foreign":
        fits.PrimaryHDU(np.zeros((4, 4))).writeto(folder / name)
    else:
        data = bias.read_bytes()[:-20_000] if content is None else content
        (folder / name).write_bytes(data)  # type: ignore[arg-type]
    shutil.copy(bias, folder / "zz_good.fits")
    summary = ingest(empty, [folder])
    assert summary.ingested == 1
    ((path, said),) = summary.quarantined
    assert path.endswith(name)
    assert reason in said
    (note,) = empty.archive.quarantine.glob(f"*{name}.reason.txt")
    assert said in note.read_text()
    assert len(RawBiasFrame.select_all()) == 4


def test_raw_frames_can_neither_be_changed_nor_overwritten(
    empty: Session, bias: Path, tmp_path: Path
) -> None:
    ingest(empty, [bias])
    frame = RawBiasFrame.select_all()[0]
    with pytest.raises(ForbiddenError):
        frame.EXPTIME = 5.0
    other = tmp_path / "other"
    other.write_bytes(b"other bytes")
    with pytest.raises(UsageError, match="other bytes"):
        empty.archive.store.put(other, frame.filename, keep=True)
    assert oct(frame.path().stat().st_mode & 0o777) == "0o444"
    frame.is_valid = 0
    frame.commit()


def test_instruments_chips_and_filters_exist_once(session: Session) -> None:
    assert [i.name for i in Instrument.select_all()] == ["SIMCAM"]
    assert sorted(c.name for c in Chip.select_all()) == ["A5382", "ccd50", "ccd53", "ccd54"]
    assert sorted((f.name, f.mag_id) for f in Filter.select_all()) == [
        ("#841", "V"),
        ("#842", "B"),
        ("#843", "R"),
    ]
    assert len(RawDarkFrame.select_all()) == 4


def test_a_missing_path_is_named(empty: Session) -> None:
    with pytest.raises(UsageError, match=r"'nowhere.fits'"):
        ingest(empty, [Path("nowhere.fits")])


@pytest.mark.thorough
def test_the_command_line_ingests_gets_and_explains(
    tmp_path: Path, survey: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VO_LOG_LEVEL", "ERROR")
    at = ["--archive", str(tmp_path / "archive")]
    biases = [str(p) for p in (survey / "raw").iterdir() if fits.getval(p, "OBSTYPE") == "BIAS"]
    assert main(["ingest", *at, "--json", *biases]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == {"RawBiasFrame": 4 * len(biases)}
    keys = ["--chip", "A5382", "--date", "2003-02-14"]
    assert main(["plan", "HotPixelMap", *at, *keys]) == 0
    assert "BiasFrame (to be built)" in capsys.readouterr().out
    assert main(["get", "ReadNoise", *at, *keys, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["class"] == "ReadNoise"
    assert main(["why", "ReadNoise", *at, *keys]) == 0
    assert "is ok" in capsys.readouterr().out
    assert main(["status", *at]) == 0
    assert f"{4 * len(biases)}  RawBiasFrame" in capsys.readouterr().out
    assert main(["get", "HotPixlMap", *at, *keys]) == 2
    assert "did you mean 'HotPixelMap'" in capsys.readouterr().err


CRASHES = ["ingest.stored", "ingest.file", "commit.rows", "store.staged", "store.named", "commit.done"]


@pytest.mark.killing
@pytest.mark.parametrize("point", CRASHES)
def test_an_ingest_killed_at_any_point_leaves_no_row_without_bytes_and_the_next_completes_it(
    point: str, bias: Path, science: Path, tmp_path: Path
) -> None:
    at = tmp_path / "archive"
    command = [sys.executable, "-m", "vo_server.cli", "ingest", "--archive", str(at), str(bias), str(science)]
    environment = {**os.environ, "VO_CRASH_AT": point, "VO_LOG_LEVEL": "ERROR"}
    killed = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert killed.returncode == 137, killed.stderr.decode()
    archive = open_archive(Config(archive=at))
    try:
        with Session(archive, operator(archive)) as session:
            for frame in RawFrame.select_all():
                archive.store.path(frame.filename, frame.file_sha256)
            ingest(session, [bias, science])
            assert len(RawFrame.select_all()) == 8
            assert {f.filename for f in RawFrame.select_all()} == set(archive.store.names())
    finally:
        archive.close()


def at_once(archive: Archive, count: int, work: Callable[[Session], Any]) -> list[Any]:
    """What `work` gives to each of several operators who begin at the same time."""
    start = threading.Barrier(count)

    def begin(_number: int) -> Any:
        with Session(archive, operator(archive)) as session:
            start.wait()
            return work(session)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_names_numbers_and_accounts_are_given_once_however_many_ask_for_the_first_time(
    empty: Session,
) -> None:
    def chip(name: str, session: Session) -> str:
        return str(one_of_a_kind(session, Chip, name, lambda: Chip(name=name)).object_id)

    def number(name: str, session: Session) -> int:
        with session.transaction() as connection:
            return next_number(connection, name)

    for turn in map(str, range(8)):
        assert len(set(at_once(empty.archive, 4, partial(chip, turn)))) == 1
        assert sorted(at_once(empty.archive, 4, partial(number, turn))) == [1, 2, 3, 4]
        at_once(empty.archive, 4, lambda _, turn=turn: empty.archive.add_account(f"user{turn}", f"P{turn}"))
    assert sorted(c.name for c in Chip.select_all()) == list(map(str, range(8)))


def test_files_ingested_at_the_same_time_are_ingested_once(empty: Session, bias: Path, science: Path) -> None:
    summaries = at_once(empty.archive, 3, lambda session: ingest(session, [bias, science]))
    assert sum(s.ingested for s in summaries) == 2
    assert sum(s.known for s in summaries) == 4
    assert len(RawFrame.select_all()) == 8


def test_a_file_that_somebody_else_ingested_in_private_is_known(empty: Session, bias: Path) -> None:
    archive = empty.archive
    for name in ("A", "B"):
        archive.add_account(name, name)
    with Session(archive, archive.caller("A", "A", level=1)) as session:
        assert ingest(session, [bias]).ingested == 1
    with Session(archive, archive.caller("B", "B", level=1)) as session:
        summary = ingest(session, [bias])
        assert (summary.ingested, summary.known) == (0, 1)
        assert len(RawFrame.select_all()) == 0


def test_a_known_file_is_recognised_before_anything_in_it_is_read(
    empty: Session, bias: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(empty, [bias])
    monkeypatch.setattr("processing.ingest.open_raw", None)
    assert ingest(empty, [bias]).known == 1


def test_files_of_one_name_lie_beside_each_other_in_quarantine(empty: Session, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.fits").write_text(folder)
    ingest(empty, [tmp_path / "a", tmp_path / "b"])
    kept = [p for p in empty.archive.quarantine.iterdir() if p.suffix == ".fits"]
    assert sorted(p.read_text() for p in kept) == ["a", "b"]
    assert len(list(empty.archive.quarantine.glob("*.reason.txt"))) == 2
