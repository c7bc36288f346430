from pathlib import Path

import pytest

from rag.api.settings import DoorSettings, read_settings
from rag.errors import InputError


def test_defaults() -> None:
    assert read_settings(environment={}) == DoorSettings()
    assert DoorSettings().host == "127.0.0.1"


def test_a_flag_wins_over_a_variable_and_that_over_the_file(tmp_path: Path) -> None:
    Path("rag.toml").write_text('index = "from-file"\nport = 1\nhost = "file"\nencoder = "file"\n')
    environment = {"RAG_PORT": "2", "RAG_HOST": "variable", "RAG_DATA": "of no concern"}
    found = read_settings({"port": 3, "index": None}, environment=environment)
    assert found == DoorSettings(index=Path("from-file"), port=3, host="variable", encoder="file")


def test_an_index_named_in_a_file_is_relative_to_it(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "rag.toml").write_text('index = "store"')
    found = read_settings(environment={"RAG_CONFIG": str(tmp_path / "etc" / "rag.toml")})
    assert found.index == tmp_path / "etc" / "store"


def test_the_address_of_a_server_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('index = "qdrant://host:6333/name"')
    assert read_settings(environment={}, file=tmp_path / "own.toml").index == "qdrant://host:6333/name"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "no setting 'prot'"),
        ('port = "many"', "'port' in .* whole number"),
        ("port = true", "whole number"),
        ("port = 70000", "0..65535"),
        ("host = 1", "'host' in .* is text"),
        ("port = ", "not TOML"),
        ("max_k = 0", "1 or more"),
        ('groups_header = "x-groups"', "needs principal_header"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=says):
        read_settings(environment={}, file=file)


def test_a_wrong_variable_is_named() -> None:
    with pytest.raises(InputError, match="RAG_PORT is a whole number, not 'x'"):
        read_settings(environment={"RAG_PORT": "x"})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.toml"):
        read_settings(environment={"RAG_CONFIG": str(tmp_path / "none.toml")})
