"""Write `constraints.txt`: the version, in this environment, of all that the project and its extras need.

pip install -e '.[dev,fast,llm,mcp,onnx,openai,qdrant,ragas,torch]' packaging && python scripts/pin.py
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("bundled",)  # installed without its dependencies


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = project["dependencies"] + [
        line for name, lines in extras.items() if name not in LEFT_OUT for line in lines
    ]
    pins = sorted(pins_of([Requirement(line) for line in wanted]).items())
    head = "# The exact versions that the tests run with: pip install -c constraints.txt ...\n"
    text = head + "".join(f"{name}=={version}\n" for name, version in pins)
    (ROOT / "constraints.txt").write_text(text, encoding="utf-8")


def pins_of(todo: list[Requirement]) -> dict[str, str]:
    pins: dict[str, str] = {}
    seen = set()
    while todo:
        requirement = todo.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            raise SystemExit(f"{requirement} is not installed here") from None
        pins[canonicalize_name(requirement.name)] = found.version.partition("+")[0]
        for line in found.requires or ():
            needed = Requirement(line)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": e}) for e in ("", *requirement.extras)
            ):
                todo.append(needed)
    return pins


if __name__ == "__main__":
    main()
