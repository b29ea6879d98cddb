"""The whole walk as a stranger takes it with pyvo: find what is not made, download it, and it is made, once."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pyvo
import requests
from astropy.io import fits
from werkzeug.serving import make_server

from datamodel.archive import Archive
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.ingest import ingest
from processing.opening import open_archive, operator
from processing.reduced_science_frame import ReducedScienceFrame
from vo_server.app import create_app

H_PERSEI = (34.75, 57.13)


@pytest.fixture
def base_url(observatory: Archive, lent: Callable[[], object]) -> Iterator[str]:
    """The URL of a live server on the loopback interface."""
    server = make_server("127.0.0.1", 0, lambda *_: [], threaded=True)
    url = f"http://127.0.0.1:{server.port}"
    served = open_archive(replace(observatory.config, base_url=url))
    served.resource("workers", lent)
    server.app = create_app(served)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield url
    server.shutdown()
    thread.join()
    server.server_close()
    served.close()


@pytest.fixture
def counts(observatory: Archive) -> Callable[[], dict[str, int]]:
    """Counts the made objects of each class."""

    def count() -> dict[str, int]:
        with Session(observatory, operator(observatory)):
            return {c.__name__: len(c.select_all()) for c in TARGET_CLASSES if len(c.select_all())}

    return count


@pytest.mark.thorough
def test_a_stranger_finds_downloads_and_queries(
    base_url: str, counts: Callable[[], dict[str, int]], observatory: Archive, survey: Path, tmp_path: Path
) -> None:
    found = pyvo.dal.SIA2Service(f"{base_url}/sia2").search(pos=(*H_PERSEI, 0.6), calib_level=2)
    assert len(found) > 0
    assert len(set(found["em_min"])) == 3  # three filters
    assert counts() == {}
    first = found[0]
    (this,) = list(first.getdatalink().bysemantics("#this", include_narrower=False))
    answer = requests.get(this["access_url"], timeout=60)
    assert answer.status_code == 200
    (tmp_path / "reduced.fits").write_bytes(answer.content)
    with fits.open(tmp_path / "reduced.fits") as hdus:
        assert hdus[0].header["PRODUCT"] == "ReducedScienceFrame"
        assert hdus[0].data.ndim == 2
    made = counts()
    assert made["ReducedScienceFrame"] == made["BiasFrame"] == made["HotPixelMap"] == 1
    again = requests.get(this["access_url"], timeout=60)
    assert again.content == answer.content
    assert counts() == made

    source_list = this["access_url"].replace("ReducedScienceFrame", "SourceList")
    assert requests.get(source_list, timeout=60).status_code == 200
    tap = pyvo.dal.TAPService(f"{base_url}/tap")
    ra, dec = H_PERSEI
    rows = tap.run_sync(
        f"SELECT ra, dec FROM archive.sources WHERE 1=CONTAINS(POINT(ra,dec),CIRCLE({ra},{dec},2))"
    )
    everything = tap.run_sync("SELECT COUNT(*) AS n FROM archive.sources")
    assert 0 < len(rows) <= everything["n"][0]

    with Session(observatory, operator(observatory)) as session:
        reduced = ReducedScienceFrame.select_all()[0]
        bias = reduced.bias
        assert reduced._creator == "archive"
        assert reduced._project == reduced.raw._project
        ingest(session, [_another_bias(survey, tmp_path)])
        assert [str(r) for r in bias.why()] == ["new:raw_bias_frames"]
        assert BiasFrame.select_all()[0].status() == "outdated"
    before = counts()["BiasFrame"]
    fresh = requests.get(this["access_url"], timeout=60)
    assert fresh.status_code == 200
    assert counts()["BiasFrame"] == before + 1
    page = requests.get(f"{base_url}/object/{bias.object_id}", timeout=60).text
    assert "raw_bias_frames" in page


def _another_bias(survey: Path, folder: Path) -> Path:
    source = next(p for p in sorted((survey / "raw").iterdir()) if fits.getval(p, "OBSTYPE") == "BIAS")
    with fits.open(source) as hdus:
        hdus[0].header["OBSID"] = "ONE_MORE"
        for hdu in hdus[1:]:
            hdu.data[0, 0] += 1
        hdus.writeto(folder / "one_more.fits")
    return folder / "one_more.fits"
