"""Which token comes next: the likeliest, or one by chance, of those that a grammar lets be."""

from __future__ import annotations

import ctypes as c
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.errors import InputError
from rag.generation.runtime_llama_api import Candidates, ChainParameters, complaints, load_library
from rag.generation.runtime_vocabulary import Vocabulary
from rag.protocols import Sampling

Logits = npt.NDArray[np.float32]

_ROW = np.dtype([("token", np.int32), ("logit", np.float32), ("chance", np.float32)])

LONGEST_GRAMMAR = 1 << 20


class Sampler:
    """Chooses the tokens of one text. The same logits, sampling and seed give the same tokens.

    A grammar is asked about the token that was chosen, and about all of them only where it forbids
    that one: asking about all takes as long as the model itself on a large vocabulary.
    """

    def __init__(self, vocabulary: Vocabulary, sampling: Sampling) -> None:
        check_sampling(sampling)
        self._library: Any = load_library()
        self._rows = np.zeros(vocabulary.size, _ROW)
        self._tokens = np.arange(vocabulary.size, dtype=np.int32)
        self._chance = self._chain(sampling) if sampling.temperature > 0 else None
        self._grammar = self._rules(vocabulary, sampling.grammar) if sampling.grammar else None

    def choose(self, logits: Logits) -> int:
        """The next token, by `logits`, float32 (vocabulary,); ties go to the lower number."""
        token = self._pick(logits)
        if self._grammar is None:
            return token
        if not self._allows(token):
            allowed = self._allowed(logits)
            token = self._pick(allowed)
            if not np.isfinite(allowed[token]):
                # To accept it would end the process, not the text.
                raise InputError("the grammar asks for what no token of the model can write")
        self._library.llama_sampler_accept(self._grammar, token)
        return token

    def _pick(self, logits: Logits) -> int:
        if self._chance is None:
            return int(np.argmax(logits))
        rows = self._fill(logits)
        taken = Candidates(rows.ctypes.data, len(rows), -1, False)
        self._library.llama_sampler_apply(self._chance, c.byref(taken))
        return int(rows["token"][taken.selected])

    def _allows(self, token: int) -> bool:
        row = np.array([(token, 1.0, 0.0)], _ROW)
        taken = Candidates(row.ctypes.data, 1, -1, False)
        self._library.llama_sampler_apply(self._grammar, c.byref(taken))
        return bool(np.isfinite(row["logit"][0]))

    def _allowed(self, logits: Logits) -> Logits:
        """The logits, minus infinity where the grammar forbids the token."""
        rows = self._fill(logits)
        taken = Candidates(rows.ctypes.data, len(rows), -1, False)
        self._library.llama_sampler_apply(self._grammar, c.byref(taken))
        return rows["logit"].copy()

    def _fill(self, logits: Logits) -> npt.NDArray[np.void]:
        self._rows["token"], self._rows["logit"], self._rows["chance"] = self._tokens, logits, 0.0
        return self._rows

    def _chain(self, sampling: Sampling) -> int:
        library = self._library
        chain = library.llama_sampler_chain_init(ChainParameters(True))
        weakref.finalize(self, library.llama_sampler_free, chain)
        if sampling.top_k:
            library.llama_sampler_chain_add(chain, library.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            library.llama_sampler_chain_add(chain, library.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p > 0:
            library.llama_sampler_chain_add(chain, library.llama_sampler_init_min_p(sampling.min_p, 1))
        library.llama_sampler_chain_add(chain, library.llama_sampler_init_temp(sampling.temperature))
        library.llama_sampler_chain_add(chain, library.llama_sampler_init_dist(sampling.seed & 0xFFFF_FFFF))
        return int(chain)

    def _rules(self, vocabulary: Vocabulary, grammar: str) -> int:
        if len(grammar) > LONGEST_GRAMMAR:
            raise InputError(f"a grammar of {len(grammar):,} characters; {LONGEST_GRAMMAR:,} are the most")
        complaints()
        data = grammar.encode("utf-8", "replace")
        rules = self._library.llama_sampler_init_grammar(vocabulary.pointer, data, b"root")
        if not rules:
            raise InputError(f"the grammar is no GBNF with a rule `root`: {complaints() or grammar[:80]!r}")
        weakref.finalize(self, self._library.llama_sampler_free, rules)
        return int(rules)


def check_sampling(sampling: Sampling) -> None:
    """Refuse what cannot be sampled by.

    Raises:
        InputError: A number is out of its range.
    """
    if sampling.max_tokens < 1:
        raise InputError(f"max_tokens is 1 or more, not {sampling.max_tokens}")
    if not 0 <= sampling.temperature <= 100 or sampling.top_k < 0:
        raise InputError("temperature is in 0..100, top_k 0 or more")
    if not 0 < sampling.top_p <= 1 or not 0 <= sampling.min_p <= 1:
        raise InputError("top_p is in 0..1 and above 0, min_p in 0..1")
