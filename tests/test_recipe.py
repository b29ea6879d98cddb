"""A recipe's digest changes with what it does, and with nothing else."""

import importlib.metadata
import importlib.util
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from processing.recipe import recipe_digest

RECIPE = '''
"""A recipe."""
LIMIT = 5.0

def helper(x):
    """Doubles."""
    return deeper(x) + 1  # a comment

def deeper(x):
    return x * LIMIT

class Target:
    libraries = ()

    @staticmethod
    def make(inputs, parameters):
        """Make it."""
        return helper(inputs)
'''


@pytest.fixture
def digest_of(tmp_path: Path) -> Iterator[object]:
    """Gives the digest of the recipe in some code."""
    names = []

    def digest(code: str) -> str:
        name = f"processing.made_up_{len(names)}"
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(code))
        spec = importlib.util.spec_from_file_location(name, path)
        module: ModuleType = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        names.append(name)
        spec.loader.exec_module(module)
        return "".join(recipe_digest.__wrapped__(module.Target))

    yield digest
    for name in names:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("# a comment", "# another comment", False),
        ('"""Doubles."""', '"""Twice."""', False),
        ("def helper(x):", "def helper(x: float) -> float:", False),
        ("return deeper(x) + 1", "return (deeper(x)\n            + 1)", False),
        ("x * LIMIT", "x / LIMIT", True),
        ("LIMIT = 5.0", "LIMIT = 6.0", True),
        ("helper(inputs)", "helper(parameters)", True),
    ],
)
def test_a_digest_follows_the_meaning(digest_of: object, old: str, new: str, changes: bool) -> None:
    assert old in RECIPE
    before = digest_of(RECIPE)
    assert (digest_of(RECIPE.replace(old, new)) != before) is changes


def test_another_version_of_a_library_matters_to_those_that_name_it(
    digest_of: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    naming = RECIPE.replace("LIMIT = 5.0", "import numpy as np\nLIMIT = 5.0").replace(
        "x * LIMIT", "np.multiply(x, LIMIT)"
    )
    declaring = RECIPE.replace("libraries = ()", 'libraries = ("scipy",)')
    before = [digest_of(code) for code in (RECIPE, naming, declaring)]
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda n: "99" if n == "numpy" else version(n))
    after = [digest_of(code) for code in (RECIPE, naming, declaring)]
    assert [a != b for a, b in zip(after, before, strict=True)] == [False, True, False]
    monkeypatch.setattr(importlib.metadata, "version", lambda n: "99" if n == "scipy" else version(n))
    assert digest_of(declaring) != before[2]
