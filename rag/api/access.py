"""Who reads: a principal by flags or by the headers of a trusted proxy, and what they may know.

On the command line whoever may write the folder is the operator of it; in whose name is searched is
said there by flags. Over HTTP nobody is believed who names himself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from rag.answering import CONTEXTS
from rag.api.settings import DoorSettings
from rag.api.show import warn
from rag.pipeline import Engine, Mode
from rag.types import Answer, Document, Filter, Hit, Principal

if TYPE_CHECKING:
    from fastapi import Request

    from rag.eval.failures.trace import Trace
    from rag.eval.questions import Question
    from rag.protocols import Judge

PrincipalOf: TypeAlias = Callable[["Request"], Principal | None]
"""Says who sends a request. None is nobody: they see an index without rules whole, and nothing of another."""

HOW_TO_NAME = (
    "the index has access rules and shows nothing to one without a name: "
    "say who reads with --tenant T, --principal NAME and --group G"
)


def reader(tenant: str, name: str, groups: Sequence[str] | None) -> Principal | None:
    """Who is named by the flags, None where nobody is."""
    found = Principal(name, tenant, tuple(groups or ()))
    return None if found == Principal() else found


def operator(tenant: str) -> Principal:
    """Who may write the folder, and so sees all of a tenant's documents."""
    return Principal(tenant=tenant, operator=True)


def is_hidden(engine: Engine) -> bool:
    """Whether the index has documents, and rules that show none of them to one without a name."""
    with engine.view() as view:
        if view.documents_total:
            return False
    return engine.stats().documents > 0


def warn_where_hidden(engine: Engine, principal: Principal | None) -> None:
    """Say on standard error why one without a name found nothing, where rules are the reason."""
    if principal is None and is_hidden(engine):
        warn(f"rag: {HOW_TO_NAME}")


@dataclass(frozen=True, slots=True)
class SeenBy:
    """An engine as one reader sees it, for what asks and searches without a word on who does.

    `contexts` is how many passages an answer is made from, `steps` by how many searches; nothing outside
    `where` is read. What is searched for is text: quotes and signs in it are no conditions.
    """

    engine: Engine
    principal: Principal | None
    where: Filter | None = None
    mode: Mode = "hybrid"
    contexts: int = CONTEXTS
    steps: int = 1

    def search(self, question: str, *, k: int = 10) -> Sequence[Hit]:
        """At most k hits, best first."""
        return self.engine.search(
            question, k=k, mode=self.mode, where=self.where, principal=self.principal, syntax=False
        )

    def ask(self, question: str) -> Answer:
        """An answer, or an abstention."""
        return self.engine.ask(
            question, k=self.contexts, where=self.where, principal=self.principal, steps=self.steps
        )

    def document(self, document_id: str) -> Document:
        """The document of that id.

        Raises:
            DocumentNotFound: There is none that the reader may read.
        """
        return self.engine.document(document_id, principal=self.principal)

    def documents(self) -> list[Document]:
        """Every document that the reader may read, without its text."""
        return self.engine.documents(principal=self.principal)

    @property
    def judge(self) -> Judge:
        """What judges answers where no other judge is given: the engine's own."""
        return self.engine.judge

    def trace(self, question: Question) -> Trace:
        """Where the gold places of a question stand in what the reader may read, and what finds them."""
        return self.engine.trace(question, where=self.where, principal=self.principal)

    def state(self) -> str:
        """A digest of what hits and answers depend on; `""` where a part of the engine has no name."""
        engine = self.engine.state()
        asked = [engine, asdict(self.principal) if self.principal else None, self._asked()]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest() if engine else ""

    def describe(self) -> dict[str, object]:
        """The same in words, for a report."""
        return self.engine.describe() | self._asked()

    def _asked(self) -> dict[str, object]:
        asked = {"mode": self.mode, "contexts": self.contexts, "steps": self.steps}
        return asked | {"where": dict(self.where) if self.where else None}


def trusted_headers(settings: DoorSettings) -> PrincipalOf | None:
    """Read who asks from the headers that the settings name; None where they name none.

    A request that lacks the name or the tenant, or has one of the headers twice, is refused: the proxy
    has not seen to it.
    """
    if not (settings.principal_header or settings.tenant_header):
        return None
    from starlette.exceptions import HTTPException

    def value(request: Request, header: str) -> str:
        given = request.headers.getlist(header) if header else []
        try:
            text = "".join(each.encode("latin-1").decode().strip() for each in given)
        except UnicodeDecodeError:
            text = ""
        if len(given) > 1 or (header in needed and not text):
            raise HTTPException(403, f"the proxy before this service has to say who asks, in one {header}")
        return text

    needed = {settings.principal_header, settings.tenant_header} - {""}

    def principal_of(request: Request) -> Principal:
        groups = value(request, settings.groups_header).split(",")
        return Principal(
            name=value(request, settings.principal_header),
            tenant=value(request, settings.tenant_header),
            groups=tuple(group.strip() for group in groups if group.strip()),
        )

    return principal_of
