"""What does the DataLink service say of itself?"""

from typing import Any

from datamodel.config import Config
from vo_server import vosi
from vo_server.descriptors import DATALINK_MIME, DATALINK_STANDARD, Input, descriptor
from vo_server.obscore import links_url
from vo_server.site import base_url


def capability(config: Config, security: tuple[str, ...] = ()) -> list[Any]:
    """The capabilities of the service, as elements of a VOSI document; `security` as in `vosi.capability`."""
    url = links_url(config)
    links = vosi.capability(DATALINK_STANDARD, url, version="1.1", use="base", security=security)
    return [links, *vosi.own_capabilities(f"{base_url(config)}/datalink", security=security)]


def self_description(config: Config) -> bytes:
    """The service descriptor of the service itself."""
    inputs = [
        Input("ID", ucd="meta.id;meta.main", description="Publisher's identifier; may be repeated"),
        Input("RESPONSEFORMAT", ucd="meta.code.mime", description="Media type of the answer"),
    ]
    return descriptor(links_url(config), DATALINK_STANDARD, inputs, this=True, content_type=DATALINK_MIME)
