"""What are the things of this archive called in the VO: publisher DIDs, and back to what they name?

``ivo://<authority>/<archive>?target/<Class>/<exposure>`` names what can be made, best at the time of
asking; ``ivo://<authority>/<archive>?object/<object_id>`` names one made thing for ever. An IVOID compares
without regard to case up to its question mark (IVOA Identifiers 2.0 section 2.3.3), what follows with it.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from datamodel.config import Config
from datamodel.errors import UsageError

SHOWN_CHARACTERS = 200

_CLASS = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Target:
    """A product of one raw exposure, made or not.

    Attributes
    ----------
    class_name
        The class of the product, or of the exposure itself.
    exposure
        ``object_id`` of the raw frame.
    """

    class_name: str
    exposure: str


@dataclass(frozen=True)
class Made:
    """One stored object."""

    object_id: str


def did_prefix(config: Config) -> str:
    """``ivo://<authority>/<archive>``: the archive itself, and what its publisher DIDs begin with."""
    return f"ivo://{config.authority}/{config.archive_name}"


def target_did(config: Config, class_name: str, exposure: str) -> str:
    """The publisher DID of a target."""
    return f"{did_prefix(config)}?target/{quote(class_name, safe='')}/{quote(exposure, safe='')}"


def object_did(config: Config, object_id: str) -> str:
    """The publisher DID of a stored object."""
    return f"{did_prefix(config)}?object/{quote(object_id, safe='')}"


def parse_did(config: Config, did: str) -> Target | Made:
    """What a publisher DID of this archive names; whether there is such a thing is another question.

    Raises
    ------
    UsageError
        It is none of this archive's, or not one that it would give; the message quotes it.
    """
    prefix, _, rest = did.strip().partition("?")
    if prefix.lower() != did_prefix(config).lower():
        raise UsageError(
            f"{_shown(did)} is not of this archive, whose identifiers begin with {_forms(config)}"
        )
    kind, *parts = (unquote(part) for part in rest.split("/"))
    match kind, parts:
        case "target", [class_name, exposure] if _CLASS.fullmatch(class_name) and _is_uuid(exposure):
            return Target(class_name, exposure.lower())
        case "object", [object_id] if _is_uuid(object_id):
            return Made(object_id.lower())
    raise UsageError(f"{_shown(did)} names nothing, expected {_forms(config)}")


def _is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text.lower()) is not None


def _forms(config: Config) -> str:
    prefix = did_prefix(config)
    return f"{prefix}?target/<Class>/<exposure> or {prefix}?object/<object_id>"


def _shown(did: str) -> str:
    return f"'{did}'" if len(did) <= SHOWN_CHARACTERS else f"'{did[:SHOWN_CHARACTERS]}...'"
