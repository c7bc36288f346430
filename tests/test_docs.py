"""What the README shows works as shown: every block of Python runs, and so does every `rag` command."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
SHELL = [
    line.removeprefix("$ ").split(" # ")[0].strip()
    for kind, text in BLOCKS
    if kind == "console"
    for line in text.splitlines()
    if line.startswith("$ ")
]
COMMANDS = [
    command
    for line in SHELL
    for command in line.split(" && ")
    if command.startswith("rag ") and " serve" not in command
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the sample data beside it."""
    place = tmp_path_factory.mktemp("readme")
    (place / "data").symlink_to(ROOT / "data")
    return place


@pytest.mark.parametrize("block", PYTHON, ids=range(len(PYTHON)))
def test_python_block_runs(block: str, place: Path):
    subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=place, check=True)


def test_rag_commands_run_in_order(place: Path):
    assert COMMANDS
    for command in COMMANDS:
        words = f"{shlex.quote(sys.executable)} -m {command}"
        done = subprocess.run(["bash", "-c", words], cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip() or " > " in command, command


def test_make_commands_are_targets():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = {command.split()[1] for command in SHELL if command.startswith("make ")}
    assert named and named <= targets


def test_every_path_of_the_tree_exists():
    tree = next(text for kind, text in BLOCKS if kind == "text" and text.startswith("rag/"))
    parents: list[str] = []
    for line in tree.splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()
        parents = [*parents[: len(indent) // 2], name]
        assert (ROOT / "".join(parents)).exists(), line
