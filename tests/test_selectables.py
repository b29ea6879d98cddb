"""Are the statements that queries select from written with all values as they are?"""

import pytest
import sqlalchemy as sa

from datamodel.selectables import statement
from datamodel.speech import SPEECHES


@pytest.mark.parametrize("name", sorted(SPEECHES))
def test_a_percent_sign_is_written_once(name: str) -> None:
    """No driver halves it: the text is sent as it is."""
    assert "'ID=ivo%3A%2F%2Fx'" in statement(sa.select(sa.literal("ID=ivo%3A%2F%2Fx")), SPEECHES[name])
