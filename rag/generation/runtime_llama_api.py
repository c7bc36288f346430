"""llama.cpp's C functions, called in the library that the package xllamacpp carries.

The package's own face is a server that listens on a port, without a key, and lets every web page in.
Its library has the C functions of llama.cpp beside that; they open no port. Parameters are passed in
structures whose layout is that of one version, so that one is pinned, and a library that does not
fill them with the values expected here is refused.
"""

from __future__ import annotations

import ctypes as c
import os
import threading
from functools import lru_cache
from typing import Any

from rag.errors import MissingExtra

PINNED = "2026.10.11549"

Log = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)


class ModelParameters(c.Structure):
    """`llama_model_params`."""

    _fields_ = (
        ("devices", c.c_void_p),
        ("tensor_buft_overrides", c.c_void_p),
        ("n_gpu_layers", c.c_int32),
        ("split_mode", c.c_int),
        ("load_mode", c.c_int),
        ("lazy_mode", c.c_int),
        ("main_gpu", c.c_int32),
        ("tensor_split", c.c_void_p),
        ("progress_callback", c.c_void_p),
        ("progress_callback_user_data", c.c_void_p),
        ("kv_overrides", c.c_void_p),
        ("vocab_only", c.c_bool),
        ("check_tensors", c.c_bool),
        ("use_extra_bufts", c.c_bool),
        ("no_host", c.c_bool),
        ("no_alloc", c.c_bool),
        ("load_mtp", c.c_bool),
    )


class ContextParameters(c.Structure):
    """`llama_context_params`."""

    _fields_ = (
        ("n_ctx", c.c_uint32),
        ("n_batch", c.c_uint32),
        ("n_ubatch", c.c_uint32),
        ("n_seq_max", c.c_uint32),
        ("n_rs_seq", c.c_uint32),
        ("n_outputs_max", c.c_uint32),
        ("n_outputs_max_per_seq", c.c_uint32),
        ("n_threads", c.c_int32),
        ("n_threads_batch", c.c_int32),
        ("ctx_type", c.c_int),
        ("rope_scaling_type", c.c_int),
        ("pooling_type", c.c_int),
        ("attention_type", c.c_int),
        ("flash_attn_type", c.c_int),
        ("rope_freq_base", c.c_float),
        ("rope_freq_scale", c.c_float),
        ("yarn_ext_factor", c.c_float),
        ("yarn_attn_factor", c.c_float),
        ("yarn_beta_fast", c.c_float),
        ("yarn_beta_slow", c.c_float),
        ("yarn_orig_ctx", c.c_uint32),
        ("defrag_thold", c.c_float),
        ("cb_eval", c.c_void_p),
        ("cb_eval_user_data", c.c_void_p),
        ("type_k", c.c_int),
        ("type_v", c.c_int),
        ("moe_cache_size", c.c_size_t),
        ("abort_callback", c.c_void_p),
        ("abort_callback_data", c.c_void_p),
        ("embeddings", c.c_bool),
        ("offload_kqv", c.c_bool),
        ("no_perf", c.c_bool),
        ("op_offload", c.c_bool),
        ("swa_full", c.c_bool),
        ("kv_unified", c.c_bool),
        ("samplers", c.c_void_p),
        ("n_samplers", c.c_size_t),
        ("ctx_other", c.c_void_p),
    )


class Batch(c.Structure):
    """`llama_batch`: the arrays of `n_tokens` tokens."""

    _fields_ = (
        ("n_tokens", c.c_int32),
        ("token", c.POINTER(c.c_int32)),
        ("embd", c.c_void_p),
        ("pos", c.POINTER(c.c_int32)),
        ("n_seq_id", c.POINTER(c.c_int32)),
        ("seq_id", c.POINTER(c.POINTER(c.c_int32))),
        ("logits", c.POINTER(c.c_int8)),
    )


class Candidates(c.Structure):
    """`llama_token_data_array`: `size` of (token, logit, probability), and which of them is taken."""

    _fields_ = (
        ("data", c.c_void_p),
        ("size", c.c_size_t),
        ("selected", c.c_int64),
        ("sorted", c.c_bool),
    )


class ChainParameters(c.Structure):
    """`llama_sampler_chain_params`."""

    _fields_ = (("no_perf", c.c_bool),)


_POINTER, _INT, _SIZE, _FLOAT, _TEXT = c.c_void_p, c.c_int32, c.c_size_t, c.c_float, c.c_char_p

