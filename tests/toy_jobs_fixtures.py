"""An archive that keeps nothing but toy jobs, with a client and a worker of it, as fixtures for tests of jobs."""

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import flask
import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from datamodel import jobs
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.job_claims import Holder
from tests.toy_jobs import CRAFTS, LIST, Begin, receive
from vo_server import dali, errors
from vo_server.uws.service import Service
from vo_server.uws.views import add_routes
from vo_server.uws.worker import Worker


@pytest.fixture(scope="module")
def shared(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """An archive with nothing in it but a table of jobs; see `kept`."""
    folder = tmp_path_factory.mktemp("jobs") / "archive"
    opened = Archive(Config(archive=folder, database_url=new_database()), lambda: datetime(2026, 1, 1))
    opened.database.create([jobs.job])
    yield opened
    opened.close()


@pytest.fixture
def kept(shared: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Archive]:
    """The shared archive with no jobs; its configuration is as it was afterwards."""
    monkeypatch.setattr(shared, "config", shared.config)
    yield shared
    with shared.database.write() as connection:
        connection.execute(sa.delete(jobs.job))
    shutil.rmtree(shared.config.archive / "jobs", ignore_errors=True)
    for name in ("room for jobs", "waiters", "places"):
        shared._resources.pop(name, None)


@pytest.fixture(scope="module")
def app(shared: Archive) -> flask.Flask:
    app = flask.Flask("toy")
    app.extensions |= {"archive": shared, "up_since": shared.clock()}
    blueprint = flask.Blueprint("toy", __name__, url_prefix="/toy")
    blueprint.register_error_handler(Exception, errors.handler(dali.error_document))
    told = lambda message: dali.error_document(errors.Told(200, message))  # noqa: E731
    add_routes(blueprint, Service("toy", "/toy/jobs", receive, told), "/jobs")
    app.register_blueprint(blueprint)
    return app


@pytest.fixture
def client(kept: Archive, app: flask.Flask) -> FlaskClient:
    made = app.test_client()
    made.open = partial(made.open, buffered=True)  # type: ignore[method-assign]
    return made


@pytest.fixture
def holder(kept: Archive) -> Iterator[Holder]:
    with Holder(kept) as made:
        yield made


@pytest.fixture
def worker(kept: Archive) -> Worker:
    return Worker(kept, CRAFTS)


@pytest.fixture
def begin(client: FlaskClient) -> Begin:
    """Makes a job, and gives its path."""

    def make(**parameters: str) -> str:
        made = client.post("/toy/jobs", data=parameters)
        assert made.status_code == 303, made.text
        assert made.location.startswith(LIST + "/")
        return made.location.removeprefix("http://127.0.0.1:8000")

    return make


ALL = shared, kept, app, client, holder, worker, begin
