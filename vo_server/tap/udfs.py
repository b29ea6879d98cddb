"""Which user defined functions can the queries of this archive call, and what do they look up?"""

from functools import cache, partial

from datamodel import extensions
from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.context import Caller
from datamodel.errors import UsageError
from vo_server.tap import names
from vo_server.tap.adql.arities import ARITIES
from vo_server.tap.adql.udf import Udf, Udfs
from vo_server.tap.adql.udf_catalogue import IVOA


def offered(config: Config) -> Udfs:
    """The IVOA's and the site's own; no object is known to them by its name yet.

    Raises
    ------
    UsageError
        The site declares something that is no function, or one whose name is taken or is the IVOA's.
    """
    return _with_those_of(config.udfs)


@cache
def _with_those_of(files: str) -> Udfs:
    own = extensions.declared(files)
    for udf in own:
        if not isinstance(udf, Udf) or udf.name.startswith("IVO_"):
            shown = udf.form if isinstance(udf, Udf) else repr(udf)[:60]
            raise UsageError(f"expected a Udf whose name does not begin with ivo_, found {shown}")
    return Udfs((*IVOA, *own), ARITIES)


def for_query(archive: Archive, caller: Caller) -> Udfs:
    """The same, for a query of a caller, who has objects looked up among what he or she may see."""
    return offered(archive.config).finding(partial(names.find, archive, caller))
