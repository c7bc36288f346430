from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from rag.api.doctor import REQUIRED, examine
from rag.api.settings import DoorSettings
from rag.index.database import connect
from rag.pipeline import Engine


def test_it_looks_for_every_package_that_the_project_requires() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert [re.split("[<>=~! ]", line)[0] for line in project["dependencies"]] == REQUIRED.split()


def test_a_missing_encoder_and_a_missing_package_are_problems_with_a_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rag.api.doctor.REQUIRED", "numpy no-such-package")
    findings = {each.name: each for each in examine(DoorSettings(encoder="./nowhere"))}
    assert (findings["packages"].good, findings["packages"].detail) == (False, "pip install no-such-package")
    assert findings["encoder"].good is False
    assert findings["index"].good is True


def test_a_whole_index_has_no_problems(engine: Engine) -> None:
    assert engine.problems() == []


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("DELETE FROM chunks WHERE row = 0", "rows that are not those"),
        ("DELETE FROM texts", "is shorter than its last passage"),
        ("UPDATE texts SET text = x'00'", "a row is not what it is"),
        ("UPDATE documents SET chunks = 7", "of its 7 passages"),
    ],
)
def test_what_does_not_fit_together_is_found(own_index: Path, damage: str, says: str) -> None:
    database = connect(own_index / "index.db")
    database.execute(damage)
    database.close()
    with Engine(own_index, create=False) as engine:
        assert any(says in problem for problem in engine.problems())
