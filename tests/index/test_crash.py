from __future__ import annotations

from pathlib import Path

import pytest
from crash import Tally, finish, kill_and_look

KILLS = 8


@pytest.mark.skipif("sys.platform == 'win32'", reason="there is no SIGKILL on Windows")
def test_a_writer_that_is_killed_leaves_its_last_commit(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    tally = Tally()
    for seed in range(KILLS):
        kill_and_look(tmp_path / "index", tmp_path / "docs", seed, tally)
    finish(tmp_path / "index")
    assert tally.reopened == tally.states_exact == tally.searches_ok == KILLS
    assert tally.calls_done > KILLS
    assert tally.in_a_call > 0
