"""What is ``ivoa.obscore`` as this site serves it: its columns, with the site's own names and links in them?"""

from datamodel.columns import Table
from datamodel.config import Config
from datamodel.observations import obscore_table
from vo_server.site import base_url

TARGET, OBJECT = "target", "object"


def did_prefix(config: Config) -> str:
    """``ivo://<authority>/<archive>``: what the publisher's identifiers begin with."""
    return f"ivo://{config.authority}/{config.archive_name}"


def object_did(config: Config, object_id: str) -> str:
    """``ivo://<authority>/<archive>?object/<object_id>``: one made thing, for ever."""
    return f"{did_prefix(config)}?{OBJECT}/{object_id}"


def target_did(config: Config, class_name: str, exposure_id: str) -> str:
    """``ivo://<authority>/<archive>?target/<Class>/<exposure>``: what can be made, best at the time of asking."""
    return f"{did_prefix(config)}?{TARGET}/{class_name}/{exposure_id}"


def links_url(config: Config) -> str:
    """The URL of the DataLink service, without parameters."""
    return f"{base_url(config)}/datalink/links"


def obscore(config: Config) -> Table:
    """The described table; its links are absolute and lead to the DataLink service."""
    return obscore_table(did_prefix(config), f"{links_url(config)}?ID=")
