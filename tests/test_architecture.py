"""Does the house stand as designed: four roots, their floors, small rooms, plain names?"""

import ast
import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOTS = ("datamodel", "processing", "registry", "vo_server")
FOLDERS_OF_CODE = {*ROOTS, "bench", "docs", "tests"}
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 60
NAME_OF_A_DATABASE = re.compile(
    r"""\bdialect\.name\b|get_backend_name|drivername\b|\bspeech\.name (==|!=|in)\b|["'](sqlite|postgresql)["']"""
)


def sources(*folders: str) -> list[Path]:
    """The Python files of folders of the project."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_is_that_of_this_tree(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin == str(ROOT / name / "__init__.py")


def test_there_is_no_fifth_root() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(ROOTS)
    assert not list(ROOT.glob("*.py"))
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert {line.split("/")[0] for line in listed.stdout.split()} <= FOLDERS_OF_CODE


def test_tests_are_no_package() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_the_import_contracts_hold() -> None:
    """In a process of its own, because the checker sets up logging for all."""
    start = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", start, "--no-cache"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_every_file_has_a_name_that_says_something() -> None:
    names = [path for path in sources(*FOLDERS_OF_CODE) if path.stem in NAMES_THAT_SAY_NOTHING]
    assert names == []


def test_imports_are_absolute() -> None:
    relative = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(*ROOTS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_only_datamodel_asks_which_database_it_is() -> None:
    asking = [
        path.relative_to(ROOT)
        for path in sources("processing", "registry", "vo_server")
        if NAME_OF_A_DATABASE.search(path.read_text(encoding="utf-8"))
    ]
    assert asking == []


def test_the_first_line_of_every_file_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(ROOT) for path in sources(*ROOTS, "bench") if not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_no_file_is_long() -> None:
    lengths = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources(*ROOTS, "bench")}
    assert {str(p.relative_to(ROOT)): n for p, n in lengths.items() if n > LINES_OF_A_FILE} == {}


def test_no_function_is_long() -> None:
    lengths = {
        f"{path.relative_to(ROOT)}:{node.name}": _lines_of_code(node)
        for path in sources(*ROOTS, "bench")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: n for name, n in lengths.items() if n > LINES_OF_A_FUNCTION} == {}


def _lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its length without the docstring."""
    described = ast.get_docstring(function, clean=False) or ""
    return (function.end_lineno or 0) - function.lineno + 1 - len(described.splitlines())


def test_nothing_swallows_every_exception_and_goes_on() -> None:
    swallowing = [
        f"{path.relative_to(ROOT)}:{handler.lineno}"
        for path in sources(*ROOTS)
        for handler in ast.walk(tree(path))
        if isinstance(handler, ast.ExceptHandler) and _catches_all(handler)
        if not _passes_it_on(handler, path.is_relative_to(ROOT / "vo_server"))
    ]
    assert swallowing == []


def _catches_all(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or ast.unparse(handler.type) in ("Exception", "BaseException")


def _passes_it_on(handler: ast.ExceptHandler, on_the_roof: bool) -> bool:
    """Whether it raises, or uses the exception; on the roof, a traceback in the log is enough."""
    body = list(ast.walk(ast.Module(handler.body, [])))
    used = any(isinstance(node, ast.Name) and node.id == handler.name for node in body)
    logged = any(isinstance(node, ast.Attribute) and node.attr == "exception" for node in body)
    return used or any(isinstance(node, ast.Raise) for node in body) or (on_the_roof and logged)
