"""What is ``ivoa.obscore`` as this site serves it: its columns, with the site's own names and links in them?"""

from datamodel.columns import Table
from datamodel.config import Config
from datamodel.observations import obscore_table
from registry.identifiers import did_prefix
from vo_server.site import base_url


def links_url(config: Config) -> str:
    """The URL of the DataLink service, without parameters."""
    return f"{base_url(config)}/datalink/links"


def obscore(config: Config) -> Table:
    """The described table; its links are absolute and lead to the DataLink service."""
    return obscore_table(did_prefix(config), f"{links_url(config)}?ID=")
