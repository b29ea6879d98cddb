"""How good is a product, and who has looked at it? What every target can say of its quality."""

from typing import Any

from processing.declarations import flag_names

MADE, VERIFIED, COMPARED, INSPECTED = 1, 2, 4, 8
"""The bits of ``process_status``."""


class Quality:
    """Mixin of targets: the judgement of the system and that of people."""

    quality_flags: Any
    process_status: Any

    def get_qcflags_set(self) -> list[str]:
        """The names of the quality flags that the system has raised."""
        return flag_names(type(self), self.quality_flags or 0)

    def is_made(self) -> bool:
        """Whether its recipe has run."""
        return bool(self.process_status & MADE)

    def is_verified(self) -> bool:
        """Whether it was held against its limits."""
        return bool(self.process_status & VERIFIED)

    def is_compared(self) -> bool:
        """Whether it was held against the version before."""
        return bool(self.process_status & COMPARED)

    def is_inspected(self) -> bool:
        """Whether a person has judged it."""
        return bool(self.process_status & INSPECTED)

    def _as_judged(self, is_valid: int) -> dict[str, Any]:
        """The attributes that a judgement sets: whoever judges has looked."""
        return {"is_valid": int(is_valid), "process_status": self.process_status | INSPECTED}
