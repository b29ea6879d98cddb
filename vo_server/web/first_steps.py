"""Where does somebody who is new here begin? Three queries that have answers: find, make, ask."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from datamodel.frames import RawScienceFrame
from datamodel.sphere import separation

H_PERSEI = (34.75, 57.13)
"""Right ascension and declination of h Persei, in degrees, ICRS."""

RADIUS_DEG = 1.5
SIMULATED = "SIMCAM"

_EXPOSURES = 1000
"""So many exposures are looked at to find the nearest."""


@dataclass(frozen=True)
class FirstSteps:
    """Three queries about one exposure.

    Attributes
    ----------
    exposure
        The RawScienceFrame to begin with; None in an archive that has none.
    centre
        Right ascension and declination of the queries, in degrees, ICRS.
    simulated
        Whether the exposure is one of the demonstration.
    """

    exposure: Any
    centre: tuple[float, float]
    simulated: bool

    @property
    def find(self) -> str:
        """Path and query of a search for reduced images around the centre."""
        ra, dec = self.centre
        return f"/sia2/query?POS=CIRCLE+{ra}+{dec}+{RADIUS_DEG}&CALIB=2&MAXREC=5&RESPONSEFORMAT=csv"

    @property
    def make(self) -> str:
        """Path of the source list of the exposure."""
        return f"/target/SourceList/{self.exposure.object_id}"

    @property
    def ask(self) -> str:
        """ADQL for the brightest stars around the centre."""
        ra, dec = self.centre
        cone = f"1 = CONTAINS(POINT(ra, dec), CIRCLE({ra}, {dec}, {RADIUS_DEG}))"
        return f"SELECT TOP 10 ra, dec, mag_auto FROM archive.sources WHERE {cone} ORDER BY mag_auto"  # noqa: S608 - ADQL to be shown

    @property
    def ask_url(self) -> str:
        """Path and query that have the ADQL answered."""
        return query_url(self.ask)


def first_steps() -> FirstSteps:
    """Those of the current session's archive: about h Persei in the demonstration, else about any exposure."""
    ra, dec = H_PERSEI
    near = list(RawScienceFrame.select_all().cone(ra, dec, RADIUS_DEG).limit(_EXPOSURES))
    simulated = [frame for frame in near if frame.instrument.name == SIMULATED]
    if simulated:
        return FirstSteps(min(simulated, key=_distance), H_PERSEI, simulated=True)
    exposure = next(iter(RawScienceFrame.select_all().order_by("obs_id", "chip.name").limit(1)), None)
    if exposure is None or exposure.ra is None:
        return FirstSteps(exposure, H_PERSEI, simulated=False)
    return FirstSteps(exposure, (round(exposure.ra, 4), round(exposure.dec, 4)), simulated=False)


def query_url(adql: str) -> str:
    """Path and query of TAP that have ADQL answered as CSV."""
    return f"/tap/sync?{urlencode({'LANG': 'ADQL', 'FORMAT': 'csv', 'QUERY': adql})}"


def _distance(frame: Any) -> tuple[float, str, str]:
    """Degrees from h Persei; the earliest exposure of those at the same place comes first."""
    apart = separation(frame.ra, frame.dec, *H_PERSEI)
    return round(float(apart), 6), frame.obs_id or "", frame.object_id
