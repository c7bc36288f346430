"""Worker processes that look at indexes, so that one that dies or hangs over an index is seen to.

`python -m lab.worker SUBJECT run ROOT` performs the script in ROOT/index and tells of it in ROOT/marks.
`python -m lab.worker SUBJECT serve` answers requests, one JSON object a line.
SUBJECT is `module:class` of a `lab.script.Subject`, made with a folder and whether to create it.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.script import Disagreement, Step, perform, script

AFTERWARDS = ("afterwards", "A document that was added after the crash.")


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    make = getattr(importlib.import_module(module), name)
    if sys.argv[2] == "run":
        run(make, Path(sys.argv[3]), script())
    elif sys.argv[2] == "recover":
        recover(make, [Path(root) for root in sys.argv[3:]])
    else:
        answer_requests(make)


def run(make: Callable[..., Any], root: Path, steps: list[Step]) -> None:
    """Perform the steps, and mark each as begun and done."""
    marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    subject = None
    for number, step in enumerate(steps):
        os.write(marks, f"begun:{number}\n".encode())
        if step.action == "open":
            if subject is not None:
                subject.close()
            subject = make(root / "index", create=number == 0)
        else:
            perform(step, subject)
        os.write(marks, f"done:{number}\n".encode())
    subject.close()


def recover(make: Callable[..., Any], roots: list[Path]) -> None:
    """Open what a crash left in each root, and write to it."""
    for root in roots:
        marks = os.open(root / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(marks, b"begun:0\n")
        subject = make(root / "index", create=True)
        os.write(marks, b"done:0\nbegun:1\n")
        subject.add(dict([AFTERWARDS]))
        os.write(marks, b"done:1\n")
        subject.close()
        os.close(marks)


def answer_requests(make: Callable[..., Any]) -> None:
    """Look at one folder a line, until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is no answer
    answers.write("ready\n")
    for line in sys.stdin:
        request = json.loads(line)
        answers.write(json.dumps(task_of(request.pop("task"))(make, **request)) + "\n")


def task_of(name: str) -> Callable[..., dict[str, Any]]:
    """The function that does what a request asks: `look` here, `module:function` anywhere."""
    module, _, function = name.rpartition(":")
    task: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module or __name__), function)
    return task


def look(make: Callable[..., Any], folder: str, *, create: bool, write: bool) -> dict[str, Any]:
    """What an index shows, and what it shows once more was written to it."""
    result: dict[str, Any] = {}
    subject = None
    try:
        subject = make(Path(folder), create=create)
        result["state"] = subject.read()
        if write:
            subject.add(dict([AFTERWARDS]))
            result["after"] = subject.read()
    except Disagreement as error:
        result["disagreement"] = str(error)[:2000]
    except Exception as error:
        result["error"] = f"{type(error).__name__}: {error}"[:2000]
        result["where"] = traceback.format_exc()[-1500:]
    finally:
        if subject is not None:
            subject.close()
    return result


if __name__ == "__main__":
    main()
