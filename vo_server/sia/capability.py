"""What does the image service say of itself: its capabilities, and the parameters it takes?"""

from typing import Any

from datamodel.config import Config
from vo_server import vosi
from vo_server.descriptors import Input, descriptor
from vo_server.sia.parameters import AXES, CALIBRATION_LEVELS, NAMES, POLARISATIONS, PRODUCT_TYPES
from vo_server.site import base_url

STANDARD = "ivo://ivoa.net/std/SIA#query-2.0"

_UCDS = {
    "COLLECTION": "meta.id",
    "FACILITY": "meta.id;instr.tel",
    "INSTRUMENT": "meta.id;instr",
    "TARGET": "meta.id;src",
    "ID": "meta.ref.ivoid",
    "FORMAT": "meta.code.mime",
}
_OPTIONS = {"POL": POLARISATIONS, "DPTYPE": PRODUCT_TYPES, "CALIB": CALIBRATION_LEVELS}
_OPTION_UCDS = {
    "POL": "meta.code;phys.polarization",
    "DPTYPE": "meta.code.class",
    "CALIB": "meta.code;obs.calib",
}


def service_url(config: Config) -> str:
    """What ``/query``, ``/capabilities`` and ``/availability`` follow."""
    return f"{base_url(config)}/sia2"


def capability(config: Config, security: tuple[str, ...] = ()) -> list[Any]:
    """The capabilities of the service, as elements of a VOSI document; `security` as in `vosi.capability`."""
    url = service_url(config)
    query = vosi.capability(STANDARD, f"{url}/query", version="2.0", use="base", security=security)
    return [query, *vosi.own_capabilities(url, security=security)]


def self_description(config: Config) -> bytes:
    """The service descriptor of the query itself, with all its parameters (DataLink 1.1 section 4.2)."""
    inputs = [Input("POS", ucd="pos.outline;obs", description="CIRCLE, RANGE or POLYGON and numbers, ICRS")]
    inputs += [_interval(name) for name in AXES]
    inputs += [Input(name, ucd=_UCDS[name]) for name in (*NAMES, "ID", "FORMAT")]
    inputs += [Input(name, ucd=_OPTION_UCDS[name], options=values) for name, values in _OPTIONS.items()]
    inputs += [Input("MAXREC", description="Rows in the answer at the most"), Input("RESPONSEFORMAT")]
    return descriptor(f"{service_url(config)}/query", STANDARD, inputs, this=True, name="this")


def _interval(name: str) -> Input:
    axis = AXES[name]
    unit = axis.unit or None
    return Input(name, datatype="double", arraysize="2", xtype="interval", unit=unit, ucd=axis.ucd)
