"""How are texts taken out of a buffer, all of a column at once?"""

from typing import Any

import numpy as np
import pyarrow as pa

Array = np.ndarray[Any, Any]


def texts_at(
    data: bytes | bytearray | memoryview, at: Array, size: Array, null: Array | None = None
) -> pa.StringArray:
    """The texts that lie in a buffer, which is UTF-8 where they do.

    Parameters
    ----------
    data
        The buffer; shorter than 2 GB.
    at, size
        Where each text begins, none before the end of the one before it, and its bytes.
    null
        Which are NULL.

    Notes
    -----
    What is between two texts counts as a text, too, of which every other is taken.
    """
    bounds = np.empty(2 * len(at) + 2, np.int32)
    bounds[0] = 0
    bounds[1:-1:2] = at
    bounds[2::2] = at + size
    bounds[-1] = bounds[-2]
    both = pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(data))
    return both.take(pa.array(np.arange(1, 2 * len(at), 2), mask=null))
