"""A digest of what a recipe does: its code without comments, docstrings and formatting.

The digest covers ``make`` and ``verify`` of a class and every function and class of this project's
processing code that they reach, and the versions of the libraries that compute.
"""

import ast
import hashlib
import importlib.metadata
import inspect
import sys
import textwrap
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

LIBRARIES = ("numpy", "scipy", "sep", "astroscrappy", "astropy")
_PACKAGE = "processing."


@cache
def recipe_digest(cls: Any) -> str:
    """64 hexadecimal digits that change when what the class computes may change."""
    parts = {f"{name} {importlib.metadata.version(name).split('+')[0]}" for name in LIBRARIES}
    parts |= set(_reached(cls.make).values())
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()


def _reached(start: Any) -> dict[str, str]:
    """Normalised code of a function and all it reaches, by qualified name."""
    code: dict[str, str] = {}
    pending = [start]
    while pending:
        each = pending.pop()
        name = f"{each.__module__}.{each.__qualname__}"
        if name in code or not each.__module__.startswith(_PACKAGE):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(each)))
        except (OSError, TypeError):
            continue  # made at a prompt or by a decorator: it has no source of its own
        code[name] = ast.dump(_Bare().visit(tree))
        pending += _named_in(tree, each)
    return code


def _named_in(tree: ast.AST, owner: Any) -> list[Any]:
    """The functions and classes of the processing code that a piece of code names."""
    scope = vars(sys.modules[owner.__module__])
    found = []
    for node in ast.walk(tree):
        value: Any = None
        if isinstance(node, ast.Name):
            value = scope.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = scope.get(node.value.id)
            value = getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        value = inspect.unwrap(value) if callable(value) else value
        if isinstance(value, FunctionType) or (
            isinstance(value, type) and not hasattr(value, "__persistent__")
        ):
            found.append(value)
    return found


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

    visit_FunctionDef = _bare  # noqa: N815 - the names that ast.NodeTransformer looks for
    visit_AsyncFunctionDef = _bare  # noqa: N815
    visit_ClassDef = _bare  # noqa: N815

    def visit_arg(self, node: ast.arg) -> ast.arg:
        """An annotation does not change what is computed."""
        node.annotation = None
        return node
