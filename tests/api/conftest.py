from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.api.settings import DoorSettings
from rag.index.encoder import resolve_encoder
from rag.pipeline import Engine
from rag.protocols import Encoder

LEAVE = """# Leave

## Parental leave

The parent who gives birth has 26 weeks of leave with full pay. The other parent has ten weeks.

## Annual leave

Every member of staff has 25 days of annual leave. Unused days expire at the end of March.
"""
BOATS = "The ferry Kittiwake carries 120 cars and 400 passengers. Her engines burn methanol.\n"


@pytest.fixture(scope="session")
def encoder() -> Encoder:
    return resolve_encoder()


@pytest.fixture(autouse=True)
def _load_the_encoder_once(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(name: str | Path | Encoder | None = None) -> Encoder:
        return resolve_encoder(name) if name else encoder

    monkeypatch.setattr("rag.library.resolve_encoder", resolve)


@pytest.fixture(scope="session")
def _made(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    docs = folder / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text(LEAVE)
    (docs / "boats.txt").write_text(BOATS)
    with Engine(folder / "index", encoder=encoder) as engine:
        engine.add(docs / "leave.md", metadata={"team": "hr", "year": 2020})
        engine.add(docs / "boats.txt", metadata={"team": "fleet", "year": 2024})
    return folder


@pytest.fixture(scope="session")
def docs(_made: Path) -> Path:
    return _made / "docs"


@pytest.fixture(scope="session")
def index(_made: Path) -> Path:
    """An index of two documents that tests read and leave as it is."""
    return _made / "index"


@pytest.fixture
def own_index(index: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(index, tmp_path / "own-index"))


@pytest.fixture
def engine(index: Path) -> Iterator[Engine]:
    with Engine(index, create=False) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests see no rag.toml and no settings of whoever runs them."""
    monkeypatch.chdir(tmp_path)
    for name in (*DoorSettings.__dataclass_fields__, "config"):
        monkeypatch.delenv(f"RAG_{name.upper()}", raising=False)
