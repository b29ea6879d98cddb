"""Which functions does a site add to those of queries, and where are they declared?

A Python file, or an installed package through the entry point group ``vo_server.udfs``, has a list ``UDFS`` of
declarations (`vo_server.tap.adql.udf.Udf`). What databases must be given for them is known here, on the ground;
what they mean in a query, above.
"""

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from datamodel.errors import UsageError
from datamodel.functions import Aggregate, Function

GROUP = "vo_server.udfs"


@cache
def declared(files: str) -> tuple[Any, ...]:
    """All declarations of a site, in the order of their files; each file is read once.

    Parameters
    ----------
    files
        Paths, comma-separated: the setting ``udfs``.

    Raises
    ------
    UsageError
        A file cannot be read, fails, or declares nothing.
    """
    named = [name.strip() for name in files.split(",") if name.strip()]
    entries = sorted(importlib.metadata.entry_points(group=GROUP), key=lambda entry: entry.name)
    return (
        *(udf for entry in entries for udf in entry.load()),
        *(udf for name in named for udf in _read(Path(name))),
    )


def functions(files: str) -> tuple[Function | Aggregate, ...]:
    """What databases must be given for them.

    Raises
    ------
    UsageError
        As `declared`.
    """
    return tuple(function for udf in declared(files) for function in udf.functions)


def _read(path: Path) -> Iterable[Any]:
    spec = importlib.util.spec_from_file_location(f"site_udfs_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError(f"udfs names '{path}', expected a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # a site's own code may fail in any way, and its keeper is told how
        raise UsageError(f"{path} fails: {type(error).__name__}: {error}") from error
    found = getattr(module, "UDFS", None)
    if not isinstance(found, list | tuple):
        raise UsageError(f"{path} has no list UDFS of declared functions")
    return found
