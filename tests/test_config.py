"""Is every setting documented, read from where it may stand, and refused when it makes no sense?"""

import typing
from dataclasses import fields
from pathlib import Path

import pytest

from datamodel.config import Config, read_config
from datamodel.errors import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text('title = "From the file"\nport = 8001\nquery_seconds = 5\narchive = "/data"\n')
    return path


def test_every_setting_has_a_sentence_and_a_plain_type() -> None:
    hints = typing.get_type_hints(Config)
    for setting in fields(Config):
        assert setting.metadata["doc"], setting.name
        assert hints[setting.name] in (str, int, float, Path)


def test_the_command_line_wins_over_the_environment_over_the_file_over_defaults(file: Path) -> None:
    environ = {
        "VO_CONFIG": str(file),
        "VO_PORT": "8002",
        "VO_HOST": "0.0.0.0",
        "PORT": "1",
        "VO_UNRELATED": "x",
    }
    config = read_config(environ=environ, host="::1", title=None)
    assert (config.title, config.port, config.host) == ("From the file", 8002, "::1")
    assert (config.query_seconds, config.archive) == (5.0, Path("/data"))
    assert config.workers == Config().workers
    assert read_config(environ={}) == Config()
    assert read_config(file, environ={}).port == 8001


def test_the_database_is_inside_the_archive_unless_said_otherwise() -> None:
    assert read_config(environ={"VO_ARCHIVE": "/a"}).database == "sqlite:////a/archive.sqlite"
    assert read_config(environ={"VO_DATABASE_URL": "postgresql://x"}).database == "postgresql://x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "unknown setting 'prot'; did you mean 'port'"),
        ('port = "many"', "setting 'port' is 'many', expected int"),
        ("port = [1]", r"setting 'port' is '\[1\]', expected int"),
        ("port =", "is not a TOML file"),
        ("port = 1\nport = 2", "is not a TOML file"),
    ],
)
def test_a_setting_without_meaning_is_quoted(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_config(path, environ={})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the configuration .*none\.toml: No such file"):
        read_config(tmp_path / "none.toml", environ={})
    path = tmp_path / "latin.toml"
    path.write_bytes(b'title = "\xe9"')
    with pytest.raises(UsageError, match="is not a TOML file"):
        read_config(path, environ={})
