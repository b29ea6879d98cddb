"""What is there to know of an object, and of everything it was made from?"""

import sys
from typing import Any, TextIO

from datamodel.state import Restricted


def tell_me_everything(instance: Any, file: TextIO | None = None) -> None:
    """Print an object's attributes, and those of all objects it links to, each once.

    Parameters
    ----------
    instance
        A persistent object.
    file
        Where to print; the standard output where None.
    """
    out = file or sys.stdout
    told: set[str] = set()
    pending: list[tuple[Any, str, int]] = [(instance, "", 0)]
    while pending:
        each, role, depth = pending.pop()
        indent = "  " * depth
        again = " (see above)" if each.object_id in told else ""
        print(f"{indent}{role}{each!r}{again}", file=out)
        if again or isinstance(each, Restricted):
            continue
        told.add(each.object_id)
        for line in _values(each):
            print(f"{indent}  {line}", file=out)
        pending += [(linked, f"{name}: ", depth + 1) for name, linked in reversed(_links(each))]


def _values(instance: Any) -> list[str]:
    """One line per attribute that is not a link and has a value."""
    lines = []
    for name, attribute in sorted(type(instance).__attributes__.items()):
        if attribute.is_link or name == "object_id":
            continue
        value = getattr(instance, name)
        unit = f" {attribute.unit}" if attribute.unit else ""
        if value is not None and value != []:
            lines.append(f"{name} = {value}{unit}")
    return lines


def _links(instance: Any) -> list[tuple[str, Any]]:
    """The names and objects of all links that lead somewhere."""
    found: list[tuple[str, Any]] = []
    for name, attribute in type(instance).__attributes__.items():
        if attribute.is_link:
            value = getattr(instance, name)
            members = enumerate(value) if attribute.many else ()
            found += [(f"{name}[{i}]", member) for i, member in members]
            if value is not None and not attribute.many:
                found.append((name, value))
    return found
