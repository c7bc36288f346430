"""Damage a file of an index in many ways, and see that what was damaged is told, and never answered from."""

from __future__ import annotations

import re
import shutil
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from lab.disk import Tree
from lab.pool import Pool, Worker
from lab.script import text_of
from lab.states import lay_out
from lab.worker import AFTERWARDS

HEADER = 128
BLOCKS = (16, 512, 4096)


@dataclass(frozen=True, slots=True)
class Damage:
    """What a file is instead of what it was; `content` None where it is gone."""

    path: str
    kind: str
    where: str
    content: bytes | None

    def __str__(self) -> str:
        return f"{self.kind} of {self.path}, {self.where}"


def header_flips(tree: Tree, choose: Random) -> Iterator[Damage]:
    """Every byte at the head of every file, with one bit flipped, or all, or made zero."""
    for path, content in files_of(tree):
        for at in range(min(HEADER, len(content))):
            byte = choose.choice([content[at] ^ 1 << choose.randrange(8), content[at] ^ 0xFF, 0])
            if byte == content[at]:
                byte = content[at] ^ 1
            yield Damage(path, "header byte", f"byte {at}", _with(content, at, bytes([byte])))


def random_damages(tree: Tree, choose: Random) -> Iterator[Damage]:
    """Flips, truncations, extensions, swaps and losses, without end.

    Half of them hit every file as often as any other, half every byte.
    """
    files = list(files_of(tree))
    sizes = [len(content) for _, content in files]
    while True:
        if choose.random() < 0.5:
            path, content = choose.choice(files)
        else:
            path, content = choose.choices(files, sizes)[0]
        kind = choose.choice(
            ["flip"] * 4 + ["truncate", "extend", "swap blocks", "zero block", "swap files", "lose"]
        )
        made = _damaged(kind, path, content, files, choose)
        if made is not None and made[1] != content:
            yield Damage(path, kind, *made)


