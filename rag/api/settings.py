"""What the doors are told from outside: a flag wins over `RAG_*`, that over `rag.toml`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from rag.errors import InputError

if TYPE_CHECKING:
    from rag.generation.proving import Policy
    from rag.query_log import Questions

FILE = "rag.toml"


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How the command line and the service find an index and serve it.

    `encoder` and `reranker` are names or folders of models; an empty `encoder` is the default one,
    an empty `reranker` none. `model` is the GGUF file of a language model that writes, empty for none, and
    `policy` what becomes of a sentence that is not proven: `drop`, `repair` or `flag`. `models` are folders
    of language models, with the system's separator of paths between. `max_k` and `max_body_bytes`
    bound what one request to the service may ask for.

    `principal_header`, `tenant_header` and `groups_header` name the headers in which a proxy that has
    seen to who asks tells the service so, groups with commas between; by default there are none, and
    the service knows nobody. A name and a group of the same letters are one reader. Whoever reaches a
    service that trusts headers can be anyone: only the proxy may reach it, and it must take these
    headers out of what it is sent.

    `query_log` is a file in which the service keeps what was asked and how it went, empty for none, with
    the questions `redacted`, only as hashes (`hashed`), or as they are (`plain`).

    `judge` says who judges answers (`rag.api.judging`) and `judge_model` by which model, each verdict by
    `judge_votes` votes at most in each order. The key of a judge's server is no setting: `RAG_JUDGE_KEY` is
    read where it is sent, and kept nowhere else.
    """

    index: Path | str = Path(".rag")
    encoder: str = ""
    reranker: str = ""
    model: str = ""
    models: str = ""
    policy: Policy = "drop"
    host: str = "127.0.0.1"
    port: int = 8080
    max_k: int = 100
    max_body_bytes: int = 1_000_000
    principal_header: str = ""
    tenant_header: str = ""
    groups_header: str = ""
    query_log: str = ""
    query_log_questions: Questions = "redacted"
    judge: str = ""
    judge_model: str = ""
    judge_votes: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InputError(f"port is in 0..65535, not {self.port}")
        if self.max_k < 1 or self.max_body_bytes < 1:
            raise InputError("max_k and max_body_bytes are 1 or more")
        if self.judge_votes < 1 or self.judge_votes % 2 == 0:
            raise InputError(f"judge_votes is an odd number, 1 or more, not {self.judge_votes}")
        if self.policy not in ("drop", "repair", "flag"):
            raise InputError(f"policy is drop, repair or flag, not {self.policy!r}")
        if self.query_log_questions not in ("redacted", "hashed", "plain"):
            raise InputError(
                f"query_log_questions are redacted, hashed or plain, not {self.query_log_questions!r}"
            )
        if self.groups_header and not self.principal_header:
            raise InputError("groups_header needs principal_header: groups are somebody's")


def read_settings(
    flags: Mapping[str, object] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> DoorSettings:
    """Read the settings once.

    Args:
        flags: Settings by name; None stands for a flag that was not given.
        environment: Variables; by default those of the process. `RAG_PORT` sets `port`, and so on.
        file: A TOML file; by default the one that `RAG_CONFIG` names, else `rag.toml` where it
            exists. A relative `index` in it is relative to the file's folder.

    Raises:
        InputError: A value has the wrong type, the file does not parse or has an unknown name.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, Path | str | int] = {}
    found.update(_from_file(_file(environment, file)))
    for name in _NAMES:
        given = environment.get(f"RAG_{name.upper()}")
        if given:
            found[name] = _value(name, given, f"the variable RAG_{name.upper()}")
    for name, flag in (flags or {}).items():
        if flag is not None:
            found[name] = _value(name, flag, f"--{name.replace('_', '-')}")
    return DoorSettings(**found)  # type: ignore[arg-type] # _value has seen to the types


_NAMES = tuple(field.name for field in fields(DoorSettings))
_NUMBERS = ("port", "max_k", "max_body_bytes", "judge_votes")


def _file(environment: Mapping[str, str], file: Path | None) -> Path | None:
    if file is None and environment.get("RAG_CONFIG"):
        file = Path(environment["RAG_CONFIG"])
    return file or (Path(FILE) if Path(FILE).is_file() else None)


def _from_file(file: Path | None) -> dict[str, Path | str | int]:
    if file is None:
        return {}
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InputError(f"{file} is not TOML: {error}") from error
    unknown = next((name for name in table if name not in _NAMES), None)
    if unknown is not None:
        raise InputError(f"{file}: there is no setting {unknown!r}; there are {', '.join(_NAMES)}")
    found = {name: _value(name, value, f"{name!r} in {file}") for name, value in table.items()}
    if isinstance(index := found.get("index"), Path):
        found["index"] = file.parent / index
    return found


def _value(name: str, given: object, where: str) -> Path | str | int:
    """`given` as the type that the setting `name` has."""
    if name in _NUMBERS:
        try:
            if isinstance(given, int | str) and not isinstance(given, bool):
                return int(given)
        except ValueError:
            pass
        raise InputError(f"{where} is a whole number, not {given!r}")
    if not isinstance(given, str | Path):
        raise InputError(f"{where} is text, not {given!r}")
    # The address of a server is no path, and would be another as one.
    return Path(given) if name == "index" and "://" not in str(given) else str(given)
