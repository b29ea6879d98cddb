"""What does the service tell of itself? TAPRegExt 1.0, in the order that its schema enforces."""

from itertools import groupby

from datamodel.config import Config
from vo_server.formats.negotiate import OFFERS
from vo_server.tap import udfs
from vo_server.tap.adql.features import features
from vo_server.vosi import Element, capability, child

STANDARD_ID = "ivo://ivoa.net/std/TAP"
DATA_MODELS = (("ivo://ivoa.net/std/ObsCore#core-1.1", "ObsCore-1.1"),)
LANGUAGE_VERSIONS = (("ivo://ivoa.net/std/ADQL#v2.0", "2.0"), ("ivo://ivoa.net/std/ADQL#v2.1", "2.1"))
UPLOAD_METHODS = ("inline", "http", "https")
"""TAP 1.1 section 2.7.6 has them all; a site that names no hosts refuses each URL, and says so."""


def table_access(tap_url: str, config: Config, security: tuple[str, ...] = ()) -> Element:
    """The ``tr:TableAccess`` capability.

    Parameters
    ----------
    tap_url
        Absolute URL of the service, which ``/sync`` and the others follow.
    config
        For the limits.
    security
        As in `vo_server.vosi.capability`.
    """
    kind = "tr:TableAccess"
    made = capability(STANDARD_ID, tap_url, type=kind, version="1.1", use="base", security=security)
    for ivo_id, name in DATA_MODELS:
        child(made, "dataModel", name, **{"ivo-id": ivo_id})
    _add_language(made, config)
    for offer in OFFERS:
        output = child(made, "outputFormat", **{"ivo-id": offer.ivo_id})
        child(output, "mime", offer.mime)
        for alias in offer.aliases:
            child(output, "alias", alias)
    for method in UPLOAD_METHODS:
        child(made, "uploadMethod", **{"ivo-id": f"ivo://ivoa.net/std/TAPRegExt#upload-{method}"})
    kept = (str(round(days * 86400)) for days in (config.job_days, config.job_days_limit))
    _add_limits(child(made, "retentionPeriod"), *kept)
    _add_limits(child(made, "executionDuration"), str(config.job_seconds), str(config.job_seconds_limit))
    default = min(config.maxrec, config.maxrec_limit)
    _add_limits(child(made, "outputLimit"), str(default), str(config.maxrec_limit), unit="row")
    most = str(config.upload_bytes)
    _add_limits(child(made, "uploadLimit"), most, most, unit="byte")
    return made


def _add_language(made: Element, config: Config) -> None:
    language = child(made, "language")
    child(language, "name", "ADQL")
    for ivo_id, version in LANGUAGE_VERSIONS:
        child(language, "version", version, **{"ivo-id": ivo_id})
    child(language, "description", "The Astronomical Data Query Language")
    for feature_type, group in groupby(features(udfs.offered(config)), key=lambda feature: feature.type):
        listed = child(language, "languageFeatures", type=feature_type)
        for feature in group:
            told = child(listed, "feature")
            child(told, "form", feature.form)
            if feature.description:
                child(told, "description", feature.description)


def _add_limits(parent: Element, default: str, hard: str, unit: str | None = None) -> None:
    child(parent, "default", default, unit=unit)
    child(parent, "hard", hard, unit=unit)
