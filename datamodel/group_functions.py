"""Which functions of all rows of a group does a database get from us, and how are they bounded?"""

import math

from datamodel.functions import DOUBLE, Aggregate, Function

MAX_TEXT_BYTES = 1_000_000
"""Of all texts of one group together, with what is put between them."""

MAX_BINS = 10_000


class _TextSize:
    """The bytes of the texts of a group and of their delimiters."""

    def __init__(self) -> None:
        self._size = 0

    def step(self, text: str | None, delimiter: str | None) -> None:
        if text is not None:
            self._size += len(str(text).encode()) + len(str(delimiter or "").encode())
        if self._size > MAX_TEXT_BYTES:
            raise OverflowError(self._size)

    def finalize(self) -> int:
        return self._size


class _Histogram:
    """Counts in bins of equal width between two bounds, and before and after them."""

    def __init__(self) -> None:
        self._counts: list[int] = []

    def step(self, value: float | None, lower: float, upper: float, bins: int) -> None:
        if not self._counts:
            self._counts = [0] * (bins + 2)
        self._counts[_place(value, lower, upper, bins)] += 1

    def finalize(self) -> str | None:
        return " ".join(map(str, self._counts)) if self._counts else None


def _place(value: float | None, lower: float, upper: float, bins: int) -> int:
    """The bin of a value, 0 for one below or NULL, and one more than `bins` for one above."""
    if value is None or not value >= lower:
        return 0
    if value > upper:
        return bins + 1
    return min(bins, 1 + math.floor((value - lower) / (upper - lower) * bins))


_ADD_SIZE = f"""
IF written IS NOT NULL THEN
  state := state + octet_length(written) + coalesce(octet_length(delimiter), 0);
  IF state > {MAX_TEXT_BYTES} THEN
    RAISE EXCEPTION 'the texts of a group have more than {MAX_TEXT_BYTES} bytes' USING ERRCODE = '54000';
  END IF;
END IF;
RETURN state;
"""

_COUNT = """
IF length(state) = 0 THEN state := decode(repeat('00', 4 * (bins + 2)), 'hex'); END IF;
place := CASE WHEN value >= lower AND value <> 'NaN' THEN
  CASE WHEN value > upper THEN bins + 1 ELSE least(bins, 1 + floor((value - lower) / (upper - lower) * bins)) END
  ELSE 0 END * 4;
LOOP
  count := get_byte(state, place);
  IF count < 255 THEN RETURN set_byte(state, place, count + 1); END IF;
  state := set_byte(state, place, 0);
  place := place + 1;
END LOOP;
"""
"""Counts of four bytes, the least significant first: arrays are taken apart and put together for each row."""

_COUNTS = """
SELECT string_agg((get_byte(state, 4 * i) + 256 * get_byte(state, 4 * i + 1) + 65536 * get_byte(state, 4 * i + 2)
  + 16777216::bigint * get_byte(state, 4 * i + 3))::text, ' ' ORDER BY i)
FROM generate_series(0, length(state) / 4 - 1) AS place (i)
"""

_ADD = Function(
    "vo_add_text_size",
    "state bigint, written text, delimiter text",
    "bigint",
    _ADD_SIZE,
    strict=False,
)
_PUT = Function(
    "vo_put_into_bin",
    f"state bytea, value {DOUBLE}, lower {DOUBLE}, upper {DOUBLE}, bins integer",
    "bytea",
    _COUNT,
    "place integer; count integer;",
    strict=False,
)
_TELL = Function("vo_counts", "state bytea", "text", _COUNTS, language="sql")

FUNCTIONS = (
    _ADD,
    _PUT,
    _TELL,
    Aggregate("vo_text_size", _ADD, "0", _TextSize),
    Aggregate("vo_histogram", _PUT, "", _Histogram, _TELL),
)
"""The size of texts, an error where it is too large; counts in bins."""
