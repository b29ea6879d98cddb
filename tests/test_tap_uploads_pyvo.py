"""Does pyvo upload whatever it can over a real socket: tables, files, several at once, and by URL?"""

import gc
import threading
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import pyvo
from flask import Flask
from werkzeug.serving import make_server

from datamodel.archive import Archive
from tests import uploads
from tests.uploads import TABLE, as_votable

shared, application, served = uploads.shared, uploads.application, uploads.served


def test_pyvo_uploads_whatever_it_can(served: Archive, application: Flask, tmp_path: Path) -> None:
    """Over a real socket: tables, files, several, and by URL."""
    server = make_server("127.0.0.1", 0, application, threaded=True)
    host = f"127.0.0.1:{server.port}"
    served.config = replace(served.config, port=server.port, upload_hosts=host, upload_networks="127.0.0.0/8")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        _check_pyvo(pyvo.dal.TAPService(f"http://{host}/tap"), host, tmp_path)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


BOTH = "SELECT a.n FROM TAP_UPLOAD.a AS a JOIN TAP_UPLOAD.b AS b ON a.name = b.name"


def _check_pyvo(service: pyvo.dal.TAPService, host: str, folder: Path) -> None:
    methods = {method.ivo_id.rpartition("-")[2] for method in service.upload_methods}
    assert methods == {"inline", "http", "https"}
    path = folder / "t.xml"
    path.write_bytes(as_votable(TABLE))
    query = "SELECT n, name FROM TAP_UPLOAD.mine ORDER BY name"
    expected = TABLE["name"].tolist()
    url = f"http://{host}/tap/sync?LANG=ADQL&QUERY=SELECT+table_name+AS+name,+1+AS+n+FROM+tap_schema.tables"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # pyvo leaves files open
        for given in (TABLE, str(path)):
            assert service.run_sync(query, uploads={"mine": given})["name"].tolist() == expected
        both = service.run_sync(BOTH, uploads={"a": TABLE, "b": str(path)})
        gc.collect()
    assert len(both) == 3
    fetched = service.run_sync(query, uploads={"mine": url})["name"].tolist()
    assert fetched == sorted(
        service.run_sync("SELECT table_name FROM tap_schema.tables")["table_name"].tolist()
    )
    with pytest.raises(pyvo.dal.DALQueryError, match="unknown column 'x'"):
        service.run_sync("SELECT x FROM TAP_UPLOAD.mine", uploads={"mine": TABLE})
