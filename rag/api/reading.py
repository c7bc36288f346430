"""What the commands that read an index have in common: the options of who reads, and the engine they open."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from rag.api.command import (
    EncoderOption,
    GroupOption,
    IndexOption,
    ModelOption,
    NoRerankOption,
    PolicyOption,
    PrincipalOption,
    RerankerOption,
    TenantOption,
    open_index,
)
from rag.api.settings import DoorSettings, read_settings

if TYPE_CHECKING:
    from rag.pipeline import Engine
    from rag.types import Principal

Returned = TypeVar("Returned")

WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="FIELD=VALUE", help="A condition (also != >= <= > <), or a filter in JSON."
    ),
]
StepsOption = Annotated[
    int, typer.Option("--steps", help="How many searches at most (1 to 5); each follows the one before.")
]
ContextsOption = Annotated[int, typer.Option("-k", help="How many passages the answer is made from.")]


@dataclass(frozen=True, slots=True)
class Reading:
    """An open index, and who reads it."""

    engine: Engine
    settings: DoorSettings
    principal: Principal | None

    def warn_where_hidden(self, found: Sequence[object]) -> None:
        """Say why one without a name found nothing, where rules are the reason."""
        from rag.api.access import warn_where_hidden

        if not found:
            warn_where_hidden(self.engine, self.principal)

    def document_id(self, name: str) -> str:
        """The id of the document that a person means by `name`, of those that may be read.

        Raises:
            DocumentNotFound: There is none.
            InputError: There are several.
        """
        from rag.api.find import find_document

        return find_document(name, self.engine.documents(principal=self.principal)).id


def _searches(
    tenant: TenantOption = "",
    principal: PrincipalOption = "",
    groups: GroupOption = None,
    index: IndexOption = None,
    encoder: EncoderOption = None,
    reranker: RerankerOption = None,
    no_rerank: NoRerankOption = False,
) -> None:
    """The options of every command that reads."""


def _answers(model: ModelOption = None, policy: PolicyOption = None) -> None:
    """Those of a command that answers as well."""


def searching(run: Callable[..., Returned]) -> Callable[..., Returned]:
    """Make a function of a Reading and options a command that has the options of one who searches."""
    return _with_options(run, _searches)


def answering(run: Callable[..., Returned]) -> Callable[..., Returned]:
    """Make a function of a Reading and options a command that has the options of one who asks."""
    return _with_options(run, _searches, _answers)


def answering_unless(option: str) -> Callable[[Callable[..., Returned]], Callable[..., Returned]]:
    """The same for a command that reads no index where `option` is given: it gets None for the Reading."""
    return lambda run: _with_options(run, _searches, _answers, unless=option)


def _with_options(
    run: Callable[..., Returned], *more: Callable[..., None], unless: str = ""
) -> Callable[..., Returned]:
    """`run` without its first parameter, and with those of `more`, by which it is opened what it reads.

    The command line is read from the signature, so that is what is put together here.
    """
    _, *own = inspect.signature(run, eval_str=True).parameters.values()
    shared = [each for one in more for each in inspect.signature(one, eval_str=True).parameters.values()]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in (*own, *shared)]

    @functools.wraps(run)
    def opened(**options: Any) -> Returned:
        from rag.api.access import reader

        given = {each.name: options.pop(each.name) for each in shared}
        if options.get(unless) is not None:
            return run(None, **options)
        who = reader(given.pop("tenant"), given.pop("principal"), given.pop("groups"))
        no_rerank = given.pop("no_rerank")
        settings = read_settings(given)
        with open_index(settings, no_rerank=no_rerank) as engine:
            return run(Reading(engine, settings, who), **options)

    opened.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    opened.__annotations__ = {each.name: each.annotation for each in parameters}
    return opened
