"""How bright and how wide is each detected object, and where is its centre?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sep
from numpy.typing import NDArray

from processing.algorithms.images import Image, Selection

Column = NDArray[np.float64]

KRON_FACTOR = 2.5
"""Kron radii in the automatic aperture, as SExtractor's PHOT_AUTOPARAMS."""
SMALLEST_RADIUS_PX = 3.5
"""Of the automatic aperture, the other of SExtractor's PHOT_AUTOPARAMS."""
KRON_REACH = 6.0
"""Isophotal radii over which the Kron radius is measured."""
THINNEST_PX = 0.3
"""Axes are taken as no smaller, so that a line of pixels has an ellipse."""
FARTHEST_CENTROID_PX = 3.0
"""A windowed centroid that wanders further than this has been caught by a neighbour."""


@dataclass(frozen=True)
class Flux:
    """Fluxes in one kind of aperture, with errors and sep's flags; shape ``(n,)``."""

    flux: Column
    error: Column
    flags: NDArray[np.int32]


@dataclass(frozen=True)
class Measured:
    """What was measured of each object, shape ``(n,)``; x and y from 0, fwhm in pixels."""

    x: Column
    y: Column
    aper: Flux
    auto: Flux
    fwhm: Column


@dataclass(frozen=True)
class _Frame:
    """An image as sep takes it."""

    light: Image
    noise: Image
    bad: Selection
    gain: float | None


def measure(
    light: Image,
    noise: Image,
    bad: Selection,
    found: NDArray[np.void],
    aperture_radius_px: float,
    gain: float | None = None,
) -> Measured:
    """Centroids, fluxes and widths of detected objects.

    Parameters
    ----------
    light
        Without background [ADU], shape ``(ny, nx)``.
    noise
        Standard deviation of each pixel [ADU].
    bad
        True = bad.
    found
        From `processing.algorithms.detection.detect`.
    aperture_radius_px
        Of the circular aperture.
    gain
        Electrons per ADU, for the photon noise of the objects; None leaves it out.
    """
    frame = _Frame(light, noise, bad, gain)
    auto = _automatic(frame, found)
    reach = np.maximum(KRON_REACH * found["a"], SMALLEST_RADIUS_PX)
    half, _ = sep.flux_radius(
        light, found["x"], found["y"], reach, 0.5, mask=bad, normflux=auto.flux, subpix=5
    )
    known = np.isfinite(half) & (half > 0) & (auto.flux > 0)
    x, y = _centroids(frame, found, np.where(known, half, found["a"]))
    return Measured(x, y, _circular(frame, x, y, aperture_radius_px), auto, np.where(known, 2 * half, np.nan))


def _centroids(frame: _Frame, found: NDArray[np.void], half_light_px: Column) -> tuple[Column, Column]:
    """Windowed centroids, as SExtractor's XWIN_IMAGE; isophotal where they fail or wander off."""
    x, y, flags = sep.winpos(
        frame.light, found["x"], found["y"], 2 / 2.35 * half_light_px, mask=frame.bad, subpix=11
    )
    apart = np.hypot(x - found["x"], y - found["y"])
    usable = np.isfinite(apart) & (apart < FARTHEST_CENTROID_PX) & ((flags & sep.APER_ALLMASKED) == 0)
    return np.where(usable, x, found["x"]), np.where(usable, y, found["y"])


def _circular(frame: _Frame, x: Column, y: Column, radius_px: Any) -> Flux:
    flux, error, flags = sep.sum_circle(
        frame.light, x, y, radius_px, err=frame.noise, mask=frame.bad, gain=frame.gain, subpix=5
    )
    return Flux(flux, error, flags.astype(np.int32))


def _automatic(frame: _Frame, found: NDArray[np.void]) -> Flux:
    """Kron ellipses, as SExtractor's FLUX_AUTO; a circle where the ellipse would be too small."""
    x, y = found["x"], found["y"]
    a, b = (np.maximum(found[axis], THINNEST_PX) for axis in "ab")
    theta = np.clip(found["theta"], -np.pi / 2, np.pi / 2)
    kron, kron_flags = sep.kron_radius(frame.light, x, y, a, b, theta, KRON_REACH, mask=frame.bad)
    factor = KRON_FACTOR * np.where(np.isfinite(kron), kron, 0)
    small = factor * np.sqrt(a * b) < SMALLEST_RADIUS_PX
    flux, error, flags = sep.sum_ellipse(
        frame.light,
        x,
        y,
        a,
        b,
        theta,
        np.where(small, 1.0, factor),
        err=frame.noise,
        mask=frame.bad,
        gain=frame.gain,
        subpix=1,
    )
    circle = _circular(frame, x, y, SMALLEST_RADIUS_PX)
    return Flux(
        np.where(small, circle.flux, flux),
        np.where(small, circle.error, error),
        (np.where(small, circle.flags, flags) | kron_flags).astype(np.int32),
    )
