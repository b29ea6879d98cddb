"""A digest of what a recipe does: its code without comments, docstrings and formatting.

The digest covers ``make`` of a class, every function and class of this project that it reaches with the
constants they name, and the versions of the libraries that these name or that the class declares. It is the same under
every version of Python. `recipe_code` gives what the digest stands for, as text from which it can be computed.
"""

import ast
import hashlib
import importlib.metadata
import inspect
import re
import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

_PACKAGES = ("processing.", "datamodel.")


@cache
def recipe_digest(cls: Any) -> str:
    """64 hexadecimal digits that change when what the class computes may change."""
    return _digest(versions(cls), _reached(cls.make)[0])


def libraries_of(cls: Any) -> set[str]:
    """The distributions whose versions are part of the digest of a class."""
    return _reached(cls.make)[1] | set(cls.libraries)


@cache
def versions(cls: Any) -> dict[str, str]:
    """The versions of the libraries of a class, by name."""
    return {name: importlib.metadata.version(name).split("+")[0] for name in sorted(libraries_of(cls))}


@cache
def recipe_code(cls: Any) -> str:
    """What `recipe_digest` stands for: versions of libraries, functions and constants, each under its full name.

    Without comments, docstrings and annotations, and laid out by `ast.unparse`.
    """
    parts = [f"{_LIBRARY}{name} {version}" for name, version in versions(cls).items()]
    for name, piece in _reached(cls.make)[0].items():
        text = piece if isinstance(piece, str) else ast.unparse(piece)
        parts.append(f"{_CONSTANT if isinstance(piece, str) else _FUNCTION}{name}\n{text}")
    return "\n\n".join(parts) + "\n"


_LIBRARY, _CONSTANT, _FUNCTION = "# library ", "# constant ", "# "


def digest_of_code(code: str) -> str:
    """The digest of a recipe from its text."""
    libraries: dict[str, str] = {}
    pieces: dict[str, ast.AST | str] = {}
    for part in re.split(r"\n\n(?=# )", code.removesuffix("\n")):
        title, _, body = part.partition("\n")
        if title.startswith(_LIBRARY):
            name, _, version = title.removeprefix(_LIBRARY).rpartition(" ")
            libraries[name] = version
        else:
            pieces[title] = body if title.startswith(_CONSTANT) else ast.parse(body)
    return _digest(libraries, pieces)


def _digest(libraries: Mapping[str, str], pieces: Mapping[str, ast.AST | str]) -> str:
    parts = {f"{name} {version}" for name, version in libraries.items()}
    parts |= {each if isinstance(each, str) else _dump(each) for each in pieces.values()}
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _reached(start: Any) -> tuple[dict[str, ast.AST | str], set[str]]:
    """What a function reaches, itself first, by qualified name: bare trees of code, and constants as text.

    Beside them, the distributions that are named on the way.
    """
    code: dict[str, ast.AST | str] = {}
    libraries: set[str] = set()
    pending = [start]
    while pending:
        each = pending.pop()
        name = f"{each.__module__}.{each.__qualname__}"
        if name in code or not each.__module__.startswith(_PACKAGES):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):
            continue  # made at a prompt or by a decorator: it has no source of its own
        code[name] = _Bare().visit(tree)
        reached, constants, foreign = _named_in(tree, each)
        code |= constants
        libraries |= foreign
        pending += reached
    return code, libraries


def _named_in(tree: ast.AST, owner: Any) -> tuple[list[Any], dict[str, str], set[str]]:
    """What a piece of code names: functions and classes of the project, constants by name, distributions."""
    scope = vars(sys.modules[owner.__module__])
    found, constants, libraries = [], {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in scope:
            libraries |= _distributions(scope[node.id])
        name, value = _value(node, scope)
        value = inspect.unwrap(value) if callable(value) else value
        if isinstance(value, FunctionType) or (
            isinstance(value, type) and not hasattr(value, "__persistent__")
        ):
            found.append(value)
        elif isinstance(value, int | float | str | tuple) and not isinstance(value, bool):
            constants[f"{owner.__module__}.{name}"] = repr(value)
    return found, constants, libraries


def _distributions(value: Any) -> set[str]:
    """Those that a module, function or class of somebody else comes from."""
    module = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    top = (module or "").partition(".")[0]
    return set(_installed().get(top, ())) if isinstance(top, str) else set()


@cache
def _installed() -> dict[str, list[str]]:
    """By the name of a package, the distributions that bring it, but for this project's own."""
    own = {package.rstrip(".") for package in _PACKAGES}
    return {k: v for k, v in importlib.metadata.packages_distributions().items() if k not in own}


def _value(node: ast.AST, scope: dict[str, Any]) -> tuple[str, Any]:
    """What a name, or a name in a module, stands for where the code was written."""
    if isinstance(node, ast.Name):
        return node.id, scope.get(node.id)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        module = scope.get(node.value.id)
        if isinstance(module, ModuleType):
            return f"{node.value.id}.{node.attr}", getattr(module, node.attr, None)
    return "", None


def _dump(node: Any) -> str:
    """A tree as text, without the fields that are empty: those differ between versions of Python."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        inside = ",".join(f"{name}={_dump(value)}" for name, value in fields if name not in _NO_MEANING)
        return f"{type(node).__name__}({inside})"
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    return repr(node)


_NO_MEANING = ("ctx", "type_comment", "type_params", "kind")


class _Bare(ast.NodeTransformer):
    """Takes docstrings and annotations away."""

    def _bare(self, node: Any) -> Any:
        self.generic_visit(node)
        first = node.body[0] if node.body else None
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    def _bare_function(self, node: Any) -> Any:
        node.returns = None
        return self._bare(node)

    visit_FunctionDef = _bare_function  # noqa: N815 - the names that ast.NodeTransformer looks for
    visit_AsyncFunctionDef = _bare_function  # noqa: N815
    visit_ClassDef = _bare  # noqa: N815

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An annotation does not change what is computed."""
        node.annotation = None
        return node
