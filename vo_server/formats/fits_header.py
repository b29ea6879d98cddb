"""How is a header of FITS written? Cards of 80 characters in blocks of 2880 bytes (FITS 4.0 section 4)."""

from collections.abc import Iterable

BLOCK_BYTES = 2880
_CARD = 80
_STRING = 67
"""Characters of a string in one card, between its quotes, with room for the sign that it goes on."""

Card = tuple[str, bool | int | str] | tuple[str, bool | int | str, str]
"""Keyword, value and, where there is one, comment."""


def header(cards: Iterable[Card]) -> bytes:
    """The cards and END, filled up to whole blocks."""
    written = "".join(card(*each) for each in cards) + "END".ljust(_CARD)
    return written.ljust(-(-len(written) // BLOCK_BYTES) * BLOCK_BYTES).encode("ascii")


def card(keyword: str, value: bool | int | str, comment: str = "") -> str:
    """One card; a string that is too long for one goes on in CONTINUE cards (FITS 4.0 section 4.2.1.2).

    What is not printable ASCII is written as a backslash escape, for a header has no place for it.
    """
    if isinstance(value, str):
        return _string(keyword, _printable(value), _printable(comment))
    written = ("T" if value else "F") if isinstance(value, bool) else str(value)
    told = f" / {_printable(comment)}" if comment else ""
    return f"{keyword:8}= {written:>20}{told}".ljust(_CARD)[:_CARD]


def padding(size: int) -> int:
    """How many bytes are missing to whole blocks."""
    return -size % BLOCK_BYTES


def _string(keyword: str, value: str, comment: str) -> str:
    pieces = _split(value.replace("'", "''"))
    starts = [f"{keyword:8}= ", *["CONTINUE  "] * (len(pieces) - 1)]
    ends = ["&'"] * (len(pieces) - 1) + ["'"]
    written = [f"{a}'{piece:8}{b}" for a, piece, b in zip(starts, pieces, ends, strict=True)]
    if comment and len(pieces) == 1:
        written[0] = f"{written[0]} / {comment}"
    return "".join(each.ljust(_CARD)[:_CARD] for each in written)


def _split(quoted: str) -> list[str]:
    """Pieces that fit into a card; a doubled quote is never divided."""
    if len(quoted) <= _STRING + 1:
        return [quoted]
    pieces = []
    while quoted:
        size = _STRING
        if len(quoted) > size and (len(quoted[:size]) - len(quoted[:size].rstrip("'"))) % 2:
            size -= 1
        pieces.append(quoted[:size])
        quoted = quoted[size:]
    return pieces


def _printable(text: str) -> str:
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character > "\x7f":
        return character.encode("ascii", "backslashreplace").decode()
    return character if " " <= character <= "~" else " "
