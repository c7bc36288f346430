"""The floors of the house hold, and the top level is links into it."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_floors_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    result = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_stages_at_the_top_are_links():
    for stage in ("ingestion", "index", "retrieval", "generation", "eval", "api"):
        assert (ROOT / stage).is_symlink()
        assert (ROOT / stage).readlink() == Path("rag") / stage
