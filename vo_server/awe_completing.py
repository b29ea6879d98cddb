"""What may follow what is typed at the prompt? Attributes, keys, parameters, and the names of what there is.

Nothing is evaluated: a chain such as ``frame.flat.imstat`` is followed through the declarations of the classes.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datamodel.attributes import Attribute
from datamodel.context import LEVELS, POLICIES
from datamodel.objects import DBMeta, DBObject
from datamodel.query import Path, Query
from processing.asking import KEYS, OPTIONS
from processing.declarations import parameters
from processing.pars import Pars
from vo_server.awe_context import Context
from vo_server.awe_known import Known

CLASS, OBJECT, PATH, QUERY, LIST, PARS = "class", "object", "path", "query", "list", "pars"
WITH_PARAMETERS = ("get", "plan")
_OF_PATHS = [name for name in vars(Path) if not name.startswith("_")]
_OF_QUERIES = [name for name in vars(Query) if not name.startswith("_")]
_OF_CLASSES = [name for name in vars(DBMeta) if not name.startswith("_")]

_STEP = r"[^\W\d]\w*(?:\[[^\[\]]*\])?"
_ALONE = r"(?<![\w.)\]'\"])"
_CHAIN = re.compile(rf"{_ALONE}({_STEP}(?:\.{_STEP})*)\.(\w*)$")
_CALLED = re.compile(rf"{_ALONE}({_STEP}(?:\.{_STEP})*)\.(\w+)\s*$")
_KEYWORD = re.compile(r"(\w+)\s*=\s*$")
_TYPED = re.compile(r"([^\W\d]\w*)?$")


@dataclass(frozen=True)
class Offer:
    """What may follow.

    Attributes
    ----------
    typed
        The beginning that is typed already.
    words
        All that begin so, in full.
    kind
        What they are: ``attribute``, ``keyword`` or ``value``.
    """

    typed: str
    words: tuple[str, ...]
    kind: str


@dataclass(frozen=True)
class _View:
    """What an expression stands for, as far as the declarations tell."""

    what: str
    cls: Any
    instance: Any = None


def offer(before: str, names: Mapping[str, Any], known: Known) -> Offer | None:
    """What may follow some code; None where that is not ours to say.

    Parameters
    ----------
    before
        The code up to the cursor.
    names
        What is known by name at the prompt.
    known
        The names of chips, filters and instruments.
    """
    opened, quoted = _scanned(before)
    if quoted is not None:
        return _begun(before[quoted + 1 :], _values(before[:quoted], opened, names, known), "value")
    chain = _CHAIN.search(before)
    if chain is not None:
        view = _view(chain[1], names)
        return None if view is None else _begun(chain[2], _members(view), "attribute")
    values = _values(before, opened, names, known)
    if values:
        return _begun("", map(repr, values), "value")
    typed = _TYPED.search(before)
    assert typed is not None
    start = before[: typed.start()].rstrip()
    if opened and start.endswith(("(", ",")):
        return _begun(typed[0], _keywords(before, opened[-1], names), "keyword")
    return None


def _begun(typed: str, words: Any, kind: str) -> Offer | None:
    """Those of the words that begin as typed; private ones only where that is asked for."""
    fit = (str(w) for w in words if str(w).startswith(typed) and (typed or not str(w).startswith("_")))
    found = tuple(sorted(set(fit)))
    return Offer(typed, found, kind) if found else None


def _scanned(code: str) -> tuple[list[int], int | None]:
    """Where brackets were opened and not closed, and where a string was begun and not ended."""
    opened: list[int] = []
    at = 0
    while at < len(code):
        sign = code[at]
        if sign in "'\"":
            quote = code[at : at + 3] if code[at : at + 3] in ("'''", '"""') else sign
            end = re.compile(rf"(?:\\.|(?!{quote}).)*{quote}", re.DOTALL).match(code, at + len(quote))
            if end is None:
                return opened, at + len(quote) - 1
            at = end.end()
            continue
        if sign == "#":
            at = code.find("\n", at) % (len(code) + 1)
            continue
        if sign in "([{":
            opened.append(at)
        elif sign in ")]}" and opened:
            opened.pop()
        at += 1
    return opened, None


def _view(chain: str, names: Mapping[str, Any]) -> _View | None:
    """What a chain of names, attributes and indices stands for."""
    first, *rest = re.findall(rf"{_STEP}", chain)
    name, index = _split(first)
    view = _indexed(_of_value(names.get(name)), index)
    for step in rest:
        name, index = _split(step)
        view = _indexed(_followed(view, name), index)
    return view


def _split(step: str) -> tuple[str, str]:
    name, _, index = step.partition("[")
    return name, index.removesuffix("]")


def _of_value(value: Any) -> _View | None:
    if isinstance(value, DBMeta):
        return _View(CLASS, value)
    if isinstance(value, DBObject):
        return _View(OBJECT, type(value), value)
    if isinstance(value, Query):
        return _View(QUERY, value.root)
    if isinstance(value, Pars):
        return _View(PARS, None, value)
    if isinstance(value, Path):
        return _through(value._last)
    if isinstance(value, list) and value and isinstance(value[0], DBObject):
        return _View(LIST, type(value[0]), value[0])
    return None


def _through(attribute: Attribute) -> _View:
    """A path that ends with an attribute; one to a value leads to nothing further."""
    return _View(PATH, attribute.target_class() if attribute.is_link else None)


