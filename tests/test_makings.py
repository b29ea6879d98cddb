"""Is it recorded how each product was made, and told to whoever asks?"""

import os
import platform
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
import sqlalchemy as sa

from datamodel.archive import Archive
from datamodel.provenance import Activity, activities_of, activity, recipe, recipes_of, record
from datamodel.session import Session
from processing.bias_frame import BiasFrame
from processing.classes import TARGET_CLASSES
from processing.costs import Costs, estimate_s
from processing.hot_pixel_map import HotPixelMap
from processing.opening import operator
from processing.read_noise import ReadNoise
from processing.recipe import digest_of_code, recipe_code, recipe_digest, versions

NIGHT = {"date": "2003-02-14", "chip": "A5382"}


@pytest.mark.usefixtures("recipes_run")
def test_each_making_is_recorded_with_what_it_took_and_its_code(session: Session) -> None:
    hot = HotPixelMap.get(**NIGHT)
    products = [hot, hot.bias, hot.bias.read_noise]
    makings = activities_of(session, [p.object_id for p in products])
    assert len(makings) == 3
    for product in products:
        making = makings[product.object_id]
        assert (making.class_name, making.instrument) == (type(product).__name__, "SIMCAM")
        assert (making.host, making.recipe_digest) == (socket.gethostname(), product.recipe_digest)
        assert making.pid != os.getpid()
        assert making.started < making.ended <= product.creation_date
        assert 0 < making.wall_s <= (making.ended - making.started).total_seconds() + 0.01
        assert making.cpu_s > 0
        assert making.versions == {"python": platform.python_version()} | versions(type(product))
        assert "numpy" in making.versions
        kept = recipes_of(session, [product.recipe_digest])[product.recipe_digest]
        assert kept.code == recipe_code(type(product))
        assert kept.first_seen == making.ended


def test_what_is_kept_again_was_made_as_the_first_time(session: Session) -> None:
    first = BiasFrame.get(**NIGHT)
    again = BiasFrame.get(**NIGHT, MAXIMUM_STDEV=500.0)
    assert again is not first
    makings = activities_of(session, [first.object_id, again.object_id])
    assert makings[again.object_id] == replace(makings[first.object_id], object_id=again.object_id)


@pytest.mark.parametrize("cls", TARGET_CLASSES, ids=lambda c: c.__name__)
def test_the_code_of_a_recipe_is_python_and_has_its_digest(cls: type) -> None:
    code = recipe_code(cls)
    compile(code, "recipe", "exec")
    assert f"# {cls.__module__}.{cls.__name__}.make\n@staticmethod\ndef make(" in code
    assert digest_of_code(code) == recipe_digest(cls)
    assert digest_of_code(code.replace("def make(", "def made(")) != recipe_digest(cls)


def test_a_recipe_is_kept_once_and_stays_as_it_was_first(archive: Archive) -> None:
    at = datetime(2026, 1, 1)
    with archive.database.write() as connection:
        archive.database.create_missing(connection, [activity, recipe])
        for number, code in enumerate(["as it was", "otherwise"]):
            made = Activity(
                str(number), "C", None, "d", "h", 1, "a", at, at.replace(day=2 + number), 1.0, 1.0, {}
            )
            record(connection, made, code)
    with Session(archive, archive.caller("A", "P")) as session:
        kept = recipes_of(session, ["d", "unknown"])
        assert [(r.code, r.first_seen) for r in kept.values()] == [("as it was", datetime(2026, 1, 2))]


def test_a_cost_is_the_median_of_the_last_makings(archive: Archive, statements: Callable[[], int]) -> None:
    lately = [("SIMCAM", seconds) for seconds in (1.0, 2.0, 30.0)] * 9
    made = [("SIMCAM", 90.0)] * 30 + lately + [("WFI", 5.0), ("WFI", 7.0)]
    with archive.database.write() as connection:
        archive.database.create_missing(connection, [activity, recipe])
        for number, (instrument, seconds) in enumerate(made):
            at = datetime(2026, 1, 1, 0, number)
            each = Activity(str(number), "BiasFrame", instrument, "d", "h", 1, "a", at, at, seconds, 0.1, {})
            record(connection, each, "code")
    with Session(archive, archive.caller("A", "P")):
        statements()
        costs = Costs()
        assert [costs.estimate_s(BiasFrame, "WFI") for _ in range(5)] == [6.0] * 5
        assert statements() == 1
        assert costs.estimate_s(BiasFrame, "SIMCAM") == 2.0
        assert estimate_s(BiasFrame, "OCAM") == estimate_s(BiasFrame) == 2.0
        assert estimate_s(ReadNoise, "WFI") is None


def test_makers_at_once_keep_one_recipe_and_a_record_for_each_product(observatory: Archive) -> None:
    def make(chip: str) -> None:
        with Session(observatory, operator(observatory)):
            ReadNoise.get(date="2003-02-14", chip=chip)

    threads = [threading.Thread(target=make, args=(chip,)) for chip in ("A5382", "ccd50", "ccd53")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with observatory.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(activity)) == 3
        assert connection.scalar(sa.select(sa.func.count()).select_from(recipe)) == 1
