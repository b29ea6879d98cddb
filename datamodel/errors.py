"""The one tree of errors that the archive raises on purpose.

Messages of `UsageError` and `NotFoundError` reach the caller: they say what was given and what was
expected, quoting the text. Everything outside this tree is a bug and is shown to nobody but the log.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class ArchiveError(Exception):
    """Root of all errors that the archive raises on purpose."""


class UsageError(ArchiveError):
    """The caller asked for something that has no meaning; the message says what was expected."""


class TakenError(UsageError):
    """What is to be made has a name that something else has."""


class TooLargeError(UsageError):
    """What is sent, or what is kept with it, is more than may be; the message says how much that is."""


class OutOfRangeError(UsageError):
    """The numbers of a statement left the range of their type on the way."""


class NotFoundError(ArchiveError):
    """What the caller named does not exist, or the caller may not see it."""


class ForbiddenError(ArchiveError):
    """The caller may see the thing but not do this to it."""


class RetractedError(ArchiveError):
    """What the caller named was retracted: it is known, and not given any more; the message says why."""


class MissingInputError(ArchiveError):
    """A target cannot be made because a required input does not exist; names the role and the keys."""


class RecipeError(ArchiveError):
    """A recipe refused its inputs: too few frames, no overlap, nothing detected."""


class DataLostError(ArchiveError):
    """The row is there but its bytes are not, or their digest differs."""


class BusyError(ArchiveError):
    """A bound on concurrent work is reached; try again after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: int = 10) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooOftenError(BusyError):
    """The caller has failed to log in so often that a further attempt is not looked at yet."""


class LoginError(ArchiveError):
    """Who asks is not who they say: a user name, password or token is wrong."""


class QueryTimeoutError(ArchiveError):
    """A query ran into its time limit and was interrupted."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause such as ``; did you mean 'bias_frame'?`` or the empty string when nothing is near.

    Parameters
    ----------
    name
        What the caller wrote.
    known
        The names that would have been right.
    """
    by_lower = {k.lower(): k for k in known}
    close = get_close_matches(name.lower()[:100], list(by_lower), n=1, cutoff=0.6)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""
