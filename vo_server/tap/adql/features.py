"""Which optional parts of ADQL does the service offer, for its capabilities?"""

from dataclasses import dataclass

from vo_server.tap.adql import geometry
from vo_server.tap.adql.udf import Udfs
from vo_server.tap.adql.udf_catalogue import OFFERED

_STANDARD = "ivo://ivoa.net/std/TAPRegExt#features-"
_CONDITIONAL = "ivo://ivoa.net/std/tapregext#features-adql-conditional"


@dataclass(frozen=True)
class Feature:
    """One language feature.

    Attributes
    ----------
    type
        The identifier of its list in TAPRegExt 1.0; mixed case, which clients look for, except
        ``adql-conditional``, which a validator knows in lower case only.
    form
        The name of a function or operator; of a user defined function its signature.
    description
        For people.
    """

    type: str
    form: str
    description: str = ""


_LISTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("adqlgeo", geometry.OFFERED),
    ("adql-string", ("LOWER", "UPPER", "ILIKE")),
    ("adql-common-table", ("WITH",)),
    ("adql-sets", ("UNION", "EXCEPT", "INTERSECT")),
    ("adql-type", ("CAST",)),
    ("adql-unit", ("IN_UNIT",)),
    ("adql-offset", ("OFFSET",)),
)


def features(udfs: Udfs = OFFERED) -> tuple[Feature, ...]:
    """All features that a query can use, with the functions that are no part of ADQL."""
    listed = [Feature(_STANDARD + name, form) for name, forms in _LISTS for form in forms]
    called = [Feature(_STANDARD + "udf", udf.form, udf.description) for udf in udfs.declared]
    return (*listed, Feature(_CONDITIONAL, "COALESCE"), *called)
