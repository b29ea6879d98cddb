"""At which place is a catalogue told of? At one from which nobody can count catalogues that he or she may not see."""

from collections import Counter
from collections.abc import Iterable

from datamodel.catalogues import Entry
from datamodel.context import ARCHIVE, PROJECT, WORLD

FIRST = 1000
"""What is no catalogue comes before."""


def placed(entries: Iterable[Entry]) -> list[tuple[int, Entry]]:
    """The catalogues with their places, in the order that they came in as far as callers see them together.

    Those of the world come first, then those of all accounts, and after these those of each project and of each
    account; the last two begin at the same place, for they are counted by themselves.
    """
    listed = list(entries)
    taken: Counter[tuple[int, str]] = Counter()
    public = sum(each.privileges >= WORLD for each in listed)
    shared = sum(each.privileges == ARCHIVE for each in listed)
    found = []
    for each in listed:
        whose = _whose(each)
        begin = FIRST + {WORLD: 0, ARCHIVE: public}.get(whose[0], public + shared)
        found.append((begin + taken[whose], each))
        taken[whose] += 1
    return found


def _whose(entry: Entry) -> tuple[int, str]:
    if entry.privileges >= ARCHIVE:
        return min(entry.privileges, WORLD), ""
    return (PROJECT, entry.project) if entry.privileges == PROJECT else (entry.privileges, entry.creator)
