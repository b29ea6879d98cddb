"""Which functions does every database get from us, beside those that its SQL has?"""

from datamodel import (
    checked,
    group_functions,
    instants,
    motion,
    near_cells,
    pixels,
    rings,
    rotations,
    roundings,
    shape_measures,
    shape_relations,
    shape_texts,
    times_of_texts,
    words,
)
from datamodel.functions import Aggregate, Function

FUNCTIONS: tuple[Function | Aggregate, ...] = (
    *pixels.FUNCTIONS,
    *near_cells.FUNCTIONS,
    *rotations.FUNCTIONS,
    *shape_texts.FUNCTIONS,
    *rings.FUNCTIONS,
    *shape_relations.FUNCTIONS,
    *shape_measures.FUNCTIONS,
    *motion.FUNCTIONS,
    *instants.FUNCTIONS,
    *words.FUNCTIONS,
    *times_of_texts.FUNCTIONS,
    *group_functions.FUNCTIONS,
    *checked.FUNCTIONS,
    *roundings.FUNCTIONS,
)
"""Each after those that it calls."""

COMPUTED = {f.name: f.compute for f in FUNCTIONS if isinstance(f, Function) and f.python is not None}
"""What computes one of them for constants, by its name."""
