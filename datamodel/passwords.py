"""Is a password good enough, and is it the right one? Only Argon2id hashes of passwords are kept (RFC 9106)."""

import unicodedata

import argon2

from datamodel.errors import UsageError

HASHER = argon2.PasswordHasher()
"""64 MiB, three passes, four lanes: the second of the recommended choices of RFC 9106 section 4."""

SHORTEST = 8
LONGEST = 1000

_SALT, _DIGEST = "A" * 22, "A" * 43
"""Sixteen and thirty-two bytes, in the letters of base64."""


def checked(password: str, name: str) -> str:
    """A new password, if it may be one.

    Parameters
    ----------
    password
        As it was given; it is never quoted.
    name
        Of the account.

    Raises
    ------
    UsageError
        It is too short or too long, or is the name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(
            f"the password has {len(password)} characters, expected {SHORTEST} at least and {LONGEST} at the most"
        )
    if password.casefold() == name.casefold():
        raise UsageError(
            "the password is the name of the account, expected something that others cannot guess"
        )
    return password


def hashed(password: str) -> str:
    """What is kept of a password."""
    return HASHER.hash(_normal(password))


def is_right(password: str, kept: str | None) -> bool:
    """Whether a password is the one that something was kept of; without anything kept it takes as long.

    Parameters
    ----------
    password
        As it was given.
    kept
        What `hashed` gave; None where there is no account, or none with a password.
    """
    try:
        HASHER.verify(kept or _dummy(), _normal(password)[:LONGEST])
    except (argon2.exceptions.VerifyMismatchError, argon2.exceptions.InvalidHashError):
        return False
    return kept is not None


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return HASHER.check_needs_rehash(kept)


def _dummy() -> str:
    """What might be kept of a password that nobody knows."""
    costs = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${costs}${_SALT}${_DIGEST}"


def _normal(password: str) -> str:
    """The same text, however a keyboard composes it (RFC 8265 section 4.2)."""
    return unicodedata.normalize("NFC", password)
