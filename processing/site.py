"""What an archive knows of its telescopes: the shipped instrument files and the site's own."""

from pathlib import Path

from datamodel.archive import Archive
from processing.instrument import Instruments, load_instruments


def instruments_of(archive: Archive) -> Instruments:
    """The instrument files of an archive, read once."""
    own = archive.config.instruments
    instruments: Instruments = archive.resource(
        "instruments", lambda: load_instruments([Path(own)] if own else [])
    )
    return instruments
