"""Does who waits for a job hear when its phase has changed, and does nobody wait who need not?"""

import threading

import pytest
from flask.testing import FlaskClient

from datamodel.archive import Archive
from datamodel.job_claims import Holder
from datamodel.notify import notices
from datamodel.places import Places
from tests.toy_jobs import Begin, document
from tests.toy_jobs_fixtures import ALL
from vo_server.uws import waiting
from vo_server.uws.worker import Worker

shared, kept, app, client, holder, worker, begin = ALL


def test_who_waits_hears_when_the_job_has_ended(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(PHASE="RUN")
    answers: list[str] = []
    other = client.application.test_client()
    waits = threading.Thread(target=lambda: answers.append(document(other.get(f"{path}?WAIT=-1")).phase))
    waits.start()
    worker.run_one(holder)
    waits.join()
    assert answers == ["COMPLETED"]


AT_ONCE = ["?WAIT=0", "?WAIT=30&PHASE=PENDING", ""]


@pytest.mark.parametrize("query", AT_ONCE)
def test_nobody_waits_who_need_not(client: FlaskClient, begin: Begin, query: str) -> None:
    assert document(client.get(begin(PHASE="RUN") + query)).phase == "QUEUED"


def test_nobody_waits_for_a_job_that_has_ended(
    client: FlaskClient, begin: Begin, worker: Worker, holder: Holder
) -> None:
    path = begin(PHASE="RUN")
    worker.run_one(holder)
    assert document(client.get(f"{path}?WAIT=60&PHASE=COMPLETED")).phase == "COMPLETED"


def test_waiting_takes_half_of_the_threads_at_the_most(
    client: FlaskClient, begin: Begin, kept: Archive
) -> None:
    waiters = kept.resource("waiters", lambda: waiting.Waiters(2, Places(8)))
    path = begin(PHASE="RUN")
    with waiters.place() as first:
        assert first
        assert document(client.get(f"{path}?WAIT=60")).phase == "QUEUED"
    with waiters.place() as again:
        assert again


def test_whoever_waits_for_a_deleted_job_is_told_so(client: FlaskClient, begin: Begin, kept: Archive) -> None:
    path = begin(PHASE="RUN")
    codes: list[int] = []
    other = client.application.test_client()
    waits = threading.Thread(target=lambda: codes.append(other.get(f"{path}?WAIT=60").status_code))
    waits.start()
    client.delete(path)
    waits.join()
    assert codes == [404]
    assert not notices(kept)._watches
