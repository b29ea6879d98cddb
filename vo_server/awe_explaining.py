"""What does ``?`` show at the prompt? What a class, an attribute or an object means, with units and how it is used."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from datamodel.attributes import Attribute
from datamodel.meaning import default_of, facts, kind_of
from datamodel.objects import DBMeta, DBObject
from datamodel.query import Path
from datamodel.state import Restricted
from processing.declarations import flag_names, flags, parameters, roles

Section = tuple[str, str]
"""A heading, and the text below it."""

_LONGEST = 100


def explain_with(shell: Any) -> None:
    """Have an IPython shell answer ``?`` with what we know of an object, where that is ours."""

    def plain(asked: Any) -> list[Section] | None:
        parent = asked.info.parent if asked.info is not None else None
        return explained(asked.obj, parent, asked.info_dict["name"])

    def html(asked: Any) -> list[Section] | None:
        found = plain(asked)
        return None if found is None else [(head, f"<pre>{_escaped(text)}</pre>") for head, text in found]

    shell.inspector.mime_hooks = {"text/plain": plain, "text/html": html}


def explained(shown: Any, parent: Any = None, name: str = "") -> list[Section] | None:
    """What there is to know of something; None where it is nothing of ours.

    Parameters
    ----------
    shown
        What was asked about.
    parent, name
        What it was reached through, and as what: ``frame.EXPTIME`` is a plain number, but it means something.
    """
    last = name.rpartition(".")[2]
    if isinstance(parent, DBObject) and last in type(parent).__attributes__:
        return _of_value(parent, type(parent).__attributes__[last], shown)
    if isinstance(shown, Path):
        return _of_path(shown)
    if isinstance(shown, DBMeta):
        return list(_of_class(shown))
    if isinstance(shown, DBObject):
        return list(_of_object(shown))
    return None


def _of_path(path: Path) -> list[Section]:
    *before, last = path._steps.attributes
    cls = before[-1].target_class() if before else path._steps.root
    return [("Attribute", str(path._steps)), *facts(cls, last).items()]


def _of_value(instance: Any, attribute: Attribute, value: Any) -> list[Section]:
    cls = type(instance)
    shown = _with_unit(value, attribute)
    return [
        ("Attribute", f"{cls.__name__}.{attribute.name}"),
        ("Value", shown),
        *facts(cls, attribute).items(),
    ]


def _of_class(cls: Any) -> Iterator[Section]:
    yield "Class", cls.__name__
    yield "Meaning", (cls.__doc__ or "").strip()
    if hasattr(cls, "of_exposure"):
        yield "Asked for by", _keys(cls)
    limits, settings = parameters(cls, "qc"), parameters(cls, "output")
    made_of = [(n, kind_of(r.attribute), r.planned, r.attribute.doc) for n, r in roles(cls).items()]
    yield from _section("Made from", made_of)
    yield from _section("Parameters", map(_parameter, settings.values()))
    yield from _section("Limits", map(_parameter, limits.values()))
    yield from _section("Flags", [(n, f"bit {f.bit}", f.doc) for n, f in flags(cls).items()])
    others = cls.__attributes__.keys() - (roles(cls) | limits | settings).keys()
    yield from _section("Attributes", [_attribute(cls.__attributes__[n]) for n in sorted(others)])


def _keys(cls: Any) -> str:
    if cls.of_exposure:
        return "raw= (one exposure), or instrument=, chip=, date= and filter= of the only one"
    return f"chip=, date={', filter=' if cls.needs_filter else ''} (instrument= where the chip's name is not unique)"


def _parameter(declared: Any) -> tuple[str, ...]:
    attribute = declared.attribute
    return attribute.name, f"{default_of(attribute)} {attribute.unit or ''}".strip(), attribute.doc


def _attribute(attribute: Attribute) -> tuple[str, ...]:
    return attribute.name, kind_of(attribute), attribute.unit or "", attribute.ucd or "", attribute.doc


def _of_object(instance: Any) -> Iterator[Section]:
    cls = type(instance)
    yield "Object", repr(instance)
    yield "Class", f"{cls.__name__}: {(cls.__doc__ or '').strip()}"
    if instance.quality_flags:
        raised = [(n, flags(cls)[n].doc) for n in flag_names(cls, instance.quality_flags)]
        yield from _section("Flags raised", raised)
    asked_for = roles(cls) | parameters(cls)
    yield from _section("Made from", _values(instance, roles(cls)))
    yield from _section("Parameters", _values(instance, parameters(cls)))
    yield from _section("Values", _values(instance, sorted(cls.__attributes__.keys() - asked_for.keys())))


def _values(instance: Any, names: Iterable[str] | Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name in names:
        attribute, value = type(instance).__attributes__[name], getattr(instance, name)
        if value is not None:
            yield name, _with_unit(value, attribute), attribute.doc


def _with_unit(value: Any, attribute: Attribute) -> str:
    if isinstance(value, list):
        return f"{len(value)} {kind_of(attribute).removeprefix('list of ')}"
    text = str(value) if isinstance(value, str | DBObject | Restricted) else repr(value)
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return f"{text} {attribute.unit}" if attribute.unit else text


def _section(head: str, rows: Iterable[tuple[str, ...]]) -> Iterator[Section]:
    """Rows as columns; nothing where there are none. The heading stands on a line of its own."""
    listed = list(rows)
    if not listed:
        return
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    lines = [_line(row, widths) for row in listed]
    yield head, "\n".join(["", *lines]) if len(lines) == 1 else "\n".join(lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    return "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
