"""Is everything a person may set, type, query or ask for described, and in the reference?"""

import importlib.util
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from datamodel.attributes import all_classes
from datamodel.config import Config
from processing.classes import TARGET_CLASSES
from processing.declarations import flags, parameters, roles
from vo_server import commands

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    """The module that writes the reference; it is no part of the packages."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_setting_is_described_and_in_the_reference(reference: ModuleType) -> None:
    page = reference.settings()
    for field in fields(Config):
        assert field.metadata.get("doc"), f"setting {field.name} has no description"
        assert f"| `{field.name}` |" in page
        assert field.metadata["doc"] in page


def test_every_command_and_option_is_described_and_in_the_reference(reference: ModuleType) -> None:
    page = reference.commands()
    assert "## `awe`\n" in page
    for name, command in reference.subcommands(commands.parser()).items():
        assert command.description, f"command {name} has no description"
        assert f"## `vo-server {name}`\n" in page
        silent = [action.dest for action in command._actions if not action.help]
        assert silent == [], f"options of {name} without a description"


def test_every_table_and_column_is_described_and_in_the_reference(reference: ModuleType) -> None:
    page = reference.tables()
    for table in reference.shown_tables():
        assert table.description, f"table {table.full_name} has no description"
        assert f"## `{table.full_name}`\n" in page
        silent = [column.name for column in table.columns if not column.description]
        assert silent == [], f"columns of {table.full_name} without a description"
        assert all(f"| `{column.name}` |" in page for column in table.columns)


def test_the_reference_has_the_tables_of_all_classes_that_are_ours(reference: ModuleType) -> None:
    shown = {table.full_name for table in reference.shown_tables()}
    assert {"archive.sources", "archive.bias_frame", "ivoa.obscore", "tap_schema.columns"} <= shown


@pytest.mark.parametrize("cls", TARGET_CLASSES, ids=lambda c: c.__name__)
def test_every_role_parameter_and_flag_is_described_and_in_the_reference(
    cls: type, reference: ModuleType
) -> None:
    page = reference.targets()
    declared = roles(cls) | parameters(cls)
    assert (cls.__doc__ or "").strip(), f"{cls.__name__} has no description"
    assert f"## `{cls.__name__}`\n" in page
    assert [name for name, each in declared.items() if not each.attribute.doc] == []
    assert [name for name, flag in flags(cls).items() if not flag.doc] == []
    assert all(f"| `{name}` |" in page for name in [*declared, *flags(cls)])


def test_every_persistent_attribute_of_ours_is_described() -> None:
    silent = [
        f"{cls.__name__}.{name}"
        for cls in all_classes()
        if cls.__module__.startswith(("datamodel.", "processing."))
        for name, attribute in cls.__attributes__.items()
        if not attribute.doc
    ]
    assert silent == []


def test_every_page_is_reached_from_the_first() -> None:
    """A page that no table of contents names is lost to readers."""
    written = {p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")} - {"index"}
    listed = {
        (index.parent / line.strip()).relative_to(DOCS).as_posix()
        for index in DOCS.rglob("index.md")
        for line in index.read_text(encoding="utf-8").splitlines()
    }
    here = {page for page in written if not page.startswith(("_build", "reference"))}
    assert here - listed == set()


def test_the_reference_is_four_pages(reference: ModuleType, tmp_path: Path) -> None:
    reference.write(tmp_path)
    assert {p.stem for p in tmp_path.iterdir()} == {"settings", "commands", "tables", "classes"}
