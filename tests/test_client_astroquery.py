"""Does the TapPlus of astroquery, which many archives are asked with, get on with a live service?"""

from pathlib import Path
from typing import Any

import astropy.table
import numpy as np
import pytest
import requests
from astropy.table import Table
from astroquery.utils.tap import TapPlus

pytestmark = [
    pytest.mark.clients,
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

EVERYTHING = Path(__file__).parent / "tables" / "everything.vot"
QUERY = "SELECT n, ra, dec, mag FROM small.csv ORDER BY n"


@pytest.fixture(scope="module")
def tap(served: Any) -> TapPlus:
    return TapPlus(url=served.tap, verbose=False)


def test_all_tables_are_loaded_with_their_columns(tap: TapPlus) -> None:
    loaded = {table.get_qualified_name(): table for table in tap.load_tables()}
    assert len(loaded) > 40
    names = [name for name in loaded if name.endswith("small.votable")]
    columns = {column.name: column for column in loaded[names[0]].columns}
    assert {name.strip('"') for name in columns} == {*Table.read(EVERYTHING).colnames, "hpx29"}
    assert (columns["ra"].unit, columns["ra"].ucd) == ("deg", "pos.eq.ra;meta.main")


def test_the_names_of_tables_and_one_table_are_loaded(tap: TapPlus) -> None:
    assert len(tap.load_tables(only_names=True)) > 40
    table = tap.load_table("hipparcos.main")
    assert {"hip", "ra", "dec", "plx"} <= {column.name for column in table.columns}


@pytest.mark.parametrize("format", ["votable", "csv"])
def test_a_query_is_answered_at_once_and_as_a_job(format: str, tap: TapPlus) -> None:
    for launch in (tap.launch_job, tap.launch_job_async):
        job = launch(QUERY, output_format=format)
        assert not job.failed
        found = job.get_results()
        assert found["n"].tolist() == [1, 2, 3]
        assert found["ra"].tolist() == [34.75, 359.999, 0.001]


def test_a_table_comes_along(tap: TapPlus, tmp_path: Path) -> None:
    mine = Table({"n": np.arange(50), "x": np.arange(50) / 7})
    mine.write(tmp_path / "mine.vot", format="votable")
    query = "SELECT m.n, m.x, s.ra FROM TAP_UPLOAD.mine AS m JOIN small.csv AS s ON s.n = m.n ORDER BY m.n"
    for launch in (tap.launch_job, tap.launch_job_async):
        for resource in (mine, str(tmp_path / "mine.vot")):
            found = launch(query, upload_resource=resource, upload_table_name="mine").get_results()
            assert found["x"].tolist() == [1 / 7, 2 / 7, 3 / 7]


def test_what_is_wrong_is_told_in_words(tap: TapPlus) -> None:
    with pytest.raises(Exception, match="unknown column 'nn'"):
        tap.launch_job("SELECT nn FROM small.csv")
    with pytest.raises(Exception, match="unknown column 'nn'"):
        tap.launch_job_async("SELECT nn FROM small.csv").get_results()


def test_a_job_is_left_found_and_listed(tap: TapPlus, served: Any) -> None:
    job = tap.launch_job_async(QUERY, background=True, name="left")
    found = tap.load_async_job(jobid=job.jobid)
    assert found.get_results()["n"].tolist() == [1, 2, 3]
    assert job.jobid in {each.jobid for each in tap.list_async_jobs()}
    requests.delete(f"{served.tap}/async/{job.jobid}", timeout=60)
    assert job.jobid not in {each.jobid for each in tap.list_async_jobs()}


def test_an_answer_is_written_to_a_file(tap: TapPlus, tmp_path: Path) -> None:
    tap.launch_job(QUERY, dump_to_file=True, output_file=str(tmp_path / "answer.vot.gz"))
    assert len(astropy.table.Table.read(tmp_path / "answer.vot.gz", format="votable")) == 3