def _damaged(
    kind: str, path: str, content: bytes, files: Sequence[tuple[str, bytes]], choose: Random
) -> tuple[str, bytes | None] | None:
    size = len(content)
    if kind == "lose":
        return "all of it", None
    if kind == "extend" and not path.endswith("-wal"):  # behind a log's end is a commit cut short
        more = choose.randbytes(choose.choice([1, 8, 512, 4096]))
        return f"{len(more)} bytes more", content + more
    if kind == "swap files":
        other, instead = choose.choice(files)
        return f"for {other}", instead
    if kind == "flip" and size:
        at = choose.randrange(size)
        return f"byte {at} of {size}", _with(content, at, bytes([content[at] ^ 1 << choose.randrange(8)]))
    if kind == "truncate" and size:
        end = choose.choice([0, choose.randrange(size), size - 1, size // 512 * 512, size // 4096 * 4096])
        return f"to {end} of {size}", content[:end]
    block = choose.choice(BLOCKS)
    if kind == "zero block" and size:
        at = choose.randrange(max(1, size // block)) * block
        return f"{block} bytes at {at}", _with(content, at, bytes(min(block, size - at)))
    if kind == "swap blocks" and size >= 2 * block:
        one, two = (block * at for at in choose.sample(range(size // block), 2))
        swapped = _with(content, one, content[two : two + block])
        return f"{block} bytes at {one} and {two}", _with(swapped, two, content[one : one + block])
    return None


def _with(content: bytes, at: int, part: bytes) -> bytes:
    return content[:at] + part + content[at + len(part) :]


def files_of(tree: Tree) -> Iterator[tuple[str, bytes]]:
    """The files of a tree that hold something, in order."""
    for path, content in sorted(tree.items()):
        if content:
            yield path, content


def read_tree(folder: Path, ignore: Sequence[str] = ("-shm",)) -> Tree:
    """What lies below a folder."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not path.name.endswith(tuple(ignore))
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of a damage: see `classify`."""

    damage: Damage
    what: str
    detail: str
    mended: str = ""

    def __str__(self) -> str:
        return f"{self.damage}: {self.what}: {self.detail}; mended {self.mended}"


@dataclass(slots=True)
class Tally:
    """The count of damages by kind of file and of damage, and of what became of them."""

    trials: int = 0
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    wrong: list[Finding] = field(default_factory=list)

    def take(self, finding: Finding) -> None:
        """Count one."""
        self.trials += 1
        self.by_kind[finding.damage.kind, finding.what] += 1
        self.findings[finding.what] += 1
        if finding.mended:
            self.mended[finding.mended.partition(":")[0]] += 1
        if finding.what not in GOOD or finding.mended.startswith("badly"):
            self.wrong.append(finding)


GOOD = ("told by an answer", "told by the check", "of no effect: it stands in the log and in the database")


def classify(
    damage: Damage, answer: dict[str, Any], intact: dict[str, Any], names: Sequence[str], twice: bool
) -> tuple[str, str]:
    """Name what an index did with a damage.

    `told by an answer`: an error of the package's own that names the file. `told by the check`: the
    answers were right, and a look at every byte named the file. With `twice`, where there is a log beside
    the database, damage to what stands in both may have no effect: the answers are right, a write is, and
    then all is well. Every other finding is a fault of the index.
    """
    if "died" in answer:
        return "process died", answer["died"]
    said = answer.get("error", "")
    if said:
        if not answer["typed"]:
            return "untyped error", said + answer.get("where", "")
        named = _names(said, names)
        return ("told by an answer" if named else "told without the name"), said
    if answer["answers"] != intact["answers"]:
        return "wrong answer", str(answer["answers"])[:500]
    problems = "\n".join(answer["problems"])
    if _names(problems, names):
        return "told by the check", problems
    if problems:
        return "told without the name", problems
    if twice and damage.path.startswith("index.db") and answer.get("mended"):
        return GOOD[-1], ""
    return "not told", ""


def _names(said: str, names: Sequence[str]) -> bool:
    return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", said) for name in names)


def names_of(path: str) -> tuple[str, ...]:
    """By what a message may name a file: its log belongs to the database."""
    name = Path(path).name
    return (name, name.removesuffix("-wal")) if name.endswith("-wal") else (name,)


@dataclass(frozen=True, slots=True)
class Sample:
    """An index that is whole, and what it answers."""

    name: str
    tree: Tree
    intact: dict[str, Any]


def samples(pool: Pool, folder: Path) -> list[Sample]:
    """An index that was closed, and one of a process that was killed: with a log."""
    worker = pool.workers[0]
    made = worker.ask({"task": "lab.damage:lay_samples", "folder": str(folder)})
    if made:
        raise RuntimeError(f"the script does not run: {made}")
    found = []
    for name in ("closed", "killed"):
        tree = read_tree(folder / name)
        intact = worker.ask({"task": "lab.damage:examine", "folder": str(folder / name)})
        if "error" in intact or intact["problems"]:
            raise RuntimeError(f"the index is not whole: {intact}")
        found.append(Sample(name, tree, intact))
    return found


def try_damages(
    damages: Iterable[Damage], sample: Sample, pool: Pool, folder: Path, *, mend: bool = False
) -> Iterator[Finding]:
    """Lay out the sample with each damage, and see what a worker makes of it, and whether it can mend it."""

    def one(job: tuple[int, Damage], worker: Worker) -> Finding:
        number, damage = job
        where = folder / str(number)
        lay_out(dict(sample.tree) | {damage.path: damage.content or b""}, where)
        if damage.content is None:
            (where / damage.path).unlink()
        answer = worker.ask({"task": "lab.damage:examine", "folder": str(where)})
        mended = ""
        if mend and "mended" not in answer:
            mended = judge_mended(
                worker.ask({"task": "lab.damage:mend", "folder": str(where)}), sample.intact
            )
        shutil.rmtree(where)
        twice = any(path.endswith("-wal") for path in sample.tree)
        return Finding(damage, *classify(damage, answer, sample.intact, names_of(damage.path), twice), mended)

    yield from pool.run(enumerate(damages), one)


def examine(make: Callable[..., Any], folder: str) -> dict[str, Any]:
    """What an index answers to all that it can be asked, and what it finds wrong with itself."""
    result: dict[str, Any] = {}
    subject = None
    try:
        subject = make(Path(folder), create=False)
        result["answers"] = subject.answers()
        result["problems"] = subject.problems()
        if not result["problems"]:
            subject.add(dict([AFTERWARDS]))
            subject.close()
            subject = make(Path(folder), create=False)
            result["mended"] = AFTERWARDS[1] in subject.read().values() and not subject.problems()
    except Exception as error:
        result |= {"error": f"{type(error).__name__}: {error}", "typed": _is_ours(error)}
        if not result["typed"]:
            result["where"] = traceback.format_exc()[-1500:]
    finally:
        if subject is not None:
            subject.close()
    return result


def mend(make: Callable[..., Any], folder: str) -> dict[str, Any]:
    """Repair a damaged index, then examine it again."""
    try:
        said = make.mend(Path(folder))  # type: ignore[attr-defined]
    except Exception as error:
        return {
            "refused": f"{type(error).__name__}: {error}",
            "typed": _is_ours(error),
            "where": traceback.format_exc(),
        }
    return {"said": said} | examine(make, folder)


def judge_mended(answer: dict[str, Any], intact: dict[str, Any]) -> str:
    """Name what a repair came to: `whole`, `in part` with every loss named, `refused`, or `badly`."""
    if "refused" in answer:
        return f"refused: {answer['refused']}" if answer["typed"] else f"badly: {answer['where'][-1500:]}"
    if "answers" not in answer or answer.get("problems") or not answer.get("mended"):
        return f"badly: {answer}"[:3000]
    if answer["answers"] == intact["answers"]:
        return "whole"
    now, before = answer["answers"]["documents"], intact["answers"]["documents"]
    lost = {name for name in before if now.get(name) != before[name]}
    said = "\n".join(answer["said"])
    unnamed = [name for name in lost if name not in said]
    if lost and now.keys() <= before.keys() and len(re.findall(r"document number \d+", said)) >= len(unnamed):
        return "in part, the rest lost and said: " + said
    return f"badly: lost {sorted(before[name][0] for name in unnamed)} unnamed, said {said}"[:3000]


def _is_ours(error: Exception) -> bool:
    """Whether an error is one that our package raises on purpose; of a peer none is."""
    return any(kind.__name__ == "RagError" for kind in type(error).__mro__)


def lay_samples(make: Callable[..., Any], folder: str) -> dict[str, Any]:
    """Lay an index that was closed, and one that was not: it has a log, several segments and deleted rows."""
    root = Path(folder)
    subject = make(root / "live", create=True)
    subject.add({name: text_of(name, 1) for name in ("a", "b", "c")})
    subject.delete(["a"])
    if hasattr(subject, "reembed"):
        subject.reembed()
    subject.add({"b": text_of("b", 2, 30), "d": text_of("d", 1)})
    shutil.copytree(root / "live", root / "killed", ignore=shutil.ignore_patterns("*-shm"))
    subject.close()
    (root / "live").rename(root / "closed")
    return {}
