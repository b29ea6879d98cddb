"""What a persistent object knows of itself, beside its attributes: loaded values, siblings, saved or not."""

from dataclasses import dataclass, field
from typing import Any

from datamodel.errors import NotFoundError


@dataclass
class State:
    """The inside of one persistent object.

    Attributes
    ----------
    values
        By attribute name. A link is an object or, until it is followed, an object_id; a list of links likewise.
    saved
        Whether the database has the object.
    changed
        Mutable attributes set since it was loaded or committed.
    session
        Where it was loaded or committed.
    page
        The objects that were loaded together with it, and are completed together with it.
    """

    values: dict[str, Any] = field(default_factory=dict)
    saved: bool = False
    changed: set[str] = field(default_factory=set)
    session: Any = None
    page: list[Any] = field(default_factory=list)


class Restricted:
    """Stands for an object that exists but that the caller may not see.

    Attributes
    ----------
    object_id
        The identifier; nothing else of it is known.
    """

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotFoundError(f"the object {self.object_id} is restricted: its {name} may not be seen")

    def __repr__(self) -> str:
        return f"<restricted {self.object_id}>"
