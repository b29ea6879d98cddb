"""What does the DataLink service say of itself?"""

from typing import Any

from datamodel.config import Config
from vo_server import vosi
from vo_server.descriptors import DATALINK_MIME, DATALINK_STANDARD, Input, descriptor
from vo_server.obscore import links_url
from vo_server.site import base_url


def capability(config: Config) -> list[Any]:
    """The capabilities of the service, as elements of a VOSI document."""
    links = vosi.capability(DATALINK_STANDARD, links_url(config), version="1.1", use="base")
    return [links, *vosi.own_capabilities(f"{base_url(config)}/datalink")]


def self_description(config: Config) -> bytes:
    """The service descriptor of the service itself."""
    inputs = [
        Input("ID", ucd="meta.id;meta.main", description="Publisher's identifier; may be repeated"),
        Input("RESPONSEFORMAT", ucd="meta.code.mime", description="Media type of the answer"),
    ]
    return descriptor(links_url(config), DATALINK_STANDARD, inputs, this=True, content_type=DATALINK_MIME)
