"""How do ``and``, ``or``, ``not`` and ``1 < C.x < 5`` come to mean & | ~ between conditions?

Python asks a condition for its truth value there, and a condition has none. So the code is rewritten, before
it is compiled, into calls that combine conditions and leave all other values to Python's own rules::

    a and b     ->  _and(lambda: a, lambda: b)
    not a       ->  _not(a)
    1 < C.x < 5 ->  _chain(1, ('<', lambda: C.x), ('<', lambda: 5))

An operand is evaluated at most once, from left to right, and only when it is needed.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

from datamodel.query import Query

Thunk = Callable[[], Any]


def both(*operands: Thunk) -> Any:
    """``a and b and ...``: conditions are combined, other values decide as in Python."""
    return _fold(operands, lambda value: not value, operator.and_)


def either(*operands: Thunk) -> Any:
    """``a or b or ...``: conditions are combined, other values decide as in Python."""
    return _fold(operands, bool, operator.or_)


def _fold(
    operands: tuple[Thunk, ...], decides: Callable[[Any], bool], combine: Callable[[Any, Any], Any]
) -> Any:
    """The combination of all conditions among the operands, unless a plain value decides before."""
    combined, value = None, None
    for operand in operands:
        value = operand()
        if isinstance(value, Query):
            combined = value if combined is None else combine(combined, value)
        elif decides(value):
            return value
    return value if combined is None else combined


def opposite(value: Any) -> Any:
    """``not a``."""
    return ~value if isinstance(value, Query) else not value


def chain(first: Any, *links: tuple[str, Thunk]) -> Any:
    """``first < second <= third``: every comparison holds."""
    combined, result, left = None, None, first
    for sign, thunk in links:
        right = thunk()
        result, left = _COMPARISONS[sign](left, right), right
        if isinstance(result, Query):
            combined = result if combined is None else combined & result
        elif not result:
            return result
    return result if combined is None else combined


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_awe_and": both,
    "_awe_or": either,
    "_awe_not": opposite,
    "_awe_chain": chain,
}
"""What rewritten code calls; its namespace has to hold them."""

_BOUND_TO_THEIR_SCOPE = (ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
_SCOPES = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Rewriting(ast.NodeTransformer):
    """Rewrites one parsed piece of code; positions are kept, so that errors point at what was typed.

    An expression with ``:=``, ``await`` or ``yield`` in it stays as it is, for it cannot be moved into a
    lambda; so does one that uses names of a class body, which a lambda there does not see.
    """

    def __init__(self) -> None:
        self._in_class = False

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Inside a class body, but outside its functions, nothing is rewritten."""
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.bases = [self.visit(each) for each in node.bases]
        node.keywords = [self.visit(each) for each in node.keywords]
        outer, self._in_class = self._in_class, True
        node.body = [self.visit(statement) for statement in node.body]
        self._in_class = outer
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """The body of a function is a scope that lambdas see, wherever it is defined."""
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """As of any function."""
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """As of any function."""
        node.args = self.visit(node.args)
        outer, self._in_class = self._in_class, False
        node.body = self.visit(node.body)
        self._in_class = outer
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        node.args = self.visit(node.args)
        outer, self._in_class = self._in_class, False
        node.body = [self.visit(statement) for statement in node.body]
        self._in_class = outer
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """``and`` and ``or``."""
        if self._must_stay(node):
            return self.generic_visit(node)
        self.generic_visit(node)
        name = "_awe_and" if isinstance(node.op, ast.And) else "_awe_or"
        return _call(node, name, [_thunk(value) for value in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """``not``, which needs no lambda and is rewritten everywhere."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            return node
        return _call(node, "_awe_not", [node.operand])

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Chained comparisons; a single one needs no rewriting."""
        if len(node.ops) == 1 or self._must_stay(node):
            return self.generic_visit(node)
        self.generic_visit(node)
        links: list[ast.expr] = [
            ast.Tuple([ast.Constant(_SIGNS[type(sign)]), _thunk(right)], ast.Load())
            for sign, right in zip(node.ops, node.comparators, strict=True)
        ]
        return _call(node, "_awe_chain", [node.left, *links])

    def _must_stay(self, node: ast.expr) -> bool:
        return self._in_class or _is_bound(node)


def _is_bound(node: ast.AST) -> bool:
    """Whether a part of the expression, outside scopes of its own, would change meaning inside a lambda."""
    if isinstance(node, _BOUND_TO_THEIR_SCOPE):
        return True
    if isinstance(node, ast.Lambda):
        return False
    if isinstance(node, _SCOPES) and any(c.is_async for c in getattr(node, "generators", ())):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SCOPE_SENSITIVE:
        return True
    return any(_is_bound(child) for child in ast.iter_child_nodes(node))


_SCOPE_SENSITIVE = {"locals", "vars", "dir", "eval", "exec", "super"}


def _thunk(value: ast.expr) -> ast.expr:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.copy_location(ast.Lambda(nothing, value), value)


def _call(node: ast.expr, name: str, arguments: list[ast.expr]) -> ast.expr:
    call = ast.Call(ast.Name(name, ast.Load()), arguments, [])
    return ast.fix_missing_locations(ast.copy_location(call, node))


def rewritten(source: str, filename: str = "<awe>") -> ast.Module:
    """The parsed and rewritten code.

    Raises
    ------
    SyntaxError
        It is not Python.
    """
    tree: ast.Module = Rewriting().visit(ast.parse(source, filename))
    return ast.fix_missing_locations(tree)
