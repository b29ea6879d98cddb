"""How do the tests of accounts make passwords cheap, and who shows which?"""

from base64 import b64encode

import argon2
import pytest

from datamodel import account_changes, passwords
from datamodel.archive import Archive

PASSWORD = "correct horse battery"
CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes take no time."""
    monkeypatch.setattr(passwords, "HASHER", CHEAP)


def with_password(archive: Archive, *names: str) -> None:
    """Accounts that are there get a password."""
    for name in names:
        account_changes.set_password(archive, name, PASSWORD)


def basic(name: str, password: str = PASSWORD) -> dict[str, str]:
    """The header with which a program shows a password."""
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


def bearer(secret: str) -> dict[str, str]:
    """The header with which a program shows a token."""
    return {"Authorization": f"Bearer {secret}"}
