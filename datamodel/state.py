"""What a persistent object knows of itself, beside its attributes: loaded values, siblings, saved or not."""

from dataclasses import dataclass, field
from typing import Any, NoReturn

from datamodel.errors import ForbiddenError, NotFoundError


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


class FixedList(list[Any]):
    """A list of a committed object: equal to any list of the same members, and never changed."""

    def _refuse(self, *_args: Any, **_options: Any) -> NoReturn:
        raise ForbiddenError("this list is fixed: its object is committed")

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


class Restricted:
    """Stands for an object that exists but that the caller may not see.

    Attributes
    ----------
    object_id
        The identifier; nothing else of it is known.
    class_name
        The class that the link is declared to have; the object's own may be a subclass.
    """

    def __init__(self, object_id: str, class_name: str = "DBObject") -> None:
        self.object_id = object_id
        self.class_name = class_name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotFoundError(f"the object {self.object_id} is restricted: its {name} may not be seen")

    def __repr__(self) -> str:
        return f"<restricted {self.class_name} {self.object_id}>"
