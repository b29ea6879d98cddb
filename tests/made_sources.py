"""Sources at some positions, in an archive of a test."""

import numpy as np

from datamodel.archive import Archive
from datamodel.observatory import Instrument
from datamodel.session import Session
from datamodel.sky import hpx29
from datamodel.sources import COLUMNS, insert_sources


def put_sources(archive: Archive, ra: np.ndarray, dec: np.ndarray) -> None:
    """Sources that everybody sees, numbered from 0 by their ``sid``; positions in degrees ICRS."""
    with Session(archive, archive.caller("A", "P", 5)) as session:
        owner = Instrument(name="camera")
        owner.commit()
        rows = np.zeros(len(ra), dtype=[(c.name, c.datatype.numpy) for c in COLUMNS if c.name != "slid"])
        rows["sid"], rows["ra"], rows["dec"], rows["hpx29"] = range(len(ra)), ra, dec, hpx29(ra, dec)
        with session.transaction() as connection:
            insert_sources(connection, 1, owner.object_id, rows)
