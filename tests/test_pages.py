"""Pages for people: what the front says, what the page of an object shows, and what it keeps to itself."""

import io
import re
from dataclasses import replace

import html5lib
import numpy as np
import pytest
import sqlalchemy as sa
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from PIL import Image

from datamodel.archive import Archive
from datamodel.frames import RawBiasFrame, RawScienceFrame
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.opening import operator
from vo_server.app import create_app
from vo_server.tap.tap_schema import tables, update_tap_schema
from vo_server.web import thumbnails


def page(client: FlaskClient, path: str, status: int = 200) -> BeautifulSoup:
    """A page, after what must hold for all of them was looked at."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "text/html"
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    html5lib.HTMLParser(strict=True).parse(answer.text)
    soup = BeautifulSoup(answer.text, "html.parser")
    assert soup.html["lang"] == "en"
    assert len(soup.find_all("h1")) == 1
    assert not soup.find_all("script")
    assert not soup.find_all(style=True)
    assert all(image.get("alt") for image in soup.find_all("img"))
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    return soup


def test_the_front_says_what_is_here_and_how_to_ask(client: FlaskClient) -> None:
    soup = page(client, "/")
    counts = {row.th.text: row.find_all("td")[-1].text for row in soup.select("tbody tr")}
    assert int(counts["RawScienceFrame"]) > 0
    assert counts["BiasFrame"] == "0"
    for expected in (
        "/tap",
        "/sia2/query",
        "archive.sources",
        "34.75",
        "57.13",
        "pyvo",
        "TOPCAT",
        "Gaia",
        "CC BY-SA",
    ):
        assert expected in soup.text


def test_the_front_leads_to_the_rows_of_a_class_and_to_what_was_made_last(
    client: FlaskClient, raw: RawScienceFrame
) -> None:
    client.get(f"/target/BiasFrame/{raw.object_id}")
    soup = page(client, "/")
    bias = BiasFrame.select_all()[0]
    rows = client.get(soup.find("a", string="BiasFrame")["href"])
    assert (rows.mimetype, rows.text.count(bias.object_id)) == ("text/csv", 1)
    made_last = soup.find(id="newest").parent
    assert made_last.a["href"] == f"/object/{bias.object_id}"
    assert len(made_last.find_all("li")) == 2


def test_the_front_asks_the_database_little(client: FlaskClient, observatory: Archive) -> None:
    page(client, "/")
    sent: list[str] = []
    sa.event.listen(
        observatory.database.engine, "before_cursor_execute", lambda *told: sent.append(str(told[2]))
    )
    page(client, "/")
    assert len(sent) < 10


def test_pages_stay_under_the_path_of_the_base_url(observatory: Archive, raw: RawScienceFrame) -> None:
    observatory.config = replace(observatory.config, base_url="http://127.0.0.1:8000/somewhere")
    mounted = create_app(observatory).test_client()
    for path in ("/somewhere/", f"/somewhere/object/{raw.object_id}"):
        soup = BeautifulSoup(mounted.get(path).text, "html.parser")
        urls = [tag.get("href") or tag.get("src") for tag in soup.find_all(["a", "link", "img"])]
        assert len(urls) > 5
        assert [url for url in urls if not url.startswith(("/somewhere/", "#", "https://"))] == []
    assert "Disallow: /somewhere/target" in mounted.get("/robots.txt").text


def test_every_link_on_the_front_leads_somewhere(client: FlaskClient, observatory: Archive) -> None:
    update_tap_schema(observatory, tables(observatory.config))
    soup = page(client, "/")
    urls = [tag.get("href") for tag in soup.find_all(["a", "link"])]
    for url in urls:
        if url.startswith("/"):
            assert client.get(url).status_code == 200, url


def test_the_page_of_an_exposure_offers_its_products(client: FlaskClient, raw: RawScienceFrame) -> None:
    soup = page(client, f"/object/{raw.object_id}")
    text = soup.get_text(" ", strip=True)
    assert "RawScienceFrame" in text
    assert raw.obs_id in text
    assert "to be built" in text
    assert soup.find("a", href=f"/data/{raw.object_id}")
    makes = soup.find("a", href=f"/target/ReducedScienceFrame/{raw.object_id}")
    assert makes["rel"] == ["nofollow"]
    rows = {r.th.text: [cell.text for cell in r.find_all("td")] for r in soup.select("tbody tr")}
    assert rows["EXPTIME"][1:] == ["s", "Exposure time"]
    assert rows["chip"][0] == "A5382"
    assert all(len(cls.select_all()) == 0 for cls in TARGET_CLASSES)


def test_the_page_of_a_product_shows_its_past_its_future_and_the_reasons(
    client: FlaskClient, observatory: Archive, raw: RawScienceFrame
) -> None:
    client.get(f"/target/HotPixelMap/{raw.object_id}")
    bias = BiasFrame.select_all()[0]
    soup = page(client, f"/object/{bias.object_id}")
    assert soup.select_one(".status").text == "ok"
    made_from = soup.find(id="from").parent.get_text(" ", strip=True)
    assert made_from.count("raw_bias_frames") == len(bias.raw_bias_frames)
    assert "HotPixelMap" in soup.find(id="users").parent.text
    with Session(observatory, operator(observatory)):
        judged = (RawBiasFrame.chip == "A5382").order_by("DATE_OBS")[0]
        judged.is_valid = 0
        judged.commit()
    soup = page(client, f"/object/{bias.object_id}")
    assert soup.select_one(".status").text == "outdated"
    assert "obsolete:raw_bias_frames" in soup.select_one(".reasons").text


def test_what_is_no_input_has_no_users_and_what_has_no_data_no_links(
    client: FlaskClient, raw: RawScienceFrame
) -> None:
    chip = page(client, f"/object/{raw.chip.object_id}")
    frame = page(client, f"/object/{raw.object_id}")
    assert not chip.find(id="users")
    assert "DataLink" not in chip.text
    assert frame.find(id="users")
    belongs = page(client, frame.find("a", string=re.compile("DataLink"))["href"])
    assert raw.object_id in belongs.find("a", string=re.compile("RawScienceFrame"))["href"]


def test_codes_are_said_in_words_and_digests_stand_last(client: FlaskClient, raw: RawScienceFrame) -> None:
    client.get(f"/target/HotPixelMap/{raw.object_id}")
    bias = page(client, f"/object/{BiasFrame.select_all()[0].object_id}")
    system = {row.th.text: row.td.text for row in bias.find("h2", string="System").parent.select("tbody tr")}
    assert system["privileges"] == "4 World"
    assert system["is_valid"] == "1 good"
    assert system["process_status"] == "7 made, verified, compared"
    assert system["quality_flags"] == "0 none"
    assert {"recipe_digest", "derivation_key", "file_sha256", "content_digest"} <= set(system)
    assert [h.text for h in bias.find_all("h2")][-1] == "System"
    frame = page(client, f"/object/{raw.object_id}")
    assert "CRVAL1" in frame.find("details").text


def test_unknown_and_hidden_objects_are_the_same(client: FlaskClient, observatory: Archive) -> None:
    with Session(observatory, operator(observatory).at(level=1)):
        hidden = RawBiasFrame(obs_id="secret")
        hidden.commit()
        object_id = hidden.object_id
    told = [page(client, f"/object/{o}", 404) for o in (object_id, object_id[:-1] + "x", "<script>")]
    assert len({re.sub(r"\s+", " ", soup.text) for soup in told}) == 1
    assert client.get(f"/object/{object_id}/thumbnail.png").status_code == 404


def test_what_an_observer_wrote_is_never_markup(client: FlaskClient, observatory: Archive) -> None:
    with Session(observatory, operator(observatory).at(level=4)):
        hostile = RawBiasFrame(obs_id="<b onmouseover=x>", OBSERVER="\"><script>alert('x')</script>")
        hostile.commit()
    soup = page(client, f"/object/{hostile.object_id}")
    assert not soup.find("b")
    assert "<script>alert" in soup.text


def test_pictures_are_small_and_are_kept_by_browsers(client: FlaskClient, raw: RawScienceFrame) -> None:
    url = f"/object/{raw.object_id}/thumbnail.png"
    answer = client.get(url)
    with Image.open(io.BytesIO(answer.data)) as picture:
        assert picture.format == "PNG"
        assert max(picture.size) <= 160
    assert client.get(url, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    head = client.head(url)
    assert (head.status_code, head.data) == (200, b"")


def test_robots_are_asked_to_stay_away_from_what_would_be_made(client: FlaskClient) -> None:
    lines = client.get("/robots.txt").text.splitlines()
    kept = {"/target", "/data", "/object", "/tap", "/sia2", "/datalink"}
    assert {f"Disallow: {path}" for path in kept} <= set(lines)


def test_a_picture_has_its_first_row_at_the_bottom_and_shows_a_faint_star() -> None:
    pixels = np.random.default_rng(1).normal(100.0, 5.0, (300, 400)).astype("f4")
    pixels[10:20, 10:20] += 200.0
    pixels[200:, 300:] = np.nan
    with Image.open(io.BytesIO(thumbnails.png(pixels, 100))) as picture:
        assert picture.size == (100, 75)
        grey = np.asarray(picture)
    assert grey[-4, 3] > grey[:40].max() * 0.9
    assert grey[5, 90] == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 1000), (7, 3), (641, 640)])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_any_shape_and_value_gives_a_picture(shape: tuple[int, int], value: float) -> None:
    with Image.open(io.BytesIO(thumbnails.png(np.full(shape, value, "f4"), 160))) as picture:
        assert 1 <= max(picture.size) <= 160
