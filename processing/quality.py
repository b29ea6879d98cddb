"""How good is a product, and who has looked at it? What every target can say of its quality."""

from typing import Any

from datamodel.session import current
from processing.declarations import flag_names
from processing.inspecting import HISTORY, IMAGE, PIXEL_MAP, SOURCES, figure_of, png_of
from processing.process_status import COMPARED, INSPECTED, MADE, VERIFIED
from processing.suspicion import faulty_ancestors
from processing.trends import trend

__all__ = ["HISTORY", "IMAGE", "PIXEL_MAP", "SOURCES", "Quality"]


class Quality:
    """Mixin of targets: the judgement of the system and that of people."""

    inspected_as = IMAGE
    """What a person judges it by: one of `processing.inspecting.DRAWN`."""

    history_of = ""
    """The number that is shown with its history, for what has no pixels."""

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

    def suspect(self) -> list[Any]:
        """What it was made from, at any depth, that is judged bad or flagged now; the nearest first.

        It is looked up, never stored: where a judgement is taken back, nothing is suspect for it any more. What the
        caller may not see is there as a `datamodel.state.Restricted`.
        """
        return faulty_ancestors(current(), self)

    def inspect(self, show: bool = False) -> Any:
        """A figure by which a person judges it, as a `matplotlib.figure.Figure`.

        Parameters
        ----------
        show
            Whether to open a window with it, at a prompt that has a display.

        Raises
        ------
        DataLostError
            Its bytes are gone.
        """
        return figure_of(self, show)

    def inspect_png(self) -> bytes:
        """The figure as a PNG of `processing.inspecting.WIDTH_PX` by `HEIGHT_PX`."""
        return png_of(self)

    @classmethod
    def trend(cls, name: str, **keys: Any) -> Any:
        """A number of all versions of the class in order of time: see `processing.trends.trend`."""
        return trend(cls, name, **keys)

    def _as_judged(self, is_valid: int) -> dict[str, Any]:
        """The attributes that a judgement sets: whoever judges has looked."""
        return {"is_valid": int(is_valid), "process_status": self.process_status | INSPECTED}