_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_backend_init": (None, ()),
    "llama_log_set": (None, (Log, _POINTER)),
    "llama_supports_gpu_offload": (c.c_bool, ()),
    "llama_model_default_params": (ModelParameters, ()),
    "llama_context_default_params": (ContextParameters, ()),
    "llama_model_load_from_file": (_POINTER, (_TEXT, ModelParameters)),
    "llama_model_free": (None, (_POINTER,)),
    "llama_init_from_model": (_POINTER, (_POINTER, ContextParameters)),
    "llama_free": (None, (_POINTER,)),
    "llama_n_ctx": (c.c_uint32, (_POINTER,)),
    "llama_get_memory": (_POINTER, (_POINTER,)),
    "llama_model_get_vocab": (_POINTER, (_POINTER,)),
    "llama_model_is_recurrent": (c.c_bool, (_POINTER,)),
    "llama_model_is_hybrid": (c.c_bool, (_POINTER,)),
    "llama_model_has_encoder": (c.c_bool, (_POINTER,)),
    "llama_memory_seq_rm": (c.c_bool, (_POINTER, _INT, _INT, _INT)),
    "llama_memory_seq_pos_max": (_INT, (_POINTER, _INT)),
    "llama_state_seq_get_size": (_SIZE, (_POINTER, _INT)),
    "llama_state_seq_get_data": (_SIZE, (_POINTER, _POINTER, _SIZE, _INT)),
    "llama_state_seq_set_data": (_SIZE, (_POINTER, _POINTER, _SIZE, _INT)),
    "llama_decode": (_INT, (_POINTER, Batch)),
    "llama_get_logits_ith": (c.POINTER(c.c_float), (_POINTER, _INT)),
    "llama_vocab_n_tokens": (_INT, (_POINTER,)),
    "llama_vocab_is_eog": (c.c_bool, (_POINTER, _INT)),
    "llama_vocab_is_control": (c.c_bool, (_POINTER, _INT)),
    "llama_vocab_bos": (_INT, (_POINTER,)),
    "llama_vocab_get_add_bos": (c.c_bool, (_POINTER,)),
    "llama_tokenize": (_INT, (_POINTER, _TEXT, _INT, c.POINTER(c.c_int32), _INT, c.c_bool, c.c_bool)),
    "llama_token_to_piece": (_INT, (_POINTER, _INT, c.c_char_p, _INT, _INT, c.c_bool)),
    "llama_sampler_apply": (None, (_POINTER, c.POINTER(Candidates))),
    "llama_sampler_accept": (None, (_POINTER, _INT)),
    "llama_sampler_free": (None, (_POINTER,)),
    "llama_sampler_chain_init": (_POINTER, (ChainParameters,)),
    "llama_sampler_chain_add": (None, (_POINTER, _POINTER)),
    "llama_sampler_init_dist": (_POINTER, (c.c_uint32,)),
    "llama_sampler_init_top_k": (_POINTER, (_INT,)),
    "llama_sampler_init_top_p": (_POINTER, (_FLOAT, _SIZE)),
    "llama_sampler_init_min_p": (_POINTER, (_FLOAT, _SIZE)),
    "llama_sampler_init_temp": (_POINTER, (_FLOAT,)),
    "llama_sampler_init_grammar": (_POINTER, (_POINTER, _TEXT, _TEXT)),
}

_said = threading.local()


def _hear(level: int, text: bytes | None, _: object) -> None:
    """Keep what the library complains of (warnings and errors) for the error of who called it."""
    if level >= 3 and text:
        lines = getattr(_said, "lines", [])
        _said.lines = [*lines[-3:], text.decode("utf-8", "replace").strip()]


_HEAR = Log(_hear)


def complaints() -> str:
    """What the library last complained of in this thread, once."""
    lines = getattr(_said, "lines", [])
    _said.lines = []
    return " ".join(line for line in lines if line)


@lru_cache(maxsize=1)
def load_library() -> Any:
    """The library, its functions typed, silent.

    Raises:
        MissingExtra: It is not installed, or is another version than the one pinned.
    """
    try:
        import xllamacpp.xllamacpp as carrier
    except ImportError as error:
        raise MissingExtra(
            f"running a GGUF file needs xllamacpp: pip install 'spanrag[llm]' ({error})"
        ) from error
    library = c.CDLL(os.fspath(carrier.__file__))
    try:
        for name, (returned, taken) in _FUNCTIONS.items():
            function = getattr(library, name)
            function.restype, function.argtypes = returned, taken
    except AttributeError as error:
        raise MissingExtra(f"this xllamacpp has no {error}; install xllamacpp=={PINNED}") from error
    if not _layout_is_known(library):
        raise MissingExtra(f"this xllamacpp is not the version known here; install xllamacpp=={PINNED}")
    library.llama_log_set(_HEAR, None)
    library.llama_backend_init()
    return library


def _layout_is_known(library: Any) -> bool:
    """Whether the default parameters are where they are expected, from the first to the last field."""
    model, context = library.llama_model_default_params(), library.llama_context_default_params()
    return (
        (model.n_gpu_layers, model.split_mode, model.load_mode, model.lazy_mode) == (-1, 1, -1, 1)
        and (model.vocab_only, model.use_extra_bufts, model.load_mtp) == (False, True, False)
        and (context.n_ctx, context.n_batch, context.n_ubatch, context.n_seq_max) == (512, 2048, 512, 1)
        and (context.rope_scaling_type, context.pooling_type, context.attention_type) == (-1, -1, -1)
        and (context.rope_freq_base, context.yarn_beta_slow, context.defrag_thold) == (0.0, -1.0, -1.0)
        and (context.type_k, context.type_v, context.moe_cache_size) == (1, 1, 0)
        and (context.embeddings, context.offload_kqv, context.swa_full) == (False, True, True)
        and not (context.kv_unified or context.samplers or context.n_samplers or context.ctx_other)
    )