def _followed(view: _View | None, name: str) -> _View | None:
    if view is None or view.what in (QUERY, LIST):
        return None
    if view.what == PARS:
        return _View(PARS, None, getattr(view.instance, name, None))
    attribute = None if view.cls is None else view.cls.__attributes__.get(name)
    if attribute is None:
        return None
    if view.what in (CLASS, PATH):
        return _through(attribute)
    if not attribute.is_link:
        return None
    loaded = view.instance.__state__.values.get(attribute.name) if view.instance is not None else None
    if attribute.many:
        return _View(LIST, attribute.target_class())
    if isinstance(loaded, DBObject):
        return _View(OBJECT, type(loaded), loaded)
    return _View(OBJECT, attribute.target_class())


def _indexed(view: _View | None, index: str) -> _View | None:
    if view is None or not index:
        return view
    if view.what not in (QUERY, LIST):
        return None
    return _View(LIST, view.cls) if ":" in index else _View(OBJECT, view.cls, view.instance)


def _members(view: _View) -> Iterator[str]:
    """The names that may follow a full stop."""
    if view.what == QUERY:
        yield from _OF_QUERIES
        return
    if view.what == LIST:
        yield from dir(list)
        return
    if view.what == PARS:
        yield from dir(view.instance)
        return
    if view.cls is not None:
        yield from view.cls.__attributes__
    if view.what == PATH:
        yield from _OF_PATHS
        return
    yield from dir(view.cls)
    yield from _OF_CLASSES if view.what == CLASS else ()


def _called(before: str, bracket: int, names: Mapping[str, Any]) -> tuple[Any, str] | None:
    """The class, or the context, and the name of the method whose call is being typed."""
    found = _CALLED.search(before[:bracket]) if before[bracket] == "(" else None
    if found is None:
        return None
    if isinstance(names.get(found[1]), Context):
        return names[found[1]], found[2]
    view = _view(found[1], names)
    takes = view is not None and view.what == CLASS and _takes_keys(view.cls, found[2])
    return (view.cls, found[2]) if takes and view is not None else None


def _takes_keys(cls: Any, method: str) -> bool:
    called = (
        getattr(cls, method, None) if hasattr(cls, "of_exposure") and not method.startswith("_") else None
    )
    if not inspect.isroutine(called):
        return False
    return any(p.kind is p.VAR_KEYWORD and p.name == "keys" for p in _signature(called).values())


def _signature(called: Any) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(called).parameters


def _keywords(before: str, bracket: int, names: Mapping[str, Any]) -> list[str]:
    """The keys and parameters that a call may take further, each with its ``=``."""
    called = _called(before, bracket, names)
    if called is None or isinstance(called[0], Context):
        return []
    cls, method = called
    words = [*(key for key in KEYS if _has_key(cls, key)), *OPTIONS]
    words = [word for word in words if word not in _WITHOUT.get(method, ())]
    words += [p.name for p in _signature(getattr(cls, method)).values() if p.kind is p.KEYWORD_ONLY]
    words += parameters(cls) if method in WITH_PARAMETERS else []
    given = re.findall(r"(\w+)\s*=", before[bracket:])
    return [f"{word}=" for word in words if word not in given]


_WITHOUT = {"timeline": ("date", "as_of")}
"""Keys that a method does not take."""


def _has_key(cls: Any, key: str) -> bool:
    if key == "raw":
        return bool(cls.of_exposure)
    return key != "filter" or cls.needs_filter or cls.of_exposure


def _values(before: str, opened: list[int], names: Mapping[str, Any], known: Known) -> list[Any]:
    """The values that the argument may have whose value is being typed."""
    called = _called(before, opened[-1], names) if opened else None
    if called is None:
        return []
    target, method = called
    typed = before[opened[-1] + 1 :]
    if isinstance(target, Context):
        offered = _OF_CONTEXT.get(method)
        return offered(target) if offered is not None and not typed.strip() else []
    keyword = _KEYWORD.search(typed)
    if keyword is None or not _has_key(target, keyword[1]):
        return []
    if keyword[1] in _OF_OPTIONS:
        return _OF_OPTIONS[keyword[1]]
    given = {name: value for name, _, value in re.findall(r"(\w+)\s*=\s*(['\"])(.*?)\2", typed)}
    return known.of(keyword[1], given)


_OF_OPTIONS: dict[str, list[Any]] = {
    "policy": list(POLICIES),
    "allow_forever": [True, False],
    "only_good": [True, False],
}

_OF_CONTEXT: dict[str, Callable[[Context], list[Any]]] = {
    "set_project": Context.projects,
    "set_privileges": lambda _context: list(LEVELS),
}


def complete_with(shell: Any, known: Known) -> None:
    """Have an IPython shell offer what may follow.

    What is ours to say suppresses what IPython would find, which might have to evaluate something. Jedi is switched
    off: it follows no links.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="archive")  # type: ignore[untyped-decorator, unused-ignore]
    def match(context: Any) -> dict[str, Any]:
        lines = context.full_text.split("\n")[: context.cursor_line]
        before = "\n".join([*lines, context.text_until_cursor])
        found = offer(before, shell.user_ns, known)
        if found is None:
            return {"completions": []}
        # IPython replaces its token, which may be longer or shorter than what we take for the beginning
        end = len(found.typed) - len(context.token)
        head = context.token[: max(0, -end)]
        words = [SimpleCompletion(head + word[max(0, end) :], type=found.kind) for word in found.words]
        return {"completions": words, "suppress": True}

    shell.Completer.use_jedi = False
    shell.Completer.custom_matchers.append(match)
