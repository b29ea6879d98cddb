"""The demonstration: a simulated survey of a real sky, ingested and served."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from datamodel.config import Config
from datamodel.context import WORLD
from processing.ingest import find_files, ingest
from processing.opening import session_of
from processing.simulator import SurveyPlan, exposures, write_survey
from processing.simulator.stars import read_gaia
from vo_server.catalogue.command import in_words
from vo_server.catalogue.described import Given
from vo_server.catalogue.importing import bring, listed
from vo_server.catalogue.progress import Shown
from vo_server.catalogue.shipped import GAIA, HIPPARCOS, gaia, hipparcos
from vo_server.formats.reading import Reading
from vo_server.serve import serve
from vo_server.web.first_steps import first_steps

log = logging.getLogger("vo_server.demo")

PLEIADES = (
    "SELECT TOP 5 hip, ra, dec, plx, hpmag FROM hipparcos.main "
    "WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(56.75, 24.12, 1)) ORDER BY hpmag"
)


def demo(config: Config, plan: SurveyPlan | None = None) -> int:
    """Make what is missing of the survey, ingest it and serve; what is there already is used again."""
    config = replace(config, title=config.title if config.title != Config.title else "h and chi Persei, live")
    prepare(config, plan or SurveyPlan())
    bring_catalogues(config)
    return serve(config, announce=lambda base_url: announce(config, base_url))


def prepare(config: Config, plan: SurveyPlan) -> None:
    """Simulate and ingest, as far as that has not been done."""
    raw, truth = config.archive / "demo" / "raw", config.archive / "demo" / "truth"
    wanted = len(exposures(plan))
    if len(_files(raw)) < wanted:
        with tqdm(total=wanted, desc="simulating", unit="exposure", disable=None) as bar:
            write_survey(
                plan, raw, truth, config.workers, progress=lambda done, _total: bar.update(done - bar.n)
            )
    files = _files(raw)
    with (
        session_of(config) as session,
        tqdm(total=len(files), desc="ingesting", unit="file", disable=None) as bar,
    ):
        summary = ingest(session, files, progress=lambda _name: bar.update())
    log.info("%s", summary)


def bring_catalogues(config: Config) -> None:
    """Add the catalogues of real stars that are not there yet."""
    with session_of(config) as session:
        archive, caller = session.archive, session.caller
        there = {catalogue.name for catalogue in listed(archive)}
        for name, table, schema in _CATALOGUES:
            if name not in there:
                with Shown() as shown:
                    given = Given(name, schema_description=schema, level=WORLD)
                    made = bring(archive, table(), given, caller, name, shown)
                log.info("%s", in_words(made))


_CATALOGUES: tuple[tuple[str, Callable[[], Reading], str], ...] = (
    (GAIA, lambda: gaia(read_gaia()), "Stars of the Gaia mission: ESA/Gaia/DPAC, CC BY-SA 3.0 IGO"),
    (HIPPARCOS, hipparcos, "Stars of the Hipparcos mission: ESA"),
)
"""Name, rows, and what is told of the schema."""


def _files(folder: Path) -> list[Path]:
    return list(find_files([folder])) if folder.is_dir() else []


def announce(config: Config, base_url: str) -> None:
    """Print where the archive is, some queries to try, and that it is ready."""
    with session_of(config) as session:
        steps = first_steps()
        there = {catalogue.name for catalogue in listed(session.archive)}
    print(f"\n{config.title} is at {base_url}/\n")
    print("Find reduced frames around h Persei; none of them need be made yet:")
    print(f"  curl -s '{base_url}{steps.find}'")
    print("Download a source list; it is made, and all it needs:")
    print(f"  curl -s -f -o sources.fits {base_url}{steps.make}")
    print("Ask for the brightest of its stars:")
    print(f"  curl -s {base_url}/tap/sync -d LANG=ADQL -d FORMAT=csv --data-urlencode 'QUERY={steps.ask}'")
    if {GAIA, HIPPARCOS} <= there:
        print(f"Ask a catalogue of the whole sky, {HIPPARCOS} or {GAIA}, for the Pleiades:")
        print(f"  curl -s {base_url}/tap/sync -d LANG=ADQL -d FORMAT=csv --data-urlencode 'QUERY={PLEIADES}'")
    print("\nReal stars: Gaia, ESA/Gaia/DPAC, CC BY-SA 3.0 IGO.  Ctrl-C ends.\n")
    print("Ready", flush=True)
