"""Which URL is whose: the application with all its protocols, over one open archive."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import flask
from flask import Flask, Response

from datamodel.archive import Archive
from datamodel.errors import UsageError
from vo_server import compression, dali, errors, site
from vo_server.auth import challenges, identify, transport
from vo_server.data.views import blueprint as data
from vo_server.datalink.views import blueprint as datalink
from vo_server.mydb import jobs as mydb_jobs
from vo_server.mydb.views import blueprint as mydb
from vo_server.qc.views import blueprint as qc
from vo_server.sia.views import blueprint as sia
from vo_server.tap import jobs as tap_jobs
from vo_server.tap import udfs
from vo_server.tap.adql.features import features
from vo_server.tap.adql.words import RESERVED
from vo_server.tap.examples import examples
from vo_server.tap.query import first_rows
from vo_server.tap.views import blueprint as tap
from vo_server.uws.service import Craft
from vo_server.web.judging import blueprint as judging
from vo_server.web.login import blueprint as login
from vo_server.web.publishing import blueprint as publishing
from vo_server.web.query_page import blueprint as query
from vo_server.web.tap_service import Example, TapService
from vo_server.web.views import blueprint as web
from vo_server.web.views import error_page

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

JOBS: dict[str, Craft] = {tap_jobs.NAME: mydb_jobs.CRAFT}
"""How the jobs of each protocol are done, for workers."""

SERVICES = (tap, sia, datalink)
"""The protocols that want errors as VOTables, even of URLs that are nobody's."""

BLUEPRINTS = (web, login, query, publishing, judging, *SERVICES, mydb, data, qc)

MAX_BODY_BYTES = 4 << 20
"""A request may be so long; a query is at most a million characters, which may be percent-encoded."""

HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": (
        "Accept-Ranges, Content-Disposition, Content-Length, Content-Location, Content-Range, ETag, Link, Location, "
        "Retry-After, VO-Made, VO-Reasons, VO-Status, WWW-Authenticate, X-VO-Authenticated, X-VO-Bearer"
    ),
    "X-Content-Type-Options": "nosniff",
}
"""On every answer: pages of other sites may read it, and no browser guesses what it is."""

TAP = TapService(
    first_rows,
    lambda archive: [(each.form, each.description) for each in features(udfs.offered(archive.config))],
    RESERVED,
    lambda archive, caller: [Example(e.name, e.description, e.query) for e in examples(archive, caller)],
)
"""What the query page has of TAP: pages and protocols are strangers to one another."""

PREFLIGHT_HEADERS = {
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, If-Range, "
        "Pragma, Range, X-Requested-With"
    ),
    "Access-Control-Max-Age": "86400",
}
"""On the answer to OPTIONS, beside the methods: what a page of another site may send."""


def create_app(archive: Archive) -> Flask:
    """The WSGI application.

    Parameters
    ----------
    archive
        Open and prepared; who opened it closes it.

    Raises
    ------
    UsageError
        The setting ``login`` has no meaning.
    """
    transport.policy(archive.config)
    app = Flask("vo_server", static_folder=None, template_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.extensions |= {"archive": archive, "up_since": archive.clock(), "tap service": TAP}
    app.before_request(_refuse_strangers(archive))
    app.before_request(identify.identify)
    app.after_request(_finish)
    app.register_error_handler(Exception, errors.handler(_show_error))
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    app.wsgi_app = Mounted(app.wsgi_app, site.mount(archive.config))  # type: ignore[method-assign]
    return app


class Mounted:
    """An application below the path of the base URL, whether or not a proxy in front takes the path away.

    Parameters
    ----------
    application
        Knows nothing of the path but from ``SCRIPT_NAME``.
    path
        Such as ``/perseus``; empty for none.
    """

    def __init__(self, application: "WSGIApplication", path: str) -> None:
        self.application = application
        self.path = path

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """See PEP 3333."""
        asked = environ.get("PATH_INFO", "")
        if self.path and f"{asked}/".startswith(f"{self.path}/"):
            asked = asked[len(self.path) :] or "/"
        return self.application({**environ, "SCRIPT_NAME": self.path, "PATH_INFO": asked}, start_response)


def _refuse_strangers(archive: Archive) -> flask.typing.BeforeRequestCallable:
    """Refuse requests that came under a name which is not ours: a page elsewhere may have sent them."""
    trusted = site.trusted_hosts(archive.config)

    def refuse() -> None:
        header = flask.request.headers.get("Host", "")
        if site.host_name(header) not in trusted:
            raise UsageError("this archive is not served under the host name of this request")

    return refuse


_SERVICES = tuple(f"{service.url_prefix}/" for service in SERVICES)


def _show_error(what: errors.Told) -> Response:
    """An error at a URL that is nobody's: in a service a VOTable, a page where a browser asks, else text."""
    if flask.request.path.startswith(_SERVICES):
        return dali.error_document(what)
    kinds = ("text/plain", "text/html")
    browsing = flask.request.accept_mimetypes.best_match(kinds, default=kinds[0]) == "text/html"
    return error_page(what) if browsing else errors.plain(what)


def _finish(response: Response) -> Response:
    archive = site.archive()
    if response.status_code == 412 and response.mimetype != "text/plain":
        response = _refused(response)
    response.headers.update(HEADERS)
    response.vary.update(("Accept", "Authorization", "Cookie"))
    compression.finish(response)
    user = dali.caller_of(flask.request).user
    if user:
        response.headers[challenges.USER_HEADER] = user
        response.cache_control.public = False
        response.cache_control.private = True
    else:
        challenges.add(archive, response)
    if flask.request.method == "OPTIONS":
        response.headers.update(PREFLIGHT_HEADERS)
        if response.allow:
            response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(response.allow))
    return response


def _refused(response: Response) -> Response:
    """Words in place of a document that If-Match or If-Unmodified-Since have kept from being sent."""
    words = errors.plain(errors.Told(412, errors.OWN_WORDS[412]))
    words.status_code = 412
    words.call_on_close(response.close)
    return words
