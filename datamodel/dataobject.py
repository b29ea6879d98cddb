"""`DataObject`: a persistent object with a file.

The bytes are stored first; the row that points at them is committed afterwards.
"""

import shutil
from pathlib import Path
from typing import Any

from datamodel.errors import UsageError
from datamodel.objects import DBObject
from datamodel.persistent import persistent
from datamodel.session import current


class DataObject(DBObject):
    """A persistent object with a file: ``DataObject(pathname='x.txt')``, ``store()``, ``commit()``.

    Parameters
    ----------
    pathname
        A local file that becomes the object's.
    **attributes
        Initial values of persistent attributes.
    """

    filename = persistent(
        "Global name of the file part of this object", str, "", ucd="meta.id;meta.file", indexed=True
    )
    file_size = persistent("Size of the file", int, unit="byte", ucd="phys.size;meta.file")
    file_sha256 = persistent("SHA-256 of the file's bytes", str, ucd="meta.checksum")

    pathname: Path | None = None

    def __init__(self, pathname: str | Path = "", **attributes: Any) -> None:
        super().__init__(**attributes)
        self.pathname = Path(pathname) if pathname else None
        if self.pathname and not self.filename:
            self.filename = self.pathname.name

    def store(self) -> None:
        """Take the local file into the archive's store under the object's file name.

        Raises
        ------
        UsageError
            There is no local file, or the store has other bytes under that name.
        """
        if self.pathname is None or not self.pathname.is_file():
            raise UsageError(f"there is no file '{self.pathname or self.filename}' to store")
        stored = current().archive.store.put(self.pathname, self.filename, keep=True)
        self.filename, self.file_size, self.file_sha256 = stored.filename, stored.size, stored.sha256
        if self.content_digest is None:
            self.content_digest = stored.sha256

    def ready_to_commit(self) -> None:
        """Refuse to be committed before the file was stored.

        Raises
        ------
        UsageError
            The object has a file that was not stored.
        """
        not_stored = self.pathname is not None and self.file_sha256 is None
        if self.filename and (not_stored or not self.is_on_dataserver()):
            raise UsageError(f"store() the file '{self.filename}' before commit()")
        super().ready_to_commit()

    def is_on_dataserver(self) -> bool:
        """Whether the store has the file."""
        return bool(self.filename) and current().archive.store.has(self.filename)

    def path(self) -> Path:
        """Where the file lies in the store; read only.

        Raises
        ------
        DataLostError
            The store does not have it.
        """
        return current().archive.store.path(self.filename)

    def retrieve(self, folder: str | Path = ".") -> Path:
        """Copy the file, checked against its digest, to a folder; gives the path of the copy.

        Raises
        ------
        DataLostError
            The store does not have it, or its bytes have changed.
        """
        source = current().archive.store.path(self.filename, self.file_sha256 or "")
        self.pathname = Path(folder) / self.filename
        shutil.copyfile(source, self.pathname)
        return self.pathname
