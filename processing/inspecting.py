"""By what does a person judge a product? A figure of its pixels, its sources or its history.

Matplotlib is imported when the first figure is drawn.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from astropy.io import fits

from processing.algorithms.pictures import binned, limits
from processing.fits_reading import read_image
from processing.trends import trend

WIDTH_PX, HEIGHT_PX = 1000, 600
LONGEST_PX = 1024
"""Of an image that is drawn, along its longer side: a larger one is binned first."""
SAMPLES = 1 << 20
SHOWN_SOURCES = 50_000
SHOWN_VERSIONS = 200
LISTED_VERSIONS = 12

IMAGE, PIXEL_MAP, SOURCES, HISTORY = "image", "pixel map", "sources", "history"

_DPI = 100


def figure_of(product: Any, show: bool = False) -> Any:
    """The figure of a product, in the way of its class.

    Parameters
    ----------
    product
        A stored product.
    show
        Whether to open a window with it.
    """
    from matplotlib.figure import Figure

    options: Any = {"figsize": (WIDTH_PX / _DPI, HEIGHT_PX / _DPI), "dpi": _DPI, "layout": "constrained"}
    if show:
        from matplotlib import pyplot

        figure = pyplot.figure(**options)
    else:
        figure = Figure(**options)
    figure.suptitle(_title(product), parse_math=False)
    DRAWN[product.inspected_as](figure, product)
    if show:
        pyplot.show()
    return figure


def png_of(product: Any) -> bytes:
    """The figure as PNG: the same bytes for the same values."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure_of(product))
    canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _title(product: Any) -> str:
    names = [getattr(getattr(product, link, None), "name", None) for link in ("instrument", "chip", "filter")]
    at = getattr(product, "date_obs", None)
    words = [type(product).__name__, *names, at and at.isoformat(sep=" ", timespec="minutes")]
    flags = ", ".join(product.get_qcflags_set())
    return " · ".join(str(word) for word in words if word) + (f"\n{flags}" if flags else "")


def _draw_image(figure: Any, product: Any) -> None:
    """The pixels, as IRAF's zscale shows them, and how many have which value."""
    pixels = read_image(product.path())[0]
    picture, values = figure.subplots(1, 2, width_ratios=(3, 2))
    small = binned(pixels, LONGEST_PX)
    low, high = limits(small)
    shown = picture.imshow(
        small, origin="lower", cmap="gray", vmin=low, vmax=high, extent=_extent(pixels), aspect="equal"
    )
    figure.colorbar(shown, ax=picture, shrink=0.8)
    _name(picture, "column", "row")
    finite = pixels[np.isfinite(pixels)]
    sample = finite[:: max(1, finite.size // SAMPLES)]
    if sample.size:
        least, most = (float(value) for value in np.percentile(sample.astype(float), (0.1, 99.9)))
        margin = max(1e-3 * abs(least), 0.5) if most - least <= 1e-6 * abs(least) else 0.0
        values.hist(
            sample.astype(float), bins=200, range=(least - margin, most + margin), log=True, color="0.3"
        )
    share = finite.size / max(1, pixels.size)
    _name(values, f"value of a pixel ({share:.2%} are numbers)", "pixels")


def _draw_map(figure: Any, product: Any) -> None:
    """Where the bad pixels are, and how many each column and row has."""
    bad = ~(read_image(product.path())[0] > 0)
    picture, counts = figure.subplots(1, 2, width_ratios=(3, 2))
    share = binned(bad.astype(np.float32), LONGEST_PX)
    top = max(float(share.max(initial=0.0)), 1e-9)
    picture.imshow(
        share, origin="lower", cmap="gray_r", vmin=0, vmax=top, extent=_extent(bad), aspect="equal"
    )
    _name(picture, "column", "row")
    picture.set_title(f"{int(bad.sum())} bad pixels of {bad.size}")
    for axis, name in ((0, "column"), (1, "row")):
        counts.plot(bad.sum(axis=axis), drawstyle="steps-mid", linewidth=0.8, label=f"per {name}")
    counts.legend()
    _name(counts, "column, row", "bad pixels")


def _draw_sources(figure: Any, product: Any) -> None:
    """Where the sources are, the brighter ones larger, and how many have which magnitude."""
    with fits.open(product.path(), memmap=False) as hdus:
        table = hdus[1].data
        columns = [np.asarray(table[name], float) for name in ("ra", "dec", "mag_auto")]
    step = max(1, -(-len(columns[0]) // SHOWN_SOURCES))
    ra, dec, magnitude = (column[::step] for column in columns)
    known = np.isfinite(magnitude)
    places, magnitudes = figure.subplots(1, 2, width_ratios=(3, 2))
    if known.any():
        faintest = float(np.max(magnitude[known]))
        size = np.clip(4.0 * (faintest - np.where(known, magnitude, faintest)), 0.5, 60.0)
        places.scatter(ra, dec, s=size, color="black", linewidths=0)
        magnitudes.hist(magnitude[known], bins=60, color="0.3")
    places.invert_xaxis()
    _name(places, "right ascension (deg)", "declination (deg)")
    _name(magnitudes, f"mag_auto (of {product.number_of_sources} sources)", "sources")


def _draw_history(figure: Any, product: Any) -> None:
    """Its number among those of all versions for the same chip, and the last of them as a table."""
    name = product.history_of
    keys = {"instrument": product.instrument, "chip": product.chip}
    found = trend(type(product), name, every=True, **keys)[-SHOWN_VERSIONS:]
    curve, table = figure.subplots(1, 2, width_ratios=(3, 2))
    here = found["object_id"] == product.object_id
    good = (found["is_valid"] > 0) & (found["quality_flags"] == 0)
    times = np.asarray(found["time"])
    values = np.asarray(found["value"])
    curve.plot(times[good], values[good], "o", color="0.4", label="good")
    curve.plot(times[~good], values[~good], "x", color="tab:red", label="faulty")
    curve.plot(times[here], values[here], "s", color="tab:blue", markersize=9, label="this one")
    curve.legend()
    unit = type(product).__attributes__[name].unit or ""
    _name(curve, "time (UTC)", f"{name} ({unit})")
    curve.tick_params("x", rotation=30)
    table.axis("off")
    rows = [
        (str(np.datetime_as_string(time, "s")), f"{value:.6g}", "<" if is_this else "")
        for time, value, is_this in list(zip(times, values, here, strict=True))[-LISTED_VERSIONS:]
    ]
    if rows:
        table.table(rows, colLabels=("time", name, ""), loc="upper center", colWidths=(0.6, 0.3, 0.1))


def _extent(pixels: Any) -> tuple[float, float, float, float]:
    ny, nx = pixels.shape
    return (0.5, nx + 0.5, 0.5, ny + 0.5)


def _name(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)


DRAWN: dict[str, Callable[[Any, Any], None]] = {
    IMAGE: _draw_image,
    PIXEL_MAP: _draw_map,
    SOURCES: _draw_sources,
    HISTORY: _draw_history,
}
"""How products are drawn, by what they are inspected as."""
