"""Which optional parts of ADQL does the service offer, for its capabilities?"""

from dataclasses import dataclass

from vo_server.tap.adql import geometry, healpix

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


def features() -> tuple[Feature, ...]:
    """All features that a query can use."""
    listed = [Feature(_STANDARD + name, form) for name, forms in _LISTS for form in forms]
    udf = Feature(_STANDARD + "udf", healpix.FORM, healpix.DESCRIPTION)
    return (*listed, Feature(_CONDITIONAL, "COALESCE"), udf)
