"""`rag` as it is typed: in this process, or in one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from typer.testing import CliRunner, Result

from rag.api.cli import app


def rag(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def as_json(*words: object, exit_code: int = 0) -> dict[str, Any]:
    """The one line on standard output, as the object that it is."""
    result = rag(*words, "--json")
    assert result.exit_code == exit_code, result.output
    (line,) = result.stdout.splitlines()
    value = json.loads(line)
    assert isinstance(value, dict)
    return value


def process(*words: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rag", *map(str, words)],
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
