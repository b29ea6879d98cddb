"""What a worker process does: given inputs and parameters, it runs a recipe and writes the bytes aside.

A worker knows no database and makes no choice.
"""

import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from processing.algorithms.statistics import (
    ImageStatistics,
    flatness,
    image_statistics,
    sub_window_statistics,
)
from processing.declarations import parameters as declared
from processing.fits_reading import read_image

SUB_WINDOWS = 8
"""Of an image along each of its sides."""


@dataclass(frozen=True)
class Given:
    """One input as a recipe sees it.

    Attributes
    ----------
    values
        The attributes of the object that are plain values, by name.
    path
        Its file, read only; None for an object without one.
    """

    values: Mapping[str, Any]
    path: Path | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.values:
            raise AttributeError(name)
        return self.values[name]

    @property
    def image(self) -> NDArray[Any]:
        """The pixels, shape ``(ny, nx)``, native byte order."""
        assert self.path is not None
        return read_image(self.path)[0]

    @cached_property
    def header(self) -> fits.Header:
        """The header of the image."""
        assert self.path is not None
        return read_image(self.path)[1]


@dataclass(frozen=True)
class Inputs:
    """Everything a recipe gets, by role; ``instrument``, ``chip`` and ``filter`` besides."""

    given: Mapping[str, Given | list[Given] | None]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.given:
            raise AttributeError(name)
        return self.given[name]


class Parameters:
    """The effective process parameters, as attributes."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@dataclass
class Product:
    """What a recipe gives.

    Attributes
    ----------
    image
        Pixels, shape ``(ny, nx)``; None for a product that is values only.
    table
        A structured array, for a catalogue.
    values
        Attributes of the object.
    cards
        Header cards, such as world coordinates.
    statistics
        Of the pixels; computed when None.
    """

    image: NDArray[Any] | None = None
    table: NDArray[Any] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, Any] = field(default_factory=dict)
    statistics: ImageStatistics | None = None


@dataclass(frozen=True)
class WorkOrder:
    """One node of a plan, ready to be worked on anywhere.

    Attributes
    ----------
    module, class_name
        Where the recipe is.
    previous
        Values of the version before this one, for `compare`; None for the first.
    target
        Where to write the file.
    """

    module: str
    class_name: str
    inputs: Inputs
    parameters: dict[str, Any]
    previous: dict[str, Any] | None
    target: Path


@dataclass(frozen=True)
class Effort:
    """Where a recipe ran, and what it took.

    Attributes
    ----------
    host, pid, account
        The machine, the process, and the account of the operating system.
    wall_s, cpu_s
        Seconds, and those of processor time of all threads.
    """

    host: str
    pid: int
    account: str
    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Made:
    """What a worker gives back: values, digests, the names of the flags raised; the bytes lie at `path`.

    What it took is None where no worker has measured it.
    """

    values: dict[str, Any]
    statistics: dict[str, float] | None
    content_digest: str
    flags: tuple[str, ...]
    path: Path | None
    table: NDArray[Any] | None = None
    effort: Effort | None = None


def work(order: WorkOrder) -> Made:
    """Run one recipe.

    Raises
    ------
    ValueError
        The recipe refused its inputs; the message says why.
    """
    began_s, busy_s = time.perf_counter(), time.process_time()
    cls = getattr(import_module(order.module), order.class_name)
    made = finished(order, cls, cls.make(order.inputs, Parameters(order.parameters)))
    return replace(made, effort=_effort(time.perf_counter() - began_s, time.process_time() - busy_s))


def finished(order: WorkOrder, cls: Any, product: Product) -> Made:
    """Judge what a recipe has made, and write it aside."""
    parameters = Parameters(order.parameters)
    if product.image is not None and product.statistics is None:
        product.statistics = image_statistics(product.image)
    statistics = _plain_statistics(product.statistics)
    if statistics and product.image is not None and "MAXIMUM_SUBWIN_FLATNESS" in declared(cls, "qc"):
        statistics |= _of_sub_windows(product.image)
    seen = product.values | (statistics or {})
    raised = cls.verify(seen, parameters) | cls.compare(seen, order.previous, parameters)
    path = _write(order, product)
    digest = content_digest(product)
    return Made(product.values, statistics, digest, tuple(sorted(raised)), path, product.table)


def _effort(wall_s: float, cpu_s: float) -> Effort:
    return Effort(socket.gethostname(), os.getpid(), _account(), wall_s, cpu_s)


def _account() -> str:
    """The account that runs this process; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _plain_statistics(statistics: ImageStatistics | None) -> dict[str, float] | None:
    names = ("mean", "median", "stdev", "min", "max")
    return None if statistics is None else {n: float(getattr(statistics, n)) for n in names}


def _of_sub_windows(image: NDArray[Any]) -> dict[str, float]:
    ny, nx = image.shape
    windows = sub_window_statistics(image, (min(SUB_WINDOWS, ny), min(SUB_WINDOWS, nx)))
    spreads = [w.statistics.stdev for w in windows if w.statistics is not None]
    return {"flatness": flatness(windows), "subwin_stdev": max(spreads)}


def content_digest(product: Product) -> str:
    """SHA-256 of the pixels, the table and the values; nothing that changes from one making to the next."""
    digest = hashlib.sha256()
    for array in (product.image, product.table):
        if array is not None:
            portable = np.ascontiguousarray(array).astype(array.dtype.newbyteorder(">"))
            digest.update(f"{portable.dtype.descr}{portable.shape}".encode())
            digest.update(portable.tobytes())
    digest.update(json.dumps([product.values, product.cards], sort_keys=True, default=str).encode())
    return digest.hexdigest()


def _write(order: WorkOrder, product: Product) -> Path | None:
    if product.image is None and product.table is None:
        return None
    hdus = fits.HDUList([fits.PrimaryHDU()])
    header = fits.Header(_cards(order, product))
    if product.table is not None:
        hdus.append(fits.BinTableHDU(product.table, header, name=order.class_name))
    else:
        hdus[0] = fits.PrimaryHDU(product.image, header)
    hdus.writeto(order.target)
    return order.target


def _cards(order: WorkOrder, product: Product) -> list[tuple[str, Any, str]]:
    cards: list[tuple[str, Any, str]] = [("PRODUCT", order.class_name, "class of this product")]
    for name in ("instrument", "chip", "filter"):
        given = order.inputs.given.get(name)
        if isinstance(given, Given):
            cards.append((name.upper()[:8], given.values["name"], name))
    cards += [(name[:8].upper(), value, "") for name, value in product.cards.items()]
    plain = {k: v for k, v in product.values.items() if isinstance(v, int | float | str)}
    cards += [(f"HIERARCH {k}", v, "") for k, v in plain.items() if v == v]
    cards += [(f"HIERARCH PARAMETER {k}", v, "") for k, v in order.parameters.items()]
    return cards
