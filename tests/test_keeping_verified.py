"""Is what was changed, lost or added since a backup found and named?"""

import shutil
from pathlib import Path

import pytest

from datamodel.archive import Archive
from datamodel.config import Config
from datamodel.keeping import manifest as manifests
from datamodel.keeping.verifying import compare_with_archive, verify_archive, verify_backup
from datamodel.session import Session
from tests import keeping
from tests.keeping import (
    KeptThing,
    backed_up,
    quiet,
    restored,
)

full, kept, furnished = keeping.full, keeping.kept, keeping.furnished


@pytest.mark.parametrize("what", ["table", "file", "other", "manifest"])
@pytest.mark.thorough
def test_one_byte_that_was_changed_is_found_and_named(kept: Path, tmp_path: Path, what: str) -> None:
    shutil.copytree(kept, tmp_path / "backup")
    made = manifests.read(kept)
    name, where = {
        "table": ("table 'kept_thing'", made.tables["kept_thing"].file),
        "file": (f"file '{min(made.files)}'", made.files[min(made.files)].file),
        "other": ("file 'session.key'", made.files["session.key"].file),
        "manifest": (manifests.NAME, manifests.NAME),
    }[what]
    path = tmp_path / "backup" / where
    whole = bytearray(path.read_bytes())
    middle = whole.index(b'"rows": ') + 8 if what == "manifest" else len(whole) // 2
    whole[middle] ^= 1
    path.chmod(0o644)
    path.write_bytes(whole)
    config = Config(archive=tmp_path / "restored")
    with pytest.raises(Exception, match="has changed") as refused:
        restored(tmp_path / "backup", config)
    assert name in str(refused.value)
    assert not config.archive.exists()
    assert not list(tmp_path.glob("restored*"))
    if what != "manifest":
        (wrong,) = verify_backup(tmp_path / "backup", quiet)
        assert wrong.startswith(name)


def test_what_differs_between_a_backup_and_an_archive_is_named(furnished: Archive, kept: Path) -> None:
    furnished.add_account("D", "P")
    (furnished.config.archive / "session.key").write_bytes(b"Secret")
    (furnished.config.archive / "new.txt").write_text("new")
    wrong = compare_with_archive(kept, furnished.config, quiet)
    named = [line.partition(":")[0] for line in wrong]
    assert named == ["table 'account'", "table 'membership'", "file 'new.txt'", "file 'session.key'"]


def test_a_file_that_is_lost_is_named_and_the_rest_is_backed_up(furnished: Archive, tmp_path: Path) -> None:
    with Session(furnished, furnished.caller("A", "P")):
        lost, damaged = (t.path() for t in KeptThing.select_all() if t.filename)
    lost.unlink()
    damaged.chmod(0o644)
    damaged.write_text("other bytes")
    made = backed_up(furnished.config, tmp_path / "backup").manifest
    assert sorted(made.lost) == sorted(
        [
            f"the bytes of '{lost.name}' are not in the store",
            f"the bytes of '{damaged.name}' have changed in the store",
        ]
    )
    wrong = verify_backup(tmp_path / "backup", quiet)
    assert len(wrong) == 2
    assert all(line.startswith("when the backup was made: ") for line in wrong)
    assert len(verify_archive(furnished.config, quiet)) == 2
