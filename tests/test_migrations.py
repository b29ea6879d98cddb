"""Are the migrations one chain, do they stand on nothing that changes, are they shipped, and how is one begun?"""

import ast
import configparser
import fnmatch
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from datamodel.migrations.__main__ import main
from datamodel.revisions import VERSIONS, known, newest

ROOT = Path(__file__).parent.parent
MIGRATIONS = sorted(VERSIONS.glob("r*.py"))


def scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder), version_locations=[str(folder)])


def test_the_migrations_are_one_chain_that_ends_with_the_newest() -> None:
    assert scripts(VERSIONS).get_heads() == [newest()]
    chain = [script.revision for script in scripts(VERSIONS).walk_revisions()]
    assert tuple(reversed(chain)) == known() == tuple(f"{n:04d}" for n in range(1, len(MIGRATIONS) + 1))


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_stands_on_nothing_that_changes_later(path: Path) -> None:
    """What it does to an archive must be the same in years, whatever has become of the classes."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    named = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    named += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    others = {name.split(".")[0] for name in named} - set(sys.stdlib_module_names)
    assert others <= {"sqlalchemy", "alembic"}


@pytest.mark.parametrize("path", MIGRATIONS, ids=lambda path: path.stem)
def test_a_migration_says_in_one_sentence_what_it_does(path: Path) -> None:
    script = scripts(VERSIONS).get_revision(path.name[1:5])
    assert script is not None
    assert script.doc.endswith(".")
    assert "\n" not in script.doc


def test_the_migrations_are_in_the_packages_that_are_shipped() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.packages.find"]["include"].split()
    for folder in (VERSIONS, VERSIONS.parent):
        package = ".".join(folder.relative_to(ROOT).parts)
        assert any(fnmatch.fnmatchcase(package, pattern) for pattern in patterns)
        assert (folder / "__init__.py").exists()


@pytest.mark.clients
def test_a_wheel_has_the_migrations(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for folder in ("datamodel", "processing", "registry", "vo_server", "LICENSES"):
        shutil.copytree(ROOT / folder, tree / folder)
    for file in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, tree / file)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(tree),
    ]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {path.relative_to(ROOT).as_posix() for path in MIGRATIONS} <= shipped


def test_a_new_migration_follows_the_newest_and_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "versions"
    shutil.copytree(VERSIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    assert main(["new", "Give projects an owner, at last."], folder) == 0
    following = f"{int(newest()) + 1:04d}"
    path = folder / f"r{following}_give_projects_an_owner_at_last.py"
    assert capsys.readouterr().out == f"{path}\n"
    assert known(folder)[-1] == following
    script = scripts(folder).get_revision("head")
    assert script is not None
    assert (script.doc, script.down_revision) == ("Give projects an owner, at last.", newest())
    ruff = [sys.executable, "-m", "ruff", "check", "--config", ROOT / "pyproject.toml", path]
    checked = subprocess.run(ruff, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout.decode()


@pytest.mark.parametrize("message", ["", " . ", '"""', "a\\b"])
def test_a_migration_without_words_is_not_begun(
    tmp_path: Path, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r0001_first.py").touch()
    assert main(["new", message], tmp_path) == 2
    assert "expected some words that say what the migration does" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["r0001_first.py"]
