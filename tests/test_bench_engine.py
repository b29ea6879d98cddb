"""Is what the benchmark of the target engine measures true, in an archive that is made up?"""

import pytest

from bench.databases import server
from bench.engine import measure


@pytest.mark.thorough
def test_products_that_are_made_up_stand_and_turn_with_their_flat() -> None:
    with server("sqlite") as url:
        targets = measure(url, 1)  # raises where something is not as a walk or a count says
    assert len(targets) == 3
